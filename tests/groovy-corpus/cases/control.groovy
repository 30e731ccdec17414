// Control flow and switch.
// case: if else chain
def f(n) { if (n < 0) 'neg' else if (n == 0) 'zero' else 'pos' }
[f(-1), f(0), f(1)]
// case: ternary and elvis
def x = null
println x ?: 'default'
println x ? 'a' : 'b'
println 5 > 3 ? 'yes' : 'no'
def y = 0 ?: 'zero'
y
// case: while and do
def i = 0
while (i < 3) { print i; i++ }
println ''
while (false) print 'never'
i
// case: classic for
for (int i = 0; i < 3; i++) print i
for (int i = 10; i > 0; i -= 4) print "[$i]"
for (;;) { break }
'done'
// case: break and continue
for (i in 1..10) { if (i % 2) continue; if (i > 6) break; print i }
''
// case: labelled loops
outer: for (i in 1..3) { for (j in 1..3) { if (j == 2) continue outer; if (i == 3) break outer; print "$i$j " } }
''
// case: switch on values
def f(x) { switch (x) { case 1: return 'one'; case 'a': return 'letter'; case null: return 'null'; default: return 'other' } }
[f(1), f('a'), f(null), f(2)]
// case: switch falls through
def out = []
switch (2) { case 1: out << 1; case 2: out << 2; case 3: out << 3; break; case 4: out << 4 }
out
// case: switch on types lists ranges patterns closures
def f(x) {
  switch (x) {
    case Integer: return 'int'
    case ['a', 'b']: return 'list'
    case ~/h.*/: return 'regex'
    case { it instanceof String && it.size() > 5 }: return 'closure'
    case 1.0..2.0: return 'range'
    default: return 'none'
  }
}
[f(5), f('b'), f('hey'), f('longer text'), f(1.5), f('zz')]
// case: switch on class names and maps
def f(x) { switch (x) { case Map: 'map'; break; case List: 'list'; break; case Number: 'num'; break; default: 'x' } }
[f([:]), f([]), f(1.5), f('s')]
// case: switch default in middle
def f(x) { switch (x) { case 1: return 'a'; default: return 'd'; case 2: return 'b' } }
[f(1), f(2), f(3)]
// case: switch with gstring
def v = 'x'
switch ("$v") { case 'x': println 'match'; break; default: println 'no' }
// case: in operator
[1 in [1, 2], 'a' in 'abc'.toList(), 3 in 1..5, 'k' in [k: 1], 5 in Integer, null in [null]]
// case: not in
!(3 in [1, 2])
// case: instanceof
[1 instanceof Integer, 'a' instanceof String, "a${1}" instanceof GString, [] instanceof List, null instanceof Object, !(1 instanceof String)]
// case: logical short circuit
def calls = []
def t = { calls << 't'; true }; def f = { calls << 'f'; false }
f() && t()
t() || f()
calls
// case: nested ternary
def g(n) { n > 90 ? 'A' : n > 80 ? 'B' : 'C' }
[g(95), g(85), g(5)]
// case: return without value
def f() { return }
f()
// case: last expression of if
def f(b) { if (b) { 1 } else { 2 } }
println f(true)
def g(b) { if (b) { 1 } }
println g(false)
def h() { try { 5 } finally { 6 } }
h()
// case: last expression of switch and loops
def f() { for (i in 1..3) { i } }
println f()
def g() { while (false) { } }
g()
// case: variable scopes
def x = 1
if (true) { def y = 2; x += y }
x
// case: undeclared variable in script
y = 5
def f() { y + 1 }
f()
// case: local variable is not seen in methods
def hidden = 5
def f() { hidden }
f()
// case: missing property
println undefinedThing
// case: missing method
undefinedMethod(1, 'a')
// case: missing method in closure
def c = { undefinedMethod() }
c()
// case: script args and this class
this.class.simpleName
// case: block with label and closure
def r = [1, 2, 3].collect { n -> if (n == 2) return 'two'; n }
r
// case: assert passes
assert 1 == 1
assert true, 'message'
'ok'
// case: assert fails with message
assert false, 'it broke'
// case: assert fails simple
assert 1 == 2
// case: assert fails with variables
def a = 5
def b = [1, 2]
assert a == b.size()
// case: assert fails on method chain
def s = 'hello'
assert s.toUpperCase().size() == 3
// case: assert fails on boolean
def ok = false
assert ok
// case: assert with and
def x = 3
assert x > 1 && x < 3
// case: assert on null
def x = null
assert x
// case: assert error is an Error
try { assert 1 > 2 } catch (AssertionError e) { println e.message }
try { assert false : 'msg' } catch (AssertionError e) { println e.message }
// case: assert index and map
def m = [a: [1, 2]]
assert m.a[1] == 3
// case: assert negation
def list = [1]
assert !list
// case: spaceship
[1 <=> 2, 'b' <=> 'a', 1.0 <=> 1, [1] == [1], null <=> 1, 1 <=> null, null <=> null]
// case: equality with null
[null == null, null == 0, null == false, '' == null, null != 1]
// case: identity
def a = [1]; def b = a; def c = [1]
[a.is(b), a.is(c), a == c]
// case: comments and separators
/* block */ def x = 1; // line
/** doc */
x +
  1
// case: multi line expressions
def total = [1, 2, 3]
  .collect { it * 2 }
  .sum()
def s = 'a' +
  'b'
total + s
// case: command expressions
def say(String s) { "said $s" }
println say('x')
def r = say 'y'
r
// case: chained command expression
class Step { def log = []; def move(d) { log << d; this }; def by(n) { log << n; this } }
def s = new Step()
s.move 'left' by 3
s.log
// case: named arguments without parens
def stage(Map m, String n) { "$n $m" }
stage 'x', a: 1
// case: semicolons and empty statements
def x = 1;;
x;
// case: while with complex condition
def q = [1, 2, 3]
def n = 0
while (q && n < 2) { q.remove(0); n++ }
q
// case: decrement loop
def out = ''
for (i = 3; i > 0; i--) out += i
out
// case: iterate map entries
def out = []
for (e in [a: 1, b: 2]) out << "${e.key}${e.value}"
for (def e : [c: 3]) out << e.key
out
// case: iterating with index
for (def i = 0; i < 2; i++) { println i }
// case: compound conditions precedence
[true || false && false, !true || true, 1 + 2 * 3, (1 + 2) * 3, 2 ** 3 ** 2, 10 - 2 - 3, -2 ** 2]
// case: bitwise precedence
[1 | 2 & 3, 1 << 2 + 1, (5 & 4) == 4 ? 1 : 0]
// case: regex match conditions
if ('abc' =~ /b/) println 'found'
if (!('abc' ==~ /b/)) println 'no full match'
// case: shadowing closure parameter
def x = 1
[5].each { y -> println x + y }
// case: loops in functions with return
def firstEven(l) { for (n in l) { if (n % 2 == 0) return n }; null }
[firstEven([1, 4, 6]), firstEven([1])]
// case: numeric for over range with step
for (i in (0..6).step(2)) print i
// case: switch inside loop with break
def out = []
for (i in 1..3) { switch (i) { case 2: break; default: out << i } }
out
// case: switch with return in closure
def f = { x -> switch (x) { case 1: return 'one' }; 'other' }
[f(1), f(2)]
// case: empty switch
switch (1) { }
