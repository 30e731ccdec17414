"""Stacks of real endpoints through unmodified boto3: `whole` lives a stack's whole life; `begin` starts a create and
leaves at once, `end` finds it complete after the server was stopped and started again."""

import io
import json
import sys
import tarfile
import time

import boto3
from botocore.exceptions import ClientError, WaiterError

ROLE = "arn:aws:iam::123456789012:role/model"
IMAGE = "sagemaker-scikit-learn:1.2-1-cpu-py3"
QUICK = {"Delay": 1, "MaxAttempts": 90}
TEMPLATE = """
Description: A model package behind an endpoint
Parameters:
  ProjectName: {Type: String, MinLength: 1, MaxLength: 32, AllowedPattern: '^[a-zA-Z](-*[a-zA-Z0-9])*'}
  StageName: {Type: String, AllowedValues: [staging, prod]}
  ModelPackageName: {Type: String}
  RoleArn: {Type: String}
  InstanceCount: {Type: Number, MinValue: 1}
  SamplingPercentage: {Type: Number, MinValue: 0, MaxValue: 100}
  EnableDataCapture: {Type: String, Default: 'true', AllowedValues: ['true', 'false']}
  CaptureUri: {Type: String}
Resources:
  Model:
    Type: AWS::SageMaker::Model
    Properties:
      Containers: [{ModelPackageName: !Ref ModelPackageName}]
      ExecutionRoleArn: !Ref RoleArn
  EndpointConfig:
    Type: AWS::SageMaker::EndpointConfig
    Properties:
      ProductionVariants:
        - InitialInstanceCount: !Ref InstanceCount
          InitialVariantWeight: 1.0
          InstanceType: ml.m5.large
          ModelName: !GetAtt Model.ModelName
          VariantName: AllTraffic
      DataCaptureConfig:
        CaptureOptions: [{CaptureMode: Input}, {CaptureMode: Output}]
        DestinationS3Uri: !Ref CaptureUri
        EnableCapture: !Ref EnableDataCapture
        InitialSamplingPercentage: !Ref SamplingPercentage
        CaptureContentTypeHeader: {CsvContentTypes: [text/csv]}
  Endpoint:
    Type: AWS::SageMaker::Endpoint
    Properties:
      EndpointName: !Sub '${ProjectName}-${StageName}'
      EndpointConfigName: !GetAtt EndpointConfig.EndpointConfigName
Outputs:
  EndpointName: {Value: !GetAtt Endpoint.EndpointName, Description: Where it answers}
  EndpointArn: {Value: !Ref Endpoint}
"""

s3, cfn, sagemaker, runtime = (boto3.client(n) for n in ("s3", "cloudformation", "sagemaker", "sagemaker-runtime"))


def package(word, code=None):
    """An approved model package whose endpoint answers with the word, or runs the code."""
    code = code or (f"def model_fn(folder): return '{word}'\n"
                    "def transform_fn(model, data, content_type, accept): return f'{model}({data})', 'text/plain'\n")
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        member = tarfile.TarInfo("code/inference.py")
        member.size = len(code)
        archive.addfile(member, io.BytesIO(code.encode()))
    s3.put_object(Bucket="models", Key=f"{word}.tar.gz", Body=packed.getvalue())
    return sagemaker.create_model_package(
        ModelPackageGroupName="group", ModelApprovalStatus="Approved",
        InferenceSpecification={
            "Containers": [{"Image": IMAGE, "ModelDataUrl": f"s3://models/{word}.tar.gz",
                            "Environment": {"SAGEMAKER_PROGRAM": "inference.py"}}],
            "SupportedContentTypes": ["text/csv"], "SupportedResponseMIMETypes": ["text/plain"],
            "SupportedRealtimeInferenceInstanceTypes": ["ml.m5.large"],
            "SupportedTransformInstanceTypes": ["ml.m5.large"],
        })["ModelPackageArn"]


