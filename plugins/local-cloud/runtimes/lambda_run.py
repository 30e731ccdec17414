"""Runs one Lambda function: lambda_run.py CODE.zip MODULE.FUNCTION FOLDER ARN TIMEOUT_S

Reads FOLDER/event.json, writes FOLDER/answer.json with `returned` or `failed`. Modules are imported from the zip itself.
"""
import importlib
import json
import os
import sys
import time
import traceback


class Context:
    """What a handler gets as its second argument."""

    def __init__(self, arn, timeout_s, request_id):
        self.invoked_function_arn = arn
        self.function_name = arn.rsplit(":", 1)[-1]
        self.function_version = "$LATEST"
        self.memory_limit_in_mb = os.environ.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128")
        self.aws_request_id = request_id
        self.log_group_name = "/aws/lambda/" + self.function_name
        self.log_stream_name = request_id
        self._end = time.monotonic() + timeout_s

    def get_remaining_time_in_millis(self):
        return max(0, int(1000 * (self._end - time.monotonic())))


def run(code, handler, folder, arn, timeout_s):
    sys.path.insert(0, code)
    module, function = handler.rsplit(".", 1)
    try:
        with open(os.path.join(folder, "event.json"), encoding="utf-8") as file:
            event = json.load(file)
        call = getattr(importlib.import_module(module.replace("/", ".")), function)
        returned = call(event, Context(arn, timeout_s, os.path.basename(folder)))
        return {"returned": json.loads(json.dumps(returned))}
    except Exception as error:
        traceback.print_exc()
        lines = traceback.format_tb(error.__traceback__)
        return {"failed": {"errorMessage": str(error), "errorType": type(error).__name__, "stackTrace": lines}}


def main():
    code, handler, folder, arn, timeout_s = sys.argv[1:]
    answer = run(code, handler, folder, arn, float(timeout_s))
    target = os.path.join(folder, "answer.json")
    with open(target + ".new", "w", encoding="utf-8") as file:
        json.dump(answer, file)
    os.replace(target + ".new", target)


if __name__ == "__main__":
    main()
