"""Unmodified SDK, boto3 and aws command line against the local cloud: what goes on around a pipeline.

Callback and Lambda steps, a hyperparameter search, retries of a step, an approval whose event goes to a queue and to a
webhook with basic authentication, and `aws cloudformation package`. Endpoint, region and credentials come from the
environment, as for real AWS. Prints `all as AWS would` at the end.
"""
import base64
import http.server
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
from pathlib import Path

import boto3
import sagemaker
from botocore.exceptions import ClientError, WaiterError
from sagemaker.lambda_helper import Lambda
from sagemaker.sklearn.processing import SKLearnProcessor
from sagemaker.workflow.callback_step import CallbackOutput, CallbackOutputTypeEnum, CallbackStep
from sagemaker.workflow.condition_step import ConditionStep
from sagemaker.workflow.conditions import ConditionEquals, ConditionIn, ConditionNot, ConditionOr
from sagemaker.workflow.execution_variables import ExecutionVariables
from sagemaker.workflow.fail_step import FailStep
from sagemaker.workflow.functions import Join
from sagemaker.workflow.lambda_step import LambdaOutput, LambdaOutputTypeEnum, LambdaStep
from sagemaker.workflow.parameters import ParameterString
from sagemaker.workflow.pipeline import Pipeline
from sagemaker.workflow.pipeline_context import PipelineSession
from sagemaker.workflow.selective_execution_config import SelectiveExecutionConfig
from sagemaker.workflow.steps import ProcessingStep

ROLE = "arn:aws:iam::000000000000:role/test"
REGION = os.environ["AWS_DEFAULT_REGION"]
BUCKET = "around-a-pipeline"
WAIT_S = 30


def until(what, look):
    """What `look` finds, asked until it finds something."""
    end = time.monotonic() + WAIT_S
    while time.monotonic() < end:
        found = look()
        if found:
            return found
        time.sleep(0.1)
    raise AssertionError("%s did not happen within %d s" % (what, WAIT_S))


class Hook:
    """A server as Jenkins: notes requests, and refuses the first to see it come again."""

    def __init__(self):
        self.seen, outer = [], self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                outer.seen.append((self.path, self.headers.get("Authorization")))
                self.send_response(503 if len(outer.seen) == 1 else 201)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = "http://127.0.0.1:%d" % self.server.server_port


def rules(events, sqs, hook):
    """An approval goes to a queue and to Jenkins' trigger, as the Lambda of AWS' project sends it."""
    queue = sqs.create_queue(QueueName="approvals")["QueueUrl"]
    queue_arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    connection = events.create_connection(
        Name="jenkins",
        AuthorizationType="BASIC",
        AuthParameters={"BasicAuthParameters": {"Username": "ci", "Password": "an-api-token"}},
    )["ConnectionArn"]
    destination = events.create_api_destination(
        Name="jenkins",
        ConnectionArn=connection,
        HttpMethod="GET",
        InvocationEndpoint=hook.url + "/job/sagemaker-*-modeldeploy/buildWithParameters",
    )["ApiDestinationArn"]
    pattern = {
        "source": ["aws.sagemaker"],
        "detail-type": ["SageMaker Model Package State Change"],
        "detail": {"ModelApprovalStatus": ["Approved", "Rejected"]},
    }
    events.put_rule(Name="trigger", EventPattern=json.dumps(pattern))
    cause = {"token": "token", "cause": "$.detail.ModelPackageArn"}
    events.put_targets(
        Rule="trigger",
        Targets=[
            {"Id": "queue", "Arn": queue_arn},
            {
                "Id": "jenkins",
                "Arn": destination,
                "RoleArn": ROLE,
                "HttpParameters": {
                    "PathParameterValues": ["$.detail.ModelPackageGroupName"],
                    "QueryStringParameters": cause,
                },
            },
        ],
    )
    steps = {"source": ["aws.sagemaker"], "detail": {"stepName": ["Ask"], "currentStepStatus": ["Succeeded"]}}
    events.put_rule(Name="steps", EventPattern=json.dumps(steps))
    events.put_targets(Rule="steps", Targets=[{"Id": "queue", "Arn": queue_arn, "InputPath": "$.detail.stepName"}])
    return queue


def receive(sqs, queue):
    """One message, taken away."""
    def look():
        return sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=5).get("Messages")

    message = until("a message", look)[0]
    sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
    return json.loads(message["Body"])


