"""jenkins-job-builder against our server: `test` and `update` of a pipeline and a freestyle job."""

import pathlib
import subprocess
import sys
import tempfile

import jenkins

from table import check, done, until

JOBS = """
- job:
    name: jjb-freestyle
    description: 'made by job builder'
    parameters:
      - string: { name: WHO, default: world, description: 'Whom to greet' }
      - bool: { name: LOUD, default: false }
      - choice: { name: STAGE, choices: [dev, prod] }
    triggers:
      - timed: 'H 3 * * *'
    builders:
      - shell: |
          echo "hello $WHO in $STAGE"
          mkdir -p out && echo "$WHO" > out/who.txt
    publishers:
      - archive: { artifacts: 'out/*' }
- job:
    name: jjb-folder
    project-type: folder
- job:
    name: jjb-folder/pipeline
    project-type: pipeline
    sandbox: true
    parameters:
      - string: { name: WHO, default: world }
    dsl: |
      pipeline {{
        agent any
        stages {{ stage('Greet') {{ steps {{ sh "echo hello ${{params.WHO}}" }} }} }}
      }}
- view:
    name: jjb-view
    view-type: list
    regex: 'jjb-.*'
"""


def run(*args):
    """The program itself, with its configuration."""
    with tempfile.TemporaryDirectory() as folder:
        here = pathlib.Path(folder)
        (here / "jobs.yaml").write_text(jobs)
        (here / "jjb.ini").write_text(f"[jenkins]\nurl={sys.argv[1]}\nuser=mia\npassword=x\n")
        program = pathlib.Path(sys.executable).parent / "jenkins-jobs"
        command = [str(program), "--conf", str(here / "jjb.ini"), *args]
        if args[0] != "delete":
            command.append(str(here / "jobs.yaml"))
        env = {"HOME": folder, "PATH": "/usr/bin:/bin"}
        answer = subprocess.run(command, capture_output=True, text=True, env=env, timeout=120)
        check(answer.returncode == 0, f"{args}: {answer.stderr}")
        return answer.stdout + answer.stderr


jobs = JOBS
server = jenkins.Jenkins(sys.argv[1], username="mia", password="x")
xml = run("test")
check("hudson.tasks.Shell" in xml and "CpsFlowDefinition" in xml, "test prints the XML of both")
check(not server.job_exists("jjb-freestyle"), "and makes nothing")
said = run("update")
check(server.job_exists("jjb-freestyle") and server.job_exists("jjb-folder/pipeline"), f"update makes them {said}")
info = server.get_job_info("jjb-freestyle")
check(info["description"].startswith("made by job builder"), "a description")
check([p["name"] for p in info["property"][0]["parameterDefinitions"]] == ["WHO", "LOUD", "STAGE"], "parameters")
check("Managed by Jenkins Job Builder" in server.get_job_config("jjb-freestyle"), "its mark is kept")
check({j["name"] for j in server.get_jobs(view_name="jjb-view")} >= {"jjb-freestyle"}, "a view")
for name, who in [("jjb-freestyle", "mia"), ("jjb-folder/pipeline", "ada")]:
    item = server.build_job(name, {"WHO": who})
    number = until("a build", lambda: server.get_queue_item(item).get("executable"))["number"]
    build = until("an end", lambda: (lambda b: None if b["building"] else b)(server.get_build_info(name, number)))
    console = server.get_build_console_output(name, number)
    check(build["result"] == "SUCCESS" and f"hello {who}" in console, f"{name}: {build['result']} {console}")
jobs = JOBS.replace("made by job builder", "made anew")
run("update")
check(server.get_job_info("jjb-freestyle")["description"].startswith("made anew"), "updated")
run("delete", "jjb-freestyle")
check(not server.job_exists("jjb-freestyle"), "deleted")
done(15)
