"""The two commands read their options well, and the pipeline's definition is what it should be."""
import contextlib
import importlib.util
import io
import json
import os
import unittest
from unittest import mock

from pipelines import _options, get_pipeline_definition, run_pipeline

KWARGS = json.dumps(
    {
        "region": "us-east-1",
        "role": "arn:aws:iam::123456789012:role/pipelines",
        "default_bucket": "bucket-of-a-test",
        "pipeline_name": "sagemaker-test",
    }
)


class Options(unittest.TestCase):
    def test_json_and_python_are_read(self):
        self.assertEqual(_options.read('{"a": true, "b": null}', dict, "x"), {"a": True, "b": None})
        self.assertEqual(_options.read("{'a': True}", dict, "x"), {"a": True})
        self.assertEqual(_options.read(None, list, "x"), [])

    def test_anything_else_is_told(self):
        with self.assertRaisesRegex(ValueError, "--tags must be a list"):
            _options.read("{}", list, "--tags")
        with self.assertRaisesRegex(ValueError, "neither JSON nor a Python literal"):
            _options.read("{", dict, "--kwargs")

    def leaves(self, main, given):
        with contextlib.redirect_stdout(io.StringIO()) as said, contextlib.redirect_stderr(io.StringIO()):
            with self.assertRaises(SystemExit) as left:
                main(given)
        return left.exception.code, said.getvalue()

    def test_exit_codes(self):
        self.assertEqual(self.leaves(run_pipeline.main, ["-n", "x"])[0], 2)
        self.assertEqual(self.leaves(get_pipeline_definition.main, [])[0], 2)
        code, said = self.leaves(get_pipeline_definition.main, ["-n", "pipelines.nowhere"])
        self.assertEqual(code, 1)
        self.assertIn("Exception: No module named", said)
        code, said = self.leaves(get_pipeline_definition.main, ["-n", "pipelines"])
        self.assertEqual(code, 1)
        self.assertIn("has no get_pipeline", said)


@unittest.skipUnless(importlib.util.find_spec("sagemaker"), "needs the SageMaker SDK")
class Definition(unittest.TestCase):
    def setUp(self):
        # Nothing is asked of any cloud: code is uploaded nowhere, and credentials are nobody's.
        env = {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "AWS_EC2_METADATA_DISABLED": "true"}
        _options.use_own_defaults()
        for patch in (
            mock.patch.dict(os.environ, env),
            mock.patch("sagemaker.s3.S3Uploader.upload", side_effect=lambda *a, **k: "s3://bucket-of-a-test/code"),
            mock.patch("sagemaker.s3.S3Uploader.upload_string_as_file_body", side_effect=lambda *a, **k: k.get("desired_s3_uri")),
            mock.patch("sagemaker.session.Session.default_bucket", return_value="bucket-of-a-test"),
        ):
            patch.start()
            self.addCleanup(patch.stop)

    def test_the_definition(self):
        definition = json.loads(_options.load_pipeline("pipelines.abalone.pipeline", KWARGS).definition())
        steps = {step["Name"]: step for step in definition["Steps"]}
        self.assertEqual(
            list(steps),
            ["PreprocessAbaloneData", "TrainAbaloneModel", "EvaluateAbaloneModel", "CheckMSEAbaloneEvaluation"],
        )
        check = steps["CheckMSEAbaloneEvaluation"]["Arguments"]
        self.assertEqual([step["Name"] for step in check["IfSteps"]], ["RegisterAbaloneModel-RegisterModel"])
        self.assertEqual([step["Name"] for step in check["ElseSteps"]], ["AbaloneModelTooBad"])
        self.assertEqual(len(definition["Parameters"]), 7)

    def test_what_an_execution_writes_is_its_own(self):
        text = _options.load_pipeline("pipelines.abalone.pipeline", KWARGS).definition()
        for step in json.loads(text)["Steps"]:
            for output in step["Arguments"].get("ProcessingOutputConfig", {}).get("Outputs", []):
                self.assertIn("Execution.PipelineExecutionId", json.dumps(output["S3Output"]["S3Uri"]))


if __name__ == "__main__":
    unittest.main()
