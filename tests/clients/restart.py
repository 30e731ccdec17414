"""A server that an administrator makes quiet, restarts and ends, by Jenkins' own addresses."""

import json
import pathlib
import sys
import time

import requests

from table import check, done, until

url = sys.argv[1]
address = pathlib.Path("data/server.json")
LONG = """<flow-definition><definition class="org.jenkinsci.plugins.workflow.cps.CpsFlowDefinition">
<script>node { sh 'sleep 8; echo went on' }</script></definition></flow-definition>"""


def make(name, text):
    answer = requests.post(f"{url}/createItem?name={name}", data=text, headers={"Content-Type": "text/xml"})
    check(answer.status_code == 200, f"made {name}: {answer.text}")


def job(name):
    return requests.get(f"{url}/job/{name}/api/json").json()


# While it is quiet nothing begins, by whatever trigger; afterwards what was seen does.
make("up", LONG.replace("sleep 8", "sleep 4"))
make("down", LONG.replace("<definition", "<triggers><jenkins.triggers.ReverseBuildTrigger><upstreamProjects>up</upstreamProjects>"
     "<threshold><name>SUCCESS</name></threshold></jenkins.triggers.ReverseBuildTrigger></triggers><definition").replace("sleep 8;", ""))
requests.post(f"{url}/job/up/build")
until("the downstream build", lambda: (job("down")["lastBuild"] or {}).get("number") == 1)
requests.post(f"{url}/job/up/build")
until("the second runs", lambda: requests.get(f"{url}/job/up/2/api/json").json().get("building"))
requests.post(f"{url}/quietDown")
until("it ends", lambda: requests.get(f"{url}/job/up/2/api/json").json().get("result"))
check(requests.post(f"{url}/api/v1/pipelines/up/builds", json={}).status_code == 409, "nor when our own API is asked")
check(requests.post(f"{url}/job/up/2/replay/rebuild", allow_redirects=False).status_code == 409, "nor again")
# The outbox is looked at at least every two seconds; a trigger that did not hold would have fired by then.
time.sleep(3)
check(job("down")["lastBuild"]["number"] == 1, "nothing begins while it is quiet")
requests.post(f"{url}/cancelQuietDown")
until("what waited begins", lambda: job("down")["lastBuild"]["number"] == 2)

# A restart leaves steps at work, and the next life follows them.
make("long", LONG)
requests.post(f"{url}/job/long/build")
until("it runs", lambda: "sleep" in requests.get(f"{url}/job/long/1/consoleText").text)
before = json.loads(address.read_text())
answer = requests.post(f"{url}/safeRestart", allow_redirects=False)
check(answer.status_code == 302, f"asked to restart: {answer.status_code}")


def again():
    try:
        now = json.loads(address.read_text())
    except (OSError, ValueError):
        return None
    return now if now["url"] != before["url"] else None


after = until("it is back", again)
check(after["pid"] == before["pid"], "the same process")
url = after["url"]
until("it answers", lambda: requests.get(f"{url}/readyz").status_code == 200)
end = until("the long one ends", lambda: requests.get(f"{url}/job/long/1/api/json").json()["result"])
check(end == "SUCCESS" and "went on" in requests.get(f"{url}/job/long/1/consoleText").text, f"it went on: {end}")

check(requests.post(f"{url}/exit", allow_redirects=False).status_code == 302, "asked to end")
until("it has ended", lambda: not address.exists())
done(10)
