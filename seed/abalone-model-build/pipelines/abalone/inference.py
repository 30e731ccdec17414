"""Scores raw abalone rows. SageMaker's XGBoost container loads this file in script mode from the model archive.

A request is `text/csv` without header, one row per line, eight columns as UCI publishes them (without the rings):
    sex, length, diameter, height, whole_weight, shucked_weight, viscera_weight, shell_weight
An empty cell is a missing value. The answer has one number per row: `text/csv` (one per line) or `application/json`.

The archive holds `xgboost-model`, `transformers.json` and this file under `code/`.
"""
import csv
import io
import json
import os

import numpy as np
import xgboost

CSV, JSON = "text/csv", "application/json"
# A bound on what one request may ask for; SageMaker's own limit on the body is 6 MB.
MAX_ROWS = 100_000


class Model:
    """The booster and the fitted transformers that belong to it."""

    def __init__(self, booster, transformers):
        if transformers.get("format") != 1:
            raise ValueError("transformers.json has format %r, this file reads 1" % transformers.get("format"))
        self.booster = booster
        self.transformers = transformers

    def features(self, rows):
        """Raw rows (lists of text) as the matrix that the booster was trained on."""
        sex, numeric = self.transformers["categorical"], self.transformers["numeric"]
        matrix = np.zeros((len(rows), len(numeric) + len(sex["categories"])))
        for line, row in enumerate(rows):
            for column, how in enumerate(numeric):
                cell = row[1 + column]
                value = float(cell) if cell else how["median"]
                matrix[line, column] = (value - how["mean"]) / how["scale"]
            category = row[0] or sex["absent"]
            # An unknown category leaves all its columns zero, as the encoder does.
            if category in sex["categories"]:
                matrix[line, len(numeric) + sex["categories"].index(category)] = 1.0
        return matrix

    def predict(self, rows):
        """One number per raw row."""
        return self.booster.predict(xgboost.DMatrix(self.features(rows)))


def load(model_file, transformers_file):
    """The model from its two files."""
    booster = xgboost.Booster()
    # SageMaker's name for the file has no extension, which newer versions of the library remark upon each time.
    with xgboost.config_context(verbosity=0):
        booster.load_model(os.fspath(model_file))
    with open(transformers_file, encoding="utf-8") as file:
        return Model(booster, json.load(file))


def model_fn(model_dir):
    """Called once by the container, with the unpacked archive."""
    return load(os.path.join(model_dir, "xgboost-model"), os.path.join(model_dir, "transformers.json"))


def input_fn(request_body, content_type):
    """The body as raw rows."""
    kind = (content_type or CSV).split(";")[0].strip().lower()
    if kind != CSV:
        raise ValueError("content type %s is not read here; send %s" % (kind, CSV))
    text = request_body if isinstance(request_body, str) else bytes(request_body).decode("utf-8")
    return parse(text)


def parse(text):
    """CSV text as rows of eight cells; what is wrong with a row is said with its number."""
    rows = [[cell.strip() for cell in row] for row in csv.reader(io.StringIO(text)) if row]
    if not rows:
        raise ValueError("the request has no rows")
    if len(rows) > MAX_ROWS:
        raise ValueError("the request has %d rows, at most %d are scored at once" % (len(rows), MAX_ROWS))
    for number, row in enumerate(rows, start=1):
        if len(row) != 8:
            raise ValueError("row %d has %d columns; expected 8: sex and seven measures" % (number, len(row)))
        for cell in row[1:]:
            check_number(cell, number)
    return rows


def check_number(cell, number):
    """Empty or a finite number."""
    try:
        finite = not cell or np.isfinite(float(cell))
    except ValueError:
        finite = False
    if not finite:
        raise ValueError("row %d: %r is not a number" % (number, cell))


def predict_fn(input_data, model):
    """Raw rows in, an array out."""
    return model.predict(input_data)


def output_fn(prediction, accept):
    """The answer's text and its content type."""
    wanted = [part.split(";")[0].strip().lower() for part in (accept or CSV).split(",")]
    if JSON in wanted:
        return json.dumps({"predictions": [{"score": float(value)} for value in prediction]}), JSON
    if CSV in wanted or "*/*" in wanted or "" in wanted:
        return "\n".join(repr(float(value)) for value in prediction) + "\n", CSV
    raise ValueError("cannot answer as %s; ask for %s or %s" % (accept, CSV, JSON))
