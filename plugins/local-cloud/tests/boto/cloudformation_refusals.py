"""What CloudFormation refuses, and in which words; and the cheap resources that need no process."""

import boto3
from botocore.exceptions import ClientError

cfn, s3, sagemaker = (boto3.client(name) for name in ("cloudformation", "s3", "sagemaker"))
BUCKET = "Resources: {Bucket: {Type: 'AWS::S3::Bucket'}}"


def refused(words, code="ValidationError", call=cfn.create_stack, **arguments):
    try:
        call(**arguments)
    except ClientError as error:
        said = error.response["Error"]
        assert said["Code"] == code and words in said["Message"], error
        return
    raise AssertionError(f"should have been refused: {words}")


def create(template, **more):
    return {"StackName": "s", "TemplateBody": template, **more}


def given(**values):
    return [{"ParameterKey": key, "ParameterValue": value} for key, value in values.items()]


refused("Unrecognized resource types: [AWS::Lambda::Function]", **create("Resources: {F: {Type: 'AWS::Lambda::Function'}}"))
refused("YAML not well-formed. (line 2, column 1)", **create("Resources: {"))
refused("JSON not well-formed. (line 1, column 3)", **create("{ x"))
refused("At least one Resources member must be defined", **create("Resources: {}"))
refused("Unresolved resource dependencies [Nope]", **create("Resources: {B: {Type: 'AWS::S3::Bucket', Properties: {BucketName: !Ref Nope}}}"))
refused("Either Template URL or Template Body must be specified", StackName="s")
refused("failed to satisfy constraint: Member must satisfy regular expression", StackName="1s", TemplateBody=BUCKET)
refused("S3 error", StackName="s", TemplateURL="https://none.s3.amazonaws.com/template.yml")
counted = "Parameters: {N: {Type: Number, MinValue: 1}}\n" + BUCKET
refused("Parameters: [N] must have values", **create(counted))
refused("Parameter 'N' must be a number not less than 1", **create(counted, Parameters=given(N="0")))
refused("Parameters: [X] do not exist in the template", **create(counted, Parameters=given(N="1", X="2")))
refused("Stack with id s does not exist", call=cfn.describe_stacks, StackName="s")
refused("Stack with id s does not exist", call=cfn.update_stack, **create(BUCKET))
refused("Unable to get mapping for M::a::b", **create(
    "Mappings: {M: {x: {y: '1'}}}\nConditions: {C: !Equals [!FindInMap [M, a, b], '1']}\n" + BUCKET))
assert cfn.list_stacks()["StackSummaries"] == []

summary = cfn.get_template_summary(TemplateBody=counted)
assert summary["ResourceTypes"] == ["AWS::S3::Bucket"] and summary["Parameters"][0]["ParameterKey"] == "N"
assert cfn.validate_template(TemplateBody=counted)["Parameters"][0]["ParameterKey"] == "N"

secret = """
Parameters: {Token: {Type: String, NoEcho: true}}
Resources:
  Bucket: {Type: 'AWS::S3::Bucket', DeletionPolicy: Retain}
  Group: {Type: 'AWS::SageMaker::ModelPackageGroup', DependsOn: Bucket, Properties: {ModelPackageGroupName: !Sub '${AWS::StackName}-group'}}
Outputs: {Name: {Value: !Ref Bucket}, Arn: {Value: !GetAtt Bucket.Arn}}
"""
QUICK = {"Delay": 1, "MaxAttempts": 20}
cfn.create_stack(StackName="Small", TemplateBody=secret, Parameters=given(Token="hidden"), EnableTerminationProtection=True)
cfn.get_waiter("stack_create_complete").wait(StackName="Small", WaiterConfig=QUICK)
made = cfn.describe_stacks(StackName="Small")["Stacks"][0]
assert made["Parameters"] == [{"ParameterKey": "Token", "ParameterValue": "****"}], made
bucket = {output["OutputKey"]: output["OutputValue"] for output in made["Outputs"]}["Name"]
assert bucket.startswith("small-bucket-") and s3.head_bucket(Bucket=bucket)
assert sagemaker.describe_model_package_group(ModelPackageGroupName="Small-group")
refused("Stack [Small] already exists", "AlreadyExistsException", StackName="Small", TemplateBody=BUCKET)
refused("cannot be deleted while TerminationProtection is enabled", call=cfn.delete_stack, StackName="Small")
cfn.update_termination_protection(StackName="Small", EnableTerminationProtection=False)
cfn.delete_stack(StackName="Small")
cfn.get_waiter("stack_delete_complete").wait(StackName="Small", WaiterConfig=QUICK)
assert s3.head_bucket(Bucket=bucket), "a retained bucket stays"
refused("does not exist", "ValidationException", sagemaker.describe_model_package_group, ModelPackageGroupName="Small-group")
cfn.delete_stack(StackName="never-was")
