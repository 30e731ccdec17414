"""Preprocess, train, evaluate, register, approve, deploy, invoke: all through boto3, as against AWS.

The scripts inside read S3 with boto3 and write below /opt/ml without making the folders first, as scripts written for
AWS do. The data is made up with the abalone data's columns, or the file of HALIOTIS_ABALONE_CSV.
"""

import io
import json
import math
import os
import random
import urllib.request

import boto3
from botocore.exceptions import ClientError

PREPROCESS = """
import argparse, boto3, numpy, pandas
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
parser = argparse.ArgumentParser()
parser.add_argument("--input-data", required=True)
bucket, key = parser.parse_args().input_data[5:].split("/", 1)
boto3.resource("s3").Bucket(bucket).download_file(key, "/opt/ml/processing/raw.csv")
names = "sex length diameter height whole shucked viscera shell rings".split()
table = pandas.read_csv("/opt/ml/processing/raw.csv", header=None, names=names)
rings = table.pop("rings")
numeric = [name for name in names if name not in ("sex", "rings")]
features = ColumnTransformer([
    ("n", Pipeline([("i", SimpleImputer(strategy="median")), ("s", StandardScaler())]), numeric),
    ("c", Pipeline([("i", SimpleImputer(strategy="constant", fill_value="missing")), ("o", OneHotEncoder(handle_unknown="ignore"))]), ["sex"]),
]).fit_transform(table)
rows = numpy.concatenate([rings.to_numpy().reshape(-1, 1), features], axis=1)
numpy.random.RandomState(1).shuffle(rows)
parts = numpy.split(rows, [int(0.7 * len(rows)), int(0.85 * len(rows))])
for name, part in zip(("train", "validation", "test"), parts):
    pandas.DataFrame(part).to_csv(f"/opt/ml/processing/{name}/{name}.csv", header=False, index=False)
    print(name, len(part))
"""
EVALUATE = """
import json, numpy, pandas, pathlib, pickle, tarfile, xgboost
with tarfile.open("/opt/ml/processing/model/model.tar.gz") as tar:
    tar.extractall(path=".")
model = pickle.load(open("xgboost-model", "rb"))
table = pandas.read_csv("/opt/ml/processing/test/test.csv", header=None).to_numpy()
error = table[:, 0] - model.predict(xgboost.DMatrix(table[:, 1:]))
report = {"regression_metrics": {"mse": {"value": float((error ** 2).mean()), "standard_deviation": float(error.std())}}}
pathlib.Path("/opt/ml/processing/evaluation/evaluation.json").write_text(json.dumps(report))
"""
ROLE = "arn:aws:iam::123456789012:role/job"
SKLEARN, XGBOOST = "sagemaker-scikit-learn:0.23-1-cpu-py3", "sagemaker-xgboost:1.0-1-cpu-py3"
BUCKET = "project"
QUICK = {"Delay": 1, "MaxAttempts": 120}

s3, sagemaker, runtime = (boto3.client(name) for name in ("s3", "sagemaker", "sagemaker-runtime"))


def made_up():
    random.seed(7)
    lines = []
    for _ in range(700):
        size = random.uniform(0.1, 0.8)
        weights = [size**3 * factor for factor in (5.0, 2.2, 1.1, 1.4)]
        rings = max(1, round(3 + 14 * size + random.gauss(0, 1)))
        lines.append(",".join(map(str, [random.choice("MFI"), size, size * 0.8, size * 0.28, *weights, rings])))
    return "\n".join(lines) + "\n"


def processing(name, image, script, arguments, inputs, outputs):
    key = f"code/{name}.py"
    s3.put_object(Bucket=BUCKET, Key=key, Body=script)
    given = {"code": (f"s3://{BUCKET}/{key}", "/opt/ml/processing/input/code"), **inputs}
    sagemaker.create_processing_job(
        ProcessingJobName=name,
        RoleArn=ROLE,
        AppSpecification={
            "ImageUri": image,
            "ContainerEntrypoint": ["python3", f"/opt/ml/processing/input/code/{name}.py"],
            **({"ContainerArguments": arguments} if arguments else {}),
        },
        ProcessingInputs=[
            {"InputName": n, "S3Input": {"S3Uri": uri, "LocalPath": path, "S3DataType": "S3Prefix", "S3InputMode": "File"}}
            for n, (uri, path) in given.items()
        ],
        ProcessingOutputConfig={
            "Outputs": [
                {"OutputName": n, "S3Output": {"S3Uri": f"s3://{BUCKET}/{name}/{n}", "LocalPath": f"/opt/ml/processing/{n}", "S3UploadMode": "EndOfJob"}}
                for n in outputs
            ]
        },
        ProcessingResources={"ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.xlarge", "VolumeSizeInGB": 30}},
    )
    sagemaker.get_waiter("processing_job_completed_or_stopped").wait(ProcessingJobName=name, WaiterConfig=QUICK)
    job = sagemaker.describe_processing_job(ProcessingJobName=name)
    assert job["ProcessingJobStatus"] == "Completed", job
    return job


