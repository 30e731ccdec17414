"""`run-pipeline`: creates or updates the SageMaker pipeline, starts it, waits for its end, and tells how each step went.

Exit code 0: the execution succeeded. 1: it did not, or something went wrong on the way. 2: an argument is missing.
"""
import argparse
import json
import os
import sys
import traceback

from pipelines import _options

# An execution that runs longer than a day is looked at by a person.
LONGEST_S = 86_400


def arguments(given):
    parser = argparse.ArgumentParser(prog="run-pipeline", description=__doc__.splitlines()[0])
    parser.add_argument("-n", "--module-name", "-module-name", help="as pipelines.abalone.pipeline")
    parser.add_argument("-role-arn", "--role-arn", help="role of the pipeline and its jobs")
    parser.add_argument("-kwargs", "--kwargs", help="arguments of get_pipeline, as a JSON object")
    parser.add_argument("-description", "--description", help="of the pipeline")
    parser.add_argument("-tags", "--tags", help="of the pipeline, as a JSON list of {Key, Value}")
    poll = os.environ.get("PIPELINE_POLL_SECONDS", "5")
    parser.add_argument("--poll-seconds", type=float, default=float(poll), help="between two looks at the execution")
    args = parser.parse_args(given)
    if not args.module_name or not args.role_arn:
        parser.print_help()
        sys.exit(2)
    return args


def wait(execution, poll_s):
    """Until the end, whatever it is."""
    from botocore.exceptions import WaiterError

    try:
        execution.wait(delay=poll_s, max_attempts=int(LONGEST_S / max(poll_s, 0.1)))
    except WaiterError as error:
        print("the execution did not succeed: %s" % error)


def tell(execution):
    """The steps in the order in which they ran, and the status of all."""
    for step in reversed(execution.list_steps()):
        reason, source = step.get("FailureReason"), step.get("CacheHitResult", {}).get("SourcePipelineExecutionArn")
        more = ": " + reason if reason else " (taken from %s)" % source.rsplit("/", 1)[1] if source else ""
        print("%-44s %s%s" % (step["StepName"], step["StepStatus"], more))
    status = execution.describe()["PipelineExecutionStatus"]
    print("execution %s: %s" % (execution.arn, status))
    return status


def run(args):
    kwargs = _options.read(args.kwargs, dict, "--kwargs")
    pipeline = _options.load_pipeline(args.module_name, args.kwargs)
    print("definition of the pipeline %s:" % pipeline.name)
    print(json.dumps(json.loads(pipeline.definition()), indent=2, sort_keys=True))
    tags = _options.custom_tags(args.module_name, args.tags, kwargs.get("region"), kwargs.get("sagemaker_project_arn"))
    answer = pipeline.upsert(role_arn=args.role_arn, description=args.description, tags=tags)
    print("created or updated %s" % answer.get("PipelineArn"))
    execution = pipeline.start()
    print("started %s" % execution.arn)
    wait(execution, args.poll_seconds)
    return tell(execution)


def main(given=None):
    args = arguments(given)
    _options.use_own_defaults()
    try:
        status = run(args)
    except Exception as error:  # pylint: disable=broad-except
        print("Exception: %s" % error)
        traceback.print_exc()
        sys.exit(1)
    sys.exit(0 if status == "Succeeded" else 1)


if __name__ == "__main__":
    main()
