"""What unmodified boto3 sees of the local cloud after the story; printed as JSON.

Arguments: the project's name. The endpoint, region and credentials come from the environment, as for real AWS.
"""

import json
import sys

import boto3

project = sys.argv[1]
sagemaker = boto3.client("sagemaker")
runtime = boto3.client("sagemaker-runtime")
cloudformation = boto3.client("cloudformation")
sts = boto3.client("sts")

packages = sagemaker.list_model_packages(ModelPackageGroupName=project, SortBy="CreationTime", SortOrder="Ascending")
described = [
    sagemaker.describe_model_package(ModelPackageName=package["ModelPackageArn"])
    for package in packages["ModelPackageSummaryList"]
]
processing = sagemaker.list_processing_jobs(MaxResults=100)["ProcessingJobSummaries"]
training = sagemaker.list_training_jobs(MaxResults=100)["TrainingJobSummaries"]
jobs = [sagemaker.describe_processing_job(ProcessingJobName=job["ProcessingJobName"]) for job in processing]
trained = [sagemaker.describe_training_job(TrainingJobName=job["TrainingJobName"]) for job in training]
# Two rows as they stand in the data file, without the rings: 15 and 7.
rows = "M,0.455,0.365,0.095,0.514,0.2245,0.101,0.15\nM,0.35,0.265,0.09,0.2255,0.0995,0.0485,0.07\n"
answers = {}
for endpoint in sagemaker.list_endpoints()["Endpoints"]:
    name = endpoint["EndpointName"]
    answer = runtime.invoke_endpoint(EndpointName=name, ContentType="text/csv", Body=rows)
    answers[name] = {"status": endpoint["EndpointStatus"], "body": answer["Body"].read().decode()}
stacks = {stack["StackName"]: stack["StackStatus"] for stack in cloudformation.describe_stacks()["Stacks"]}

print(
    json.dumps(
        {
            "account": sts.get_caller_identity()["Account"],
            "packages": [
                {
                    "arn": one["ModelPackageArn"],
                    "version": one["ModelPackageVersion"],
                    "status": one["ModelApprovalStatus"],
                    "metrics": one.get("ModelMetrics", {}).get("ModelQuality", {}).get("Statistics", {}).get("S3Uri"),
                    "approval": one.get("ApprovalDescription"),
                }
                for one in described
            ],
            "processing": [job["ProcessingJobStatus"] for job in jobs],
            "training": [
                {"status": job["TrainingJobStatus"], "model": job["ModelArtifacts"]["S3ModelArtifacts"]} for job in trained
            ],
            "endpoints": answers,
            "stacks": stacks,
        }
    )
)