def refused(code, call, **arguments):
    try:
        call(**arguments)
    except ClientError as error:
        assert error.response["Error"]["Code"] == code, error.response
        return error
    raise AssertionError(f"{call} {arguments} was accepted")


def train():
    channel = lambda name: {
        "ChannelName": name,
        "ContentType": "text/csv",
        "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{BUCKET}/preprocess/{name}"}},
    }
    sagemaker.create_training_job(
        TrainingJobName="train",
        RoleArn=ROLE,
        AlgorithmSpecification={"TrainingImage": XGBOOST, "TrainingInputMode": "File"},
        HyperParameters={"objective": "reg:linear", "num_round": "50", "max_depth": "5", "eta": "0.2", "gamma": "4",
                         "min_child_weight": "6", "subsample": "0.7", "silent": "0"},
        InputDataConfig=[channel("train"), channel("validation")],
        OutputDataConfig={"S3OutputPath": f"s3://{BUCKET}/AbaloneTrain"},
        ResourceConfig={"InstanceCount": 1, "InstanceType": "ml.m5.xlarge", "VolumeSizeInGB": 30},
        StoppingCondition={"MaxRuntimeInSeconds": 86400},
    )
    sagemaker.get_waiter("training_job_completed_or_stopped").wait(TrainingJobName="train", WaiterConfig=QUICK)
    job = sagemaker.describe_training_job(TrainingJobName="train")
    assert job["SecondaryStatus"] == "Completed", job
    print("metrics", {m["MetricName"]: round(m["Value"], 3) for m in job["FinalMetricDataList"]})
    url = f"{os.environ['AWS_ENDPOINT_URL']}/_haliotis/jobs/training/train/log?offset=0"
    with urllib.request.urlopen(url) as answer:
        assert answer.headers["x-haliotis-complete"] == "true"
        assert "[0]\ttrain-rmse:" in answer.read().decode()
    return job["ModelArtifacts"]["S3ModelArtifacts"]


def register(model):
    sagemaker.create_model_package_group(ModelPackageGroupName="abalone")
    created = sagemaker.create_model_package(
        ModelPackageGroupName="abalone",
        InferenceSpecification={
            "Containers": [{"Image": XGBOOST, "ModelDataUrl": model}],
            "SupportedContentTypes": ["text/csv"], "SupportedResponseMIMETypes": ["text/csv"],
            "SupportedRealtimeInferenceInstanceTypes": ["ml.m5.large"], "SupportedTransformInstanceTypes": ["ml.m5.large"],
        },
        ModelMetrics={"ModelQuality": {"Statistics": {"ContentType": "application/json", "S3Uri": f"s3://{BUCKET}/evaluate/evaluation/evaluation.json"}}},
        ModelApprovalStatus="PendingManualApproval",
    )
    arn = created["ModelPackageArn"]
    sagemaker.update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Approved", ApprovalDescription="measured")
    pages = sagemaker.get_paginator("list_model_packages").paginate(ModelPackageGroupName="abalone", ModelApprovalStatus="Approved", SortBy="CreationTime", SortOrder="Descending")
    assert [p["ModelPackageArn"] for page in pages for p in page["ModelPackageSummaryList"]] == [arn]
    package = sagemaker.describe_model_package(ModelPackageName=arn)
    assert package["CreationTime"].year >= 2020 and package["ApprovalDescription"] == "measured", package
    return arn


def deploy(arn):
    sagemaker.create_model(ModelName="abalone", Containers=[{"ModelPackageName": arn}], ExecutionRoleArn=ROLE)
    sagemaker.create_endpoint_config(
        EndpointConfigName="abalone",
        ProductionVariants=[{"VariantName": "AllTraffic", "ModelName": "abalone", "InstanceType": "ml.m5.large", "InitialInstanceCount": 1, "InitialVariantWeight": 1.0}],
    )
    sagemaker.create_endpoint(EndpointName="abalone-staging", EndpointConfigName="abalone")
    sagemaker.get_waiter("endpoint_in_service").wait(EndpointName="abalone-staging", WaiterConfig=QUICK)


