// Classes, inheritance, interfaces, traits and enums.
// case: fields and methods
class Point { int x; int y; int sum() { x + y } }
def p = new Point(x: 1, y: 2)
println p.sum()
p.x = 10
p.getX() + p.sum()
// case: constructors
class A { def a; def b; A(a) { this(a, 'def') }; A(a, b) { this.a = a; this.b = b } }
[new A(1).b, new A(1, 2).b]
// case: default constructor arguments
class A { def s; A(String s = 'x') { this.s = s } }
[new A().s, new A('y').s]
// case: toString override and gstring
class A { String n; String toString() { "A($n)" } }
def a = new A(n: 'q')
println a
println "${a} " + a
[a].toString() + [k: a]
// case: equals and hashCode override
class A { int n; boolean equals(o) { o instanceof A && o.n == n }; int hashCode() { n } }
[new A(n: 1) == new A(n: 1), [new A(n: 1)].contains(new A(n: 1)), ([new A(n: 1), new A(n: 1)] as Set).size(), new A(n: 1) != new A(n: 2)]
// case: inheritance and super
class Base { def name() { 'base' }; def hello() { "hello ${name()}" } }
class Sub extends Base { def name() { 'sub of ' + super.name() } }
new Sub().hello()
// case: super constructors
class Base { String n; Base(String n) { this.n = n } }
class Sub extends Base { Sub() { super('from sub') } }
new Sub().n
// case: abstract classes
abstract class Shape { abstract double area(); String describe() { "${this.class.simpleName} ${area()}" } }
class Sq extends Shape { double s; double area() { s * s } }
new Sq(s: 2).describe()
// case: abstract class cannot be made
abstract class Shape { }
new Shape()
// case: interfaces
interface Named { String getName() }
class Dog implements Named { String getName() { 'rex' } }
def d = new Dog()
[d.name, d instanceof Named, Named.isInstance(d)]
// case: interface constants
interface K { int N = 5; String S = 'k' }
class U implements K { def f() { N + 1 } }
[K.N, U.S, new U().f()]
// case: static members
class C { static int count = 0; static inc() { count++; count }; static final String NAME = 'c' }
C.inc(); C.inc()
[C.count, C.NAME, C.inc()]
// case: static nested and inner class
class Outer { static class In { def v = 'nested' }; def make() { new In() } }
println new Outer.In().v
new Outer().make().class.name
// case: anonymous class
interface Op { def run(x) }
def o = new Op() { def run(x) { x * 2 } }
o.run(4)
// case: anonymous class from abstract with captured variable
abstract class T { abstract def go(); def twice() { "${go()}${go()}" } }
def v = 'z'
new T() { def go() { v } }.twice()
// case: getters and setters
class A { private String n = 'x'; String getName() { n.toUpperCase() }; void setName(String v) { n = v + '!' } }
def a = new A()
println a.name
a.name = 'y'
a.name
// case: boolean is getter
class A { boolean done = true; boolean isReady() { false } }
def a = new A()
[a.done, a.isDone(), a.ready]
// case: field access operator
class A { String n = 'field'; String getN() { 'getter' } }
def a = new A()
[a.n, a.@n]
// case: properties map
class A { String n = 'x'; int c = 2 }
new A().properties.findAll { k, v -> k != 'class' }.sort()
// case: final fields and constants
class A { final String s; A() { s = 'set' } }
new A().s
// case: enum basics
enum Color { RED, GREEN, BLUE }
println Color.RED
println Color.values()
println Color.valueOf('GREEN').ordinal()
println Color.BLUE.name()
println Color.RED < Color.BLUE
[Color.RED == Color.RED, Color.RED.next(), Color.RED.previous()]
// case: enum with fields and methods
enum Env { DEV('d', 1), PROD('p', 3); final String code; final int n; Env(String c, int n) { code = c; this.n = n }; def label() { "$code$n" } }
println Env.PROD.label()
println Env.values().collect { it.code }
Env.DEV.n
// case: enum in switch and map
enum L { LOW, HIGH }
def f(L l) { switch (l) { case L.LOW: return 'low'; case L.HIGH: return 'high' } }
[f(L.LOW), f(L.HIGH), [(L.LOW): 1][L.LOW]]
// case: enum valueOf failure
enum L { LOW }
L.valueOf('NOPE')
// case: enum coerce from string
enum L { LOW, HIGH }
L l = 'HIGH'
println l
('LOW' as L).ordinal()
// case: enum ranges
enum D { MON, TUE, WED }
[(D.MON..D.WED).toList(), D.MON in [D.MON], D.values().size(), D.WED.compareTo(D.MON)]
// case: traits
trait Flying { String fly() { "${name()} flies" }; abstract String name() }
class Bird implements Flying { String name() { 'bird' } }
new Bird().fly()
// case: trait with state
trait Counter { int n = 0; int inc() { n += 1; n } }
class C implements Counter { }
def c = new C()
c.inc(); c.inc()
c.n
// case: trait stacking
trait A { def m() { 'A' } }
trait B extends A { def m() { 'B' + super.m() } }
class C implements B { }
new C().m()
// case: two traits last wins
trait X { def who() { 'x' } }
trait Y { def who() { 'y' } }
class Z implements X, Y { }
new Z().who()
// case: methodMissing
class M { def methodMissing(String n, args) { "$n(${args.join(',')})" } }
new M().anything(1, 'b')
// case: propertyMissing
class M { def store = [:]; def propertyMissing(String n) { store[n] ?: "no $n" }; def propertyMissing(String n, v) { store[n] = v } }
def m = new M()
println m.a
m.a = 5
m.a
// case: invokeMethod on missing
class M { def invokeMethod(String n, args) { "called $n" } }
new M().whatever(1)
// case: get and set property operators
class M { def d = [:]; def getAt(k) { "got $k" }; void putAt(k, v) { d[k] = v } }
def m = new M()
m['x'] = 1
[m['y'], m.d]
// case: class as value
class A { }
def k = A
println k
println k.name
println new A().class == A
k.simpleName + (new A() in k)
// case: static method call through instance
class A { static f() { 's' } }
new A().f()
// case: this in methods
class A { def v = 1; def self() { this }; def chain() { v++; this } }
def a = new A()
[a.self().is(a), a.chain().chain().v]
// case: private method is callable in groovy
class A { private secret() { 'seen' } }
new A().secret()
// case: named constructor with setter conversion
class A { int n; String s; List l }
def a = new A(n: 5L, s: "g${1}", l: [1])
[a.n.class.simpleName, a.s.class.simpleName, a.l]
// case: named constructor unknown property
class A { int n }
new A(nope: 1)
// case: map constructor coerced from list
class P { int x; int y; P(int x, int y) { this.x = x; this.y = y } }
P p = [3, 4]
def q = [5, 6] as P
[p.x, q.y]
// case: map coerced to class
class P { int x; int y }
P p = [x: 1, y: 2]
def q = [x: 7] as P
[p.y, q.x]
// case: class with list of closures
class Q { def hooks = []; def on(Closure c) { hooks << c; this }; def fire(x) { hooks*.call(x) } }
new Q().on { it + 1 }.on { it * 2 }.fire(5)
// case: instanceof hierarchy
class A { }; class B extends A { }
[new B() instanceof A, new A() instanceof B, B.superclass.name, A.isAssignableFrom(B)]
// case: comparable
class V implements Comparable { int n; int compareTo(o) { n <=> o.n } }
def vs = [new V(n: 3), new V(n: 1)]
[vs.sort()*.n, vs.max().n, new V(n: 1) < new V(n: 2), new V(n: 2) == new V(n: 2)]
// case: iterable class
class R implements Iterable { def items = [1, 2]; Iterator iterator() { items.iterator() } }
def r = new R()
println r.collect { it * 2 }
for (x in r) print x
r.toList()
// case: closure field with class property
class A { def n = 5; def c = { n * 2 } }
new A().c()
// case: static initialiser and init block
class A { static log = []; static { log << 'static' }; def v; { v = 'init' } }
println A.log
new A().v
// case: interface default via trait abstract error
interface I { def f() }
class A implements I { }
// case: Canonical annotation
@groovy.transform.Canonical
class P { String n; int a }
def p = new P('bob', 5)
println p
println p == new P('bob', 5)
new P(n: 'x')
// case: ToString and EqualsAndHashCode
import groovy.transform.*
@ToString(includeNames = true)
@EqualsAndHashCode
class P { String n; int a }
println new P(n: 'q', a: 1)
new P(n: 'q') == new P(n: 'q')
// case: Immutable annotation
@groovy.transform.Immutable
class P { String n }
def p = new P('z')
println p
p.n = 'y'
// case: TupleConstructor
@groovy.transform.TupleConstructor
class P { String n; int a }
new P('a', 2).a
// case: NonCPS style annotation free method with types
String join(List<String> l, String sep = ',') { l.join(sep) }
join(['a', 'b']) + join(['c', 'd'], '+')
// case: generics are accepted
class Box<T> { T v; Box(T v) { this.v = v }; T get() { v } }
Map<String, List<Integer>> m = [a: [1]]
new Box<String>('x').get() + m.a[0]
// case: Serializable and Singleton
@Singleton class S { int n = 1 }
S.instance.n++
S.instance.n
// case: nested property paths assignment
class A { B b = new B() }
class B { def c = [:] }
def a = new A()
a.b.c.d = 5
a.b.c
// case: respondsTo and hasProperty
class A { def p; def f() { } }
def a = new A()
[a.respondsTo('f') ? true : false, a.respondsTo('g') ? true : false, a.hasProperty('p') ? true : false, a.hasProperty('q') ? true : false]
// case: clone of a list and equality of maps in objects
class A { def l = [1] }
def a = new A(); def b = new A()
a.l << 2
[a.l, b.l]
// case: static import and class import
import static java.lang.Math.max
import java.util.concurrent.TimeUnit
println max(3, 4)
println TimeUnit.MINUTES.toSeconds(2)
TimeUnit.SECONDS.toMillis(3)
// case: import alias
import java.util.LinkedHashMap as Lhm
new Lhm([a: 1]).a
// case: script methods see class
class Helper { static String tag(s) { "<$s>" } }
def wrap(s) { Helper.tag(s) }
wrap('x')
// case: method on class receives script closure
class Runner { def run(Closure c) { c.call('arg') } }
def local = 'L'
new Runner().run { local + it }
// case: interface with generic method and implementation
interface Visitor<T> { T visit(Object o) }
class Size implements Visitor<Integer> { Integer visit(Object o) { o.toString().size() } }
new Size().visit('four')
// case: overloading by type
class O { def f(String s) { 'S' }; def f(Integer i) { 'I' }; def f(Object o) { 'O' }; def f(List l) { 'L' } }
def o = new O()
[o.f('a'), o.f(1), o.f(1.5), o.f([]), o.f("g${1}")]
