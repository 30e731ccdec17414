"""A multibranch project over a real repository: branches, tags, pull requests, a fork without secrets, orphans."""

import hashlib
import hmac
import json
import pathlib
import subprocess
import sys
import uuid

import requests

from table import check, done, until

url, secret = sys.argv[1], sys.argv[2]
session = requests.Session()
here = pathlib.Path.cwd()
bare, work = here / "app.git", here / "app"
QUIET = {"HOME": str(here), "PATH": "/usr/local/bin:/usr/bin:/bin", "GIT_AUTHOR_NAME": "Ada", "GIT_AUTHOR_EMAIL": "ada@example.org",
         "GIT_COMMITTER_NAME": "Ada", "GIT_COMMITTER_EMAIL": "ada@example.org", "GIT_CONFIG_NOSYSTEM": "1"}

JENKINSFILE = """
pipeline {
    agent any
    stages {
        stage('Who') { steps { echo "WHO=%s branch=${env.BRANCH_NAME} change=${env.CHANGE_ID} target=${env.CHANGE_TARGET} tag=${env.TAG_NAME}" } }
        stage('Change') {
            when { changeRequest target: 'main' }
            steps { sh 'echo "change $CHANGE_ID by $CHANGE_AUTHOR: $(cat file.txt)"' }
        }
        stage('Main') {
            when { branch 'main' }
            steps { echo 'on main' }
        }
        stage('Tag') {
            when { tag 'v*' }
            steps { echo 'on a tag' }
        }
    }
}
"""
STEALS = """
pipeline {
    agent any
    stages { stage('Steal') { steps { withCredentials([string(credentialsId: 'deploy-key', variable: 'KEY')]) { sh 'echo stolen $KEY' } } } }
}
"""
TRAITS = """<jenkins.plugins.git.traits.BranchDiscoveryTrait/><jenkins.plugins.git.traits.TagDiscoveryTrait/>
<org.jenkinsci.plugins.github__branch__source.OriginPullRequestDiscoveryTrait><strategyId>2</strategyId></org.jenkinsci.plugins.github__branch__source.OriginPullRequestDiscoveryTrait>
<org.jenkinsci.plugins.github__branch__source.ForkPullRequestDiscoveryTrait><strategyId>3</strategyId><trust class="org.jenkinsci.plugins.github_branch_source.ForkPullRequestDiscoveryTrait$TrustNobody"/></org.jenkinsci.plugins.github__branch__source.ForkPullRequestDiscoveryTrait>
<jenkins.scm.impl.trait.WildcardSCMHeadFilterTrait><includes>*</includes><excludes>wip-*</excludes></jenkins.scm.impl.trait.WildcardSCMHeadFilterTrait>"""
CONFIG = """<org.jenkinsci.plugins.workflow.multibranch.WorkflowMultiBranchProject plugin="workflow-multibranch">
  <description>follows</description>
  <triggers><com.cloudbees.hudson.plugins.folder.computed.PeriodicFolderTrigger><spec>* * * * *</spec><interval>1000</interval></com.cloudbees.hudson.plugins.folder.computed.PeriodicFolderTrigger></triggers>
  <sources class="jenkins.branch.MultiBranchProject$BranchSourceList"><data><jenkins.branch.BranchSource>
    <source class="jenkins.plugins.git.GitSCMSource"><id>s</id><remote>{repo}</remote><traits>{traits}</traits></source>
  </jenkins.branch.BranchSource></data></sources>
  <factory class="org.jenkinsci.plugins.workflow.multibranch.WorkflowBranchProjectFactory"><scriptPath>Jenkinsfile</scriptPath></factory>
</org.jenkinsci.plugins.workflow.multibranch.WorkflowMultiBranchProject>"""


def git(*args, cwd=work):
    return subprocess.run(["git", *args], cwd=cwd, env=QUIET, check=True, capture_output=True, text=True).stdout.strip()


def commit(text, jenkinsfile=None):
    if jenkinsfile is not None:
        (work / "Jenkinsfile").write_text(jenkinsfile)
    (work / "file.txt").write_text(text)
    git("add", "-A")
    git("commit", "--quiet", "-m", text)
    return git("rev-parse", "HEAD")


def job(name):
    return f"{url}/job/app/job/{name}"


def ended(name, number):
    def look():
        answer = session.get(f"{job(name)}/{number}/api/json")
        return answer.json() if answer.status_code == 200 and not answer.json()["building"] else None
    return until(f"the end of {name} #{number}", look)


def log(name, number):
    return session.get(f"{job(name)}/{number}/consoleText").text


def tell(number, action, fork, head, branch):
    own = {"full_name": "team/app", "clone_url": str(bare)}
    theirs = {"full_name": "eve/app", "clone_url": str(here / "fork.git")} if fork else own
    body = json.dumps({"action": action, "number": number, "repository": own, "pull_request": {
        "number": number, "state": "closed" if action == "closed" else "open", "title": "Deeper trees",
        "html_url": "https://git.example/team/app/pull/7", "user": {"login": "eve"},
        "head": {"ref": branch, "sha": head, "repo": theirs}, "base": {"ref": "main", "sha": head, "repo": own}}}).encode()
    signature = "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    answer = session.post(f"{url}/github-webhook/", data=body, headers={
        "X-GitHub-Event": "pull_request", "X-GitHub-Delivery": str(uuid.uuid4()), "X-Hub-Signature-256": signature,
        "Content-Type": "application/json"})
    check(answer.status_code == 200, f"delivery: {answer.text}")


