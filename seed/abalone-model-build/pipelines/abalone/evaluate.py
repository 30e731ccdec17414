"""Scores the test rows with the trained model and packs what serves it. Runs as a SageMaker processing job.

Reads   input/model/model.tar.gz              from the training job
        input/test/test.csv                   label first, then the features
        input/heldout/heldout.csv             the same rows raw
        input/transformers/transformers.json  from preprocess
        input/inference/inference.py          what will answer requests
Writes  evaluation/evaluation.json            the report that the quality gate reads
        packed/model.tar.gz                   xgboost-model, transformers.json, code/inference.py

The test rows are scored twice: as training saw rows, and raw through `inference.py`. The two must agree, or the
endpoint would answer something else than what was measured here.
"""
import argparse
import gzip
import hashlib
import importlib.util
import io
import json
import shutil
import sys
import tarfile
from pathlib import Path

import numpy as np
import pandas as pd
import xgboost

# Scores are single precision; more than this between two ways to the same features is a fault, not rounding.
MAX_SKEW = 1e-3


def sha256(path):
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def take_model(archive, folder):
    """Copies `xgboost-model`, and nothing else, out of the training job's archive."""
    target = folder / "xgboost-model"
    folder.mkdir(parents=True, exist_ok=True)
    with tarfile.open(archive, "r:gz") as tar:
        for member in tar:
            if member.isfile() and Path(member.name).name == "xgboost-model":
                with tar.extractfile(member) as source, open(target, "wb") as copy:
                    shutil.copyfileobj(source, copy)
                return target
    raise SystemExit("%s holds no xgboost-model: did the training job succeed?" % archive)


def load_module(path):
    """`inference.py` as the container will import it."""
    spec = importlib.util.spec_from_file_location("inference", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def score_features(booster, path):
    """Labels and predictions for the rows as training saw them."""
    table = pd.read_csv(path, header=None).to_numpy()
    return table[:, 0], booster.predict(xgboost.DMatrix(table[:, 1:]))


def score_raw(inference, model, path):
    """Labels and predictions for the raw rows, through the very functions that will answer requests."""
    lines = Path(path).read_text(encoding="utf-8").splitlines()
    labels = np.array([float(line.split(",", 1)[0]) for line in lines])
    body = "\n".join(line.split(",", 1)[1] for line in lines)
    return labels, inference.predict_fn(inference.input_fn(body, "text/csv"), model)


def report(labels, predicted, dataset, digests):
    """What is kept beside the model version."""
    residuals = labels - predicted
    mse = float(np.mean(residuals**2))
    variance = float(np.mean((labels - labels.mean()) ** 2))
    return {
        "regression_metrics": {
            "mse": {"value": mse, "standard_deviation": float(np.std(residuals))},
            "rmse": {"value": mse**0.5},
            "mae": {"value": float(np.mean(np.abs(residuals)))},
            "r2": {"value": 1.0 - mse / variance if variance > 0 else 0.0},
        },
        "rows": int(len(labels)),
        "dataset": dict(dataset, **digests),
    }


def add(tar, name, content):
    """One file with nothing in it that depends on when or by whom it was packed."""
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(content), 0o644
    tar.addfile(entry, io.BytesIO(content))


def pack(target, files):
    """The archive; the same files give the same bytes."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with open(target, "wb") as raw, gzip.GzipFile("", "wb", mtime=0, fileobj=raw) as packed:
        with tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as tar:
            for name, path in files:
                add(tar, name, Path(path).read_bytes())


def evaluate(base):
    """The whole job; returns the report."""
    source = base / "input"
    transformers, heldout = source / "transformers" / "transformers.json", source / "heldout" / "heldout.csv"
    script = source / "inference" / "inference.py"
    model_file = take_model(source / "model" / "model.tar.gz", base / "work")
    inference = load_module(script)
    model = inference.load(model_file, transformers)

    labels, predicted = score_features(model.booster, source / "test" / "test.csv")
    raw_labels, raw_predicted = score_raw(inference, model, heldout)
    if len(labels) != len(raw_labels) or not np.array_equal(labels, raw_labels):
        raise SystemExit("test.csv and heldout.csv are not the same rows: are they of the same preprocessing job?")
    skew = float(np.max(np.abs(predicted - raw_predicted)))
    if skew > MAX_SKEW:
        raise SystemExit("raw rows score up to %g apart from transformed ones: inference.py would mislead" % skew)

    dataset = json.loads(transformers.read_text(encoding="utf-8"))["dataset"]
    result = report(labels, predicted, dataset, {"heldout_sha256": sha256(heldout)})
    target = base / "evaluation" / "evaluation.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    pack(
        base / "packed" / "model.tar.gz",
        [("xgboost-model", model_file), ("transformers.json", transformers), ("code/inference.py", script)],
    )
    return result


def main():
    # The job writes where its outputs are; a compiled copy of inference.py has no place among its inputs.
    sys.dont_write_bytecode = True
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--base-dir", type=Path, default=Path("/opt/ml/processing"))
    result = evaluate(parser.parse_args().base_dir)
    metrics = result["regression_metrics"]
    print(
        "MSE %.4f on %d held-out rows (standard deviation of the residuals %.4f, r2 %.3f)"
        % (metrics["mse"]["value"], result["rows"], metrics["mse"]["standard_deviation"], metrics["r2"]["value"])
    )


if __name__ == "__main__":
    main()
