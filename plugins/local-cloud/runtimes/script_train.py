"""Script mode: runs the user's program with hyperparameters as arguments and the `SM_*` variables of the toolkit."""

import json
import os
import subprocess
import sys

import haliotis_container as container

CODE_DIR = f"{container.ML}/code"
# Hyperparameters that steer the container; the program does not get them.
RESERVED = (
    "sagemaker_program",
    "sagemaker_submit_directory",
    "sagemaker_region",
    "sagemaker_job_name",
    "sagemaker_container_log_level",
)


def train(raw):
    """Runs the program; its exit code becomes ours."""
    values = {name: decode(text) for name, text in raw.items()}
    program = str(values["sagemaker_program"])
    directory = code_directory(values.get("sagemaker_submit_directory"))
    path = os.path.join(directory, program)
    if not os.path.isfile(path):
        raise container.UserError(
            f"The program {program} is not in the submit directory; it holds: {sorted(os.listdir(directory))}"
        )
    own = {name: value for name, value in values.items() if name not in RESERVED}
    arguments = to_arguments(own)
    env = {**os.environ, **variables(own, values, arguments)}
    env["PYTHONPATH"] = os.pathsep.join(filter(None, [directory, os.environ.get("PYTHONPATH")]))
    command = ["/bin/sh", path, *arguments] if program.endswith(".sh") else [sys.executable, path, *arguments]
    print("Invoking script with the following command:", " ".join(command), flush=True)
    code = run(command, env, directory)
    if code != 0 and not os.path.exists(container.FAILURE_FILE):
        raise RuntimeError(f"ExecuteUserScriptError: the program {program} ended with exit code {code}")
    sys.exit(code)


def run(command, env, directory):
    """Becomes the parent of the program and hands a stop on to it, so that it can save its model."""
    import signal

    process = subprocess.Popen(command, env=env, cwd=directory)
    signal.signal(signal.SIGTERM, lambda *_: process.terminate())
    code = process.wait()
    return 128 - code if code < 0 else code


def code_directory(directory):
    """The server unpacks `s3://` archives before the start; other values are folders of the container."""
    if directory and not str(directory).startswith("s3://"):
        return str(directory)
    return CODE_DIR


def decode(text):
    """Hyperparameters may be JSON within text, as the SageMaker SDK writes them, or plain text."""
    try:
        return json.loads(text)
    except (TypeError, ValueError):
        return text


def to_arguments(values):
    """`--name value` in name order; names of one letter get one dash."""
    arguments = []
    for name in sorted(values):
        value = values[name]
        arguments.append(f"--{name}" if len(name) > 1 else f"-{name}")
        arguments.append(value if isinstance(value, str) else json.dumps(value))
    return arguments


def variables(own, all_values, arguments):
    """The toolkit's environment."""
    channels = sorted(container.read_config("inputdataconfig.json"))
    resources = container.read_config("resourceconfig.json")
    hosts = resources.get("hosts", ["algo-1"])
    env = {
        "SM_MODEL_DIR": container.MODEL_DIR,
        "SM_OUTPUT_DIR": f"{container.ML}/output",
        "SM_OUTPUT_DATA_DIR": f"{container.ML}/output/data",
        "SM_INPUT_DIR": f"{container.ML}/input",
        "SM_INPUT_CONFIG_DIR": container.CONFIG_DIR,
        "SM_CHANNELS": json.dumps(channels),
        "SM_HPS": json.dumps(own),
        "SM_CURRENT_HOST": resources.get("current_host", "algo-1"),
        "SM_HOSTS": json.dumps(hosts),
        "SM_NUM_GPUS": "0",
        "SM_NUM_NEURONS": "0",
        "SM_NUM_CPUS": str(os.cpu_count() or 1),
        "SM_LOG_LEVEL": str(all_values.get("sagemaker_container_log_level", 20)),
        "SM_NETWORK_INTERFACE_NAME": resources.get("network_interface_name", "lo"),
        "SM_USER_ARGS": json.dumps(arguments),
        "SM_USER_ENTRY_POINT": str(all_values["sagemaker_program"]),
        "SM_MODULE_DIR": str(all_values.get("sagemaker_submit_directory", CODE_DIR)),
        "SM_RESOURCE_CONFIG": json.dumps(resources),
        "SM_INPUT_DATA_CONFIG": json.dumps(container.read_config("inputdataconfig.json")),
    }
    for channel in channels:
        env[f"SM_CHANNEL_{channel.upper().replace('-', '_')}"] = f"{container.DATA_DIR}/{channel}"
    for name, value in own.items():
        env[f"SM_HP_{name.upper().replace('-', '_')}"] = value if isinstance(value, str) else json.dumps(value)
    env["SM_TRAINING_ENV"] = json.dumps(
        {
            "job_name": os.environ.get("TRAINING_JOB_NAME", ""),
            "hyperparameters": own,
            "channel_input_dirs": {name: f"{container.DATA_DIR}/{name}" for name in channels},
            "model_dir": container.MODEL_DIR,
            "output_data_dir": f"{container.ML}/output/data",
            "current_host": env["SM_CURRENT_HOST"],
            "hosts": hosts,
            "num_cpus": os.cpu_count() or 1,
            "num_gpus": 0,
            "module_name": str(all_values["sagemaker_program"]).rsplit(".", 1)[0],
        }
    )
    return env
