"""python-jenkins against our server: its table of operations."""

import sys

import jenkins

from table import ASKS, FOLDER, FREESTYLE, SLOW, VIEW, check, done, refuses, until

server = jenkins.Jenkins(sys.argv[1], username="mia", password="x")


def build(name, parameters=None):
    """Starts, waits on the queue item, then on the end; the build's info."""
    item = server.build_job(name, parameters)
    executable = until("an executable", lambda: server.get_queue_item(item).get("executable"))
    return until("an end", lambda: ended(name, executable["number"]))


def ended(name, number):
    info = server.get_build_info(name, number)
    return info if not info["building"] else None


# the server
check(server.get_version().startswith("2."), "version")
check(server.get_whoami()["fullName"], "who am I")
check(server.wait_for_normal_op(5), "normal operation")
check(server.get_info()["_class"] == "hudson.model.Hudson", "info")
before = server.jobs_count()

# create, look, list
server.create_job("py", FREESTYLE.format(description="first"))
check(server.job_exists("py") and not server.job_exists("absent"), "exists")
check(server.get_job_name("py") == "py", "name")
info = server.get_job_info("py")
check(info["description"] == "first" and info["buildable"] and info["color"] == "notbuilt", "job info")
names = [p["name"] for p in info["property"][0]["parameterDefinitions"]]
check(names == ["WHO", "FAIL"], f"parameter definitions {names}")
refuses(jenkins.JenkinsException, lambda: server.create_job("py", FREESTYLE), "a name that is taken")
refuses(jenkins.JenkinsException, lambda: server.get_job_info("absent"), "a job that is not there")
refuses(Exception, lambda: server.create_job("bad", "<not-a-kind/>"), "a kind that is not there")

# config.xml round trip
check(server.get_job_config("py") == FREESTYLE.format(description="first"), "config.xml is as it was given")
server.reconfig_job("py", FREESTYLE.format(description="second"))
check(server.get_job_info("py")["description"] == "second", "reconfigured")
check("<kept>yes</kept>" in server.get_job_config("py"), "what nobody models is kept")

# builds
good = build("py", {"WHO": "mia"})
check(good["result"] == "SUCCESS" and good["number"] == 1, "a good build")
parameters = next(a["parameters"] for a in good["actions"] if "parameters" in a)
check({p["name"]: p["value"] for p in parameters} == {"WHO": "mia", "FAIL": False}, f"its parameters {parameters}")
causes = next(a["causes"] for a in good["actions"] if "causes" in a)
check(causes[0]["shortDescription"].startswith("Started by user"), "its cause")
console = server.get_build_console_output("py", 1)
check("hello mia" in console and console.rstrip().endswith("Finished: SUCCESS"), f"its console {console}")
bad = build("py", {"FAIL": True})
check(bad["result"] == "FAILURE", "a bad build")
info = server.get_job_info("py")
check(info["lastSuccessfulBuild"]["number"] == 1 and info["lastFailedBuild"]["number"] == 2, "permalinks")
check(info["color"] == "red" and info["nextBuildNumber"] == 3, "colour and number")
check([b["number"] for b in info["builds"]] == [2, 1], "builds")
check(server.get_build_info("py", "lastSuccessfulBuild")["number"] == 1, "a permalink leads to the build")
check("out/deep/who.txt" in [a["relativePath"] for a in good["artifacts"]], f"artifacts {good['artifacts']}")
check(server.get_build_artifact_as_bytes("py", 1, "out/deep/who.txt") == b"mia\n", "an artifact's bytes")
report = server.get_build_test_report("py", 1)
check((report["passCount"], report["skipCount"], report["failCount"]) == (1, 1, 0), f"test report {report}")
check(report["suites"][0]["cases"][0]["className"] == "a.B", "a test case")
check(server.get_build_env_vars("py", 1) is None, "no environment plugin")
stages = server.get_build_stages("py", 1)
check(stages["status"] == "SUCCESS" and len(stages["stages"]) >= 2, f"stages {stages}")

# copy, rename, folders
server.copy_job("py", "py-copy")
check(server.get_job_config("py-copy") == server.get_job_config("py"), "a copy")
server.rename_job("py", "py-renamed")
check(server.job_exists("py-renamed") and not server.job_exists("py"), "renamed")
check(server.get_build_info("py-renamed", 1)["result"] == "SUCCESS", "its builds went with it")
server.create_folder("team")
check(server.is_folder("team") and not server.is_folder("py-copy"), "a folder")
server.create_job("team/inner", FREESTYLE.format(description="inner"))
server.create_job("team/deep", FOLDER)
server.create_job("team/deep/most", FREESTYLE.format(description="most"))
full = sorted(job["fullname"] for job in server.get_all_jobs() if job["fullname"].startswith("team"))
check(full == ["team", "team/deep", "team/deep/most", "team/inner"], f"all jobs {full}")
refuses(Exception, lambda: server.build_job("team/deep/most"), "a parameterized job without its form, as in Jenkins")
check(build("team/deep/most", {"WHO": "x"})["fullDisplayName"] == "team » deep » most #1", "a build in a folder")
check(server.jobs_count() == before + 6, "count")
check([j["name"] for j in server.get_job_info_regex("^py-copy$")] == ["py-copy"], "by pattern")

