"""What the training and serving programs share: where things lie in a container, and how a failure is reported."""

import json
import os
import sys
import traceback

ML = "/opt/ml"
MODEL_DIR = f"{ML}/model"
CONFIG_DIR = f"{ML}/input/config"
DATA_DIR = f"{ML}/input/data"
FAILURE_FILE = f"{ML}/output/failure"

# The exit codes that the real training toolkits use: the user's mistake, and the algorithm's.
EXIT_CLIENT = 2
EXIT_ALGORITHM = 1


class UserError(Exception):
    """A mistake of whoever started the job; becomes `ClientError` in the job's failure reason."""


def read_config(name):
    """A configuration file of the container; empty when there is none."""
    try:
        with open(f"{CONFIG_DIR}/{name}", encoding="utf-8") as file:
            return json.load(file)
    except FileNotFoundError:
        return {}


def fail(error):
    """Writes the failure file and ends the process as the real containers do."""
    code = EXIT_CLIENT if isinstance(error, UserError) else EXIT_ALGORITHM
    message = str(error) if isinstance(error, UserError) else f"{type(error).__name__}: {error}"
    if code == EXIT_ALGORITHM:
        traceback.print_exc()
    print(f"ERROR: {message}", file=sys.stderr, flush=True)
    os.makedirs(os.path.dirname(FAILURE_FILE), exist_ok=True)
    with open(FAILURE_FILE, "w", encoding="utf-8") as file:
        file.write(message)
    sys.exit(code)


def framework():
    """`sklearn` or `xgboost`: which image this process stands for."""
    return os.environ.get("HALIOTIS_FRAMEWORK", "")


def framework_version():
    """Major and minor of the image, as (1, 0)."""
    major, _, minor = os.environ.get("HALIOTIS_FRAMEWORK_VERSION", "0.0").partition(".")
    return int(major), int(minor or 0)
