"""What S3 and STS must keep across a restart: `write` before it, `read` after it."""

import json
import sys

import boto3

s3 = boto3.client("s3")
if sys.argv[1] == "write":
    s3.create_bucket(Bucket="kept")
    s3.put_object(Bucket="kept", Key="a/b.txt", Body=b"kept", ContentType="text/plain", Metadata={"k": "v"})
    upload = s3.create_multipart_upload(Bucket="kept", Key="parts")["UploadId"]
    part = s3.upload_part(Bucket="kept", Key="parts", UploadId=upload, PartNumber=1, Body=b"part")
    role = boto3.client("sts").assume_role(RoleArn="arn:aws:iam::123456789012:role/R", RoleSessionName="kept")
    credentials = role["Credentials"]
    state = {"upload": upload, "etag": part["ETag"], "keys": [
        credentials["AccessKeyId"], credentials["SecretAccessKey"], credentials["SessionToken"]]}
    s3.put_object(Bucket="kept", Key="state.json", Body=json.dumps(state).encode())
else:
    got = s3.get_object(Bucket="kept", Key="a/b.txt")
    assert (got["Body"].read(), got["ContentType"], got["Metadata"]) == (b"kept", "text/plain", {"k": "v"})
    state = json.loads(s3.get_object(Bucket="kept", Key="state.json")["Body"].read())
    s3.complete_multipart_upload(Bucket="kept", Key="parts", UploadId=state["upload"],
                                 MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": state["etag"]}]})
    assert s3.get_object(Bucket="kept", Key="parts")["Body"].read() == b"part"
    key, secret, token = state["keys"]
    sts = boto3.client("sts", aws_access_key_id=key, aws_secret_access_key=secret, aws_session_token=token)
    assert sts.get_caller_identity()["Account"] == "123456789012"
