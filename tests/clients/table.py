"""What the tables of all Python clients share: configurations, patience, and a count of what was seen."""

import sys
import time

FREESTYLE = """<?xml version='1.1' encoding='UTF-8'?>
<project>
  <!-- what nobody models stays -->
  <description>{description}</description>
  <keepDependencies>false</keepDependencies>
  <properties>
    <hudson.model.ParametersDefinitionProperty>
      <parameterDefinitions>
        <hudson.model.StringParameterDefinition>
          <name>WHO</name>
          <description>Whom to greet</description>
          <defaultValue>world</defaultValue>
        </hudson.model.StringParameterDefinition>
        <hudson.model.BooleanParameterDefinition>
          <name>FAIL</name>
          <defaultValue>false</defaultValue>
        </hudson.model.BooleanParameterDefinition>
      </parameterDefinitions>
    </hudson.model.ParametersDefinitionProperty>
    <org.example.Unknown plugin="odd@1.0"><kept>yes</kept></org.example.Unknown>
  </properties>
  <scm class="hudson.scm.NullSCM"/>
  <canRoam>true</canRoam>
  <disabled>false</disabled>
  <triggers/>
  <concurrentBuild>true</concurrentBuild>
  <builders>
    <hudson.tasks.Shell>
      <command>echo "hello $WHO"
mkdir -p out/deep
echo "$WHO" &gt; out/deep/who.txt
cat &gt; report.xml &lt;&lt;END
&lt;testsuite name="unit"&gt;&lt;testcase classname="a.B" name="good" time="0.5"/&gt;
&lt;testcase classname="a.B" name="skip"&gt;&lt;skipped/&gt;&lt;/testcase&gt;&lt;/testsuite&gt;
END
if [ "$FAIL" = true ]; then exit 3; fi</command>
    </hudson.tasks.Shell>
  </builders>
  <publishers>
    <hudson.tasks.ArtifactArchiver>
      <artifacts>out/**</artifacts>
      <allowEmptyArchive>false</allowEmptyArchive>
    </hudson.tasks.ArtifactArchiver>
    <hudson.tasks.junit.JUnitResultArchiver>
      <testResults>report.xml</testResults>
    </hudson.tasks.junit.JUnitResultArchiver>
  </publishers>
  <buildWrappers/>
</project>"""

SLOW = """<?xml version='1.1' encoding='UTF-8'?>
<project><description>slow</description><concurrentBuild>false</concurrentBuild>
<builders><hudson.tasks.Shell><command>echo begun; sleep 120</command></hudson.tasks.Shell></builders></project>"""

FOLDER = "<?xml version='1.1' encoding='UTF-8'?>\n<com.cloudbees.hudson.plugins.folder.Folder><description>ours</description></com.cloudbees.hudson.plugins.folder.Folder>"

# A question, in a pipeline of our own language inside a flow-definition.
ASKS = """<?xml version='1.1' encoding='UTF-8'?>
<flow-definition><description>asks</description>
<definition class="io.haliotis.Definition"><language>yaml</language><path>asks.yaml</path>
<text>steps:
  first: { run: "echo before" }
  approve: { needs: [first], input: { message: "Go on?", ok: "Yes", parameters: { Stage: { type: string, default: dev } } } }
  last: { needs: [approve], run: "echo after ${{ steps.approve.outputs.Stage }}" }
</text></definition></flow-definition>"""

VIEW = """<?xml version="1.0" encoding="UTF-8"?>
<hudson.model.ListView><name>x</name><jobNames><comparator class="hudson.util.CaseInsensitiveComparator"/></jobNames>
<includeRegex>py.*</includeRegex></hudson.model.ListView>"""

seen = 0


def check(condition, what):
    """One row of the table."""
    global seen
    if not condition:
        sys.exit(f"row {seen + 1} failed: {what}")
    seen += 1


def until(what, ask, seconds=60):
    """The first answer that is true."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        answer = ask()
        if answer:
            return answer
        time.sleep(0.1)
    sys.exit(f"never came: {what}")


def refuses(kind, work, what):
    """Work that must raise."""
    try:
        work()
    except kind as error:
        check(True, what)
        return error
    sys.exit(f"was not refused: {what}")


def done(least):
    """The closing line, and a guard against a table that stopped early."""
    if seen < least:
        sys.exit(f"only {seen} rows of {least}")
    print(f"{seen} rows passed")
