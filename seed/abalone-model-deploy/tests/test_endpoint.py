"""The endpoint's test fails where it should."""
import importlib.util
import io
import tempfile
import unittest
from pathlib import Path

spec = importlib.util.spec_from_file_location("endpoint_test", Path(__file__).resolve().parent.parent / "test" / "test.py")
endpoint_test = importlib.util.module_from_spec(spec)
spec.loader.exec_module(endpoint_test)

CONFIG = {"Parameters": {"SageMakerProjectName": "abalone", "StageName": "staging"}}


class Endpoint:
    """Answers as the service and its endpoint."""

    def __init__(self, status="InService", answer="9\n10\n"):
        self.status, self.answer, self.sent = status, answer, None

    def describe_endpoint(self, EndpointName):
        return {"EndpointName": EndpointName, "EndpointStatus": self.status, "DataCaptureConfig": {"EnableCapture": True}}

    def invoke_endpoint(self, EndpointName, ContentType, Accept, Body):
        self.sent = (EndpointName, Body)
        return {"Body": io.BytesIO(self.answer.encode())}


class Test(unittest.TestCase):
    def setUp(self):
        file = tempfile.NamedTemporaryFile("w", suffix=".csv")
        self.addCleanup(file.close)
        file.write("9,M,0.5\n12,F,0.6\n")
        file.flush()
        self.rows = file.name

    def run_with(self, endpoint, max_mse=6.0):
        return endpoint_test.test(endpoint, endpoint, CONFIG, self.rows, max_mse)

    def test_a_good_endpoint(self):
        endpoint = Endpoint()
        result = self.run_with(endpoint)
        self.assertEqual(result, {"endpoint_name": "abalone-staging", "success": True, "rows": 2, "mse": 2.0, "data_capture": True})
        self.assertEqual(endpoint.sent, ("abalone-staging", "M,0.5\nF,0.6"))

    def test_what_fails(self):
        for endpoint, max_mse, words in (
            (Endpoint(status="Creating"), 6.0, "is Creating"),
            (Endpoint(), 1.9, "is 2.0000, more than 1.9"),
            (Endpoint(answer="9\nnan\n"), 6.0, "is nan"),
            (Endpoint(answer="9\n"), 6.0, "answered 2 rows with 1 numbers"),
        ):
            with self.assertRaisesRegex(endpoint_test.Failed, words):
                self.run_with(endpoint, max_mse)


if __name__ == "__main__":
    unittest.main()
