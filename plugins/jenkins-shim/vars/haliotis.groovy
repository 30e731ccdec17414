// Runs a pipeline of a Haliotis server from a Jenkins pipeline, as if its stages were stages here.
//
//   haliotis pipeline: 'abalone-model-build', parameters: [ROUNDS: 50], credentialsId: 'haliotis-token'
//
// Arguments: pipeline (full name), parameters, wait (default true), propagate (default true), url (default the variable
// HALIOTIS_URL), credentialsId (a secret text: an API token of Haliotis), poll (seconds between looks, default 2).
// Answers a map: number, url, result; without waiting: queue.
//
// Needs the step httpRequest (plugin HTTP Request). Nothing is kept between two looks but numbers and texts, so that a
// Jenkins that restarts goes on: the build's address and how far its log was read are variables of this script.

import groovy.json.JsonSlurper

def call(Map args) {
    String pipeline = args.pipeline
    if (!pipeline) {
        error 'haliotis: name the pipeline, as in haliotis pipeline: \'team/train\''
    }
    String base = (args.url ?: env.HALIOTIS_URL ?: '').toString()
    if (!base) {
        error 'haliotis: give url, or set the variable HALIOTIS_URL'
    }
    while (base.endsWith('/')) {
        base = base.substring(0, base.length() - 1)
    }
    Map at = [base: base, credential: args.credentialsId, poll: args.poll ?: 2]
    String item = begin(at, pipeline, args.parameters ?: [:])
    echo "Haliotis: ${pipeline} is asked for: ${item}"
    if (args.wait == false) {
        return [queue: item]
    }
    String build = null
    try {
        build = executable(at, item)
        echo "Haliotis: ${build}"
        Map end = follow(at, build)
        return judge(end, build, args.propagate != false)
    } catch (org.jenkinsci.plugins.workflow.steps.FlowInterruptedException stopped) {
        // Whoever stops the build here stops it there; what cannot be told then is told by the build's page.
        String target = build ? "${build}stop" : "${item}cancelQueue"
        ask(at, 'POST', target, '', '100:599')
        throw stopped
    }
}

/** Starts the build; the address of its queue item. */
String begin(Map at, String pipeline, Map parameters) {
    String path = pipeline.split('/').collect { '/job/' + encode(it) }.join('')
    String form = parameters.collect { name, value -> encode(name.toString()) + '=' + encode(value.toString()) }.join('&')
    def answer = ask(at, 'POST', at.base + path + (form ? '/buildWithParameters' : '/build'), form, '100:599')
    if (answer.status == 400 && !form) {
        // It has parameters, and all shall have their defaults.
        answer = ask(at, 'POST', at.base + path + '/buildWithParameters', '', '100:599')
    }
    if (answer.status != 201 && answer.status != 303) {
        error "haliotis: ${pipeline} was not started: status ${answer.status} ${answer.content}"
    }
    return header(answer, 'Location')
}

/** Waits until the item has become a build. */
String executable(Map at, String item) {
    while (true) {
        Map state = json(ask(at, 'GET', item + 'api/json', null, '200').content)
        if (state.cancelled) {
            error 'haliotis: the build was cancelled in the queue'
        }
        if (state.executable) {
            return state.executable.url
        }
        sleep time: at.poll, unit: 'SECONDS'
    }
}

/** Streams the log and mirrors stages until the build has ended. */
Map follow(Map at, String build) {
    Map seen = [offset: 0, stages: 0, inputs: []]
    while (true) {
        Map state = look(at, build, seen)
        if (state.stages.size() > seen.stages) {
            Map next = state.stages[seen.stages]
            seen.stages = seen.stages + 1
            stage(next.name) {
                while (open(next.status)) {
                    sleep time: at.poll, unit: 'SECONDS'
                    state = look(at, build, seen)
                    next = state.stages.find { it.id == next.id } ?: [status: 'NOT_EXECUTED', name: next.name]
                }
                echo "Haliotis: stage ${next.name}: ${next.status}"
            }
            continue
        }
        if (!open(state.status)) {
            // What was printed after the last look.
            seen.offset = log(at, build, seen.offset)
            return json(ask(at, 'GET', build + 'api/json?tree=number,result,url', null, '200').content)
        }
        sleep time: at.poll, unit: 'SECONDS'
    }
}

