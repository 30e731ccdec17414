"""api4jenkins against our server: its table of operations."""

import sys
import tempfile
import zipfile
from pathlib import Path

from api4jenkins import Jenkins
from api4jenkins.exceptions import BadRequestError, ItemNotFoundError

from table import ASKS, FREESTYLE, SLOW, VIEW, check, done, refuses, until

server = Jenkins(sys.argv[1], auth=("mia", "x"))

check(server.version.startswith("2.") and server.exists(), "version")
check(server.crumb, "a crumb")

# create, look
server.create_job("a4", FREESTYLE.format(description="first"))
job = server.get_job("a4")
check(type(job).__name__ == "FreeStyleProject" and job.description == "first", f"a job {job}")
check(server.get_job("absent") is None, "none")
taken = refuses(BadRequestError, lambda: server.create_job("a4", FREESTYLE), "a name that is taken")
check("already exists" in str(taken), "and says so")
refuses(BadRequestError, lambda: server.create_job("bad", "<nothing/>"), "a kind that is not there")
check(not server.is_name_safe("a/b") and server.is_name_safe("ab"), "names")
check(job.configure() == FREESTYLE.format(description="first"), "config.xml is as it was given")
job.configure(FREESTYLE.format(description="second"))
check(job.description == "second", "reconfigured")
job.set_description("third")
check(job.description == "third" and "<description>third</description>" in job.configure(), "described")
check([p["name"] for p in job.get_parameters()] == ["WHO", "FAIL"], "parameters")

# build, queue, log, result
item = job.build(WHO="mia")
build = until("a build", item.get_build)
until("an end", lambda: not build.building)
check(build.result == "SUCCESS" and type(build).__name__ == "FreeStyleBuild", f"a good build {build}")
check({p.name: p.value for p in build.get_parameters()} == {"WHO": "mia", "FAIL": False}, "its parameters")
check(build.get_causes()[0]["shortDescription"].startswith("Started by"), "its cause")
check(any("hello mia" in line for line in build.console_text()), "its console")
check(list(build.progressive_output())[-1] == "Finished: SUCCESS", "its log, piece by piece")
check(any("hello mia" in line for line in build.progressive_output(html=True)), "as HTML")
report = build.get_test_report()
check(report.get("unit").get("good").status == "PASSED", "a test case")
check(build.project == job and build.get_previous_build() is None, "its job")
bad = server.build_job("a4", FAIL=True)
bad = until("a build", bad.get_build)
until("an end", lambda: not bad.building)
check(bad.result == "FAILURE" and build.get_next_build() == bad, "a bad build")
check(job.get_last_successful_build() == build and job.get_last_failed_build() == bad, "permalinks")
check([b.number for b in job] == [2, 1] and job[1] == build, "all builds")
check([b.number for b in job.filter_builds_by_result(result="FAILURE")] == [2], "by result")
build.set_description("looked at")
check(build.description == "looked at", "a build's description")
bad.delete()
check([b.number for b in job.iter_all_builds()] == [1], "a build less")

# a delay keeps it in the queue
item = job.build(WHO="later", delay="60sec")
check(item._class.endswith("$WaitingItem") and "quiet period" in item.why, f"delayed {item.why}")
check(server.queue.get(item.id) is not None and item.get_job() == job, "in the queue")
again = job.build(WHO="later", delay="60sec")
check(again.id == item.id, "an equal one finds it")
item.cancel()
check(item.api_json()["cancelled"] is True and server.queue.get(item.id) is None, "cancelled")

# pipelines: stages, artifacts, questions
server.create_job("a4-asks", ASKS)
asks = server.get_job("a4-asks")
check(type(asks).__name__ == "WorkflowJob", "a pipeline")
asking = until("a build", asks.build().get_build)
check(type(asking).__name__ == "WorkflowRun", "a run")
question = until("a question", asking.get_pending_input)
check(question.message == "Go on?", "its question")
refuses(TypeError, lambda: question.submit(Other="x"), "a parameter that is not there")
question.submit(Stage="prod")
until("an end", lambda: not asking.building)
check(asking.result == "SUCCESS" and any("after prod" in line for line in asking.console_text()), "answered")
check(asking.get_pending_input() is None, "no question any more")
second = until("a build", asks.build().get_build)
until("a question", second.get_pending_input).abort()
until("an end", lambda: not second.building)
check(second.result == "ABORTED", "refused")

# artifacts as a zip
from api4jenkins.build import WorkflowRun  # noqa: E402

