// Runs every case of cases/*.groovy in this one JVM and writes what each printed, its value and its error
// to OUTDIR/<category>.json. Usage: groovy driver.groovy CASES_DIR OUT_DIR
// Give the JVM -Duser.timezone=UTC -Duser.language=en -Duser.country=US -Dfile.encoding=UTF-8.
import groovy.json.JsonOutput
import org.codehaus.groovy.control.CompilationFailedException
import org.codehaus.groovy.runtime.InvokerHelper

def split(File file) {
    def cases = []
    def current = null
    file.getText('UTF-8').split('\n', -1).each { line ->
        if (line.startsWith('// case: ')) {
            current = [name: line.substring(9).trim(), text: new StringBuilder()]
            cases << current
        } else if (current != null) {
            current.text << line << '\n'
        }
    }
    cases
}

def run(String text) {
    def buffer = new ByteArrayOutputStream()
    def out = new PrintStream(buffer, true, 'UTF-8')
    def answer = [:]
    def before = System.out
    System.setOut(out)
    try {
        // One loader a case, so that two cases may both name a class Foo.
        def shell = new GroovyShell(new GroovyClassLoader(this.class.classLoader), new Binding())
        def script = shell.parse(text, 'Script1.groovy')
        def value = script.run()
        answer.value = InvokerHelper.toString(value)
    } catch (CompilationFailedException e) {
        answer.error = 'compile'
    } catch (Throwable e) {
        answer.error = e.class.name
        answer.message = e.message
    } finally {
        System.setOut(before)
    }
    out.flush()
    answer.out = buffer.toString('UTF-8')
    answer
}

def outDir = new File(args[1])
outDir.mkdirs()
def count = 0
new File(args[0]).listFiles().findAll { it.name.endsWith('.groovy') }.sort { it.name }.each { file ->
    def answers = split(file).collect { c ->
        count++
        def a = run(c.text.toString())
        [name: c.name, out: a.out, value: a.value, error: a.error, message: a.message]
    }
    def page = [groovy: GroovySystem.version, java: System.getProperty('java.specification.version'), cases: answers]
    def target = new File(outDir, file.name.replace('.groovy', '.json'))
    target.setText(JsonOutput.prettyPrint(JsonOutput.toJson(page)) + '\n', 'UTF-8')
}
println "$count cases"
