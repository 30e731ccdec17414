// Exceptions.
// case: try catch finally order
def log = []
try { log << 'try'; throw new RuntimeException('x') } catch (e) { log << e.message } finally { log << 'finally' }
log
// case: catch by type
def f(Closure c) { try { c() } catch (ArithmeticException e) { 'math' } catch (NullPointerException e) { 'npe' } catch (Exception e) { 'other ' + e.class.simpleName } }
[f { 1 / 0 }, f { null.foo() }, f { 'x'.toInteger() }]
// case: multi catch
try { 'x'.toInteger() } catch (IllegalStateException | NumberFormatException e) { e.class.name }
// case: nested and rethrow
try { try { throw new IllegalStateException('inner') } catch (e) { throw new RuntimeException('outer', e) } } catch (e) { println e.message; println e.cause.message; println e.cause.class.name }
// case: finally runs on return
def f() { try { return 'a' } finally { println 'cleanup' } }
f()
// case: finally overrides return
def f() { try { return 'a' } finally { return 'b' } }
f()
// case: uncaught exception
throw new RuntimeException('boom')
// case: uncaught checked exception
throw new Exception('plain')
// case: throw in method
def f() { throw new IllegalArgumentException('bad arg') }
f()
// case: custom exception
class BuildError extends Exception { int code; BuildError(String m, int c) { super(m); code = c } }
try { throw new BuildError('no', 3) } catch (BuildError e) { "$e.message $e.code" }
// case: custom exception uncaught
class MyError extends RuntimeException { MyError(String m) { super(m) } }
throw new MyError('mine')
// case: exception toString
[new RuntimeException('m').toString(), new Exception().toString(), new IllegalStateException('s').toString(), "${new RuntimeException('g')}"]
// case: exception without message
def e = new RuntimeException()
[e.message, e.cause, e.getMessage(), e.localizedMessage]
// case: exception from cause
new RuntimeException(new IllegalStateException('inner')).message
// case: cast failure
def s = 'abc'
(Integer) s
// case: cast failure list to map
(Map) [1, 2]
// case: assign wrong type
int x = 'abc'
// case: assign null to int
int x = null
// case: coerce string to integer list
['1', 'x'].collect { it as Integer }
// case: null method
def x = null
x.foo()
// case: null property chain
def x = [:]
x.a.b.c
// case: npe message in catch
try { null.size() } catch (NullPointerException e) { e.message }
// case: missing property on object
class P { def a }
new P().b
// case: missing property on string
'abc'.foo
// case: missing method on string
'abc'.foo()
// case: missing method with arguments
'abc'.foo(1, 'x', null, [1], [a: 1])
// case: wrong arguments to known method
'abc'.substring('x')
// case: missing method on integer
5.foo()
// case: missing method on script
foo('a', 1)
// case: missing static method
class Q { static a() { 1 } }
Q.b()
// case: wrong argument types to own method
def f(int a) { a }
f('x')
// case: wrong argument count to own method
def f(a) { a }
f(1, 2)
// case: missing constructor
class R { R(int a) { } }
new R('x')
// case: missing method on own class
class T { def go() { 1 } }
new T().stop(3)
// case: read only property
class U { final int x = 5 }
def u = new U()
u.x = 6
// case: set missing property
class V { }
new V().zip = 1
// case: array store and index
[1, 2, 3] as int[]
// case: class cast number
(String) 5
// case: unable to resolve class
new DoesNotExist()
// case: syntax error
def x = (1 + 
// case: unbalanced brace
if (true) {
// case: unexpected token
def 1x = 5
// case: stack of finally
def log = []
try { try { throw new Exception('a') } finally { log << 'f1' } } catch (Exception e) { log << e.message }
log
// case: catch throwable
try { assert false } catch (Throwable t) { t.class.simpleName }
// case: error in closure propagates
try { [1, 2].each { if (it == 2) throw new IllegalStateException("at $it") } } catch (IllegalStateException e) { e.message }
// case: number format exceptions
def msgs = []
[{ Integer.parseInt('abc') }, { Long.parseLong('') }, { Double.parseDouble('x') }, { new BigDecimal('x') }, { Integer.parseInt(null) }, { '9999999999'.toInteger() }].each { c -> try { c() } catch (NumberFormatException e) { msgs << e.message } }
msgs
// case: exception as value
def e = new IllegalStateException('held')
def f = { throw it }
try { f(e) } catch (x) { x.is(e) }
// case: exceptions equality in instanceof
try { throw new FileNotFoundException('f') } catch (IOException e) { e.class.name }
// case: suppressed and stack trace exist
def e = new RuntimeException('x')
[e.stackTrace.length > 0, e.suppressed.length]
// case: printing caught exception
try { throw new IllegalArgumentException('bad') } catch (e) { println e; println "caught: $e" }
// case: throw in finally wins
try { try { throw new Exception('one') } finally { throw new Exception('two') } } catch (e) { e.message }
// case: try without catch value
def x = try_it()
def try_it() { try { 1 / 0 } catch (e) { 'fallback' } }
x
// case: interrupt and timeout classes
[new InterruptedException('i').message, new java.util.concurrent.TimeoutException('t').message, new UnsupportedOperationException().message]
// case: getProperty missing via dynamic name
def m = 'nope'
try { 'abc'."$m"() } catch (MissingMethodException e) { [e.method, e.type.simpleName] }
// case: MissingPropertyException parts
try { nothing } catch (MissingPropertyException e) { [e.property, e.message] }
// case: deep recursion ends
def f(n) { f(n + 1) }
try { f(0) } catch (StackOverflowError e) { 'overflow' }
// case: exception message with gstring
def n = 3
try { throw new Exception("bad $n") } catch (e) { e.message.class.simpleName + e.message }
// case: catch order first match
try { throw new NumberFormatException('n') } catch (IllegalArgumentException e) { 'iae' } catch (NumberFormatException e) { 'nfe' }
// case: return from catch
def f() { try { throw new Exception() } catch (e) { return 'caught' }; 'after' }
f()
// case: loop with try continue
def out = []
for (i in 1..3) { try { if (i == 2) throw new Exception(); out << i } catch (e) { continue } finally { out << 'f' } }
out
