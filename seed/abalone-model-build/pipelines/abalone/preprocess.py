"""Splits the abalone data and turns it into numbers. Runs as a SageMaker processing job.

Reads   input/raw/*.csv             headerless, nine columns, as UCI publishes it
Writes  train/train.csv             label first, then ten numbers, no header
        validation/validation.csv   the same for the rows that training watches
        test/test.csv               the same for the rows that nothing but the evaluation sees
        heldout/heldout.csv         the test rows as they came: label first, then the eight raw columns
        transformers/transformers.json   all that is needed to turn a raw row into the ten numbers

The split depends on the seed and the number of rows alone, so a second run gives the same files byte for byte.
Medians, means, scales and categories come from the TRAIN rows only: what the test rows look like stays unknown until
they are scored.
"""
import argparse
import csv
import hashlib
import json
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

CATEGORICAL = "sex"
NUMERIC = ["length", "diameter", "height", "whole_weight", "shucked_weight", "viscera_weight", "shell_weight"]
LABEL = "rings"
COLUMNS = [CATEGORICAL] + NUMERIC + [LABEL]
# What an absent sex is called, so that it becomes a category of its own.
ABSENT = "missing"
# Shares of the rows before the validation part and before the test part.
TRAIN_END, VALIDATION_END = 0.70, 0.85


def only_file(folder):
    """The one file of a job's input folder; SageMaker puts an object there under its own name."""
    files = sorted(path for path in Path(folder).glob("*") if path.is_file())
    if len(files) != 1:
        raise SystemExit("expected one data file in %s, found %d: is the input's S3 URI right?" % (folder, len(files)))
    return files[0]


def read_rows(path):
    """The rows as lists of text. Text, because the held-out rows must reach the endpoint exactly as they were."""
    with open(path, newline="", encoding="utf-8") as file:
        rows = [[cell.strip() for cell in row] for row in csv.reader(file) if row]
    for number, row in enumerate(rows, start=1):
        if len(row) != len(COLUMNS):
            raise SystemExit("%s, row %d: %d columns, expected %d" % (path, number, len(row), len(COLUMNS)))
    if len(rows) < 20:
        raise SystemExit("%s has %d rows: too few to split" % (path, len(rows)))
    return rows


def to_frame(rows):
    """Text rows as a typed table; empty cells are missing values."""
    frame = pd.DataFrame(rows, columns=COLUMNS, dtype=object).replace("", None)
    for name in NUMERIC + [LABEL]:
        frame[name] = pd.to_numeric(frame[name]).astype("float64")
    frame[CATEGORICAL] = frame[CATEGORICAL].where(frame[CATEGORICAL].notna(), ABSENT)
    return frame


def split(count, seed):
    """Row numbers of the three parts, shuffled under the seed."""
    order = np.random.RandomState(seed).permutation(count)
    first, second = int(TRAIN_END * count), int(VALIDATION_END * count)
    return order[:first], order[first:second], order[second:]


def fit(train):
    """Imputation, scaling and one-hot encoding, fitted on the rows given: the train rows."""
    numbers = Pipeline([("impute", SimpleImputer(strategy="median")), ("scale", StandardScaler())])
    columns = ColumnTransformer(
        [("numbers", numbers, NUMERIC), ("sex", OneHotEncoder(handle_unknown="ignore"), [CATEGORICAL])],
        sparse_threshold=0,
    )
    return columns.fit(train)


def describe(fitted):
    """The fitted numbers as plain JSON: what `inference.py` needs, and no pickle that a new version cannot read."""
    steps = fitted.named_transformers_["numbers"].named_steps
    categories = [str(value) for value in fitted.named_transformers_["sex"].categories_[0]]
    columns = zip(NUMERIC, steps["impute"].statistics_, steps["scale"].mean_, steps["scale"].scale_)
    return {
        "format": 1,
        "raw_columns": [CATEGORICAL] + NUMERIC,
        "categorical": {"name": CATEGORICAL, "absent": ABSENT, "categories": categories},
        "numeric": [
            {"name": name, "median": float(median), "mean": float(mean), "scale": float(scale)}
            for name, median, mean, scale in columns
        ],
        "features": NUMERIC + ["%s=%s" % (CATEGORICAL, value) for value in categories],
    }


def write_features(path, frame, fitted):
    """Label first, then the features; the layout of SageMaker's XGBoost."""
    path.parent.mkdir(parents=True, exist_ok=True)
    table = np.column_stack([frame[LABEL].to_numpy(), fitted.transform(frame)])
    pd.DataFrame(table).to_csv(path, header=False, index=False)


def write_heldout(path, rows):
    """Raw rows, label first: what a client of the endpoint would send, with the answer in front."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows([row[-1]] + row[:-1] for row in rows)


def preprocess(base, seed):
    """The whole job; returns how many rows each part has."""
    source = only_file(base / "input" / "raw")
    rows = read_rows(source)
    frame = to_frame(rows)
    parts = dict(zip(["train", "validation", "test"], split(len(rows), seed)))
    fitted = fit(frame.iloc[parts["train"]])
    for name, numbers in parts.items():
        write_features(base / name / (name + ".csv"), frame.iloc[numbers], fitted)
    write_heldout(base / "heldout" / "heldout.csv", [rows[number] for number in parts["test"]])
    counts = {name: len(numbers) for name, numbers in parts.items()}
    description = describe(fitted)
    description["dataset"] = {
        "sha256": hashlib.sha256(source.read_bytes()).hexdigest(),
        "rows": counts,
        "seed": seed,
    }
    target = base / "transformers" / "transformers.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(description, indent=2) + "\n", encoding="utf-8")
    return counts


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=1, help="of the shuffle before the split")
    parser.add_argument("--base-dir", type=Path, default=Path("/opt/ml/processing"))
    args = parser.parse_args()
    counts = preprocess(args.base_dir, args.seed)
    print("rows: %(train)d train, %(validation)d validation, %(test)d test" % counts)


if __name__ == "__main__":
    main()
