// Runs vars/haliotis.groovy under plain Groovy with stand-ins for Jenkins' steps; `httpRequest` is a real one.
// usage: groovy drive.groovy SHIM URL CASE...; for each case one line of JSON, after what the shim said

def (shim, url) = [new File(args[0]).text, args[1]]

// Jenkins' own classes that the script names.
def loader = new GroovyClassLoader(this.class.classLoader)
loader.parseClass('''package org.jenkinsci.plugins.workflow.steps
class FlowInterruptedException extends RuntimeException { FlowInterruptedException(String m) { super(m) } }''')
loader.parseClass('''package com.cloudbees.groovy.cps
@java.lang.annotation.Retention(java.lang.annotation.RetentionPolicy.RUNTIME) @interface NonCPS {}''')
def script = new GroovyShell(loader).parse('import com.cloudbees.groovy.cps.NonCPS\n' + shim)

def interrupted = { String why -> loader.loadClass('org.jenkinsci.plugins.workflow.steps.FlowInterruptedException').newInstance(why) }
def binding = script.binding

args.drop(2).each { wanted ->
    def said = []
    def stages = []
    binding.env = [HALIOTIS_URL: url]
    binding.currentBuild = [result: null]
    binding.echo = { text -> said << text.toString(); println text }
    binding.error = { text -> throw new IllegalStateException(text.toString()) }
    binding.unstable = { text -> binding.currentBuild.result = 'UNSTABLE'; said << text.toString() }
    binding.stage = { name, body -> stages << name; body() }
    binding.string = { Map m -> m }
    binding.withCredentials = { list, body -> binding.env[list[0].variable] = 'hal_none'; body() }
    binding.sleep = { Map pause ->
        // Somebody presses "stop" while a stage is under way.
        if (wanted == 'abort' && stages) { throw interrupted('stopped') }
        Thread.sleep(100)
    }
    binding.input = { Map m ->
        said << "asked: ${m.message}".toString()
        if (wanted == 'refuse') { throw interrupted('refused') }
        return null
    }
    binding.httpRequest = { Map request ->
        def connection = new URL(request.url).openConnection()
        connection.requestMethod = request.httpMode
        connection.instanceFollowRedirects = false
        request.customHeaders?.each { connection.setRequestProperty(it.name, it.value) }
        if (request.requestBody != null) {
            connection.setRequestProperty('Content-Type', 'application/x-www-form-urlencoded')
            connection.doOutput = true
            connection.outputStream << request.requestBody
        }
        int status = connection.responseCode
        def stream = status >= 400 ? connection.errorStream : connection.inputStream
        def (low, high) = request.validResponseCodes.contains(':') ? request.validResponseCodes.split(':')*.toInteger() : [request.validResponseCodes.toInteger()] * 2
        if (status < low || status > high) { throw new IllegalStateException("status ${status} of ${request.url}") }
        return [status: status, content: stream?.text ?: '', headers: connection.headerFields]
    }

    def result = null
    def threw = null
    try {
        def parameters = wanted == 'parameters' ? [WHO: 'mia & co'] : [:]
        result = script.call(pipeline: "shim/${wanted}".toString(), parameters: parameters, poll: 1, wait: wanted != 'nowait')
    } catch (Throwable error) {
        threw = error
    }
    println groovy.json.JsonOutput.toJson([end: true, result: result, threw: threw?.message, kind: threw?.class?.simpleName,
        stages: stages, said: said, now: binding.currentBuild.result])
}