def parameters(package_arn, stage="staging", **more):
    values = {"ProjectName": "shop", "StageName": stage, "ModelPackageName": package_arn, "RoleArn": ROLE,
              "InstanceCount": "1", "SamplingPercentage": "100", "CaptureUri": "s3://models/capture", **more}
    return [{"ParameterKey": k, "ParameterValue": v} for k, v in values.items()]


def stack(name="shop-staging"):
    return cfn.describe_stacks(StackName=name)["Stacks"][0]


def answer(endpoint="shop-staging"):
    got = runtime.invoke_endpoint(EndpointName=endpoint, ContentType="text/csv", Body="1,2")
    return got["Body"].read().decode()


def count():
    return (len(sagemaker.list_models()["Models"]), len(sagemaker.list_endpoint_configs()["EndpointConfigs"]),
            len(sagemaker.list_endpoints()["Endpoints"]))


def story(name="shop-staging"):
    pages = cfn.get_paginator("describe_stack_events").paginate(StackName=name)
    events = [event for page in pages for event in page["StackEvents"]]
    return [(e["LogicalResourceId"], e["ResourceStatus"], e.get("ResourceStatusReason", "")) for e in reversed(events)]


def set_up():
    s3.create_bucket(Bucket="models")
    sagemaker.create_model_package_group(ModelPackageGroupName="group")


