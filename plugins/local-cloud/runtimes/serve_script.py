"""Script mode serving: the user's model_fn, and input_fn, predict_fn, output_fn or one transform_fn in their place."""

import importlib.util
import io
import json
import os
import sys

import numpy

import haliotis_container as container
from serve import Refused

CODE_DIR = f"{container.MODEL_DIR}/code"
NPY = "application/x-npy"


class ScriptModel:
    def __init__(self, program, framework):
        self.framework = framework
        module = load_module(program)
        model_fn = getattr(module, "model_fn", None) or (default_model if framework == "xgboost" else None)
        if model_fn is None:
            raise container.UserError(f"{program} has no model_fn; the framework's default cannot know the model's file")
        self.transform_fn = getattr(module, "transform_fn", None)
        functions = [getattr(module, name, None) for name in ("input_fn", "predict_fn", "output_fn")]
        if self.transform_fn and any(functions):
            raise container.UserError("Cannot use transform_fn implementation in conjunction with input_fn, predict_fn, and/or output_fn")
        self.input_fn = functions[0] or self.default_input
        self.predict_fn = functions[1] or self.default_predict
        self.output_fn = functions[2] or default_output
        self.model = model_fn(container.MODEL_DIR)

    def ping(self):
        return ""

    def execution_parameters(self):
        raise Refused(404, "not offered by a script")

    def invoke(self, body, headers):
        content_type = (headers.get("Content-Type") or os.environ.get("SAGEMAKER_DEFAULT_INVOCATIONS_CONTENT_TYPE") or NPY).split(";")[0].strip()
        accept = headers.get("Accept")
        if not accept or accept.strip() == "*/*":
            accept = os.environ.get("SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT") or ("text/csv" if self.framework == "xgboost" else "application/json")
        payload = decode(body, content_type)
        if self.transform_fn:
            result = self.transform_fn(self.model, payload, content_type, accept)
        else:
            result = self.output_fn(self.predict_fn(self.input_fn(payload, content_type), self.model), accept)
        return as_response(result, accept)

    def default_input(self, payload, content_type):
        if self.framework == "xgboost":
            import serve_xgboost

            return serve_xgboost.read(payload if isinstance(payload, bytes) else payload.encode("utf-8"), content_type)
        if content_type == "application/json":
            return numpy.array(json.loads(payload))
        if content_type == "text/csv":
            import pandas

            return pandas.read_csv(io.StringIO(payload), header=None).to_numpy()
        if content_type == NPY:
            return numpy.load(io.BytesIO(payload))
        raise Refused(415, f"Content type {content_type} is not supported by this framework.")

    def default_predict(self, data, model):
        if self.framework == "xgboost":
            return model.predict(data, validate_features=False)
        return model.predict(data)


def load_module(program):
    """Modules beside the program can be imported by it."""
    path = os.path.join(CODE_DIR, program)
    if not os.path.isfile(path):
        raise container.UserError(f"The program {program} is not in the model archive under code/")
    sys.path.insert(0, CODE_DIR)
    spec = importlib.util.spec_from_file_location(os.path.splitext(os.path.basename(program))[0], path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def default_model(folder):
    import serve_xgboost

    return serve_xgboost.load(folder)[0]


def decode(body, content_type):
    """Text types arrive as text, as in the real toolkits."""
    is_text = content_type.startswith("text/") or content_type in ("application/json", "application/jsonlines")
    if not is_text:
        return body
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Refused(400, f"The body is not UTF-8 text: {error}") from None


def default_output(predictions, accept):
    rows = numpy.asarray(predictions)
    if accept == "application/json":
        return json.dumps(rows.tolist()), accept
    if accept == "text/csv":
        lines = (",".join(map(str, row)) if isinstance(row, list) else str(row) for row in rows.tolist())
        return "\n".join(lines) + "\n", accept
    if accept == NPY:
        buffer = io.BytesIO()
        numpy.save(buffer, rows)
        return buffer.getvalue(), accept
    raise Refused(406, f"Accept type {accept} is not supported by this framework.")


def as_response(result, accept):
    """What scripts return: a body, a pair of body and type, or a response object of the toolkit."""
    if hasattr(result, "response"):
        body = result.response
        if isinstance(body, (list, tuple)):
            body = b"".join(part if isinstance(part, bytes) else str(part).encode("utf-8") for part in body)
        return body, getattr(result, "mimetype", accept)
    if isinstance(result, tuple):
        return result[0], result[1]
    return result, accept