def pipeline(session, folder, asked):
    """Lambda -> callback -> a choice -> a processing job, or a failure."""
    code = Path(folder) / "double.py"
    code.write_text("def handler(event, context):\n    return {'doubled': 2 * event['n'], 'name': event['name'].upper()}\n")
    name = ParameterString("Name", default_value="abalone")
    double = LambdaStep(
        name="Double",
        lambda_func=Lambda(function_name="double", execution_role_arn=ROLE, script=str(code), handler="double.handler", timeout=30, session=session),
        inputs={"n": 21, "name": name},
        outputs=[LambdaOutput("doubled", LambdaOutputTypeEnum.Integer), LambdaOutput("name", LambdaOutputTypeEnum.String)],
    )
    ask = CallbackStep(
        name="Ask",
        sqs_queue_url=asked,
        inputs={"doubled": double.properties.Outputs["doubled"], "execution": ExecutionVariables.PIPELINE_EXECUTION_ID},
        outputs=[CallbackOutput("answer", CallbackOutputTypeEnum.String)],
    )
    script = Path(folder) / "say.py"
    script.write_text("import sys\nopen('/opt/ml/processing/out/said', 'w').write(' '.join(sys.argv[1:]))\n")
    processor = SKLearnProcessor("1.2-1", ROLE, instance_type="ml.m5.large", instance_count=1, sagemaker_session=session)
    out = Join(on="/", values=["s3:/", BUCKET, ExecutionVariables.PIPELINE_EXECUTION_ID, "said"])
    say = ProcessingStep(
        name="Say",
        step_args=processor.run(
            code=str(script),
            arguments=[double.properties.Outputs["name"], ask.properties.Outputs["answer"]],
            outputs=[sagemaker.processing.ProcessingOutput(output_name="out", source="/opt/ml/processing/out", destination=out)],
        ),
    )
    answer = ask.properties.Outputs["answer"]
    choice = ConditionStep(
        name="Choice",
        conditions=[
            ConditionOr([ConditionEquals(left=answer, right="yes"), ConditionEquals(left=answer, right="perhaps")]),
            ConditionNot(ConditionIn(value=double.properties.Outputs["doubled"], in_values=[1, 2, 3])),
        ],
        if_steps=[say],
        else_steps=[FailStep(name="No", error_message=Join(on=" ", values=["the answer was", answer]))],
    )
    return Pipeline(name="around", parameters=[name], steps=[double, ask, choice], sagemaker_session=session)


def answer(client, sqs, asked, text):
    """Answers the callback that comes next."""
    message = receive(sqs, asked)
    assert message["arguments"]["doubled"] == 42, message
    assert message["status"] == "Executing", message
    client.send_pipeline_execution_step_success(
        CallbackToken=message["token"], OutputParameters=[{"Name": "answer", "Value": text}]
    )
    return message


def statuses(execution):
    return {step["StepName"]: step["StepStatus"] for step in execution.list_steps()}


def run_pipeline(session, client, sqs, folder):
    asked = sqs.create_queue(QueueName="asked")["QueueUrl"]
    made = pipeline(session, folder, asked)
    made.upsert(role_arn=ROLE, tags=[{"Key": "team", "Value": "shell"}])
    arn = made.upsert(role_arn=ROLE, description="twice")["PipelineArn"]
    assert {"Key": "team", "Value": "shell"} in client.list_tags(ResourceArn=arn)["Tags"]
    assert len(client.list_pipeline_versions(PipelineName="around")["PipelineVersionSummaries"]) == 2

    good = made.start(parameters={"Name": "paua"}, execution_display_name="good")
    message = answer(client, sqs, asked, "yes")
    assert message["pipelineExecutionArn"] == good.arn, message
    good.wait(delay=0.5, max_attempts=100)
    assert statuses(good) == dict.fromkeys(("Double", "Ask", "Choice", "Say"), "Succeeded"), good.list_steps()
    key = "%s/said/said" % good.arn.rsplit("/", 1)[1]
    said = boto3.client("s3").get_object(Bucket=BUCKET, Key=key)["Body"].read()
    assert said == b"PAUA yes", said
    metadata = {step["StepName"]: step["Metadata"] for step in good.list_steps()}
    assert metadata["Double"]["Lambda"]["OutputParameters"][0] == {"Name": "doubled", "Value": "42"}, metadata
    assert client.list_pipeline_parameters_for_execution(PipelineExecutionArn=good.arn)["PipelineParameters"] == [
        {"Name": "Name", "Value": "paua"}
    ]

    bad = made.start()
    answer(client, sqs, asked, "never")
    try:
        bad.wait(delay=0.5, max_attempts=100)
        raise AssertionError("the execution should have failed")
    except WaiterError as error:
        assert "Failed" in str(error), error
    failed = [step for step in bad.list_steps() if step["StepName"] == "No"][0]
    assert failed["FailureReason"] == "the answer was never", failed

    # Only Say again, with everything before it from the good execution.
    chosen = SelectiveExecutionConfig(selected_steps=["Say"], source_pipeline_execution_arn=good.arn)
    again = made.start(parameters={"Name": "paua"}, selective_execution_config=chosen)
    again.wait(delay=0.5, max_attempts=100)
    taken = {step["StepName"]: "SelectiveExecutionResult" in step for step in again.list_steps()}
    assert taken["Double"] and not taken["Say"], taken
    for wrong in ({"Nme": "x"},):
        try:
            made.start(parameters=wrong)
            raise AssertionError("an unknown parameter was taken")
        except ClientError as error:
            assert "Unknown parameters [Nme]" in str(error), error
    return arn


