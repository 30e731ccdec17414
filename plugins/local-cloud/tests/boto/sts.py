"""STS through unmodified boto3."""

import boto3
from botocore.exceptions import ClientError

sts = boto3.client("sts")


def refused(code, call, **arguments):
    try:
        call(**arguments)
    except ClientError as error:
        assert error.response["Error"]["Code"] == code, error
        return
    raise AssertionError(f"should have been refused with {code}")


def with_credentials(service, credentials):
    return boto3.client(service, aws_access_key_id=credentials["AccessKeyId"],
                        aws_secret_access_key=credentials["SecretAccessKey"],
                        aws_session_token=credentials["SessionToken"])


me = sts.get_caller_identity()
assert me["Account"] == "000000000000" and me["Arn"] == "arn:aws:iam::000000000000:user/haliotis"
role = sts.assume_role(RoleArn="arn:aws:iam::123456789012:role/deploy/Deployer", RoleSessionName="build-7", DurationSeconds=900)
assert role["AssumedRoleUser"]["Arn"] == "arn:aws:sts::123456789012:assumed-role/Deployer/build-7"
as_role = with_credentials("sts", role["Credentials"]).get_caller_identity()
assert (as_role["Account"], as_role["Arn"]) == ("123456789012", role["AssumedRoleUser"]["Arn"])
with_credentials("s3", role["Credentials"]).list_buckets()
session = sts.get_session_token()["Credentials"]
assert with_credentials("sts", session).get_caller_identity()["Account"] == "000000000000"
bad = dict(role["Credentials"], SessionToken="other")
refused("InvalidClientTokenId", with_credentials("sts", bad).get_caller_identity)
refused("UnrecognizedClientException", with_credentials("sagemaker", bad).list_models)
refused("InvalidClientTokenId", boto3.client("sts", aws_access_key_id="AKIASTRANGER00000000", aws_secret_access_key="x").get_caller_identity)
refused("ValidationError", sts.assume_role, RoleArn="arn:aws:iam::123456789012:user/not-a-role", RoleSessionName="xx")
refused("ValidationError", sts.assume_role, RoleArn="arn:aws:iam::123456789012:role/R", RoleSessionName="a b")
refused("ValidationError", sts.assume_role, RoleArn="arn:aws:iam::123456789012:role/R", RoleSessionName="ok", DurationSeconds=901_000)
