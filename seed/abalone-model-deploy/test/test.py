"""Tests a stage's endpoint: it must be in service, and its answers for held-out rows must be near the rings.

    test/test.py --import-build-config staging-config-export.json --rows heldout.csv --export-test-results test-results.json
"""
import argparse
import json
import os
import sys
from pathlib import Path

# As many rows as one request takes; the held-out part of the data has 627.
MOST_ROWS = 1000


class Failed(Exception):
    """What is wrong with the endpoint, in one line."""


def in_service(client, endpoint):
    """The endpoint's description, if it can be asked."""
    description = client.describe_endpoint(EndpointName=endpoint)
    status = description["EndpointStatus"]
    if status != "InService":
        raise Failed("the endpoint %s is %s: %s" % (endpoint, status, description.get("FailureReason", "no reason given")))
    return description


def rows_of(path):
    """Labels, and the raw rows without them."""
    lines = [line for line in Path(path).read_text(encoding="utf-8").splitlines() if line.strip()][:MOST_ROWS]
    if not lines:
        raise Failed("%s has no rows to test with" % path)
    pairs = [line.split(",", 1) for line in lines]
    return [float(label) for label, _ in pairs], [row for _, row in pairs]


def score(runtime, endpoint, rows):
    """One number per row."""
    answer = runtime.invoke_endpoint(EndpointName=endpoint, ContentType="text/csv", Accept="text/csv", Body="\n".join(rows))
    text = answer["Body"].read().decode("utf-8")
    scores = [float(part) for part in text.replace(",", "\n").split()]
    if len(scores) != len(rows):
        raise Failed("%s answered %d rows with %d numbers" % (endpoint, len(rows), len(scores)))
    return scores


def test(client, runtime, config, rows_file, max_mse):
    """The results; raises when the endpoint is not good enough."""
    values = config["Parameters"]
    endpoint = "%s-%s" % (values["SageMakerProjectName"], values["StageName"])
    description = in_service(client, endpoint)
    capture = bool(description.get("DataCaptureConfig", {}).get("EnableCapture"))
    labels, rows = rows_of(rows_file)
    scores = score(runtime, endpoint, rows)
    mse = sum((label - value) ** 2 for label, value in zip(labels, scores)) / len(labels)
    if not mse <= max_mse:
        raise Failed("%s: the mean squared error over %d rows is %.4f, more than %g" % (endpoint, len(rows), mse, max_mse))
    return {"endpoint_name": endpoint, "success": True, "rows": len(rows), "mse": mse, "data_capture": capture}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--import-build-config", required=True, type=Path)
    parser.add_argument("--export-test-results", required=True, type=Path)
    parser.add_argument("--rows", type=Path, default=Path("heldout.csv"), help="label first, then the raw row")
    parser.add_argument("--max-mse", type=float, default=float(os.environ.get("MAX_MSE", "6.0")))
    return parser.parse_args()


def main():
    import boto3

    args = arguments()
    config = json.loads(args.import_build_config.read_text(encoding="utf-8"))
    try:
        results = test(boto3.client("sagemaker"), boto3.client("sagemaker-runtime"), config, args.rows, args.max_mse)
    except Failed as failed:
        args.export_test_results.write_text(json.dumps({"success": False, "reason": str(failed)}), encoding="utf-8")
        sys.exit("test.py: %s" % failed)
    args.export_test_results.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(results))


if __name__ == "__main__":
    main()