def whole():
    set_up()
    one, two = package("one"), package("two")
    broken = package("broken", "raise SystemExit('this model cannot be loaded')\n")
    tags = [{"Key": "sagemaker:deployment-stage", "Value": "staging"}]
    created = cfn.create_stack(StackName="shop-staging", TemplateBody=TEMPLATE, Parameters=parameters(one), Tags=tags)
    cfn.get_waiter("stack_create_complete").wait(StackName="shop-staging", WaiterConfig=QUICK)
    made = stack()
    assert made["StackId"] == created["StackId"] and made["StackStatus"] == "CREATE_COMPLETE"
    outputs = {o["OutputKey"]: o["OutputValue"] for o in made["Outputs"]}
    assert outputs["EndpointName"] == "shop-staging" and outputs["EndpointArn"].endswith(":endpoint/shop-staging"), outputs
    assert answer() == "one(1,2)", answer()
    resources = {r["LogicalResourceId"]: r for r in cfn.describe_stack_resources(StackName="shop-staging")["StackResources"]}
    assert set(resources) == {"Model", "EndpointConfig", "Endpoint"}
    for resource in resources.values():
        assert resource["ResourceStatus"] == "CREATE_COMPLETE"
        assert sagemaker.list_tags(ResourceArn=resource["PhysicalResourceId"])["Tags"] == tags
    assert [r["LogicalResourceId"] for r in cfn.list_stack_resources(StackName="shop-staging")["StackResourceSummaries"]] == [
        "Model", "EndpointConfig", "Endpoint"]
    detail = cfn.describe_stack_resource(StackName="shop-staging", LogicalResourceId="Endpoint")["StackResourceDetail"]
    assert detail["PhysicalResourceId"] == outputs["EndpointArn"]
    assert cfn.get_template(StackName="shop-staging")["TemplateBody"].strip() == TEMPLATE.strip()
    assert story()[0][:2] == ("shop-staging", "CREATE_IN_PROGRESS") and story()[-1][:2] == ("shop-staging", "CREATE_COMPLETE")
    assert count() == (1, 1, 1)

    # An update by change set: two replaced, the endpoint changed in place without a new name.
    cfn.create_change_set(StackName="shop-staging", ChangeSetName="two", UsePreviousTemplate=True, Parameters=[
        {"ParameterKey": p["ParameterKey"], **({"ParameterValue": two} if p["ParameterKey"] == "ModelPackageName" else {"UsePreviousValue": True})}
        for p in made["Parameters"]])
    cfn.get_waiter("change_set_create_complete").wait(StackName="shop-staging", ChangeSetName="two", WaiterConfig=QUICK)
    changes = cfn.describe_change_set(StackName="shop-staging", ChangeSetName="two")["Changes"]
    assert {c["ResourceChange"]["LogicalResourceId"]: c["ResourceChange"]["Replacement"] for c in changes} == {
        "Model": "True", "EndpointConfig": "True", "Endpoint": "False"}
    cfn.execute_change_set(StackName="shop-staging", ChangeSetName="two")
    cfn.get_waiter("stack_update_complete").wait(StackName="shop-staging", WaiterConfig=QUICK)
    assert answer() == "two(1,2)" and count() == (1, 1, 1)
    assert stack()["Outputs"] and stack()["Tags"] == tags

    # An update whose model cannot be loaded: back to what was in force, which never stopped answering.
    cfn.update_stack(StackName="shop-staging", TemplateBody=TEMPLATE, Parameters=parameters(broken))
    try:
        cfn.get_waiter("stack_update_complete").wait(StackName="shop-staging", WaiterConfig={"Delay": 1, "MaxAttempts": 400})
        raise AssertionError("the update should have failed")
    except WaiterError:
        pass
    cfn.get_waiter("stack_rollback_complete").wait(StackName="shop-staging", WaiterConfig=QUICK)
    assert stack()["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE", story()
    failed = [event for event in story() if event[:2] == ("Endpoint", "UPDATE_FAILED")]
    assert failed and "Resource handler" in failed[0][2], story()
    assert answer() == "two(1,2)" and count() == (1, 1, 1)
    assert {p["ParameterKey"]: p["ParameterValue"] for p in stack()["Parameters"]}["ModelPackageName"] == two
    try:
        cfn.update_stack(StackName="shop-staging", TemplateBody=TEMPLATE, Parameters=parameters(two))
        raise AssertionError("there was nothing to update")
    except ClientError as error:
        assert error.response["Error"]["Message"] == "No updates are to be performed.", error

    # A create that cannot work leaves nothing.
    cfn.create_stack(StackName="shop-prod", TemplateBody=TEMPLATE, Parameters=parameters(one.replace("group/1", "group/99"), "prod"))
    try:
        cfn.get_waiter("stack_create_complete").wait(StackName="shop-prod", WaiterConfig=QUICK)
        raise AssertionError("the create should have failed")
    except WaiterError:
        pass
    while stack("shop-prod")["StackStatus"] == "ROLLBACK_IN_PROGRESS":
        time.sleep(0.2)
    failed = [event for event in story("shop-prod") if event[1] == "CREATE_FAILED"]
    assert [event[0] for event in failed] == ["Model"] and "does not exist" in failed[0][2], story("shop-prod")
    assert stack("shop-prod")["StackStatus"] == "ROLLBACK_COMPLETE" and count() == (1, 1, 1)
    for name in ("shop-prod", "shop-staging"):
        cfn.delete_stack(StackName=name)
        cfn.get_waiter("stack_delete_complete").wait(StackName=name, WaiterConfig=QUICK)
    assert count() == (0, 0, 0)
    assert stack(made["StackId"])["StackStatus"] == "DELETE_COMPLETE"
    states = {s["StackName"]: s["StackStatus"] for s in cfn.list_stacks()["StackSummaries"]}
    assert states == {"shop-prod": "DELETE_COMPLETE", "shop-staging": "DELETE_COMPLETE"}


def begin():
    s3.put_object(Bucket="models", Key="template.yml", Body=TEMPLATE.encode())
    url = s3.meta.endpoint_url + "/models/template.yml"
    cfn.create_stack(StackName="again", TemplateURL=url, Parameters=parameters(package("again"), "prod"), ClientRequestToken="t1")
    again = cfn.create_stack(StackName="again", TemplateURL=url, Parameters=parameters("x", "prod"), ClientRequestToken="t1")
    print(json.dumps(again["StackId"]))


def end():
    cfn.get_waiter("stack_create_complete").wait(StackName="again", WaiterConfig=QUICK)
    assert answer("shop-prod") == "again(1,2)" and count() == (1, 1, 1)
    cfn.delete_stack(StackName="again")
    cfn.get_waiter("stack_delete_complete").wait(StackName="again", WaiterConfig=QUICK)
    assert count() == (0, 0, 0)


{"whole": whole, "begin": begin, "end": end}[sys.argv[1]]()
