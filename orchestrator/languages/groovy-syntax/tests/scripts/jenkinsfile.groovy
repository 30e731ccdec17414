#!/usr/bin/env groovy
@Library('shared@main') _
import groovy.json.JsonSlurper
import static java.lang.Math.max as biggest

@groovy.transform.Field def counter = 0
def targets = ['linux': 'x86', "arm-${env.ARCH}": 'arm', (env.KEY): 1]

pipeline {
    agent { label 'linux && docker' }
    options { timeout(time: 1, unit: 'HOURS'); timestamps() }
    parameters {
        string(name: 'WHO', defaultValue: 'world', description: '')
        choice name: 'SIZE', choices: ['small', 'large']
    }
    environment {
        NAME_ID = """${sh(returnStdout: true, script: 'echo "${A}-${B}"').trim()}"""
        TOKEN = credentials('token')
    }
    stages {
        stage('Build') {
            steps {
                sh '''pip3 install --target=$HOME \
                    . "awscli>1.20.30" \\"quoted\\"'''
                script {
                    def text = readFile 'a.txt'
                    for (line in text.split(/\n/)) { if (line =~ /^#\s*(\w+)/) echo "got $line" else continue }
                    targets.each { name, arch -> echo "${name}: ${arch ?: 'none'}" }
                }
            }
            post { always { junit allowEmptyResults: true, testResults: '**/*.xml' } }
        }
        stage('Matrix') {
            matrix {
                axes { axis { name 'P'; values 'a', 'b' } }
                stages { stage('t') { steps { echo "$P" } } }
            }
        }
    }
}

@NonCPS
def parse(String json, int depth = 2, Object... rest) {
    return new JsonSlurper().parseText(json)?.items*.name.findAll { it != null }
}