run = WorkflowRun(server, build.url)
names = [a.path for a in run.artifacts]
check("out/deep/who.txt" in names, f"artifacts {names}")
with tempfile.TemporaryDirectory() as folder:
    target = Path(folder) / "all.zip"
    run.save_artifacts(str(target))
    check(zipfile.ZipFile(target).read("archive/out/deep/who.txt") == b"mia\n", "all of them as a zip")
    one = next(a for a in run.artifacts if a.path == "out/deep/who.txt")
    one.save(str(Path(folder) / "one"))
    check((Path(folder) / "one").read_bytes() == b"mia\n", "one of them")

# running builds, nodes, stop
server.create_job("a4-slow", SLOW)
slow = server.get_job("a4-slow")
running = until("a build", slow.build().get_build)
check(slow.building and running.building, "it runs")
check(running.url in [b.url for b in server.nodes.iter_builds()], "on a node")
node = server.nodes.get("Built-In Node")
check(node and not node.offline and node.num_executors >= 1, "the node")
check(server.nodes.get("absent") is None, "no such node")
running.stop()
until("an end", lambda: not running.building)
check(running.result == "ABORTED", "stopped")
other = until("a build", slow.build().get_build)
other.term()
until("an end", lambda: not other.building)
check(other.result == "ABORTED", "terminated")

# folders, copies, moves
server.create_job("a4-team/deep/inner", FREESTYLE.format(description="x"), recursive=True)
folder = server.get_job("a4-team")
check(type(folder).__name__ == "Folder", "folders are made on the way")
inner = server.get_job("a4-team/deep/inner")
check(inner.full_name == "a4-team/deep/inner" and inner.parent == server.get_job("a4-team/deep"), "a job in folders")
check(inner.full_display_name == "a4-team » deep » inner", "its display name")
names = [j.full_name for j in server.iter(4) if j.full_name.startswith("a4-team")]
check(sorted(names) == ["a4-team", "a4-team/deep", "a4-team/deep/inner"], f"all below {names}")
server.copy_job("a4-team/deep/inner", "copied")
check(server.get_job("a4-team/deep/copied").configure() == inner.configure(), "a copy")
inner.move("a4-team")
check(server.get_job("a4-team/inner") and not server.get_job("a4-team/deep/inner"), "moved")
server.rename_job("a4-team/inner", "renamed")
check(server.get_job("a4-team/renamed"), "renamed")
server.duplicate_job("a4-team/renamed", "a4-team/twin")
check(server.get_job("a4-team/twin"), "a twin")

# disable, numbers, views
job.disable()
check(not job.buildable and job.color == "disabled", "disabled")
job.enable()
check(job.buildable, "enabled")
job.set_next_build_number(50)
check(job.next_build_number == 50, "the next number")
server.views.create("a4-view", VIEW.replace("py.*", "a4.*"))
view = server.views.get("a4-view")
check({j.name for j in view} >= {"a4", "a4-asks"}, "a view")
server.create_job("b4", FREESTYLE.format(description="b"))
view.include("b4")
check(view.get("b4"), "with another job")
view.exclude("b4")
check(view.get("b4") is None, "without it")
view.set_description("some")
check(view.description == "some", "described")
view.delete()
check(server.views.get("a4-view") is None, "no view")
check({v.name for v in folder.views} == {"All"}, "a folder's views")

# credentials, plugins, system, Jenkinsfiles
SECRET = """<com.cloudbees.plugins.credentials.impl.UsernamePasswordCredentialsImpl>
  <id>a4-login</id><username>bot</username><password>hunter2-canary</password><description>for tests</description>
</com.cloudbees.plugins.credentials.impl.UsernamePasswordCredentialsImpl>"""
domain = server.credentials.global_domain
domain.create(SECRET)
credential = domain.get("a4-login")
check(credential.exists() and credential.display_name.startswith("bot/******"), "a credential")
check("hunter2-canary" not in credential.configure(), "a secret is never given out")
check("a4-login" in [c.id for c in domain], "listed")
credential.delete()
check(not credential.exists(), "gone")
check(server.plugins.get("workflow-job").version and server.plugins.get("absent") is None, "plugins")
server.system.quiet_down()
check(server.quieting_down, "quiet")
server.system.cancel_quiet_down()
check(not server.quieting_down, "not quiet")
good = "pipeline { agent any\n stages { stage('a') { steps { echo 'x' } } } }"
check("successfully validated" in server.validate_jenkinsfile(good), "a good Jenkinsfile")
check("Errors encountered" in server.validate_jenkinsfile("pipeline { stages { } }"), "a bad one")

for name in ["a4", "a4-asks", "a4-slow", "a4-team", "b4"]:
    server.delete_job(name)
check(server.get_job("a4-team/twin") is None, "all gone")
refuses(ItemNotFoundError, lambda: server.build_job("a4"), "a build of nothing")
done(70)
