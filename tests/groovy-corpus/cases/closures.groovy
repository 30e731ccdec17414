// Closures.
// case: implicit it
def c = { it * 2 }
println c(3)
println c.call(4)
def n = { it }
n()
// case: explicit parameters and defaults
def f = { a, b = 10 -> a + b }
println f(1)
println f(1, 2)
def g = { String s, int n = 2 -> s * n }
println g('x')
def h = { -> 'none' }
h()
// case: captured variables
def count = 0
def inc = { count++ }
inc(); inc()
println count
def makeAdder = { x -> { y -> x + y } }
makeAdder(3)(4)
// case: loop capture
def fs = []
for (i in 1..3) { def j = i; fs << { j } }
println fs*.call()
def gs = []
for (i in 1..3) { gs << { i } }
gs*.call()
// case: curry
def f = { a, b, c -> "$a-$b-$c" }
println f.curry(1)(2, 3)
println f.rcurry(3)(1, 2)
println f.ncurry(1, 'm')(1, 3)
f.curry(1, 2).call(3)
// case: composition
def plus = { it + 1 }; def twice = { it * 2 }
[(plus >> twice)(5), (plus << twice)(5), [1, 2].collect(plus >> twice)]
// case: memoize
def calls = 0
def f = { n -> calls++; n * n }.memoize()
f(3); f(3); f(4)
calls
// case: trampoline
def fact
fact = { n, acc = 1G -> n <= 1 ? acc : fact.trampoline(n - 1, acc * n) }.trampoline()
fact(20)
// case: delegate
class Conf { String name; int port; def host(h) { name = h } }
def configure(Closure c) { def conf = new Conf(); c.delegate = conf; c.resolveStrategy = Closure.DELEGATE_FIRST; c(); conf }
def r = configure { host 'example'; port = 80 }
"$r.name:$r.port"
// case: delegate owner first
def name = 'script'
def c = { name }
c.delegate = [name: 'delegate']
println c()
def d = { other }
d.delegate = [other: 'delegate']
d()
// case: with and tap like
def sb = new StringBuilder().with { append 'a'; append 'b'; it }
println sb
[1, 2].with { size() + first() }
// case: with on map
def m = [a: 1, b: 2]
m.with { a + b }
// case: closure metadata
def f = { a, b -> }
println f.maximumNumberOfParameters
println f.parameterTypes.length
println({ it }.maximumNumberOfParameters)
println({ -> }.maximumNumberOfParameters)
({ int x -> }.parameterTypes)[0]
// case: method pointer
def s = 'abc'
def up = s.&toUpperCase
println up()
def twice(x) { x * 2 }
println([1, 2].collect(this.&twice))
def m = this.&twice
m(21)
// case: closure as last argument
def apply(x, Closure c) { c(x) }
println apply(3) { it + 1 }
println(apply(4, { it * it }))
def noParen(Closure c) { c() }
noParen { 'ran' }
// case: closure returns last expression
def f = { if (it > 0) { 'pos' } else { 'neg' } }
println f(1)
println f(-1)
def g = { def x = 5 }
println g()
def h = { for (i in 1..2) { } }
h()
// case: return inside closure leaves closure only
def f() { [1, 2, 3].each { if (it == 2) return; print it }; 'done' }
f()
// case: recursion through variable
def fib
fib = { n -> n < 2 ? n : fib(n - 1) + fib(n - 2) }
fib(15)
// case: varargs in closures
def f = { Object... xs -> xs.length }
println f()
println f(1, 2, 3)
def g = { a, Object... rest -> "$a ${rest.toList()}" }
g('x', 1, 2)
// case: list destructuring
[[1, 2], [3, 4]].collect { a, b -> a * b }
// case: too few arguments
def f = { a, b -> a }
f(1)
// case: too many arguments
def f = { a -> a }
f(1, 2)
// case: calling a non-closure
def x = 5
x()
// case: call operator on class
class Adder { def call(a, b) { a + b } }
def add = new Adder()
add(1, 2)
// case: closure in map called through property
def ops = [add: { a, b -> a + b }]
println ops.add(1, 2)
println ops['add'](3, 4)
(ops.add)(5, 6)
// case: owner and this
class A { def c = { this.class.simpleName }; def run() { c() } }
new A().run()
// case: closures compare and class
def f = { 1 }
[f instanceof Closure, f == f, f.is(f), f.class.superclass.simpleName]
// case: nested it
[1, 2].each { it; [10].each { print it } }
''
// case: inner closure uses outer it
[1, 2].collect { def o = it; [10, 20].collect { it + o } }
// case: as interface
def r = { println 'run' } as Runnable
r.run()
def cmp = { a, b -> b <=> a } as Comparator
[1, 3, 2].sort(cmp)
// case: map as interface
interface Greeter { String greet(String n); int size() }
def g = [greet: { 'hi ' + it }, size: { 5 }] as Greeter
g.greet('bo') + g.size()
// case: closure with typed catch
def attempt = { Closure c -> try { c() } catch (ArithmeticException e) { 'caught ' + e.message } }
attempt { 1 / 0 }
// case: assignment in closures to script vars
total = 0
[1, 2, 3].each { total += it }
total
// case: collect with method reference style
['a', 'b'].collect(String.&valueOf)
// case: dehydrated delegate strategy constants
[Closure.OWNER_FIRST, Closure.DELEGATE_FIRST, Closure.OWNER_ONLY, Closure.DELEGATE_ONLY, Closure.TO_SELF]
// case: delegate only misses
def c = { missing() }
c.delegate = [:]
c.resolveStrategy = Closure.DELEGATE_ONLY
try { c() } catch (MissingMethodException e) { println e.method }
'ok'
// case: builder style dsl
class Tag { def out = []; def methodMissing(String n, args) { def c = args.find { it instanceof Closure }; out << "<$n>"; if (c) { c.delegate = this; c.resolveStrategy = Closure.DELEGATE_FIRST; c() }; out << "</$n>" } }
def t = new Tag()
t.html { body { p() } }
t.out.join('')
// case: each with break by exception
def seen = []
try { [1, 2, 3].each { seen << it; if (it == 2) throw new RuntimeException('stop') } } catch (RuntimeException e) { seen << e.message }
seen
// case: closure default it is null
def f = { it == null ? 'null' : it }
[f(), f(1), f(null)]
// case: sort by multiple keys
[[n: 'b', a: 1], [n: 'a', a: 2], [n: 'a', a: 1]].sort { x, y -> x.n <=> y.n ?: x.a <=> y.a }.collect { it.n + it.a }
// case: closure stored in binding
shout = { it.toUpperCase() }
shout 'hey'
// case: optional parentheses with closure
def result = [3, 1, 2].sort { a, b -> a <=> b }.collect { it * 2 }.findAll { it > 2 }
result
// case: setDelegate through rehydrate
def c = { value }
def d = c.rehydrate([value: 7], this, this)
d()
// case: apply closure to varargs spread
def f = { a, b, c -> a + b + c }
f(*[1, 2, 3])
// case: closure call with list expands
def f = { a, b -> "$a/$b" }
println f([1, 2])
def g = { a -> a }
g([1, 2])
// case: identity use
[1, 2].identity { it.size() }
