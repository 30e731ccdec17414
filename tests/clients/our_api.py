"""schemathesis asks our API everything its own OpenAPI document allows, and much that it does not: no answer may be a server error."""

import pathlib
import subprocess
import sys

import requests

from table import check, done, until

url = sys.argv[1]
SECONDS = 40
# Something for it to find.
requests.post(f"{url}/createItem?name=p", headers={"Content-Type": "text/xml"}, data="""<flow-definition><definition
class="org.jenkinsci.plugins.workflow.cps.CpsFlowDefinition"><script>node { stage('a') { sh 'echo hello' } }</script></definition></flow-definition>""")
check(requests.post(f"{url}/job/p/build").status_code == 201, "a build to look at")
until("it has ended", lambda: requests.get(f"{url}/job/p/1/api/json").json().get("result"))
document = requests.get(f"{url}/api/openapi.json").json()
calls = sum(len(item) for item in document["paths"].values())
check(calls >= 25, f"the document has its calls: {calls}")
# One worker: two of them at once meet a fault of Python 3.11 in ast.parse, which keeps its depth for the whole process.
program = pathlib.Path(sys.executable).parent / "st"
ran = subprocess.run(
    [program, "run", f"{url}/api/openapi.json", "--url", url, "--checks", "not_a_server_error", "--phases", "examples,coverage,fuzzing",
     "--max-examples", "12", "--workers", "1", "--generation-deterministic", "--continue-on-failure", "--request-timeout", "10", "--no-color", "--suppress-health-check", "all"],
    capture_output=True, text=True, timeout=SECONDS * 4)
print(ran.stdout[-6000:])
check(ran.returncode == 0, f"schemathesis: {ran.returncode} {ran.stderr[-2000:]}")
check(requests.get(f"{url}/readyz").status_code == 200, "the server is well")
done(4)
