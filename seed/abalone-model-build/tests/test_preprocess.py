"""Splitting and transforming: repeatable, no leak from the test rows, the layout that training expects."""
import json
import tempfile
import unittest
from pathlib import Path

from tests import abalone_like

try:
    from pipelines.abalone import preprocess
except ImportError as error:  # No scikit-learn here: the job's own image has it.
    raise unittest.SkipTest("the data libraries are not installed: %s" % error)


class Preprocess(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)

    def run_job(self, name, rows, seed=1):
        base = Path(self.folder.name) / name
        abalone_like.write(base / "input" / "raw" / "abalone-dataset.csv", rows)
        return base, preprocess.preprocess(base, seed)

    def read(self, base, part):
        lines = (base / part / (part + ".csv")).read_text(encoding="utf-8").splitlines()
        return [line.split(",") for line in lines]

    def test_parts_have_the_shares_and_lose_no_row(self):
        rows = abalone_like.rows(200)
        base, counts = self.run_job("a", rows)
        self.assertEqual(counts, {"train": 140, "validation": 30, "test": 30})
        labels = [row[0] for part in ("train", "validation", "test") for row in self.read(base, part)]
        self.assertEqual(sorted(map(float, labels)), sorted(float(row[-1]) for row in rows))

    def test_the_same_seed_gives_the_same_bytes_and_another_seed_does_not(self):
        rows = abalone_like.rows(100)
        first, second, other = self.run_job("a", rows)[0], self.run_job("b", rows)[0], self.run_job("c", rows, 2)[0]
        for path in ("train/train.csv", "test/test.csv", "heldout/heldout.csv", "transformers/transformers.json"):
            self.assertEqual((first / path).read_bytes(), (second / path).read_bytes(), path)
        self.assertNotEqual((first / "heldout/heldout.csv").read_bytes(), (other / "heldout/heldout.csv").read_bytes())

    def test_test_rows_do_not_reach_the_transformers(self):
        rows = abalone_like.rows(100)
        before = self.run_job("a", rows)[0]
        for number in preprocess.split(100, 1)[2]:
            rows[number] = ["X"] + ["99"] * 7 + ["5"]
        after = self.run_job("b", rows)[0]
        read = [json.loads((base / "transformers/transformers.json").read_text()) for base in (before, after)]
        self.assertEqual(read[0]["numeric"], read[1]["numeric"])
        self.assertEqual(read[0]["categorical"], read[1]["categorical"])
        self.assertNotEqual(read[0]["dataset"]["sha256"], read[1]["dataset"]["sha256"])

    def test_heldout_rows_are_the_test_rows_as_they_came(self):
        rows = abalone_like.rows(100)
        base = self.run_job("a", rows)[0]
        heldout = self.read(base, "heldout")
        self.assertEqual(heldout, [[rows[n][-1]] + rows[n][:-1] for n in preprocess.split(100, 1)[2]])
        self.assertEqual([float(row[0]) for row in heldout], [float(row[0]) for row in self.read(base, "test")])

    def test_missing_values_are_filled(self):
        rows = abalone_like.rows(100)
        rows[0][1], rows[1][0] = "", ""
        base = self.run_job("a", rows)[0]
        cells = [cell for part in ("train", "validation", "test") for row in self.read(base, part) for cell in row]
        self.assertNotIn("", cells)
        self.assertNotIn("nan", cells)

    def test_bad_data_is_named(self):
        with self.assertRaisesRegex(SystemExit, "row 2: 3 columns, expected 9"):
            self.run_job("a", [abalone_like.rows(1)[0], ["M", "1", "2"]])
        with self.assertRaisesRegex(SystemExit, "too few"):
            self.run_job("b", abalone_like.rows(5))
        with self.assertRaisesRegex(SystemExit, "expected one data file"):
            preprocess.preprocess(Path(self.folder.name) / "empty", 1)


if __name__ == "__main__":
    unittest.main()
