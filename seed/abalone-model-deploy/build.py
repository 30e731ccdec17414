"""Writes what CloudFormation needs to deploy ONE approved model package, for each stage.

The model package is the one given (`--model-package-arn` or MODEL_PACKAGE_ARN). Only where none is given and
`--newest-approved-of GROUP` is, the newest approved version of that group is taken: what a job does that was started by
a change of the repository, or by a version being rejected. The registry is asked whether that very version is approved,
and its held-out rows are fetched for the tests.

Writes into --output-dir
    {stage}-config-export.json   {"Parameters": {..}, "Tags": {..}}
    {stage}-params-export.json   [{"ParameterKey": .., "ParameterValue": ..}]
    {stage}-tags-export.json     [{"Key": .., "Value": ..}]
    model-package.json           what the registry says of the version
    heldout.csv                  rows that its training never saw, label first
"""
import argparse
import json
import os
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
STAGES = {"staging": "staging-config.json", "prod": "prod-config.json"}
# The metadata key under which the build pipeline noted where the held-out rows are.
HELDOUT_KEY = "heldout-uri"


class Refused(Exception):
    """What is wrong and what to do about it, in one line."""


def region_of(arn):
    """arn:aws:sagemaker:REGION:ACCOUNT:model-package/GROUP/VERSION"""
    parts = arn.split(":", 5)
    if len(parts) != 6 or parts[0] != "arn" or parts[2] != "sagemaker" or not parts[5].startswith("model-package/"):
        raise Refused("%r is not the ARN of a model package; pass ModelPackageArn" % arn)
    return parts[3]


def describe(client, arn):
    """The version as the registry knows it, if it may be deployed."""
    package = client.describe_model_package(ModelPackageName=arn)
    status = package.get("ModelApprovalStatus")
    if status != "Approved":
        raise Refused("%s is %s, not Approved: approve it first, nothing was deployed" % (arn, status))
    if package["ModelPackageArn"] != arn:
        raise Refused("asked for %s, the registry answered with %s" % (arn, package["ModelPackageArn"]))
    return package


def newest_approved(client, group):
    """The ARN of the newest version that is approved now. The order is asked for: without, the registry's is oldest first."""
    answer = client.list_model_packages(
        ModelPackageGroupName=group,
        ModelApprovalStatus="Approved",
        SortBy="CreationTime",
        SortOrder="Descending",
        MaxResults=1,
    )
    versions = answer["ModelPackageSummaryList"]
    if not versions:
        raise Refused("no version of %s is approved: approve one, nothing was deployed" % group)
    return versions[0]["ModelPackageArn"]


def registered_mse(client, package):
    """What the version was registered with: in its metadata, or in the report it cites."""
    known = package.get("CustomerMetadataProperties", {}).get("mse")
    uri = package.get("ModelMetrics", {}).get("ModelQuality", {}).get("Statistics", {}).get("S3Uri")
    if known or not uri:
        return known or "unknown"
    bucket, key = split_uri(uri)
    report = json.loads(client.get_object(Bucket=bucket, Key=key)["Body"].read())
    return str(report["regression_metrics"]["mse"]["value"])


def split_uri(uri):
    """s3://BUCKET/KEY as its two parts."""
    bucket, _, key = uri[len("s3://") :].partition("/")
    if not uri.startswith("s3://") or not bucket or not key:
        raise Refused("%r is not the S3 address of an object" % uri)
    return bucket, key


def heldout_uri(package):
    """Where the held-out rows of this very version are."""
    uri = package.get("CustomerMetadataProperties", {}).get(HELDOUT_KEY)
    if not uri:
        raise Refused(
            "%s has no metadata %r: without held-out rows its endpoint cannot be tested; pass --heldout-uri"
            % (package["ModelPackageArn"], HELDOUT_KEY)
        )
    return uri


def stage_values(config, stage, arn, args):
    """The stage's own parameters and those that all stages share."""
    values = dict(config["Parameters"])
    values.update(
        SageMakerProjectName=args.project_name,
        ModelPackageName=arn,
        ModelExecutionRoleArn=args.model_execution_role,
        DataCaptureUploadPath="s3://%s/datacapture-%s" % (args.s3_bucket, stage),
    )
    return {key: str(values[key]) for key in sorted(values)}


def stage_tags(config, stage, args):
    """Tags of the stack, the stage's own included."""
    tags = dict(config.get("Tags", {}))
    tags.update(
        {
            "sagemaker:deployment-stage": stage,
            "sagemaker:project-id": args.project_id,
            "sagemaker:project-name": args.project_name,
        }
    )
    return {key: str(tags[key]) for key in sorted(tags)}