git("init", "--quiet", "--bare", "--initial-branch=main", str(bare), cwd=here)
git("clone", "--quiet", str(bare), str(work), cwd=here)
git("checkout", "--quiet", "-B", "main")
first = commit("first", JENKINSFILE % "target")
git("push", "--quiet", "origin", "main", "main:wip-x")
git("checkout", "--quiet", "-b", "feature/deep")
commit("deep")
git("push", "--quiet", "origin", "feature/deep")
git("checkout", "--quiet", "--orphan", "nothing")
git("rm", "--quiet", "-rf", ".")
commit("no pipeline here")
git("push", "--quiet", "origin", "nothing")
git("checkout", "--quiet", "main")
git("tag", "-a", "v1", "-m", "one")
git("push", "--quiet", "origin", "v1")
answer = session.post(f"{url}/credentials/store/system/domain/_/createCredentials", headers={"Content-Type": "application/xml"}, data="""
<org.jenkinsci.plugins.plaincredentials.impl.StringCredentialsImpl><id>deploy-key</id><secret>s3cr3t-of-the-team</secret></org.jenkinsci.plugins.plaincredentials.impl.StringCredentialsImpl>""")
check(answer.status_code in (200, 302), f"a credential: {answer.status_code} {answer.text}")

# branches
text = CONFIG.format(repo=bare, traits=TRAITS)
made = session.post(f"{url}/createItem?name=app", data=text, headers={"Content-Type": "text/xml"})
check(made.status_code == 200, f"made: {made.status_code} {made.text}")
check(session.get(f"{url}/job/app/config.xml").text == text, "config.xml is as it was given")
build = ended("main", 1)
check(build["result"] == "SUCCESS" and "on main" in log("main", 1), f"main: {build['result']} {log('main', 1)}")
check("change=null" in log("main", 1) and "on a tag" not in log("main", 1), "main is no change and no tag")
check(ended("feature%252Fdeep", 1)["result"] == "SUCCESS", "a branch with a slash")
check("branch=feature/deep" in log("feature%252Fdeep", 1), "its name is whole")
names = {one["name"] for one in session.get(f"{url}/job/app/api/json").json()["jobs"]}
check(names == {"main", "feature%2Fdeep", "v1"}, f"heads: {names}")
check(session.get(f"{job('v1')}/api/json").json()["lastBuild"] is None, "a tag is not built by itself")
check(session.post(f"{job('v1')}/build").status_code == 201, "and is when asked for")
check(ended("v1", 1)["result"] == "SUCCESS" and "on a tag" in log("v1", 1) and "tag=v1" in log("v1", 1), f"the tag: {log('v1', 1)}")

# a push is one build
commit("second")
git("push", "--quiet", "origin", "main")
check(ended("main", 2)["result"] == "SUCCESS", "a second build")

# a pull request of one's own: its own Jenkinsfile, with secrets
git("checkout", "--quiet", "-b", "own")
head = commit("own", STEALS)
git("push", "--quiet", "origin", f"own", f"own:refs/pull/6/head")
tell(6, "opened", False, head, "own")
check(ended("PR-6", 1)["result"] == "SUCCESS" and "stolen ****" in log("PR-6", 1), f"one's own has secrets, masked: {log('PR-6', 1)}")

# a fork's: the target's Jenkinsfile, the fork's files, no secrets; merge and head
git("checkout", "--quiet", "-b", "theirs", "main")
head = commit("from a fork", STEALS.replace("Steal", "Fork"))
git("push", "--quiet", "origin", "theirs:refs/pull/7/head", "theirs:refs/pull/7/merge")
tell(7, "opened", True, head, "theirs")
for name in ("PR-7-merge", "PR-7-head"):
    build = ended(name, 1)
    text = log(name, 1)
    check(build["result"] == "SUCCESS" and "WHO=target" in text, f"{name} runs the target's definition: {text}")
    check("change 7 by eve: from a fork" in text, f"{name} has the fork's files: {text}")
    check("target=main" in text and "s3cr3t" not in text and "stolen" not in text, f"{name}: {text}")

# the target's own definition asks for a secret now: a fork's build does not get it
git("checkout", "--quiet", "main")
commit("third", STEALS)
git("push", "--quiet", "origin", "main")
check(ended("main", 3)["result"] == "SUCCESS", "main has its secret")
git("checkout", "--quiet", "theirs")
head = commit("again from a fork")
git("push", "--quiet", "--force", "origin", "theirs:refs/pull/7/head")
tell(7, "synchronize", True, head, "theirs")
build = ended("PR-7-head", 2)
check(build["result"] == "FAILURE" and "is withheld" in log("PR-7-head", 2), f"withheld: {log('PR-7-head', 2)}")
check("s3cr3t" not in log("PR-7-head", 2), "and not in the log")
replayed = session.post(f"{job('PR-7-head')}/2/replay/run", data={"mainScript": STEALS})
check(replayed.status_code in (200, 302), f"replayed: {replayed.status_code}")
check(ended("PR-7-head", 3)["result"] == "FAILURE" and "is withheld" in log("PR-7-head", 3), "a replay neither")

# closed, deleted: gone
tell(7, "closed", True, head, "theirs")
git("push", "--quiet", "origin", ":feature/deep")
until("orphans are gone", lambda: {one["name"] for one in session.get(f"{url}/job/app/api/json").json()["jobs"]} == {"main", "v1", "own", "PR-6"})
check(session.get(f"{url}/job/app/job/feature%252Fdeep/api/json").status_code == 404, "a branch that is gone")
check(session.post(f"{url}/job/app/doDelete", allow_redirects=False).status_code == 302, "removed")
check(session.get(f"{url}/job/app/api/json").status_code == 404, "with all that was in it")
done(29)
