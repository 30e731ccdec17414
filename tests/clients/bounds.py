"""Where credentials may be used: by scope, by host, by environment; and the kinds that are no text. Against the real server."""

import base64
import http.server
import os
import pathlib
import subprocess
import sys
import threading

import requests

from table import check, done, until

url, binary = sys.argv[1], sys.argv[2]
here = pathlib.Path.cwd()
ENV = {"HOME": str(here), "PATH": os.environ["PATH"], "GIT_AUTHOR_NAME": "Ada", "GIT_AUTHOR_EMAIL": "ada@example.org",
       "GIT_COMMITTER_NAME": "Ada", "GIT_COMMITTER_EMAIL": "ada@example.org", "GIT_CONFIG_NOSYSTEM": "1",
       "HALIOTIS_DATA_DIR": str(here / "data"), "NO_COLOR": "1"}
seen = []


class Collect(http.server.BaseHTTPRequestHandler):
    """Keeps what it is sent; a path with `lead` leads to the other one."""

    def do_GET(self):
        seen.append((self.server.server_port, self.headers.get("Authorization")))
        self.send_response(302 if "lead" in self.path else 200)
        if "lead" in self.path:
            self.send_header("Location", f"http://127.0.0.1:{thief}/")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


def listen():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Collect)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_address[1]


good, thief = listen(), listen()


def haliotis(*args, secret=b"", ok=True, **more):
    ran = subprocess.run([binary, *args], env={**ENV, **more}, input=secret, capture_output=True)
    check((ran.returncode == 0) == ok, f"haliotis {args}: {ran.stderr.decode()}")
    return ran.stdout.decode()


def make(name, script="", text=None):
    script = script.replace("&", "&amp;").replace("<", "&lt;")
    text = text or f"""<flow-definition><definition class="org.jenkinsci.plugins.workflow.cps.CpsFlowDefinition"><script>{script}</script></definition></flow-definition>"""
    folder, _, last = name.rpartition("/")
    at = "".join(f"/job/{part}" for part in folder.split("/") if part)
    answer = requests.post(f"{url}{at}/createItem?name={last}", data=text.encode(), headers={"Content-Type": "text/xml"})
    check(answer.status_code == 200, f"made {name}: {answer.text}")


def ended(name, number):
    at = "".join(f"/job/{part}" for part in name.split("/"))
    result = until(f"{name} #{number} ends", lambda: requests.get(f"{url}{at}/{number}/api/json").json().get("result"))
    return result, requests.get(f"{url}{at}/{number}/consoleText").text


def build(name, number=1):
    at = "".join(f"/job/{part}" for part in name.split("/"))
    answer = requests.post(f"{url}{at}/build")
    check(answer.status_code == 201, f"{name} is asked for: {answer.status_code}")
    return ended(name, number)


def withheld(what, came, why):
    result, log = came
    check(result == "FAILURE" and "withheld" in log or "policy:" in log, f"{what}: {result} {log}")
    check(why in log and "canary" not in log and "reached" not in log, f"{what}: {log}")


def uses(ident, variable="T"):
    return f"node {{ withCredentials([string(credentialsId: '{ident}', variable: '{variable}')]) {{ sh 'echo reached ${{#{variable}}}' }} }}"


# Scopes.
for folder in ("team", "other"):
    requests.post(f"{url}/createItem?name={folder}&mode=com.cloudbees.hudson.plugins.folder.Folder")
haliotis("credential", "add", "of-team", "--scope", "folder:team", secret=b"canary-team")
haliotis("credential", "add", "of-one", "--scope", "pipeline:team/one", secret=b"canary-one")
haliotis("credential", "add", "of-system", "--scope", "system", secret=b"canary-system")
for name, ident, given in [("team/one", "of-team", True), ("other/a", "of-team", False), ("team/two", "of-one", False),
                           ("other/b", "of-system", False)]:
    make(name, uses(ident))
    came = build(name)
    if given:
        check(came[0] == "SUCCESS" and "reached 11" in came[1], f"{name} gets {ident}: {came}")
    else:
        withheld(f"{name} gets no {ident}", came, "policy: it is of")