def write(path, value):
    path.write_text(json.dumps(value, indent=2, default=str) + "\n", encoding="utf-8")


def export(package, args):
    """Every file but the rows."""
    arn = package["ModelPackageArn"]
    for stage, name in STAGES.items():
        config = json.loads((HERE / name).read_text(encoding="utf-8"))
        values, tags = stage_values(config, stage, arn, args), stage_tags(config, stage, args)
        write(args.output_dir / (stage + "-config-export.json"), {"Parameters": values, "Tags": tags})
        pairs = [{"ParameterKey": key, "ParameterValue": value} for key, value in values.items()]
        write(args.output_dir / (stage + "-params-export.json"), pairs)
        write(args.output_dir / (stage + "-tags-export.json"), [{"Key": key, "Value": tags[key]} for key in tags])
    kept = ("ModelPackageArn", "ModelPackageGroupName", "ModelPackageVersion", "ModelApprovalStatus", "CreationTime")
    summary = {key: package[key] for key in kept if key in package}
    summary["Metadata"] = package.get("CustomerMetadataProperties", {})
    write(args.output_dir / "model-package.json", summary)


def tell(package, path):
    """Outputs of the pipeline's step, one `name=value` per line, for the question that a person is asked."""
    metadata = package.get("CustomerMetadataProperties", {})
    outputs = {
        "model-package": package["ModelPackageArn"],
        "group": package.get("ModelPackageGroupName", ""),
        "version": package.get("ModelPackageVersion", ""),
        "registered-mse": metadata.get("mse", "unknown"),
        "commit": metadata.get("commit", "unknown"),
    }
    with open(path, "a", encoding="utf-8") as file:
        file.writelines("%s=%s\n" % pair for pair in outputs.items())


def build(client_of, args):
    """The whole step. `client_of(service, region)` makes the clients, so that a test can pass its own."""
    arn = args.model_package_arn or newest_approved(client_of("sagemaker", args.region), args.newest_approved_of)
    region = region_of(arn)
    package = describe(client_of("sagemaker", region), arn)
    bucket, key = split_uri(args.heldout_uri or heldout_uri(package))
    args.output_dir.mkdir(parents=True, exist_ok=True)
    objects = client_of("s3", region)
    objects.download_file(bucket, key, str(args.output_dir / "heldout.csv"))
    package.setdefault("CustomerMetadataProperties", {})["mse"] = registered_mse(objects, package)
    export(package, args)
    return package


def boto_client(service, region):
    """The endpoint (local or AWS) and the credentials come from the environment, as always with boto3."""
    try:
        import boto3
    except ImportError:
        raise Refused("python3 (%s) has no boto3: `pip install boto3` on this agent" % sys.executable)
    return boto3.client(service, region_name=region or None)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    env = os.environ.get
    parser.add_argument("--model-package-arn", default=env("MODEL_PACKAGE_ARN", ""))
    parser.add_argument("--newest-approved-of", default="", metavar="GROUP", help="only where no ARN is given")
    parser.add_argument("--region", default="", help="of that group")
    parser.add_argument("--model-execution-role", default=env("MODEL_EXECUTION_ROLE_ARN", ""))
    parser.add_argument("--s3-bucket", default=env("ARTIFACT_BUCKET", ""))
    parser.add_argument("--project-name", required=True)
    parser.add_argument("--project-id", required=True)
    parser.add_argument("--heldout-uri", default="", help="instead of the one in the version's metadata")
    parser.add_argument("--output-dir", type=Path, default=Path("build"))
    return parser.parse_args()


def main():
    args = arguments()
    try:
        if not args.model_package_arn and not args.newest_approved_of:
            raise Refused("no model package: approve one, or run with -p ModelPackageArn=ARN")
        for name in ("model_execution_role", "s3_bucket"):
            if not getattr(args, name):
                raise Refused("no %s: give --%s" % (name.replace("_", " "), name.replace("_", "-")))
        package = build(boto_client, args)
        if os.environ.get("HALIOTIS_OUTPUT"):
            tell(package, os.environ["HALIOTIS_OUTPUT"])
    except Refused as refused:
        sys.exit("build.py: %s" % refused)
    metadata = package.get("CustomerMetadataProperties", {})
    print("deploying %s (registered MSE %s)" % (package["ModelPackageArn"], metadata.get("mse", "unknown")))


if __name__ == "__main__":
    main()