boolean open(String status) {
    return status in ['IN_PROGRESS', 'PAUSED_PENDING_INPUT', 'QUEUED']
}

/** One look: the log from where it was, questions, stages. */
Map look(Map at, String build, Map seen) {
    seen.offset = log(at, build, seen.offset)
    Map state = json(ask(at, 'GET', build + 'wfapi/describe', null, '200').content)
    if (state.status == 'PAUSED_PENDING_INPUT') {
        for (question in json(ask(at, 'GET', build + 'wfapi/pendingInputActions', null, '200').content)) {
            if (!seen.inputs.contains(question.id)) {
                seen.inputs.add(question.id)
                hand(at, build, question)
            }
        }
    }
    return state
}

/** A question of the build is asked here, and the answer goes there. */
void hand(Map at, String build, Map question) {
    String address = build + 'input/' + encode(question.id)
    def answer
    try {
        List wanted = (question.inputs ?: []).collect { string(name: it.name, description: it.description ?: '', defaultValue: '') }
        answer = wanted ? input(message: question.message, ok: question.proceedText ?: 'Proceed', parameters: wanted)
                        : input(message: question.message, ok: question.proceedText ?: 'Proceed')
    } catch (org.jenkinsci.plugins.workflow.steps.FlowInterruptedException refused) {
        ask(at, 'POST', address + '/abort', '', '100:599')
        throw refused
    }
    if (!question.inputs) {
        ask(at, 'POST', address + '/proceedEmpty', '', '200:399')
        return
    }
    // One value comes alone, several as a map.
    Map values = answer instanceof Map ? answer : [(question.inputs[0].name): answer]
    String form = groovy.json.JsonOutput.toJson([parameter: values.collect { name, value -> [name: name, value: value] }])
    ask(at, 'POST', build + 'wfapi/inputSubmit?inputId=' + encode(question.id), 'json=' + encode(form), '200:399')
}

/** Prints what the log has from an offset on; the new offset. */
int log(Map at, String build, int offset) {
    def answer = ask(at, 'GET', build + 'logText/progressiveText?start=' + offset, null, '200')
    if (answer.content) {
        echo answer.content
    }
    return (header(answer, 'X-Text-Size') ?: '0') as int
}

/** The end there becomes the end here. */
Map judge(Map end, String build, boolean propagate) {
    Map told = [number: end.number, url: build, result: end.result]
    if (!propagate || end.result == 'SUCCESS') {
        return told
    }
    if (end.result == 'UNSTABLE') {
        unstable "Haliotis: ${build} is unstable"
        return told
    }
    currentBuild.result = end.result
    error "Haliotis: ${build} ended with ${end.result}"
}

def ask(Map at, String method, String url, String form, String valid) {
    Map request = [url: url, httpMode: method, quiet: true, validResponseCodes: valid, timeout: 30]
    if (form != null) {
        request.contentType = 'APPLICATION_FORM'
        request.requestBody = form
    }
    if (!at.credential) {
        return httpRequest(request)
    }
    withCredentials([string(credentialsId: at.credential, variable: 'HALIOTIS_TOKEN')]) {
        request.customHeaders = [[name: 'Authorization', value: "Bearer ${env.HALIOTIS_TOKEN}".toString(), maskValue: true]]
        return httpRequest(request)
    }
}

/** A header's first value, whatever its case. */
String header(answer, String name) {
    def found = answer.headers.find { key, value -> key != null && key.equalsIgnoreCase(name) }
    def value = found?.value
    return value instanceof List ? value[0] : value
}

String encode(String text) {
    return java.net.URLEncoder.encode(text, 'UTF-8').replace('+', '%20')
}

/** Plain maps and lists: what the slurper gives cannot be written to disk between two looks. */
@NonCPS
def json(String text) {
    return plain(new JsonSlurper().parseText(text))
}

@NonCPS
def plain(value) {
    if (value instanceof Map) {
        Map copy = [:]
        value.each { name, inner -> copy.put(name, plain(inner)) }
        return copy
    }
    if (value instanceof List) {
        return value.collect { plain(it) }
    }
    return value
}
