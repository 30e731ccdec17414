"""Commit statuses: a stand-in for five git hosts, which says in each answer that it is one, is told how builds stand."""

import http.server
import json
import os
import pathlib
import subprocess
import sys
import threading

import requests

from table import check, done, until

url = sys.argv[1]
here = pathlib.Path.cwd()
bare, work = here / "www/team/app.git", here / "app"
ENV = {"HOME": str(here), "PATH": os.environ["PATH"], "GIT_AUTHOR_NAME": "Ada", "GIT_AUTHOR_EMAIL": "ada@example.org",
       "GIT_COMMITTER_NAME": "Ada", "GIT_COMMITTER_EMAIL": "ada@example.org", "GIT_CONFIG_NOSYSTEM": "1"}
told, broken, redirected = [], [], []


class StandIn(http.server.SimpleHTTPRequestHandler):
    """Serves the repository as plain files, and keeps what is posted."""

    server_version = "a-stand-in-for-a-git-host"

    def __init__(self, *args):
        super().__init__(*args, directory=str(here / "www"))

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path.startswith("/elsewhere"):
            redirected.append(dict(self.headers))
        if self.path.startswith("/moved"):
            self.send_response(307)
            self.send_header("Location", f"http://127.0.0.1:{port}/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        if broken:
            broken.pop()
            self.send_error(503)
            return
        token = self.headers.get("Authorization") or self.headers.get("Private-Token")
        told.append((self.path, body, token))
        self.send_response(201)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), StandIn)
port = server.server_address[1]
threading.Thread(target=server.serve_forever, daemon=True).start()
host, repo = f"127.0.0.1:{port}", f"http://127.0.0.1:{port}/team/app.git"


def git(*args, cwd=work):
    return subprocess.run(["git", *args], cwd=cwd, env=ENV, check=True, capture_output=True, text=True).stdout.strip()


def commit(script):
    (work / "Jenkinsfile").write_text(script)
    git("add", "-A")
    git("commit", "--quiet", "--allow-empty", "-m", "change")
    git("push", "--quiet", "origin", "main")
    git("update-server-info", cwd=bare)
    return git("rev-parse", "HEAD")


bare.parent.mkdir(parents=True)
git("init", "--quiet", "--bare", "--initial-branch=main", str(bare), cwd=here)
git("clone", "--quiet", str(bare), str(work), cwd=here)
git("checkout", "--quiet", "-B", "main")
head = commit("echo 'fine'")
requests.post(f"{url}/credentials/store/system/domain/_/createCredentials", headers={"Content-Type": "application/xml"}, data="""
<org.jenkinsci.plugins.plaincredentials.impl.StringCredentialsImpl><id>status-token</id><secret>t0ken</secret></org.jenkinsci.plugins.plaincredentials.impl.StringCredentialsImpl>""")
JOB = f"""<flow-definition><definition class="org.jenkinsci.plugins.workflow.cps.CpsScmFlowDefinition"><scm class="hudson.plugins.git.GitSCM">
<userRemoteConfigs><hudson.plugins.git.UserRemoteConfig><url>{repo}</url></hudson.plugins.git.UserRemoteConfig></userRemoteConfigs>
<branches><hudson.plugins.git.BranchSpec><name>*/main</name></hudson.plugins.git.BranchSpec></branches></scm><scriptPath>Jenkinsfile</scriptPath></definition></flow-definition>"""
made = requests.post(f"{url}/createItem?name=told", data=JOB, headers={"Content-Type": "text/xml"})
check(made.status_code == 200, f"made: {made.text}")


def speaks(kind, api):
    answer = requests.put(f"{url}/api/v1/git-hosts/{host}", json={"kind": kind, "api": f"http://{host}{api}", "credential": "status-token"})
    check(answer.status_code == 204, f"{kind}: {answer.status_code} {answer.text}")


def build():
    told.clear()
    answer = requests.post(f"{url}/job/told/build")
    check(answer.status_code in (201, 303), f"asked for: {answer.status_code}")


def words(field):
    return [body[field] for _, body, _ in told]


for kind, api, place, field, begun, good, token in [
    ("github", "/api/v3", f"/api/v3/repos/team/app/statuses/{head}", "state", "pending", "success", "Bearer t0ken"),
    ("gitea", "/api/v1", f"/api/v1/repos/team/app/statuses/{head}", "state", "pending", "success", "token t0ken"),
    ("gitlab", "/api/v4", f"/api/v4/projects/team%2Fapp/statuses/{head}", "state", "running", "success", "t0ken"),
    ("bitbucket", "/2.0", f"/2.0/repositories/team/app/commit/{head}/statuses/build", "state", "INPROGRESS", "SUCCESSFUL", "Bearer t0ken"),
    ("bitbucket-dc", "", f"/rest/build-status/1.0/commits/{head}", "state", "INPROGRESS", "SUCCESSFUL", "Bearer t0ken"),
]:
    speaks(kind, api)
    build()
    until(f"{kind} is told of the end", lambda: good in words(field))
    until(f"{kind} is told of the beginning", lambda: begun in words(field))
    check(all(path == place for path, _, _ in told), f"{kind}: {told}")
    check(all(given == token for _, _, given in told), f"{kind}: the token {told}")
    check(told[0][1].get("context", told[0][1].get("name")) == "haliotis/told", f"{kind}: its name")

# A host that is broken is told later; a failure is one.
speaks("github", "/api/v3")
head = commit("error 'no good'")
broken.extend([1, 1])
build()
until("the end is told in spite of two failures", lambda: "failure" in words("state"))
check(told[-1][0].endswith(head) and "no good" in told[-1][1]["description"], f"{told}")

# A redirect gets no token.
speaks("github", "/moved")
build()
number = requests.get(f"{url}/job/told/api/json").json()["nextBuildNumber"] - 1
until("the end", lambda: requests.get(f"{url}/job/told/{number}/api/json").json().get("result"))
speaks("github", "/api/v3")
build()
until("the next is told", lambda: "failure" in words("state"))
check(not redirected, f"the token followed a redirect: {redirected}")
check(requests.delete(f"{url}/api/v1/git-hosts/{host}").status_code == 204, "not told any more")
check(requests.put(f"{url}/api/v1/git-hosts/x", json={"kind": "github", "api": "file:///etc", "credential": "c"}).status_code == 400, "no address")
done(30)
