"""The Lambda function of the approval trigger: an event of the model registry becomes a build of the deploy job.

Environment: JENKINS_URL; JENKINS_USER and JENKINS_API_TOKEN where Jenkins wants a login; JOB_TOKEN as in the job's
`authenticationToken`. A refusal is an exception, so that the event comes again.
"""
import base64
import os
import urllib.parse
import urllib.request

# Jenkins answers at once, since the build only goes into its queue.
ANSWER_WITHIN_S = 20


def address(base, token, detail):
    """The job is named after the group. A version that was approved is deployed itself; after a rejection the job takes
    the newest that is still approved, which is the way back."""
    arn, status = detail["ModelPackageArn"], detail["ModelApprovalStatus"]
    query = {"token": token, "cause": "Model Package version %s approval status changed to %s" % (arn, status)}
    if status == "Approved":
        query["MODEL_PACKAGE_ARN"] = arn
    job = urllib.parse.quote("sagemaker-%s-modeldeploy" % detail["ModelPackageGroupName"])
    return "%s/job/%s/buildWithParameters?%s" % (base.rstrip("/"), job, urllib.parse.urlencode(query))


def lambda_handler(event, context):
    env = os.environ
    request = urllib.request.Request(address(env["JENKINS_URL"], env.get("JOB_TOKEN", "token"), event["detail"]))
    if env.get("JENKINS_USER"):
        login = "%s:%s" % (env["JENKINS_USER"], env.get("JENKINS_API_TOKEN", ""))
        request.add_header("Authorization", "Basic " + base64.b64encode(login.encode()).decode())
    with urllib.request.urlopen(request, timeout=ANSWER_WITHIN_S) as answer:
        print("%s: %s" % (request.full_url, answer.status))
        return {"statusCode": answer.status}
