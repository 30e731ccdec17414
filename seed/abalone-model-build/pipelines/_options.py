"""What both commands share: finding the pipeline's module, and reading options."""
import ast
import importlib
import json
import os
from pathlib import Path


def use_own_defaults():
    """Must run before the SDK is imported: it reads its defaults then."""
    # That there is a third generation is said in setup.py; here it would be said on every line.
    os.environ.setdefault("SAGEMAKER_SUPPRESS_V2_WARNING", "1")
    os.environ.setdefault("SAGEMAKER_USER_CONFIG_OVERRIDE", str(Path(__file__).with_name("sagemaker-config.yaml")))


def read(text, kind, what):
    """JSON, or a Python literal; of the kind asked for."""
    if not text:
        return kind()
    try:
        value = json.loads(text)
    except ValueError:
        try:
            value = ast.literal_eval(text)
        except (SyntaxError, ValueError):
            raise ValueError("%s is neither JSON nor a Python literal: %s" % (what, text)) from None
    if not isinstance(value, kind):
        raise ValueError("%s must be a %s, not %s" % (what, kind.__name__, text))
    return value


def load_pipeline(module_name, kwargs):
    """The pipeline that `get_pipeline` of the module makes."""
    module = importlib.import_module(module_name)
    if not hasattr(module, "get_pipeline"):
        raise ValueError("the module %s has no get_pipeline" % module_name)
    return module.get_pipeline(**read(kwargs, dict, "--kwargs"))


def custom_tags(module_name, tags, region, project_arn):
    """The given tags, and those that the module adds; a project that is not there adds none."""
    module = importlib.import_module(module_name)
    given = read(tags, list, "--tags")
    if project_arn and hasattr(module, "get_pipeline_custom_tags"):
        return module.get_pipeline_custom_tags(given, region, project_arn)
    return given
