"""The shim for Jenkins on Haliotis itself: loaded as a shared library from Git, it runs a pipeline of the same server as if its stages were stages here."""

import json
import os
import pathlib
import shutil
import subprocess
import sys

import requests

from table import check, done, until

url, shim = sys.argv[1], pathlib.Path(sys.argv[2])
here = pathlib.Path.cwd()
ENV = {"HOME": str(here), "PATH": os.environ["PATH"], "GIT_AUTHOR_NAME": "Ada", "GIT_AUTHOR_EMAIL": "ada@example.org",
       "GIT_COMMITTER_NAME": "Ada", "GIT_COMMITTER_EMAIL": "ada@example.org", "GIT_CONFIG_NOSYSTEM": "1"}
library = here / "library"
shutil.copytree(shim / "vars", library / "vars")
for args in (["init", "--quiet", "--initial-branch=main"], ["add", "-A"], ["commit", "--quiet", "-m", "the shim"]):
    subprocess.run(["git", *args], cwd=library, env=ENV, check=True)
(here / "data/jenkins.yaml").write_text(f"""unclassified:
  globalLibraries:
    libraries:
      - name: haliotis
        defaultVersion: main
        retriever: {{ modernSCM: {{ scm: {{ git: {{ remote: "{library}" }} }} }} }}
""")


def make(name, script, parameters=""):
    text = f"""<flow-definition><properties>{parameters}</properties><definition class="org.jenkinsci.plugins.workflow.cps.CpsFlowDefinition">
<script>{script.replace("&", "&amp;").replace("<", "&lt;")}</script></definition></flow-definition>"""
    answer = requests.post(f"{url}/createItem?name={name}", data=text.encode(), headers={"Content-Type": "text/xml"})
    check(answer.status_code == 200, f"made {name}: {answer.text}")


def outer(name, call):
    # Without a node: it would hold a slot that the other build may be waiting for.
    make(name, f"@Library('haliotis') _\n{call}")
    answer = requests.post(f"{url}/job/{name}/build")
    check(answer.status_code == 201, f"{name} is asked for: {answer.status_code}")


def end(name):
    state = until(f"{name} ends", lambda: (lambda one: one if one.get("result") else None)(requests.get(f"{url}/job/{name}/1/api/json").json()))
    return state["result"], requests.get(f"{url}/job/{name}/1/consoleText").text


WHO = """<hudson.model.ParametersDefinitionProperty><parameterDefinitions><hudson.model.StringParameterDefinition>
<name>WHO</name><defaultValue>nobody</defaultValue></hudson.model.StringParameterDefinition></parameterDefinitions></hudson.model.ParametersDefinitionProperty>"""
make("good", "node { stage('Train') { sh 'echo training; sleep 1' }\nstage('Register') { sh 'echo \"registered by $WHO\"' } }", WHO)
make("fails", "node { stage('Only') { sh 'exit 3' } }")
make("unstable", "node { unstable 'not quite' }")
make("asks", "stage('Approve') { input 'Deploy it?' }\nnode { sh 'echo deployed' }")

outer("outer-good", f"def end = haliotis pipeline: 'good', parameters: [WHO: 'mia & co'], url: '{url}', poll: 1; echo \"told ${{end.number}} ${{end.result}}\"")
outer("outer-fails", f"haliotis pipeline: 'fails', url: '{url}', poll: 1")
outer("outer-unstable", f"haliotis pipeline: 'unstable', url: '{url}', poll: 1; echo 'went on'")
outer("outer-asks", f"haliotis pipeline: 'asks', url: '{url}', poll: 1")
outer("outer-absent", f"haliotis pipeline: 'absent', url: '{url}'")

result, log = end("outer-good")
check(result == "SUCCESS" and "training" in log and "registered by mia & co" in log and "told 1 SUCCESS" in log, f"good: {result} {log}")
stages = [stage["name"] for stage in requests.get(f"{url}/job/outer-good/1/wfapi/describe").json()["stages"]]
check(stages == ["Train", "Register"], f"its stages are stages here: {stages}")
result, log = end("outer-fails")
check(result == "FAILURE" and "ended with FAILURE" in log, f"a failure is one here: {result} {log}")
result, log = end("outer-unstable")
check(result == "UNSTABLE" and "went on" in log, f"unstable is unstable here: {result} {log}")
result, log = end("outer-absent")
check(result == "FAILURE" and "was not started: status 404" in log, f"no such pipeline: {result} {log}")
question = until("the question is asked here, too", lambda: requests.get(f"{url}/job/outer-asks/1/wfapi/pendingInputActions").json())
check(question[0]["message"] == "Deploy it?", f"the same question: {json.dumps(question)}")
answer = requests.post(f"{url}/job/outer-asks/1/input/{question[0]['id']}/proceedEmpty")
check(answer.status_code in (200, 302), f"answered: {answer.status_code}")
result, log = end("outer-asks")
check(result == "SUCCESS" and "deployed" in log, f"the answer went there: {result} {log}")
done(21)