def invoke():
    rows = s3.get_object(Bucket=BUCKET, Key="preprocess/test/test.csv")["Body"].read().decode().splitlines()
    body = "\n".join(row.split(",", 1)[1] for row in rows)
    answer = runtime.invoke_endpoint(EndpointName="abalone-staging", ContentType="text/csv", Body=body)
    assert answer["InvokedProductionVariant"] == "AllTraffic" and answer["ContentType"].startswith("text/csv"), answer
    scores = [float(line) for line in answer["Body"].read().decode().split()]
    assert len(rows) == len(scores), (len(rows), len(scores))
    errors = [float(row.split(",", 1)[0]) - score for row, score in zip(rows, scores)]
    error = refused("ModelError", runtime.invoke_endpoint, EndpointName="abalone-staging", ContentType="text/csv", Body="1,2\n")
    assert error.response["OriginalStatusCode"] == 400 and "feature size" in error.response["OriginalMessage"], error.response
    refused("ValidationError", runtime.invoke_endpoint, EndpointName="absent", ContentType="text/csv", Body="1")
    with urllib.request.urlopen(f"{os.environ['AWS_ENDPOINT_URL']}/_haliotis/endpoints") as answer:
        (endpoint,) = json.load(answer)["endpoints"]
    [variant] = endpoint["variants"]
    recent = variant.pop("recent")
    assert variant == {"name": "AllTraffic", "invocations": 2, "errors": 1}, endpoint
    assert [(one["status"], bool(one["said"])) for one in recent] == [(400, True), (200, False)], recent
    return sum(e * e for e in errors) / len(errors)


def main():
    s3.create_bucket(Bucket=BUCKET)
    path = os.environ.get("HALIOTIS_ABALONE_CSV")
    data = open(path).read() if path else made_up()
    s3.upload_fileobj(io.BytesIO(data.encode()), BUCKET, "dataset/abalone-dataset.csv")
    processing("preprocess", SKLEARN, PREPROCESS, ["--input-data", f"s3://{BUCKET}/dataset/abalone-dataset.csv"], {}, ["train", "validation", "test"])
    counts = [len(s3.get_object(Bucket=BUCKET, Key=f"preprocess/{n}/{n}.csv")["Body"].read().splitlines()) for n in ("train", "validation", "test")]
    print("rows", counts)
    model = train()
    processing("evaluate", XGBOOST, EVALUATE, [], {
        "model": (model, "/opt/ml/processing/model"),
        "test": (f"s3://{BUCKET}/preprocess/test/test.csv", "/opt/ml/processing/test"),
    }, ["evaluation"])
    report = json.load(s3.get_object(Bucket=BUCKET, Key="evaluate/evaluation/evaluation.json")["Body"])
    mse = report["regression_metrics"]["mse"]["value"]
    deploy(register(model))
    served = invoke()
    print("mse", round(mse, 4), "served", round(served, 4))
    assert math.isclose(mse, served, rel_tol=1e-4), "the endpoint scores what was evaluated"
    refused("ValidationException", sagemaker.describe_training_job, TrainingJobName="absent")
    sagemaker.create_transform_job(**transform("t"))
    sagemaker.get_waiter("transform_job_completed_or_stopped").wait(TransformJobName="t", WaiterConfig=QUICK)
    refused("ResourceInUse", sagemaker.create_transform_job, **transform("t"))
    assert s3.get_object(Bucket=BUCKET, Key="scores/x.csv.out")["Body"].read().decode().count("\n") == 2
    sagemaker.delete_endpoint(EndpointName="abalone-staging")
    sagemaker.get_waiter("endpoint_deleted").wait(EndpointName="abalone-staging", WaiterConfig=QUICK)
    print("all as AWS would")


def transform(name):
    row = s3.get_object(Bucket=BUCKET, Key="preprocess/test/test.csv")["Body"].readline().decode().split(",", 1)[1]
    s3.put_object(Bucket=BUCKET, Key="batch/x.csv", Body=row.rstrip("\n") + "\n" + row)
    return {
        "TransformJobName": name,
        "ModelName": "abalone",
        "TransformInput": {"ContentType": "text/csv", "SplitType": "Line", "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{BUCKET}/batch"}}},
        "TransformOutput": {"S3OutputPath": f"s3://{BUCKET}/scores", "AssembleWith": "Line"},
        "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 1},
    }


if __name__ == "__main__":
    main()
