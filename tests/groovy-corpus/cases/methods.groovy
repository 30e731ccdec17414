// Methods, dispatch and operators.
// case: default parameters
def f(a, b = 2, c = [3]) { "$a $b $c" }
[f(1), f(1, 5), f(1, 5, 9)]
// case: overloading by count
def f() { 0 }
def f(a) { 1 }
def f(a, b) { 2 }
[f(), f(1), f(1, 2)]
// case: overloading by type at run time
def f(Object o) { 'object' }
def f(String s) { 'string' }
def f(Number n) { 'number' }
def f(Integer i) { 'integer' }
Object x = 'text'
[f(x), f(1), f(1.5), f([]), f(2L)]
// case: null argument dispatch
def f(String s) { s == null }
f(null)
// case: numeric widening
def f(long n) { n.class.simpleName }
def g(double d) { d.class.simpleName }
[f(1), g(1), g(1.5)]
// case: varargs
def f(String a, Object... rest) { "$a:${rest.length}" }
[f('x'), f('x', 1), f('x', 1, 2), f('x', [1, 2] as Object[])]
// case: varargs of int
int total(int... ns) { ns.sum() ?: 0 }
[total(), total(1), total(1, 2, 3)]
// case: gstring to string parameter
def f(String s) { s.class.simpleName }
def v = 1
f("a$v")
// case: return type conversion
int f() { 3L }
String g() { "x${1}" }
boolean h() { 'text' }
[f().class.simpleName, g().class.simpleName, h()]
// case: return type wrong
int f() { 'abc' }
f()
// case: void method returns null
void f() { 5 }
f()
// case: implicit return of assignment
def f() { def x = 5 }
f()
// case: recursion
def fact(n) { n <= 1 ? 1 : n * fact(n - 1) }
fact(10)
// case: fact overflow and bigint
def fact(BigInteger n) { n <= 1 ? 1G : n * fact(n - 1) }
fact(25)
// case: mutual recursion
def even(n) { n == 0 ? true : odd(n - 1) }
def odd(n) { n == 0 ? false : even(n - 1) }
even(10)
// case: dynamic method name
def m = 'toUpperCase'
println 'abc'."$m"()
'abc'."${'size'}"()
// case: dynamic property name
class A { def foo = 1 }
def a = new A()
def n = 'foo'
a."$n" = 3
a[n]
// case: invokeMethod
'abc'.invokeMethod('substring', [1] as Object[])
// case: named and positional mix
def f(Map m, a, b) { "$m $a $b" }
f(1, x: 2, 3)
// case: operator overloading
class V { int x; V plus(V o) { new V(x: x + o.x) }; V minus(V o) { new V(x: x - o.x) }; V multiply(n) { new V(x: x * n) }; V negative() { new V(x: -x) }; V next() { new V(x: x + 1) }; String toString() { "V$x" } }
def a = new V(x: 3); def b = new V(x: 1)
println a + b
println a - b
println a * 4
println(-a)
a++
a += b
a
// case: more operators
class S { def v = []; def leftShift(x) { v << x; this }; def call(x) { "call $x" }; def getAt(i) { v[i] }; boolean asBoolean() { !v.isEmpty() }; def isCase(x) { v.contains(x) } }
def s = new S()
println s ? 't' : 'f'
s << 1 << 2
println s[1]
println s('x')
println s ? 't' : 'f'
println 2 in s
switch (1) { case s: println 'case'; break; default: println 'no' }
// case: div mod power or operators
class N { def n; def div(o) { "div$o" }; def mod(o) { "mod$o" }; def power(o) { "pow$o" }; def or(o) { "or$o" }; def and(o) { "and$o" }; def xor(o) { "xor$o" }; def bitwiseNegate() { 'neg' }; def positive() { 'pos' }; def rightShift(o) { "rs$o" } }
def x = new N()
[x / 1, x % 2, x**3, x | 4, x & 5, x ^ 6, ~x, +x, x >> 7]
// case: equals operator and identity
class E { def k; boolean equals(Object o) { o instanceof E && o.k == k } }
def a = new E(k: 1); def b = new E(k: 1)
[a == b, a != b, a.is(b), a.equals(b)]
// case: compareTo operators
class C implements Comparable<C> { int r; int compareTo(C o) { r <=> o.r } }
def a = new C(r: 1); def b = new C(r: 2)
[a < b, a >= b, a <=> b, [b, a].min().r]
// case: as operator custom
class T { def asType(Class c) { c == String ? 'as string' : null } }
new T() as String
// case: safe navigation chain
def o = [a: null]
[o?.a?.b?.c, o?.x?.foo(1), null?.bar()]
// case: spread dot on null elements
[[n: 1], null, [n: 3]]*.n
// case: elvis with truthy
def f(s) { s ?: 'empty' }
[f(''), f('x'), f([]), f(0)]
// case: method pointer to script method with arguments
def add(a, b) { a + b }
def p = this.&add
[p(1, 2), [[1, 2], [3, 4]].collect { p(it) }]
// case: argument evaluation order
def log = []
def t = { log << it; it }
[t(1), t(2) + t(3)]
log
// case: pass by reference of lists
def f(l) { l << 'x' }
def l = []
f(l)
l
// case: reassigning parameter is local
def f(x) { x = 5; x }
def x = 1
[f(x), x]
// case: final local
final int n = 5
n + 1
// case: method with closure param default
def f(Closure c = { 'dflt' }) { c() }
[f(), f { 'given' }]
// case: typed parameters coerced no
def f(String s) { s }
f(5)
// case: script binding and methods
x = 10
def f() { x * 2 }
def g() { x = 7 }
g()
f()
// case: Field annotation
import groovy.transform.Field
@Field def state = 1
@Field final List<String> NAMES = ['a']
def bump() { state++; NAMES << 'b' }
bump()
[state, NAMES]
// case: binding has variable
foo = 3
println binding.hasVariable('foo')
println binding.variables.foo
binding.setVariable('bar', 4)
bar
// case: getProperty on script
q = 5
this.q
// case: property on this set
this.zed = 4
zed
// case: static methods of wrappers
[Integer.compare(1, 2), Boolean.logicalXor(true, false), Character.toString('c' as char), Long.compare(2L, 1L), Double.compare(1.0d, 1.0d), Integer.signum(-5), Integer.bitCount(7)]
// case: objects helpers
[Objects.equals(1, 1), Objects.toString(null), Objects.toString(null, 'd'), Objects.hash(1, 2), Objects.isNull(null), Objects.nonNull(1)]
// case: requireNonNull
Objects.requireNonNull(null, 'must be given')
// case: optional
[Optional.of(1).get(), Optional.empty().isPresent(), Optional.ofNullable(null).orElse('d'), Optional.of(2).map { it * 2 }.get()]
// case: uuid shape
def u = UUID.randomUUID().toString()
[u.size(), u ==~ /[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}/, UUID.fromString('123e4567-e89b-12d3-a456-426614174000').toString(), UUID.nameUUIDFromBytes('a'.bytes).toString()]
// case: random bounds
def r = new Random(42)
def n = r.nextInt(10)
n >= 0 && n < 10
// case: random with a seed
def r = new Random(42)
[r.nextInt(100), r.nextInt(100), r.nextInt(), r.nextBoolean(), r.nextDouble(), r.nextLong()]
// case: system helpers
[System.lineSeparator(), System.currentTimeMillis() > 1000000000000L, System.nanoTime().class.simpleName]
// case: sleep returns null
sleep(1)
// case: thread sleep
Thread.sleep(1)
'ok'
// case: println variants
println()
println null
println 1, 2
// case: print several
print 'a'
print 1
print null
print([1])
println ''
println 'x'
// case: println of arrays and nested
println([1, 2] as int[])
println(['a'] as String[])
println([[1, 2] as int[]])
println([a: ['x'] as String[]])
// case: print of char array
println(['a', 'b'] as char[])
// case: mixin of returns and closures
def find(l) { l.find { it > 2 } }
[find([1, 3]), find([1])]
// case: method call on literal
[1.toString() + 2.0.toString(), 'x'.with { it + 'y' }, [1].first().plus(2), true.and(false)]
// case: chained comparison spaceship sort
['b', 'a'].sort { x, y -> x <=> y }.join()
// case: ternary chain call
def list = []
(list ? list.first() : 'none').toUpperCase()
// case: nested closures and delegates order
def m(Closure c) { c.delegate = [v: 'delegate']; c.resolveStrategy = Closure.DELEGATE_FIRST; c() }
def v = 'local'
m { [v, { -> v }()] }
// case: tuple
def t = new Tuple2('a', 1)
[t.first, t.second, t[0], t.size(), new Tuple(1, 2, 3).toString()]
// case: multiple returns via list
def minmax(l) { [l.min(), l.max()] }
def (lo, hi) = minmax([3, 1, 2])
"$lo-$hi"
// case: integer cache of loops and big counts
def s = 0
for (int i = 0; i < 100000; i++) s += i
s
// case: int overflow in loop stays int
int x = Integer.MAX_VALUE
x++
x
// case: typed locals convert
int a = 5.7
double d = 1
String s = "x${1}"
long l = 3
float f = 1.5
[a, d, s.class.simpleName, l.class.simpleName, f.class.simpleName]
// case: typed list declarations
List<Integer> l = [1, 2]
Set<Integer> s = [1, 1]
String[] arr = ['a', 'b']
Map m = [a: 1]
[l, s.size(), arr.length, m]
// case: char and byte variables
char c = 'x'
byte b = 10
short sh = 5
[c.class.simpleName, b.class.simpleName, sh + b, c + 1]
// case: boolean variable from object
boolean b = 'x'
boolean e = []
[b, e]
// case: dump style getClass of primitives
[1.getClass().name, 1.class == Integer, 'a'.class == String, [].class == ArrayList, null.getClass().simpleName]
// case: class equality and switch by class
def kind(x) { switch (x.class) { case String: 's'; break; case Integer: 'i'; break; default: '?' } }
[kind('a'), kind(1), kind([])]
// case: int class names
[int.name, int[].name, String[].name, String[].simpleName, Map.name, List.simpleName, Closure.name, Object.class.name, void.class.name]