def approve(client, sqs, queue, hook):
    """A registered version is approved: the event goes to the queue and, when Jenkins is back, to Jenkins."""
    s3 = boto3.client("s3")
    s3.put_object(Bucket=BUCKET, Key="m/model.tar.gz", Body=b"x")
    client.create_model_package_group(ModelPackageGroupName="abalone-p1")
    image = sagemaker.image_uris.retrieve("xgboost", REGION, version="1.7-1")
    arn = client.create_model_package(
        ModelPackageGroupName="abalone-p1",
        InferenceSpecification={
            "Containers": [{"Image": image, "ModelDataUrl": "s3://%s/m/model.tar.gz" % BUCKET}],
            "SupportedContentTypes": ["text/csv"],
            "SupportedResponseMIMETypes": ["text/csv"],
        },
    )["ModelPackageArn"]
    client.update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Approved")
    bodies = [receive(sqs, queue) for _ in range(3)]
    events = [body for body in bodies if isinstance(body, dict)]
    assert sorted(body for body in bodies if not isinstance(body, dict)) == ["Ask", "Ask"], bodies
    event = events[0]
    assert event["detail-type"] == "SageMaker Model Package State Change", event
    assert event["detail"]["ModelPackageArn"] == arn and event["detail"]["ModelApprovalStatus"] == "Approved", event
    until("the webhook's second try", lambda: len(hook.seen) >= 2)
    path, authorization = hook.seen[1]
    parsed = urllib.parse.urlsplit(path)
    assert urllib.parse.unquote(parsed.path) == "/job/sagemaker-abalone-p1-modeldeploy/buildWithParameters", path
    assert urllib.parse.parse_qs(parsed.query) == {"token": ["token"], "cause": [arn]}, path
    assert base64.b64decode(authorization.split()[1]) == b"ci:an-api-token", authorization


def package(folder):
    """`aws cloudformation package` uploads what a template names."""
    code = Path(folder) / "code"
    code.mkdir()
    (code / "f.py").write_text("x = 1\n")
    template = Path(folder) / "t.yml"
    template.write_text(
        "Resources:\n  F:\n    Type: AWS::Lambda::Function\n    Properties:\n      Code: code\n      Handler: f.h\n      Runtime: python3.11\n      Role: r\n"
    )
    aws = Path(sys.executable).with_name("aws")
    out = Path(folder) / "out.yml"
    subprocess.run(
        [aws, "cloudformation", "package", "--template-file", template, "--s3-bucket", BUCKET, "--output-template-file", out],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    text = out.read_text()
    assert "S3Bucket: %s" % BUCKET in text and "S3Key:" in text, text


def main():
    boto_session = boto3.Session(region_name=REGION)
    client = boto_session.client("sagemaker")
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket=BUCKET)
    session = PipelineSession(boto_session=boto_session, sagemaker_client=client, default_bucket=BUCKET)
    sqs, hook = boto3.client("sqs"), Hook()
    queue = rules(boto3.client("events"), sqs, hook)
    with tempfile.TemporaryDirectory() as folder:
        run_pipeline(session, client, sqs, folder)
        package(folder)
    approve(client, sqs, queue, hook)
    print("all as AWS would")


if __name__ == "__main__":
    main()
