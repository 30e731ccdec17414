"""The report, the archive, and that the endpoint's code scores raw rows as the evaluation did."""
import json
import shutil
import tarfile
import tempfile
import unittest
from pathlib import Path

from tests import abalone_like

try:
    import numpy as np
    import xgboost

    from pipelines.abalone import evaluate, inference, preprocess
except ImportError as error:  # No XGBoost here: the job's own image has it.
    raise unittest.SkipTest("the data libraries are not installed: %s" % error)

SCRIPTS = Path(preprocess.__file__).parent


class Evaluate(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.base = Path(cls.folder.name)
        abalone_like.write(cls.base / "input" / "raw" / "abalone-dataset.csv", abalone_like.rows(300))
        preprocess.preprocess(cls.base, 1)
        cls.train()
        for name in ("test", "heldout", "transformers"):
            shutil.copytree(cls.base / name, cls.base / "input" / name)
        (cls.base / "input" / "inference").mkdir()
        shutil.copy(SCRIPTS / "inference.py", cls.base / "input" / "inference")
        cls.report = evaluate.evaluate(cls.base)

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    @classmethod
    def train(cls):
        table = np.loadtxt(cls.base / "train" / "train.csv", delimiter=",")
        booster = xgboost.train({"max_depth": 3}, xgboost.DMatrix(table[:, 1:], table[:, 0]), 20)
        (cls.base / "input" / "model").mkdir(parents=True)
        with xgboost.config_context(verbosity=0):
            booster.save_model(str(cls.base / "xgboost-model"))
        with tarfile.open(cls.base / "input" / "model" / "model.tar.gz", "w:gz") as tar:
            tar.add(cls.base / "xgboost-model", "xgboost-model")

    def serve(self):
        """The packed archive, unpacked as the container does it."""
        target = self.base / "served"
        with tarfile.open(self.base / "packed" / "model.tar.gz") as tar:
            self.assertEqual(tar.getnames(), ["xgboost-model", "transformers.json", "code/inference.py"])
            for name in tar.getnames():
                (target / name).parent.mkdir(parents=True, exist_ok=True)
                (target / name).write_bytes(tar.extractfile(name).read())
        return inference.model_fn(str(target))

    def test_report_has_what_the_gate_and_the_registry_read(self):
        written = json.loads((self.base / "evaluation" / "evaluation.json").read_text())
        self.assertEqual(written, self.report)
        mse = written["regression_metrics"]["mse"]
        self.assertGreater(mse["value"], 0)
        self.assertLess(mse["value"], 4)
        self.assertGreater(mse["standard_deviation"], 0)
        self.assertEqual(written["rows"], 45)
        self.assertEqual(written["dataset"]["rows"], {"train": 210, "validation": 45, "test": 45})
        self.assertEqual(len(written["dataset"]["sha256"]), 64)

    def test_the_archive_scores_raw_rows_to_the_reported_error(self):
        model = self.serve()
        lines = (self.base / "heldout" / "heldout.csv").read_text().splitlines()
        body = "\n".join(line.split(",", 1)[1] for line in lines).encode("utf-8")
        rows = inference.input_fn(body, "text/csv; charset=utf-8")
        text, kind = inference.output_fn(inference.predict_fn(rows, model), "*/*")
        self.assertEqual(kind, "text/csv")
        errors = [(float(line.split(",")[0]) - float(score)) ** 2 for line, score in zip(lines, text.split())]
        self.assertAlmostEqual(sum(errors) / len(errors), self.report["regression_metrics"]["mse"]["value"], places=3)

    def test_the_same_inputs_give_the_same_archive(self):
        first = (self.base / "packed" / "model.tar.gz").read_bytes()
        evaluate.evaluate(self.base)
        self.assertEqual(first, (self.base / "packed" / "model.tar.gz").read_bytes())

    def test_unknown_and_missing_cells_are_scored(self):
        rows = inference.parse("?,0.5,0.4,0.1,0.5,0.2,0.1,0.1\n,,,,,,,\n")
        self.assertTrue(np.isfinite(inference.predict_fn(rows, self.serve())).all())

    def test_json_answers(self):
        text, kind = inference.output_fn([1.5], "application/json")
        self.assertEqual((json.loads(text), kind), ({"predictions": [{"score": 1.5}]}, "application/json"))

    def test_bad_requests_are_named(self):
        for body, kind, words in [
            ("M,1,2", "text/csv", "row 1 has 3 columns"),
            ("M,0.5,0.4,0.1,0.5,0.2,0.1,0.1\nM,a,0.4,0.1,0.5,0.2,0.1,0.1", "text/csv", "row 2: 'a' is not a number"),
            ("M,inf,0.4,0.1,0.5,0.2,0.1,0.1", "text/csv", "row 1: 'inf' is not a number"),
            ("", "text/csv", "no rows"),
            ("{}", "application/json", "content type application/json"),
        ]:
            with self.subTest(body), self.assertRaisesRegex(ValueError, words):
                inference.input_fn(body, kind)
        with self.assertRaisesRegex(ValueError, "cannot answer as image/png"):
            inference.output_fn([1.0], "image/png")

    def test_rows_of_another_split_are_refused(self):
        heldout = self.base / "input" / "heldout" / "heldout.csv"
        kept = heldout.read_text()
        self.addCleanup(heldout.write_text, kept)
        heldout.write_text("\n".join(reversed(kept.splitlines())) + "\n")
        with self.assertRaisesRegex(SystemExit, "not the same rows"):
            evaluate.evaluate(self.base)

    def test_an_archive_without_a_model_is_named(self):
        archive = self.base / "empty.tar.gz"
        tarfile.open(archive, "w:gz").close()
        with self.assertRaisesRegex(SystemExit, "holds no xgboost-model"):
            evaluate.take_model(archive, self.base / "nothing")


if __name__ == "__main__":
    unittest.main()