# Jenkins' own words for the same: a folder's store, and the scope SYSTEM.
TEXT = "<org.jenkinsci.plugins.plaincredentials.impl.StringCredentialsImpl><scope>{}</scope><id>{}</id><secret>canary-x</secret></org.jenkinsci.plugins.plaincredentials.impl.StringCredentialsImpl>"
for at, scope, ident in [("/job/team/credentials/store/folder", "GLOBAL", "j-team"), ("/credentials/store/system", "SYSTEM", "j-system"),
                         ("/credentials/store/system", "GLOBAL", "j-all")]:
    answer = requests.post(f"{url}{at}/domain/_/createCredentials", data=TEXT.format(scope, ident), headers={"Content-Type": "application/xml"})
    check(answer.status_code == 200, f"{ident}: {answer.text}")
for name, ident, given in [("team/j1", "j-team", True), ("other/j2", "j-team", False), ("team/j3", "j-system", False), ("team/j4", "j-all", True)]:
    make(name, uses(ident))
    result, log = build(name)
    check((result == "SUCCESS") == given, f"{name} and {ident}: {result} {log}")

# Hosts: `http` says where it sends, a script does not.
haliotis("credential", "add", "of-host", "--host", f"127.0.0.1:{good}", secret=b"canary-host")
haliotis("credential", "add", "odd", "--host", "https://git.example/", secret=b"x", ok=False)


def http_job(name, to, path="/"):
    make(name, text=f"""<flow-definition><definition class="io.haliotis.Definition"><language>yaml</language><path>p.yaml</path><text>steps:
  call: {{ uses: http, with: {{ url: "http://127.0.0.1:{to}{path}", headers: {{ Authorization: "Bearer $T" }}, expect: [200, 302] }}, credentials: {{ T: of-host }} }}
</text></definition></flow-definition>""")
    seen.clear()
    return build(name)


result, log = http_job("to-good", good)
check(result == "SUCCESS" and seen == [(good, "Bearer canary-host")], f"to its own host: {result} {seen} {log}")
withheld("to another port", http_job("to-thief", thief), "policy: it is bound to")
check(seen == [], f"nothing was sent: {seen}")
result, log = http_job("led", good, "/lead")
check(result == "SUCCESS" and seen == [(good, "Bearer canary-host")], f"a redirect is not followed with it: {result} {seen} {log}")
make("by-script", uses("of-host"))
withheld("to a script", build("by-script"), "nobody can tell where this step sends it")

# Environments: of their pipelines, from their branches, as the branch has it.
bare, work = here / "deploy.git", here / "deploy"


def git(*args, cwd=work):
    return subprocess.run(["git", *args], cwd=cwd, env=ENV, check=True, capture_output=True, text=True).stdout.strip()


git("init", "--quiet", "--bare", "--initial-branch=main", str(bare), cwd=here)
git("clone", "--quiet", str(bare), str(work), cwd=here)
git("checkout", "--quiet", "-B", "main")
(work / "Jenkinsfile").write_text(uses("of-prod"))
git("add", "-A")
git("commit", "--quiet", "-m", "deploys")
git("push", "--quiet", "origin", "main", "main:evil")
SCM = """<flow-definition><definition class="org.jenkinsci.plugins.workflow.cps.CpsScmFlowDefinition"><scm class="hudson.plugins.git.GitSCM">
<userRemoteConfigs><hudson.plugins.git.UserRemoteConfig><url>{}</url></hudson.plugins.git.UserRemoteConfig></userRemoteConfigs>
<branches><hudson.plugins.git.BranchSpec><name>*/{}</name></hudson.plugins.git.BranchSpec></branches></scm><scriptPath>Jenkinsfile</scriptPath></definition></flow-definition>"""
haliotis("credential", "add", "of-prod", "--environment", "prod", secret=b"canary-prod")
for name, branch in [("deploy", "main"), ("deploy-evil", "evil"), ("unlisted", "main")]:
    make(name, text=SCM.format(bare, branch))
withheld("an environment that is not there", build("deploy"), "policy: it is of the environment prod, which is not there")
haliotis("environment", "put", "prod", "--pipeline", "deploy*", "--branch", "main", "--branch", "release-*")
check("release-*" in haliotis("environment", "list"), "it is listed")
result, log = build("deploy", 2)
check(result == "SUCCESS" and "reached 11" in log, f"from its branch: {result} {log}")
withheld("a branch that nobody protects", build("deploy-evil"), "takes main, release-* alone; this build is of `evil`")
withheld("a pipeline that may not", build("unlisted"), "takes builds of deploy* alone")
answer = requests.post(f"{url}/job/deploy/2/replay/run", data={"mainScript": uses("of-prod") + "\n// changed"}, allow_redirects=False)
check(answer.status_code == 302, f"replayed: {answer.status_code} {answer.text}")
withheld("a replay with another script", ended("deploy", 3), "whose definition was changed")

