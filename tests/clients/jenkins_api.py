"""jenkinsapi against our server: its table of operations."""

import sys

from jenkinsapi.custom_exceptions import JenkinsAPIException, NotFound, UnknownJob
from jenkinsapi.jenkins import Jenkins
from jenkinsapi.utils.crumb_requester import CrumbRequester

from table import ASKS, FOLDER, FREESTYLE, SLOW, check, done, refuses, until

url = sys.argv[1].rstrip("/")
server = Jenkins(url, requester=CrumbRequester(baseurl=url, username="mia", password="x"))

check(server.version.startswith("2."), f"version {server.version}")

# create, look, reconfigure
job = server.create_job("ja", FREESTYLE.format(description="first"))
check("ja" in server and server.has_job("ja") and not server.has_job("absent"), "there is a job")
check(job.get_description() == "first" and job.is_enabled(), "its description")
check(job.get_config() == FREESTYLE.format(description="first"), "config.xml is as it was given")
job.update_config(FREESTYLE.format(description="second"))
job.poll()
check(job.get_description() == "second", "reconfigured")
check([p["name"] for p in job.get_params()] == ["WHO", "FAIL"], "parameters")
check(job.has_params(), "has parameters")
refuses(UnknownJob, lambda: server["absent"], "a job that is not there")
refuses(JenkinsAPIException, lambda: server.create_job("bad", "<nothing/>"), "a kind that is not there")

# build, queue, log, result, artifacts, tests
item = job.invoke(build_params={"WHO": "mia"})
item.block_until_complete(delay=0.2)
build = item.get_build()
check(build.is_good() and build.get_status() == "SUCCESS", "a good build")
check(build.get_number() == 1 and build.buildno == 1, "its number")
check(build.get_params() == {"WHO": "mia", "FAIL": False}, f"its parameters {build.get_params()}")
check("hello mia" in build.get_console(), "its console")
check("".join(build.stream_logs()).rstrip().endswith("Finished: SUCCESS"), "its log, piece by piece")
check(build.get_causes()[0]["shortDescription"].startswith("Started by"), "its cause")
artifacts = build.get_artifact_dict()
check(artifacts["out/deep/who.txt"].get_data() == b"mia\n", f"an artifact {list(artifacts)}")
check(build.has_resultset(), "it has a report")
report = dict(build.get_resultset().items())
check(report["a.B.good"].status == "PASSED" and report["a.B.skip"].status == "SKIPPED", f"test results {report}")
item = job.invoke(build_params={"FAIL": "true"})
item.block_until_complete(delay=0.2)
bad = item.get_build()
check(bad.get_status() == "FAILURE", "a bad build")
job.poll()
check(job.get_last_good_buildnumber() == 1 and job.get_last_failed_buildnumber() == 2, "permalinks")
check(job.get_last_buildnumber() == 2 and job.get_first_buildnumber() == 1, "first and last")
check(list(job.get_build_ids()) == [2, 1] and len(job) == 2, "all builds")
check(job.get_next_build_number() == 3, "the next number")
check(job.get_build_by_params({"WHO": "mia", "FAIL": False}).buildno == 1, "by parameters")
build.set_description("looked at")
check(job.get_build(1)._data["description"] == "looked at", "a build's description")
build.toggle_keep()
check(build.is_kept_forever(), "kept")
build.toggle_keep()
job.delete_build(2)
job.poll()
check(list(job.get_build_ids()) == [1], "a build less")
refuses(NotFound, lambda: job.get_build(2), "a build that is not there")

# enable, rename, copy, folders
job.disable()
job.poll()
check(not job.is_enabled(), "disabled")
job.enable()
copied = server.copy_job("ja", "ja-copy")
check(copied.get_config() == job.get_config(), "a copy")
renamed = server.rename_job("ja-copy", "ja-other")
check(renamed.name == "ja-other" and not server.has_job("ja-copy"), "renamed")
server.create_job("ja-team", FOLDER)
server.create_job("ja-team/inner", FREESTYLE.format(description="inner"))
check("ja-team/inner" in server.keys(), f"a job in a folder {list(server.keys())}")
inner = server["ja-team/inner"]
check(inner.get_full_name() == "ja-team/inner", "its full name")
item = inner.invoke(build_params={"WHO": "in"})
item.block_until_complete(delay=0.2)
check(item.get_build().is_good(), "built in a folder")

# running, queue, stop
slow = server.create_job("ja-slow", SLOW)
running = slow.invoke().block_until_building(delay=0.2)
check(running.is_running() and slow.is_running(), "it runs")
waiting = slow.invoke()
check(not waiting.is_running() and waiting.why, f"one waits: {waiting.why}")
check(slow.is_queued() and len(server.get_queue()) == 1, "the queue")
server.get_queue().delete_item(waiting)
check(until("an empty queue", lambda: len(server.get_queue()) == 0), "cancelled")
check(running.stop(), "asked to stop")
running.block_until_complete(delay=0.2)
running.poll()
check(running._poll()["result"] == "ABORTED", "stopped")

# a question
asks = server.create_job("ja-asks", ASKS)
asking = asks.invoke().block_until_building(delay=0.2)
pending = until("a question", asking.get_pending_input_actions)
check(pending[0]["message"] == "Go on?" and pending[0]["inputs"][0]["name"] == "Stage", f"its question {pending}")
asking.proceed_input(pending[0]["id"])
asking.block_until_complete(delay=0.2)
check(asking._poll()["result"] == "SUCCESS" and "after dev" in asking.get_console(), "answered")
asking = asks.invoke().block_until_building(delay=0.2)
pending = until("a question", asking.get_pending_input_actions)
asking.abort_input(pending[0]["id"])
asking.block_until_complete(delay=0.2)
check(asking._poll()["result"] == "ABORTED", "refused")

# views, nodes, plugins
view = server.views.create("ja-view")
check("ja-view" in server.views.keys(), "a view")
check(view.add_job("ja") and "ja" in view.get_job_dict(), "with a job")
view.remove_job("ja")
check("ja" not in server.views["ja-view"].get_job_dict(), "without it")
del server.views["ja-view"]
check("ja-view" not in server.views.keys(), "no view")
nodes = server.get_nodes()
check(len(nodes.keys()) >= 1, f"nodes {nodes.keys()}")
check(server.has_plugin("junit") and not server.has_plugin("absent"), "plugins")

# credentials
from jenkinsapi.credential import UsernamePasswordCredential  # noqa: E402

store = server.credentials
store["for ja"] = UsernamePasswordCredential(
    {"credential_id": "ja-login", "description": "for ja", "userName": "bot", "password": "hunter2-canary"})
server_store = server.get_credentials()
check("ja-login" in str(server.requester.get_url(f"{url}/credentials/store/system/domain/_/api/json?depth=1").json()),
      "a credential")
xml = server.requester.get_url(f"{url}/credentials/store/system/domain/_/credential/ja-login/config.xml").text
check("hunter2-canary" not in xml and "bot" in xml, f"a secret is never given out {xml}")

server.quiet_down()
check(server.requester.get_url(f"{url}/api/json").json()["quietingDown"], "quiet")
server.requester.post_and_confirm_status(f"{url}/cancelQuietDown", data="")
for name in ["ja", "ja-other", "ja-slow", "ja-asks", "ja-team/inner"]:
    server.delete_job(name)
check(not server.has_job("ja"), "gone")
done(50)
