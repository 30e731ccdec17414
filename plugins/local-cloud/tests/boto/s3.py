"""S3 through unmodified boto3: each block fails with an assertion that says what was expected."""

import base64
import hashlib
import io
import os
import urllib.error
import urllib.request
import zlib

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.exceptions import ClientError

s3 = boto3.client("s3")


def refused(code, call, **arguments):
    try:
        call(**arguments)
    except ClientError as error:
        got = error.response["Error"]["Code"]
        assert got == code, f"expected {code}, got {got}: {error}"
        return error.response
    raise AssertionError(f"{call.__name__} should have been refused with {code}")


# --- buckets
s3.create_bucket(Bucket="first-bucket")
s3.create_bucket(Bucket="first-bucket")
s3.create_bucket(Bucket="second.bucket")
assert [b["Name"] for b in s3.list_buckets()["Buckets"]] == ["first-bucket", "second.bucket"]
assert s3.head_bucket(Bucket="first-bucket")["ResponseMetadata"]["HTTPHeaders"]["x-amz-bucket-region"] == "us-east-1"
assert s3.get_bucket_location(Bucket="first-bucket")["LocationConstraint"] is None
refused("404", s3.head_bucket, Bucket="no-such-bucket")
refused("NoSuchBucket", s3.list_objects_v2, Bucket="no-such-bucket")
refused("NoSuchBucket", s3.put_object, Bucket="no-such-bucket", Key="k", Body=b"x")
refused("InvalidBucketName", s3.create_bucket, Bucket="Upper")
refused("IllegalLocationConstraintException", s3.create_bucket, Bucket="elsewhere",
        CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
s3.delete_bucket(Bucket="second.bucket")
refused("NoSuchBucket", s3.delete_bucket, Bucket="second.bucket")
refused("NotImplemented", s3.get_bucket_policy, Bucket="first-bucket")
s3.put_bucket_tagging(Bucket="first-bucket", Tagging={"TagSet": [{"Key": "team", "Value": "ml"}]})
assert s3.get_bucket_tagging(Bucket="first-bucket")["TagSet"] == [{"Key": "team", "Value": "ml"}]

# --- put and get
B = "first-bucket"
body = b"sex,length,rings\nM,0.455,15\n"
put = s3.put_object(Bucket=B, Key="data/abalone.csv", Body=body, ContentType="text/csv", CacheControl="no-cache",
                    Metadata={"rows": "1", "Owner": "me"}, Tagging="a=1&b=x%20y")
assert put["ETag"] == '"%s"' % hashlib.md5(body).hexdigest()
crc = base64.b64encode(zlib.crc32(body).to_bytes(4, "big")).decode()
assert put["ChecksumCRC32"] == crc
got = s3.get_object(Bucket=B, Key="data/abalone.csv", ChecksumMode="ENABLED")
assert got["Body"].read() == body
assert (got["ContentType"], got["CacheControl"], got["Metadata"], got["TagCount"]) == (
    "text/csv", "no-cache", {"rows": "1", "owner": "me"}, 2)
assert got["ChecksumCRC32"] == crc
assert s3.get_object_tagging(Bucket=B, Key="data/abalone.csv")["TagSet"] == [
    {"Key": "a", "Value": "1"}, {"Key": "b", "Value": "x y"}]
s3.put_object_tagging(Bucket=B, Key="data/abalone.csv", Tagging={"TagSet": [{"Key": "c", "Value": "2"}]})
again = s3.head_object(Bucket=B, Key="data/abalone.csv")
assert (again["Metadata"], again["ContentLength"]) == ({"rows": "1", "owner": "me"}, len(body))
assert s3.get_object_tagging(Bucket=B, Key="data/abalone.csv")["TagSet"] == [{"Key": "c", "Value": "2"}]
refused("NoSuchKey", s3.get_object, Bucket=B, Key="data/none.csv")
refused("404", s3.head_object, Bucket=B, Key="data/none.csv")
refused("NoSuchKey", s3.get_object, Bucket=B, Key="data/abalone.csv/below")
refused("KeyTooLongError", s3.put_object, Bucket=B, Key="k" * 1025, Body=b"")
refused("MetadataTooLarge", s3.put_object, Bucket=B, Key="k", Body=b"", Metadata={"a": "x" * 2100})
refused("BadDigest", s3.put_object, Bucket=B, Key="k", Body=b"x", ChecksumCRC32="AAAAAA==")
refused("BadDigest", s3.put_object, Bucket=B, Key="k", Body=b"x", ContentMD5="1B2M2Y8AsgTpgAmY7PhCfg==")
for algorithm in ("CRC32", "SHA256"):
    s3.put_object(Bucket=B, Key="sum", Body=b"123456789", ChecksumAlgorithm=algorithm)
    assert s3.get_object(Bucket=B, Key="sum", ChecksumMode="ENABLED")["Body"].read() == b"123456789"
s3.put_object(Bucket=B, Key="stream", Body=io.BytesIO(b"z" * 200_000))
assert s3.get_object(Bucket=B, Key="stream")["Body"].read() == b"z" * 200_000

# --- ranges and conditions
part = s3.get_object(Bucket=B, Key="data/abalone.csv", Range="bytes=4-9")
assert (part["Body"].read(), part["ContentRange"], part["ResponseMetadata"]["HTTPStatusCode"]) == (
    body[4:10], f"bytes 4-9/{len(body)}", 206)
assert s3.get_object(Bucket=B, Key="data/abalone.csv", Range="bytes=-3")["Body"].read() == body[-3:]
refused("InvalidRange", s3.get_object, Bucket=B, Key="data/abalone.csv", Range="bytes=1000-")
assert refused("304", s3.get_object, Bucket=B, Key="data/abalone.csv", IfNoneMatch=put["ETag"])
refused("304", s3.get_object, Bucket=B, Key="data/abalone.csv", IfModifiedSince=got["LastModified"])
refused("PreconditionFailed", s3.get_object, Bucket=B, Key="data/abalone.csv", IfMatch='"other"')
refused("PreconditionFailed", s3.put_object, Bucket=B, Key="data/abalone.csv", Body=b"", IfNoneMatch="*")
s3.put_object(Bucket=B, Key="fresh", Body=b"1", IfNoneMatch="*")

# --- odd keys live beside each other and come back
odd = ["a", "a/", "a/b", "a//b", "../../etc/passwd", "..", "x y/é+&=%.txt", "p%2Fq", "-", "a-b", "/lead", "l" * 900, "tail/", "🦪", "t\tb", "q?r#s"]
s3.create_bucket(Bucket="odd-keys")
for key in odd:
    s3.put_object(Bucket="odd-keys", Key=key, Body=key.encode())
for key in odd:
    assert s3.get_object(Bucket="odd-keys", Key=key)["Body"].read() == key.encode(), key
listed = [o["Key"] for o in s3.list_objects_v2(Bucket="odd-keys")["Contents"]]
assert listed == sorted(odd, key=str.encode), (listed, sorted(odd, key=str.encode))
refused("BucketNotEmpty", s3.delete_bucket, Bucket="odd-keys")
gone = s3.delete_objects(Bucket="odd-keys", Delete={"Objects": [{"Key": key} for key in odd + ["never"]]})
assert len(gone["Deleted"]) == len(odd) + 1 and "Errors" not in gone
assert s3.list_objects_v2(Bucket="odd-keys")["KeyCount"] == 0
s3.delete_bucket(Bucket="odd-keys")

# --- listing: prefixes, delimiters, pages, both versions
s3.create_bucket(Bucket="listing")
keys = [f"dir{d}/sub{s}/f{i}" for d in range(3) for s in range(2) for i in range(3)] + ["top1", "top2", "dir0.txt"]
for key in keys:
    s3.put_object(Bucket="listing", Key=key, Body=b"")
for version in ("list_objects_v2", "list_objects"):
    pages = list(s3.get_paginator(version).paginate(Bucket="listing", PaginationConfig={"PageSize": 4}))
    assert [o["Key"] for p in pages for o in p.get("Contents", [])] == sorted(keys), version
    assert len(pages) == 6, version
    pages = list(s3.get_paginator(version).paginate(Bucket="listing", Delimiter="/", PaginationConfig={"PageSize": 2}))
    assert [c["Prefix"] for p in pages for c in p.get("CommonPrefixes", [])] == ["dir0/", "dir1/", "dir2/"], version
    assert [o["Key"] for p in pages for o in p.get("Contents", [])] == ["dir0.txt", "top1", "top2"], version
    page = getattr(s3, version)(Bucket="listing", Prefix="dir1/", Delimiter="/")
    assert [c["Prefix"] for c in page["CommonPrefixes"]] == ["dir1/sub0/", "dir1/sub1/"] and "Contents" not in page
    page = getattr(s3, version)(Bucket="listing", Prefix="dir1/sub0/f")
    assert [o["Key"] for o in page["Contents"]] == [f"dir1/sub0/f{i}" for i in range(3)]
assert [o["Key"] for o in s3.list_objects_v2(Bucket="listing", StartAfter="dir2/sub1/f1")["Contents"]] == ["dir2/sub1/f2", "top1", "top2"]
assert s3.list_objects_v2(Bucket="listing", MaxKeys=0)["KeyCount"] == 0

# --- copies
s3.copy_object(Bucket="listing", Key="copy.csv", CopySource={"Bucket": B, "Key": "data/abalone.csv"})
copied = s3.head_object(Bucket="listing", Key="copy.csv")
assert (copied["ContentType"], copied["Metadata"], copied["ETag"]) == ("text/csv", {"rows": "1", "owner": "me"}, put["ETag"])
s3.copy_object(Bucket="listing", Key="copy.csv", CopySource="listing/copy.csv", MetadataDirective="REPLACE", Metadata={"n": "2"})
assert s3.head_object(Bucket="listing", Key="copy.csv")["Metadata"] == {"n": "2"}
refused("InvalidRequest", s3.copy_object, Bucket="listing", Key="copy.csv", CopySource="listing/copy.csv")
refused("NoSuchKey", s3.copy_object, Bucket="listing", Key="x", CopySource="listing/none")
refused("PreconditionFailed", s3.copy_object, Bucket="listing", Key="x", CopySource="listing/copy.csv", CopySourceIfMatch="no")

# --- multipart, by the transfer manager and by hand
big = os.urandom(13 * 1024 * 1024)
config = TransferConfig(multipart_threshold=5 * 1024 * 1024, multipart_chunksize=5 * 1024 * 1024, max_concurrency=3)
s3.upload_fileobj(io.BytesIO(big), B, "big.bin", Config=config, ExtraArgs={"Metadata": {"m": "1"}})
info = s3.head_object(Bucket=B, Key="big.bin")
digests = b"".join(hashlib.md5(big[i:i + 5 * 1024 * 1024]).digest() for i in range(0, len(big), 5 * 1024 * 1024))
assert info["ETag"] == '"%s-3"' % hashlib.md5(digests).hexdigest() and info["Metadata"] == {"m": "1"}
out = io.BytesIO()
s3.download_fileobj(B, "big.bin", out, Config=config)
assert out.getvalue() == big
upload = s3.create_multipart_upload(Bucket=B, Key="parts.bin", ContentType="x/y")["UploadId"]
one = s3.upload_part(Bucket=B, Key="parts.bin", UploadId=upload, PartNumber=1, Body=b"old")
one = s3.upload_part_copy(Bucket=B, Key="parts.bin", UploadId=upload, PartNumber=1, CopySource=f"{B}/big.bin",
                          CopySourceRange=f"bytes=1-{5 * 1024 * 1024}")["CopyPartResult"]
two = s3.upload_part(Bucket=B, Key="parts.bin", UploadId=upload, PartNumber=3, Body=b"end")
assert [u["Key"] for u in s3.list_multipart_uploads(Bucket=B)["Uploads"]] == ["parts.bin"]
listed = s3.list_parts(Bucket=B, Key="parts.bin", UploadId=upload)["Parts"]
assert [(p["PartNumber"], p["Size"]) for p in listed] == [(1, 5 * 1024 * 1024), (3, 3)]


def complete(*parts):
    chosen = [{"PartNumber": number, "ETag": etag} for number, etag in parts]
    return s3.complete_multipart_upload(Bucket=B, Key="parts.bin", UploadId=upload, MultipartUpload={"Parts": chosen})


refused("InvalidPartOrder", lambda: complete((3, two["ETag"]), (1, one["ETag"])))
refused("InvalidPart", lambda: complete((1, one["ETag"]), (2, two["ETag"])))
refused("EntityTooSmall", lambda: complete((1, one["ETag"]), (3, two["ETag"]), (4, s3.upload_part(
    Bucket=B, Key="parts.bin", UploadId=upload, PartNumber=4, Body=b"x")["ETag"])))
complete((1, one["ETag"]), (3, two["ETag"]))
whole = s3.get_object(Bucket=B, Key="parts.bin")
assert whole["Body"].read() == big[1:5 * 1024 * 1024 + 1] + b"end" and whole["ContentType"] == "x/y"
refused("NoSuchUpload", s3.list_parts, Bucket=B, Key="parts.bin", UploadId=upload)
refused("NoSuchUpload", s3.abort_multipart_upload, Bucket=B, Key="parts.bin", UploadId="../../buckets")
other = s3.create_multipart_upload(Bucket=B, Key="never")["UploadId"]
s3.abort_multipart_upload(Bucket=B, Key="never", UploadId=other)
assert "Uploads" not in s3.list_multipart_uploads(Bucket=B)

# --- presigned URLs
v4 = boto3.client("s3", config=boto3.session.Config(signature_version="s3v4"))
url = v4.generate_presigned_url("get_object", Params={"Bucket": B, "Key": "data/abalone.csv"}, ExpiresIn=60)
assert urllib.request.urlopen(url).read() == body
url = v4.generate_presigned_url("put_object", Params={"Bucket": B, "Key": "by url"}, ExpiresIn=60)
urllib.request.urlopen(urllib.request.Request(url, data=b"sent", method="PUT"))
assert s3.get_object(Bucket=B, Key="by url")["Body"].read() == b"sent"
try:
    urllib.request.urlopen(url.replace("by%20url", "other"))
    raise AssertionError("a changed URL must be refused")
except urllib.error.HTTPError as error:
    assert error.code == 403 and b"SignatureDoesNotMatch" in error.read()

url = s3.generate_presigned_url("get_object", Params={"Bucket": B, "Key": "data/abalone.csv"}, ExpiresIn=60)
try:
    urllib.request.urlopen(url)
    raise AssertionError("the old signature must be refused")
except urllib.error.HTTPError as error:
    assert error.code == 400 and b"AWS4-HMAC-SHA256" in error.read()

# --- who may ask
stranger = boto3.client("s3", aws_access_key_id="AKIASTRANGER00000000", aws_secret_access_key="x")
refused("InvalidAccessKeyId", stranger.list_buckets)
forger = boto3.client("s3", aws_secret_access_key="wrong", aws_access_key_id=os.environ["AWS_ACCESS_KEY_ID"])
refused("SignatureDoesNotMatch", forger.list_buckets)
s3.delete_object(Bucket=B, Key="fresh")
s3.delete_object(Bucket=B, Key="fresh")
