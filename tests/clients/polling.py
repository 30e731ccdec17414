"""Polling: a slow host delays nobody, a busy one is left alone as long as it asks, and GitHub's API costs nothing when nothing changed."""

import http.server
import os
import pathlib
import socket
import subprocess
import sys
import threading
import time

import requests

from table import check, done, until

url = sys.argv[1]
here = pathlib.Path.cwd()
www, work = here / "www", here / "app"
bare, hub = www / "team/app.git", www / "team/hub.git"
ENV = {"HOME": str(here), "PATH": os.environ["PATH"], "GIT_AUTHOR_NAME": "Ada", "GIT_AUTHOR_EMAIL": "ada@example.org",
       "GIT_COMMITTER_NAME": "Ada", "GIT_COMMITTER_EMAIL": "ada@example.org", "GIT_CONFIG_NOSYSTEM": "1"}
PAUSE = 6
busy, opened, asked, conditional = [], [], [], []
nudged = 0


class Host(http.server.SimpleHTTPRequestHandler):
    """Serves the repository as plain files and says how often it is asked; `/busy` wants to be left alone; the API is GitHub's."""

    def __init__(self, *args):
        super().__init__(*args, directory=str(www))

    def do_GET(self):
        if self.path.startswith("/busy"):
            now = time.monotonic()
            # It answers when it was left alone as long as it asked, and from then on.
            if not opened and not (busy and now - busy[-1] >= PAUSE - 0.5):
                busy.append(now)
                return self.say(429, {"Retry-After": str(PAUSE)})
            opened.append(now)
            self.path = self.path.removeprefix("/busy")
        if self.path.startswith("/api"):
            head = git("rev-parse", "main", cwd=hub)
            tag = f'"{head}"'
            known = self.headers.get("If-None-Match") == tag
            conditional.append((known, self.headers.get("Authorization")))
            return self.say(304, {"ETag": tag}) if known else self.say(200, {"ETag": tag}, head.encode())
        asked.append(self.path)
        return super().do_GET()

    def say(self, status, headers, body=b""):
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def serve():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Host)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_address[1]


def git(*args, cwd=work):
    return subprocess.run(["git", *args], cwd=cwd, env=ENV, check=True, capture_output=True, text=True).stdout.strip()


def commit(text):
    (work / "Jenkinsfile").write_text(f"echo '{text}'")
    git("add", "-A")
    git("commit", "--quiet", "-m", text)
    for host in (bare, hub):
        git("push", "--quiet", str(host), "main")
        git("update-server-info", cwd=host)


def job(name, repo, credential=""):
    credential = f"<credentialsId>{credential}</credentialsId>" if credential else ""
    text = f"""<flow-definition><properties><org.jenkinsci.plugins.workflow.job.properties.PipelineTriggersJobProperty><triggers>
<hudson.triggers.SCMTrigger><spec>* * * * *</spec></hudson.triggers.SCMTrigger></triggers></org.jenkinsci.plugins.workflow.job.properties.PipelineTriggersJobProperty></properties>
<definition class="org.jenkinsci.plugins.workflow.cps.CpsScmFlowDefinition"><scm class="hudson.plugins.git.GitSCM"><userRemoteConfigs><hudson.plugins.git.UserRemoteConfig>
<url>{repo}</url>{credential}</hudson.plugins.git.UserRemoteConfig></userRemoteConfigs><branches><hudson.plugins.git.BranchSpec><name>*/main</name></hudson.plugins.git.BranchSpec></branches></scm>
<scriptPath>Jenkinsfile</scriptPath></definition></flow-definition>"""
    answer = requests.post(f"{url}/createItem?name={name}", data=text, headers={"Content-Type": "text/xml"})
    check(answer.status_code == 200, f"made {name}: {answer.text}")


def watcher(name, repo):
    """A definition of its own, which nobody reads from that repository."""
    text = f"""<flow-definition><definition class="io.haliotis.Definition"><language>yaml</language><path>p.yaml</path><text>on: {{ poll: {{ repo: "{repo}", branch: main, every: 1m }} }}
steps:
  one: {{ run: "true" }}
</text></definition></flow-definition>"""
    answer = requests.post(f"{url}/createItem?name={name}", data=text, headers={"Content-Type": "text/xml"})
    check(answer.status_code == 200, f"made {name}: {answer.text}")


def look():
    """The hook of a host that signs nothing: every repository is looked at now."""
    global nudged
    if time.monotonic() - nudged > 1:
        nudged = time.monotonic()
        answer = requests.get(f"{url}/git/notifyCommit", params={"url": f"http://127.0.0.1:{port}/team/app.git"})
        check(answer.status_code == 200, f"told: {answer.status_code} {answer.text}")


def built(name):
    look()
    return (requests.get(f"{url}/job/{name}/api/json").json()["lastBuild"] or {}).get("number", 0)


bare.parent.mkdir(parents=True)
git("init", "--quiet", "--bare", "--initial-branch=main", str(bare), cwd=here)
git("init", "--quiet", "--bare", "--initial-branch=main", str(hub), cwd=here)
git("clone", "--quiet", str(bare), str(work), cwd=here)
git("checkout", "--quiet", "-B", "main")
commit("one")
port, busy_port = serve(), serve()

# Hosts that take a connection and never answer: more repositories than a host has places.
silent = socket.create_server(("127.0.0.1", 0), backlog=128)
for number in range(12):
    watcher(f"slow-{number}", f"http://127.0.0.1:{silent.getsockname()[1]}/slow/{number}.git")
job("quick", f"http://127.0.0.1:{port}/team/app.git")
until("the quick host's first build", lambda: built("quick") == 1)
commit("two")
began = time.monotonic()
until("its next push is found", lambda: built("quick") == 2)
# A look at the silent host lasts 30 s; had the quick one waited for one, it would be as late.
check(time.monotonic() - began < 20, f"it did not wait for the silent host: {time.monotonic() - began:.1f} s")

# `Retry-After`.
watcher("busy", f"http://127.0.0.1:{busy_port}/busy/team/app.git")
until("it is built in the end", lambda: built("busy") == 1)
check(1 <= len(busy) <= 3, f"it was left alone: asked at {busy}")

# GitHub's API, with the repository's credential; the first answer is remembered.
requests.post(f"{url}/credentials/store/system/domain/_/createCredentials", headers={"Content-Type": "application/xml"}, data="""
<org.jenkinsci.plugins.plaincredentials.impl.StringCredentialsImpl><id>token</id><secret>t0ken</secret></org.jenkinsci.plugins.plaincredentials.impl.StringCredentialsImpl>""")
answer = requests.put(f"{url}/api/v1/git-hosts/127.0.0.1:{port}", json={"kind": "github", "api": f"http://127.0.0.1:{port}/api/v3", "credential": "token"})
check(answer.status_code == 204, f"{answer.status_code} {answer.text}")
job("hub", f"http://127.0.0.1:{port}/team/hub.git", "token")
until("its first build", lambda: built("hub") == 1)
until("looks that cost nothing", lambda: look() or sum(known for known, _ in conditional) >= 2)
check(all(token == "Bearer t0ken" for _, token in conditional), f"with the token: {conditional}")
full = sum(not known for known, _ in conditional)
check(full == 1, f"once in full: {conditional}")
commit("three")
until("a push is found by it", lambda: built("hub") == 2)
check(sum(not known for known, _ in conditional) == 2, f"twice in full: {conditional}")
done(25)
