"""The shim for Jenkins, under Groovy 2.4 as Jenkins has it, with stand-ins for Jenkins' steps: against our server."""

import json
import subprocess
import sys

import requests

from table import check, done, until

url, shim = sys.argv[1], sys.argv[2]
PIPELINE = """<flow-definition><properties>{parameters}</properties>
<definition class="org.jenkinsci.plugins.workflow.cps.CpsFlowDefinition"><script>{script}</script></definition></flow-definition>"""
WHO = """<hudson.model.ParametersDefinitionProperty><parameterDefinitions><hudson.model.StringParameterDefinition>
<name>WHO</name><defaultValue>nobody</defaultValue></hudson.model.StringParameterDefinition></parameterDefinitions></hudson.model.ParametersDefinitionProperty>"""
GOOD = """node { stage('Train') { sh 'echo training; sleep 1' }
stage('Register') { sh 'echo "registered by $WHO"' } }"""


def make(name, script, parameters=""):
    text = PIPELINE.format(script=script.replace("&", "&amp;").replace("<", "&lt;"), parameters=parameters)
    answer = requests.post(f"{url}/job/shim/createItem?name={name}", data=text, headers={"Content-Type": "text/xml"})
    check(answer.status_code == 200, f"made {name}: {answer.text}")


def drive(cases):
    """What came of each case; one Groovy for all, since a machine of Java takes its time to start."""
    ran = subprocess.run(["groovy", f"{shim}/test/drive.groovy", f"{shim}/vars/haliotis.groovy", url, *cases],
                         capture_output=True, text=True, timeout=240)
    ends = [json.loads(line) for line in ran.stdout.splitlines() if line.startswith('{"end":true')]
    check(len(ends) == len(cases), f"all cases ended: {ran.stdout} {ran.stderr}")
    return dict(zip(cases, ends))


requests.post(f"{url}/createItem?name=shim&mode=com.cloudbees.hudson.plugins.folder.Folder")
make("parameters", GOOD, WHO)
make("fails", "node { stage('Only') { sh 'exit 3' } }")
make("unstable", "node { unstable 'not quite' }")
make("asks", "stage('Approve') { input 'Deploy it?' }\nnode { sh 'echo deployed' }")
make("refuse", "stage('Approve') { input 'Deploy it?' }\nnode { sh 'echo deployed' }")
make("abort", "node { stage('Long') { sh 'sleep 300' } }")
make("nowait", "node { echo 'later' }")
ends = drive(["parameters", "fails", "unstable", "asks", "refuse", "abort", "nowait", "absent"])

told = ends["parameters"]
check(told["threw"] is None and told["result"]["result"] == "SUCCESS" and told["result"]["number"] == 1, f"good: {told}")
check(told["stages"] == ["Train", "Register"], f"its stages: {told['stages']}")
log = "".join(told["said"])
check("training" in log and "registered by mia & co" in log, f"its log: {log}")
whole = requests.get(f"{url}/job/shim/job/parameters/1/consoleText").text
streamed = "".join(text for text in told["said"] if not text.startswith("Haliotis: "))
check(streamed == whole, f"the whole log, once:\n{streamed}\nis not\n{whole}")

told = ends["fails"]
check("ended with FAILURE" in told["threw"] and told["now"] == "FAILURE", f"a failure is one here: {told}")
told = ends["unstable"]
check(told["threw"] is None and told["now"] == "UNSTABLE", f"unstable is unstable here: {told}")

told = ends["asks"]
check("asked: Deploy it?" in told["said"] and told["result"]["result"] == "SUCCESS", f"a question: {told}")
told = ends["refuse"]
check(told["kind"] == "FlowInterruptedException", f"refused: {told}")
until("it is refused there too", lambda: requests.get(f"{url}/job/shim/job/refuse/1/api/json").json()["result"] == "ABORTED")

told = ends["abort"]
check(told["kind"] == "FlowInterruptedException", f"stopped: {told}")
until("it stops there too", lambda: requests.get(f"{url}/job/shim/job/abort/1/api/json").json()["result"] == "ABORTED")
told = ends["nowait"]
check("/queue/item/" in told["result"]["queue"] and told["stages"] == [], f"not waited for: {told}")
told = ends["absent"]
check("was not started: status 404" in told["threw"], f"no such pipeline: {told}")
done(19)
