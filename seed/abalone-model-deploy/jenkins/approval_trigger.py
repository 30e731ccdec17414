"""Makes an approval in the registry start the deploy job: a Lambda function that calls Jenkins, and a rule of EventBridge.

    jenkins/approval_trigger.py --group GROUP --jenkins-url URL --role-arn ARN

Where Jenkins wants a login, JENKINS_USER and JENKINS_API_TOKEN are taken from the environment. Run again, it brings
function and rule to what the arguments say. It is the counterpart of what AWS' project product makes beside the
repositories; the role needs no right but to write logs.
"""
import argparse
import io
import json
import os
import zipfile
from pathlib import Path

HANDLER = Path(__file__).with_name("approval_lambda.py")
# An approval may come while Jenkins restarts: the function waits for one answer, and EventBridge tries again.
TIMEOUT_S = 60


def zipped(path):
    """A zip with one file, the same bytes for the same file."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(zipfile.ZipInfo(path.name, (2000, 1, 1, 0, 0, 0)), path.read_text(encoding="utf-8"))
    return buffer.getvalue()


def put_function(client, name, args):
    """The function's ARN; made, or brought up to date."""
    names = ("JENKINS_USER", "JENKINS_API_TOKEN")
    variables = dict({key: os.environ[key] for key in names if os.environ.get(key)}, JENKINS_URL=args.jenkins_url)
    variables["JOB_TOKEN"] = args.job_token
    settings = dict(
        FunctionName=name,
        Runtime="python3.11",
        Role=args.role_arn,
        Handler="approval_lambda.lambda_handler",
        Timeout=TIMEOUT_S,
        Environment=dict(Variables=variables),
    )
    try:
        return client.create_function(Code=dict(ZipFile=zipped(HANDLER)), **settings)["FunctionArn"]
    except client.exceptions.ResourceConflictException:
        client.update_function_code(FunctionName=name, ZipFile=zipped(HANDLER))
        if hasattr(client, "get_waiter"):
            client.get_waiter("function_updated").wait(FunctionName=name)
        return client.update_function_configuration(**settings)["FunctionArn"]


def allow(client, name, rule_arn):
    """EventBridge may call the function. The local cloud has no policies, and says so."""
    from botocore.exceptions import ClientError

    try:
        client.add_permission(
            FunctionName=name,
            StatementId="approval-rule",
            Action="lambda:InvokeFunction",
            Principal="events.amazonaws.com",
            SourceArn=rule_arn,
        )
    except ClientError as error:
        if error.response["Error"]["Code"] not in ("ResourceConflictException", "UnknownOperationException"):
            raise


def put_rule(client, name, group, function_arn):
    """The rule over this group's decisions, with the function as its target."""
    pattern = {
        "source": ["aws.sagemaker"],
        "detail-type": ["SageMaker Model Package State Change"],
        "detail": {"ModelPackageGroupName": [group], "ModelApprovalStatus": ["Approved", "Rejected"]},
    }
    arn = client.put_rule(Name=name, EventPattern=json.dumps(pattern), State="ENABLED")["RuleArn"]
    client.put_targets(Rule=name, Targets=[dict(Id="jenkins", Arn=function_arn)])
    return arn


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--group", required=True, help="model package group")
    parser.add_argument("--jenkins-url", required=True, help="as the function reaches it")
    parser.add_argument("--role-arn", required=True, help="role of the function")
    parser.add_argument("--job-token", default="token", help="as in the job's authenticationToken")
    return parser.parse_args()


def main():
    import boto3

    args = arguments()
    name = "sagemaker-%s-approval" % args.group
    functions = boto3.client("lambda")
    function_arn = put_function(functions, name, args)
    rule_arn = put_rule(boto3.client("events"), name, args.group, function_arn)
    allow(functions, name, rule_arn)
    print("%s -> %s -> %s" % (rule_arn, function_arn, args.jenkins_url))


if __name__ == "__main__":
    main()
