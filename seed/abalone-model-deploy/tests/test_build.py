"""The approved version is passed through, and nothing else is deployed."""
import argparse
import io
import json
import tempfile
import unittest
from pathlib import Path

import build

ARN = "arn:aws:sagemaker:eu-west-1:123456789012:model-package/abalone/7"


class Registry:
    """Answers as the model registry and the object store, for one version."""

    def __init__(self, **changes):
        self.package = {
            "ModelPackageArn": ARN,
            "ModelPackageVersion": 7,
            "ModelApprovalStatus": "Approved",
            "CustomerMetadataProperties": {"heldout-uri": "s3://bucket/a/heldout.csv", "mse": "4.7"},
        }
        self.package.update(changes)
        self.asked, self.regions = [], set()

    def __call__(self, service, region):
        self.regions.add(region)
        return self

    def describe_model_package(self, ModelPackageName):
        self.asked.append(ModelPackageName)
        return self.package

    def list_model_packages(self, **asked):
        self.asked.append(asked)
        return {"ModelPackageSummaryList": [{"ModelPackageArn": ARN}] if asked["ModelPackageGroupName"] == "abalone" else []}

    def get_object(self, Bucket, Key):
        self.asked.append("s3://%s/%s" % (Bucket, Key))
        return {"Body": io.BytesIO(b'{"regression_metrics": {"mse": {"value": 4.25}}}')}

    def download_file(self, bucket, key, path):
        self.asked.append("s3://%s/%s" % (bucket, key))
        Path(path).write_text("9,M,0.5,0.4,0.1,0.5,0.2,0.1,0.1\n")


class Build(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.out = Path(folder.name) / "out"

    def args(self, **changes):
        values = {
            "model_package_arn": ARN,
            "newest_approved_of": "",
            "region": "",
            "model_execution_role": "arn:aws:iam::123456789012:role/endpoints",
            "s3_bucket": "bucket",
            "project_name": "abalone",
            "project_id": "p-1",
            "heldout_uri": "",
            "output_dir": self.out,
        }
        return argparse.Namespace(**dict(values, **changes))

    def read(self, name):
        return json.loads((self.out / name).read_text())

    def test_each_stage_gets_exactly_the_given_version(self):
        registry = Registry()
        build.build(registry, self.args())
        for stage, share in (("staging", "100"), ("prod", "80")):
            pairs = self.read(stage + "-params-export.json")
            values = {pair["ParameterKey"]: pair["ParameterValue"] for pair in pairs}
            self.assertEqual(values["ModelPackageName"], ARN)
            self.assertEqual(values["StageName"], stage)
            self.assertEqual(values["SamplingPercentage"], share)
            self.assertEqual(values["DataCaptureUploadPath"], "s3://bucket/datacapture-" + stage)
            tags = {pair["Key"]: pair["Value"] for pair in self.read(stage + "-tags-export.json")}
            self.assertEqual(tags["sagemaker:deployment-stage"], stage)
            self.assertEqual(tags["sagemaker:project-id"], "p-1")
            self.assertEqual(self.read(stage + "-config-export.json"), {"Parameters": values, "Tags": tags})
        self.assertEqual(registry.asked, [ARN, "s3://bucket/a/heldout.csv"])
        self.assertEqual(registry.regions, {"eu-west-1"})
        self.assertEqual(self.read("model-package.json")["Metadata"]["mse"], "4.7")

    def test_the_parameters_are_those_of_the_template(self):
        build.build(Registry(), self.args())
        template = (build.HERE / "endpoint-config-template.yml").read_text()
        declared = template.split("Parameters:\n", 1)[1].split("\nResources:", 1)[0]
        names = {line.strip(" :") for line in declared.splitlines() if line.startswith("  ") and line[2] != " "}
        self.assertEqual({pair["ParameterKey"] for pair in self.read("prod-params-export.json")}, names)

    def test_what_is_not_approved_is_refused_and_nothing_is_written(self):
        for status in ("PendingManualApproval", "Rejected"):
            with self.assertRaisesRegex(build.Refused, "not Approved"):
                build.build(Registry(ModelApprovalStatus=status), self.args())
        self.assertFalse(self.out.exists())

    def test_without_heldout_rows_it_stops(self):
        with self.assertRaisesRegex(build.Refused, "cannot be tested"):
            build.build(Registry(CustomerMetadataProperties={}), self.args())
        build.build(Registry(CustomerMetadataProperties={}), self.args(heldout_uri="s3://other/rows.csv"))

    def test_the_outputs_of_the_step_are_told(self):
        with tempfile.NamedTemporaryFile("r") as file:
            build.tell(Registry(ModelPackageGroupName="abalone").package, file.name)
            lines = file.read().splitlines()
        wanted = ["model-package=" + ARN, "group=abalone", "version=7", "registered-mse=4.7", "commit=unknown"]
        self.assertEqual(lines, wanted)

    def test_the_newest_approved_is_asked_for_in_that_order_and_only_without_an_arn(self):
        registry = Registry()
        package = build.build(registry, self.args(model_package_arn="", newest_approved_of="abalone"))
        self.assertEqual(package["ModelPackageArn"], ARN)
        self.assertEqual(registry.asked[0]["SortOrder"], "Descending")
        self.assertEqual(registry.asked[0]["ModelApprovalStatus"], "Approved")
        registry = Registry()
        build.build(registry, self.args(newest_approved_of="abalone"))
        self.assertEqual(registry.asked[0], ARN)
        with self.assertRaisesRegex(build.Refused, "no version of other is approved"):
            build.build(Registry(), self.args(model_package_arn="", newest_approved_of="other"))

    def test_the_registered_error_is_read_from_the_report_where_the_metadata_has_none(self):
        metrics = {"ModelQuality": {"Statistics": {"S3Uri": "s3://bucket/run/evaluation.json"}}}
        metadata = {"heldout-uri": "s3://bucket/a/heldout.csv"}
        build.build(Registry(CustomerMetadataProperties=metadata, ModelMetrics=metrics), self.args())
        self.assertEqual(self.read("model-package.json")["Metadata"]["mse"], "4.25")

    def test_bad_names_are_refused(self):
        for arn in ("abalone/7", "arn:aws:s3:::bucket/model-package/x"):
            with self.assertRaisesRegex(build.Refused, "not the ARN"):
                build.build(Registry(), self.args(model_package_arn=arn))
        with self.assertRaisesRegex(build.Refused, "not the S3 address"):
            build.build(Registry(), self.args(heldout_uri="s3://bucket-alone"))


if __name__ == "__main__":
    unittest.main()
