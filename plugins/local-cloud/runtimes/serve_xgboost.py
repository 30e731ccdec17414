"""The built-in XGBoost's serving: CSV and libsvm in, predictions out, with the status codes of the real container."""

import json
import os
import pickle

import numpy
import xgboost

import haliotis_container as container
import xgboost_data as data
from serve import Refused

CSV = "text/csv"
JSON = "application/json"
JSON_LINES = "application/jsonlines"
ACCEPTED = (CSV, JSON, JSON_LINES)


class AlgorithmModel:
    def __init__(self):
        self.booster, self.pickled, self.problem = None, False, None
        try:
            self.booster, self.pickled = load(container.MODEL_DIR)
        except Exception as error:
            self.problem = f"Unable to load model: {error}"
            print(f"ERROR: {self.problem}", flush=True)

    def ping(self):
        if self.problem:
            raise Refused(500, self.problem)
        return ""

    def execution_parameters(self):
        limit = int(os.environ.get("SAGEMAKER_MAX_PAYLOAD_IN_MB") or 6)
        return {
            "MaxConcurrentTransforms": os.cpu_count() or 1,
            "BatchStrategy": "MULTI_RECORD",
            "MaxPayloadInMB": limit,
        }

    def invoke(self, body, headers):
        accept = choose_accept(headers.get("Accept"))
        if self.problem:
            raise Refused(500, self.problem)
        matrix = read(body, headers.get("Content-Type") or data.LIBSVM)
        self.check_width(matrix)
        try:
            predictions = self.booster.predict(matrix, validate_features=False)
        except Exception as error:
            raise Refused(400, f"Unable to evaluate payload provided: {error}") from None
        return render(predictions, accept)

    def check_width(self, matrix):
        """The payload has no label; a pickled model also takes one column less, as sparse rows may have."""
        wanted, given = self.booster.num_features(), matrix.num_col()
        if given == wanted or (self.pickled and given == wanted - 1):
            return
        if not self.pickled and given < wanted:
            return
        raise Refused(400, f"Unable to evaluate payload provided: feature size {given} must be {wanted} (without a label)")


def load(folder):
    """A pickle first, then XGBoost's own format."""
    names = sorted(name for name in os.listdir(folder) if os.path.isfile(os.path.join(folder, name)))
    name = "xgboost-model" if "xgboost-model" in names else next(iter(names), None)
    if name is None:
        raise FileNotFoundError("the model archive has no file at its root; xgboost-model is expected")
    path = os.path.join(folder, name)
    try:
        with open(path, "rb") as file:
            model = pickle.load(file)
        if not isinstance(model, xgboost.Booster):
            raise TypeError(f"{name} is a pickled {type(model).__name__}, not a Booster")
        return model, True
    except (pickle.UnpicklingError, ValueError, EOFError, IndexError, KeyError, AttributeError):
        booster = xgboost.Booster()
        booster.load_model(path if "." in name else bytearray(open(path, "rb").read()))
        return booster, False


def read(body, content_type):
    kind = content_type.split(";")[0].strip().lower()
    if kind in (CSV, "csv"):
        return read_csv(body)
    if kind in ("text/libsvm", "text/x-libsvm", "libsvm"):
        try:
            return data.libsvm(body, labelled=False)
        except container.UserError as error:
            raise Refused(400, f"Unable to evaluate payload provided: {error}") from None
    raise Refused(415, f"Content-type {content_type} not supported. Supported: text/csv, text/libsvm")


def read_csv(body):
    try:
        table = data.parse_csv(body.decode("utf-8"), "payload")
    except (container.UserError, UnicodeDecodeError) as error:
        raise Refused(400, f"Unable to evaluate payload provided: {error}") from None
    return xgboost.DMatrix(table)


def choose_accept(header):
    """The first that we can write; the default when anything goes."""
    default = os.environ.get("SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT", CSV)
    if not header:
        return default
    for part in header.split(","):
        kind = part.split(";")[0].strip().lower()
        if kind == "*/*":
            return default
        if kind in ACCEPTED:
            return kind
    raise Refused(406, f"Accept type {header} is not supported; supported: {', '.join(ACCEPTED)}")


def render(predictions, accept):
    rows = numpy.asarray(predictions).tolist()
    if accept == JSON:
        return json.dumps({"predictions": [{"score": row} for row in rows]}), JSON
    if accept == JSON_LINES:
        return "".join(json.dumps({"score": row}) + "\n" for row in rows), JSON_LINES
    return "".join((",".join(map(str, row)) if isinstance(row, list) else str(row)) + "\n" for row in rows), f"{CSV}; charset=utf-8"
