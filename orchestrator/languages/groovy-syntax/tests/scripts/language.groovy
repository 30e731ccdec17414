package a.b
import c.d.*

abstract class Shape<T extends Comparable<T> & Cloneable> extends Base<T> implements Drawable, Serializable {
    static final int SIDES = 0x1F, MORE = 1_000
    private List<Map<String, ? extends Number>> sizes = [[a: 1.5f], [b: 2G]]
    def name
    static { println 'loaded' }
    { name = "shape" }
    Shape(String name = 'x') { super(name); this.name = name }
    abstract double area()
    String toString() { "$name with ${area()} and ${-> sizes.size()}" }
    def <K> K pick(K k) throws IOException { k }
    enum Colour implements Named {
        RED(1) { String label() { 'r' } }, GREEN, BLUE;
        final int code
        Colour(int code = 0) { this.code = code }
        String label() { name().toLowerCase() }
    }
    interface Named { String label() }
}
@interface Marker { String value() default 'x'; int[] ids() default [1, 2] }
trait Flying { int height = 1; def fly() { "at ${height}m" } }

def (int a, b) = [1, 2]
(a, b) = [b, a]
String s = a > b ? 'x' : b == 2 ?: null
def plus = { int x, y = 2, ... rest -> x + y ** 2 }
def none = { -> 1 }
println plus(1), 2
assert (plus)(1, 3) == 10 : "no: ${plus}"
outer: for (int i = 0; i < 10; i++) {
    while (true) { if (i in [1, 2]) continue outer; break }
}
switch (s) { case ~/x+/: case 1..3: println 'a'; break; case String: return; default: throw new IllegalStateException("$s") }
try { a.b?.c*.d.@e."$s"('z')[0, 1] = 3 } catch (IOException | RuntimeException e) { log e } catch (e) { } finally { done() }
def list = [*[1, 2], 3] + [a: 1, *:[b: 2]].keySet() as Set
def arr = new int[2][], date = new Date() { def x() { 1 } }
def m = this.&println; m << '''a
b''' >>> 2
x += -y - (int) 2.5 * !z & ~1 | 4 ^ 5
if (!(x instanceof String) && x <=> 3) y++ else --y
def r = $/dollar $$ $/ ${x} slash/$ + /reg\/ex ${y} \d+/
a b: 1, c: 2 d e f
select all from those where { it > 1 } order by: 'name'
synchronized (this) { wait() }
list.collect { it * 2 }.inject(0) { sum, v -> sum + v }
    .toString()
    ?.trim()
