// Job DSL. Run by a seed job that checks this repository out, it makes the job that deploys an approved model.
//
// The seed job gives AWS_CREDENTIAL (a parameter of its own: the id of the credentials for AWS), and by its checkout
// JOB_NAME, GIT_URL and GIT_BRANCH. The new job reads the same repository with the same credentials.

import hudson.model.AbstractProject
import javaposse.jobdsl.dsl.DslException
import jenkins.model.Jenkins

def projectName = '{{ project_name }}'
def projectId = '{{ project_id }}'
def region = '{{ region }}'
def bucket = '{{ bucket }}'
def roleArn = '{{ role_arn }}'
def account = roleArn.tokenize(':')[3]
def projectArn = "arn:aws:sagemaker:${region}:${account}:project/${projectName}"

def given = getBinding().getVariables()
def awsCredential = given['AWS_CREDENTIAL']
if (!awsCredential) {
    throw new DslException('AWS_CREDENTIAL is not set: give the seed job that parameter, with the id of the credentials for AWS')
}
def gitUrl = given['GIT_URL']
def gitBranch = given['GIT_BRANCH']
def seedJob = (AbstractProject) Jenkins.getInstance().getItem(given['JOB_NAME'])
def gitCredential = seedJob.getScm().getUserRemoteConfigs()[0].getCredentialsId()

pipelineJob("sagemaker-${projectName}-${projectId}-modeldeploy") {
    description('Brings an approved model to staging and production; an approval in the registry starts it')
    keepDependencies(false)
    parameters {
        stringParam('MODEL_PACKAGE_ARN', '', 'The version to deploy; empty: the newest that is approved')
        stringParam('SOURCE_MODEL_PACKAGE_GROUP_NAME', '{{ model_package_group }}', 'Group of the versions')
        stringParam('MODEL_EXECUTION_ROLE_ARN', roleArn, 'Role of the endpoints')
        stringParam('ARTIFACT_BUCKET', bucket, 'Bucket for templates and captured requests')
        stringParam('SAGEMAKER_PROJECT_NAME', projectName, 'Name of the project')
        stringParam('SAGEMAKER_PROJECT_ID', projectId, 'Id of the project')
        stringParam('SAGEMAKER_PROJECT_ARN', projectArn, 'ARN of the project')
        stringParam('AWS_REGION', region, 'Where the endpoints run')
        credentialsParam('AWS_CREDENTIAL') {
            description('Credentials for AWS')
            defaultValue(awsCredential)
            type('com.cloudbees.jenkins.plugins.awscredentials.AWSCredentialsImpl')
            required(true)
        }
    }
    authenticationToken('token')
    properties {
        disableConcurrentBuilds()
    }
    definition {
        cpsScm {
            scm {
                git {
                    remote {
                        url(gitUrl)
                        credentials(gitCredential)
                    }
                    branch(gitBranch)
                }
            }
            scriptPath('jenkins/Jenkinsfile')
        }
    }
    disabled(false)
    triggers {
        scm('* * * * *')
    }
}
