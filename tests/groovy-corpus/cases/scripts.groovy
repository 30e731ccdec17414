// Shapes of script that pipelines contain, without steps.
// case: version bump
def bump(String v) { def (a, b, c) = v.tokenize('.')*.toInteger(); "$a.$b.${c + 1}" }
[bump('1.2.3'), bump('0.0.9')]
// case: parallel map building
def branches = [:]
for (os in ['linux', 'windows']) { def o = os; branches["build-${o}"] = { "building on $o" } }
branches.collect { k, v -> "$k: ${v()}" }
// case: matrix axes
def axes = [os: ['linux', 'mac'], py: ['3.10', '3.11']]
def cells = axes.values().toList().combinations().collect { [axes.keySet().toList(), it].transpose().collectEntries { k, v -> [k, v] } }
cells
// case: environment list
def env = [A: '1', B: '2']
env.collect { k, v -> "$k=$v" } + ["C=${env.A}"]
// case: parse properties text
def props = '''
# comment
a = 1
b=two
'''.readLines().findAll { it.trim() && !it.startsWith('#') }.collectEntries { def kv = it.split('=', 2); [(kv[0].trim()): kv[1].trim()] }
props
// case: branch rules
def target(String branch) { switch (branch) { case 'main': return 'prod'; case ~/release\/.*/: return 'stage'; case { it.startsWith('feature/') }: return 'dev'; default: return null } }
['main', 'release/1', 'feature/x', 'other'].collect { target(it) }
// case: retry helper
def attempts = 0
def retry(int n, Closure c) { for (int i = 1; ; i++) { try { return c(i) } catch (e) { if (i >= n) throw e } } }
retry(3) { i -> if (i < 3) throw new RuntimeException("try $i"); "ok after $i" }
// case: changed files filter
def files = ['src/a.py', 'docs/x.md', 'src/b/c.py']
files.findAll { it.startsWith('src/') && it.endsWith('.py') }.collect { it - 'src/' - '.py' }
// case: docker command
def args = [build: true, tags: ['a', 'b'], target: null]
def cmd = ['docker', 'build'] + args.tags.collectMany { ['-t', it] }
if (args.target) cmd += ['--target', args.target]
cmd.join(' ')
// case: metrics gate
def metrics = [mse: 4.53, mae: 1.6]
def limits = [mse: 6.0, mae: 1.5]
def failed = limits.findAll { k, v -> metrics[k] > v }.collect { k, v -> "$k ${metrics[k]} > $v" }
failed ? "FAILED: ${failed.join(', ')}" : 'PASSED'
// case: heredoc json body
def status = 'SUCCESS'; def url = 'http://x/1'
def body = """\
{
  "status": "${status}",
  "url": "${url}"
}""".stripIndent()
body
// case: library config merge
def merge(Map a, Map b) { b.inject(new LinkedHashMap(a)) { m, k, v -> m[k] = (v instanceof Map && m[k] instanceof Map) ? merge(m[k], v) : v; m } }
merge([a: 1, n: [x: 1, y: 2]], [b: 2, n: [y: 3]])
// case: duration text
def pretty(long ms) { def s = ms.intdiv(1000); s < 60 ? "${s} sec" : "${s.intdiv(60)} min ${s % 60} sec" }
[pretty(5000), pretty(125000)]
// case: summary table
def rows = [['name', 'state'], ['a', 'ok'], ['long-name', 'failed']]
def w = rows.transpose().collect { c -> c*.size().max() }
rows.each { r -> println r.withIndex().collect { v, i -> v.padRight(w[i]) }.join(' | ').trim() }
''
// case: config class with dsl
class Stage { String name; List steps = []; def step(String s) { steps << s } }
class Pipe { List<Stage> stages = []; def stage(String n, Closure c) { def s = new Stage(name: n); c.delegate = s; c.resolveStrategy = Closure.DELEGATE_FIRST; c(); stages << s } }
def pipeline(Closure c) { def p = new Pipe(); c.delegate = p; c(); p }
def p = pipeline { stage('a') { step 'one'; step 'two' }; stage('b') { step 'three' } }
p.stages.collect { "$it.name: ${it.steps.join('+')}" }
// case: image tag from git
def commit = 'abcdef1234567890'; def branch = 'feature/New_Thing'
"${branch.replaceAll('/', '-').toLowerCase()}-${commit.take(7)}"
// case: map of closures as steps
def steps = [compile: { 'c' }, test: { 't' }]
steps.each { name, body -> println "$name -> ${body()}" }
steps.keySet().join(',')
// case: early exit and flags
def shouldRun(Map args = [:]) { if (args.skip) return false; if (!args.branch) return true; args.branch == 'main' }
[shouldRun(), shouldRun(skip: true), shouldRun(branch: 'dev')]
// case: semver sort
def vs = ['1.10.0', '1.2.0', '1.9.1']
vs.sort { a, b -> def x = a.tokenize('.')*.toInteger(); def y = b.tokenize('.')*.toInteger(); (0..2).findResult { (x[it] <=> y[it]) ?: null } ?: 0 }
// case: nested conditionals with env strings
def params = [DEPLOY: 'true', ENV: 'prod']
(params.DEPLOY.toBoolean() && params.ENV in ['prod', 'stage']) ? 'deploy' : 'skip'
// case: index of results
def results = ['SUCCESS', 'FAILURE', 'SUCCESS']
[results.indexOf('FAILURE'), results.count('SUCCESS'), results.any { it == 'FAILURE' } ? 'bad' : 'good']
// case: string building with loops
def sb = new StringBuilder()
[1, 2, 3].each { sb << it << (it < 3 ? ',' : '') }
sb.toString()
// case: csv parsing
'id,name\n1,a\n2,b'.readLines().with { ls -> def h = ls.head().split(','); ls.tail().collect { [h, it.split(',')].transpose().collectEntries() } }
// case: counters by closure
def counter = { -> def n = 0; { -> ++n } }()
counter(); counter()
counter()
// case: chunk and batch
(1..7).collate(3).collect { it.sum() }
// case: fibonacci list
def f = [0, 1]
8.times { f << f[-1] + f[-2] }
f
// case: primes
(2..30).findAll { n -> n < 4 || !(2..Math.sqrt(n)).any { n % it == 0 } }
// case: word count sorted
'the cat the dog a cat the'.split(' ').countBy { it }.sort { a, b -> b.value <=> a.value ?: a.key <=> b.key }
// case: matrix transpose and print
[[1, 2], [3, 4]].transpose().each { println it.join(' ') }
// case: recursion over nested data
def depth(x) { x instanceof List ? 1 + (x.collect { depth(it) }.max() ?: 0) : 0 }
depth([1, [2, [3]], []])
// case: gcd and bits
def gcd(a, b) { b == 0 ? a : gcd(b, a % b) }
[gcd(48, 18), Integer.toBinaryString(10).count('1')]
// case: shared state closure list
def log = []
def tasks = (1..3).collect { n -> { -> log << "t$n" } }
tasks.reverse()*.call()
log