# Kinds that are no text.
pfx = bytes([0x30, 0x82, 0, 1, 0xFF])
haliotis("credential", "add", "cert", "--kind", "certificate", "--username", "mine", "--password-from-env", "PW", secret=pfx, PW="canary-pw")
make("cert", "node { withCredentials([certificate(credentialsId: 'cert', keystoreVariable: 'K', passwordVariable: 'P', aliasVariable: 'A')]) {"
     " sh 'base64 &lt; $K; echo $A ${#P}' } }".replace("&lt;", "<"))
result, log = build("cert")
check(result == "SUCCESS" and " 9" in log and "canary" not in log, f"a certificate: {result} {log}")
for ident, class_, inner in [
    ("j-cert", "com.cloudbees.plugins.credentials.impl.CertificateCredentialsImpl",
     f'<password>canary-pw</password><keyStoreSource class="x"><uploadedKeystoreBytes>{base64.b64encode(pfx).decode()}</uploadedKeystoreBytes></keyStoreSource>'),
    ("j-file", "org.jenkinsci.plugins.plaincredentials.impl.FileCredentialsImpl",
     f"<fileName>a.bin</fileName><secretBytes>{base64.b64encode(pfx).decode()}</secretBytes>"),
    ("j-aws", "com.cloudbees.jenkins.plugins.awscredentials.AWSCredentialsImpl",
     "<accessKey>test</accessKey><secretKey>test</secretKey>"),
]:
    store = f"{url}/credentials/store/system/domain/_"
    answer = requests.post(f"{store}/createCredentials", data=f"<{class_}><scope>GLOBAL</scope><id>{ident}</id>{inner}</{class_}>", headers={"Content-Type": "application/xml"})
    check(answer.status_code == 200, f"{ident}: {answer.text}")
    shown = requests.get(f"{store}/credential/{ident}/config.xml").text
    check("canary" not in shown and base64.b64encode(pfx).decode() not in shown, f"{ident} is not shown: {shown}")
make("j-file", "node { withCredentials([file(credentialsId: 'j-file', variable: 'F')]) { sh 'wc -c < $F' } }")
result, log = build("j-file")
check(result == "SUCCESS" and "\n5\n" in log, f"a file of bytes: {result} {log}")

# A role, taken with keys that are a credential, too; who may not use those does not get the role's.
make("own-keys", "node { sh 'echo \"=$AWS_ACCESS_KEY_ID=$AWS_SECRET_ACCESS_KEY=\"' }")
KEYS = build("own-keys")[1].split("\n=")[1].split("=")
haliotis("credential", "add", "keys", "--kind", "aws", "--username", KEYS[0], "--scope", "folder:team", secret=KEYS[1].encode())
haliotis("credential", "add", "role", "--kind", "aws-role", "--role", "arn:aws:iam::123456789012:role/deploy", "--source", "keys")
ROLE = "node { withCredentials([aws(credentialsId: 'role')]) { sh 'echo key ${AWS_ACCESS_KEY_ID%%[0-9A-Z]?????????*}; test -n \"$AWS_SECRET_ACCESS_KEY\"; echo reached' } }"
make("team/role", ROLE)
result, log = build("team/role")
check(result == "SUCCESS" and "reached" in log, f"a role: {result} {log}")
make("other/role", ROLE)
withheld("a role by another's keys", build("other/role"), "policy: it is of the folder `team`")

# Rotation leaves everything as it was, bounds too.
haliotis("credential", "rotate")
listed = haliotis("credential", "list")
check("the folder `team`" in listed and f"127.0.0.1:{good}" in listed and "canary" not in listed, f"listed: {listed}")
result, log = build("team/one", 2)
check(result == "SUCCESS", f"after the rotation: {result} {log}")
withheld("bounds after the rotation", build("other/a", 2), "policy: it is of")
done(60)