# disable, enable, numbers
server.disable_job("py-copy")
check(server.get_job_info("py-copy")["color"] == "disabled", "disabled")
check("<disabled>true</disabled>" in server.get_job_config("py-copy"), "also in config.xml")
refuses(Exception, lambda: server.build_job("py-copy", {"WHO": "x"}), "a build of a disabled job")
server.enable_job("py-copy")
check(server.get_job_info("py-copy")["buildable"], "enabled")
server.set_next_build_number("py-copy", 40)
check(build("py-copy", {"WHO": "n"})["number"] == 40, "the next number")

# queue, running builds, stop
server.create_job("py-slow", SLOW)
first = server.build_job("py-slow")
number = until("a running build", lambda: server.get_queue_item(first).get("executable"))["number"]
second = server.build_job("py-slow")
item = server.get_queue_item(second)
check(item["why"] and item["task"]["name"] == "py-slow", f"a waiting item {item}")
check([i["id"] for i in server.get_queue_info()] == [second], "the queue")
# It follows the 303 to the item that waits, and finds no Location there; so it does with Jenkins.
refuses(jenkins.EmptyResponseException, lambda: server.build_job("py-slow"), "an equal request leads to the one that waits")
check([i["id"] for i in server.get_queue_info()] == [second], "and makes no other")
server.cancel_queue(second)
check(server.get_queue_item(second).get("cancelled") is True, "cancelled in the queue")
running = until("running", server.get_running_builds)
check(running[0]["name"] == "py-slow" and running[0]["number"] == number, f"running builds {running}")
server.stop_build("py-slow", number)
check(until("stopped", lambda: ended("py-slow", number))["result"] == "ABORTED", "stopped")

# views
server.create_view("mine", VIEW)
check(server.view_exists("mine") and "mine" in [v["name"] for v in server.get_views()], "a view")
check({j["name"] for j in server.get_jobs(view_name="mine")} == {"py-copy", "py-renamed", "py-slow"}, "its jobs")
server.reconfig_view("mine", VIEW.replace("py.*", "py-slow"))
check([j["name"] for j in server.get_jobs(view_name="mine")] == ["py-slow"], "another pattern")
check("py-slow" in server.get_view_config("mine"), "its configuration")
server.delete_view("mine")
check(not server.view_exists("mine"), "no view")

# nodes, plugins, checks
nodes = server.get_nodes()
check(nodes and not nodes[0]["offline"], f"nodes {nodes}")
check(server.get_node_info("(master)")["numExecutors"] >= 1, "the first node")
check(server.node_exists(nodes[0]["name"]), "a node")
check(server.get_plugins()["workflow-job"]["version"], "plugins")
check(server.get_plugin_info("junit")["enabled"], "a plugin")
check(server.check_jenkinsfile_syntax("pipeline { agent any\n stages { stage('a') { steps { echo 'x' } } } }") == [],
      "a good Jenkinsfile")
errors = server.check_jenkinsfile_syntax("pipeline { stages { } }")
check(errors and any("agent" in str(e) for e in errors), f"a bad Jenkinsfile {errors}")

# credentials of a folder
SECRET = """<com.cloudbees.plugins.credentials.impl.UsernamePasswordCredentialsImpl>
<scope>GLOBAL</scope><id>deploy</id><description>for deploys</description>
<username>bot</username><password>hunter2-canary</password>
</com.cloudbees.plugins.credentials.impl.UsernamePasswordCredentialsImpl>"""
server.create_credential("team", SECRET)
check(server.credential_exists("deploy", "team"), "a credential")
check([c["id"] for c in server.list_credentials("team")] == ["deploy"], "listed")
check(server.get_credential_info("deploy", "team")["displayName"].startswith("bot"), "its name")
check("hunter2-canary" not in server.get_credential_config("deploy", "team"), "a secret is never given out")
server.reconfig_credential("team", SECRET.replace("for deploys", "changed"))
check("changed" in server.get_credential_config("deploy", "team"), "reconfigured")
server.delete_credential("deploy", "team")
check(not server.credential_exists("deploy", "team"), "gone")

# the script console: plain Groovy, and nothing of the machine
check(server.run_script("println([1, 2].sum())") .strip() == "3", "a script")
refuses(jenkins.JenkinsException, lambda: server.run_script("new File('/etc/passwd').text"), "a script that reaches outside")

# quiet, delete
server.quiet_down()
check(server.get_info()["quietingDown"], "quiet")
server.jenkins_open(jenkins.requests.Request("POST", server.server + "cancelQuietDown"))
check(not server.get_info()["quietingDown"], "not quiet any more")
server.create_job("py-asks", ASKS)
server.delete_build("py-renamed", 2)
check([b["number"] for b in server.get_job_info("py-renamed")["builds"]] == [1], "a build less")
for name in ["py-renamed", "py-copy", "py-slow", "py-asks", "team"]:
    server.delete_job(name)
check(server.jobs_count() == before, "all gone")
done(60)
