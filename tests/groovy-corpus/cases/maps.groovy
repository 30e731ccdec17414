// Maps.
// case: literal and access
def m = [a: 1, 'b': 2, "c d": 3, 4: 'four', (1 + 1): 'two']
println m
println m.a + m['b']
println m.'c d'
println m[4]
println m.get(2)
println m.zzz
m.size()
// case: class of a map literal
def m = [a: 1]
println m.getClass().name
println m.class
[:].getClass().simpleName
// case: put and remove
def m = [:]
m.a = 1
m['b'] = 2
m.put('c', 3)
m << [d: 4]
m += [e: 5]
println m
println m.remove('a')
println m.remove('zz')
m - [b: 2]
// case: get with default
def m = [:]
println m.get('x', 5)
println m
println m.getOrDefault('y', 7)
m
// case: each variants
def m = [a: 1, b: 2]
m.each { print "$it.key=$it.value " }
m.each { k, v -> print "$k:$v " }
m.each { e -> print e }
m.eachWithIndex { e, i -> print "$i$e" }
m.eachWithIndex { k, v, i -> print "$k$v$i" }
// case: collect
def m = [a: 1, b: 2]
[m.collect { k, v -> k + v }, m.collect { it.value * 2 }, m.collectEntries { k, v -> [v, k] }, m.collectEntries { k, v -> [(k.toUpperCase()): v] }]
// case: find family
def m = [a: 1, b: 2, c: 3]
[m.find { it.value > 1 }, m.find { k, v -> v > 1 }.key, m.findAll { k, v -> v > 1 }, m.findAll { it.key == 'a' }, m.find { false }, m.findResult { k, v -> v == 2 ? k : null }]
// case: any every count
def m = [a: 1, b: 2]
[m.any { k, v -> v > 1 }, m.every { it.value > 0 }, m.count { k, v -> v > 1 }]
// case: keys values entries
def m = [b: 1, a: 2]
println m.keySet()
println m.values()
println m.entrySet()
println m.keySet().sort()
println m.values().sum()
m.entrySet().collect { it.key + it.value }
// case: sort
println([b: 1, a: 2].sort())
println([b: 1, a: 2].sort { it.value })
println([b: 1, a: 2].sort { a, b -> b.value <=> a.value })
[b: 1, a: 2].sort { -it.value }.getClass().simpleName
// case: min max sum
def m = [a: 3, b: 1]
[m.max { it.value }, m.min { it.value }.key, m.values().max()]
// case: groupBy and inject
def m = [a: 1, b: 2, c: 1]
println m.groupBy { it.value }
println m.inject(0) { acc, e -> acc + e.value }
println m.inject('') { acc, k, v -> acc + k + v }
m.countBy { it.value }
// case: containsKey and in
def m = [a: null]
[m.containsKey('a'), m.containsValue(null), 'a' in m, 'b' in m, m.a == null, m.isEmpty(), [:].isEmpty()]
// case: subMap and spread
def m = [a: 1, b: 2, c: 3]
println m.subMap(['a', 'c'])
println([*: m, d: 4])
println([z: 0, *: m])
m.take(2)
// case: equality
[[a: 1] == [a: 1], [a: 1, b: 2] == [b: 2, a: 1], [a: 1] == [a: 1L], [a: 1] == null, [:] == [:], [a: [b: 1]] == [a: [b: 1.0]]]
// case: nested maps
def m = [server: [host: 'h', ports: [80, 443]]]
println m.server.host
println m.server.ports[1]
println m?.nothing?.deeper
m.server.newKey = 'x'
m
// case: map with closures
def m = [greet: { n -> "hi $n" }, twice: { it * 2 }]
println m.greet('bob')
println m.twice(4)
m.greet.call('amy')
// case: missing method on map
[a: 1].foo()
// case: withDefault
def m = [:].withDefault { k -> k * 2 }
println m['ab']
println m
m.x
// case: withDefault counting
def counts = [:].withDefault { 0 }
'hello'.each { counts[it]++ }
counts
// case: map plus and override
[a: 1, b: 2] + [b: 3, c: 4]
// case: putAll and clear
def m = [a: 1]
m.putAll([b: 2])
println m
m.clear()
m
// case: putIfAbsent computeIfAbsent merge
def m = [a: 1]
println m.putIfAbsent('a', 9)
println m.putIfAbsent('b', 2)
println m.computeIfAbsent('c') { 3 }
m.merge('a', 10) { x, y -> x + y }
m
// case: TreeMap sorted
def m = new TreeMap([c: 1, a: 2, b: 3])
println m
println m.firstKey()
println m.headMap('b')
m.lastEntry().value
// case: HashMap order
def m = new HashMap()
['zebra', 'apple', 'mango', 'kiwi', 'banana', 'cherry', 'fig', 'date', 'grape', 'lemon', 'pear', 'plum', 'quince'].each { m[it] = it.size() }
println m
m.keySet().toList()
// case: HashMap of integers
def m = new HashMap()
[100, 5, 17, 33, 1, -1, 65536].each { m[it] = 'x' }
m
// case: LinkedHashMap keeps order
def m = new LinkedHashMap()
m.z = 1; m.a = 2
m.z = 3
m
// case: reversing and reversed iteration
[a: 1, b: 2].collect { it }.reverse().collect { it.key }
// case: entry methods
def e = [a: 1].entrySet().iterator().next()
println e.key + e.value
println e.getKey()
println e
e.setValue(5)
e.value
// case: gstring keys
def k = 'x'
def m = ["${k}1": 1]
println m['x1']
println m.x1
m.containsKey('x1')
// case: key named class and size
def m = [class: 'c', size: 's', keys: 'k']
println m['class']
println m.class
println m.size
println m.size()
m.keys
// case: numeric keys
def m = [1: 'a', 2: 'b']
println m[1]
println m.get(1)
println m['1']
m.keySet().collect { it.class.simpleName }
// case: null key
def m = [(null): 'n']
println m[null]
m
// case: boolean and list keys
def m = [(true): 't', ([1]): 'l']
m[true] + m[[1]]
// case: map to string of types
[s: 'x', g: "a${1}", n: null, d: 1.50, l: [1], m: [:]].toString()
// case: inspect
[a: 'x', b: [1, 'y']].inspect()
// case: json like nesting printing
println([a: [b: [c: []]]])
[:]
// case: iterate keySet while removing
def m = [a: 1, b: 2]
for (k in m.keySet()) { m.remove(k) }
// case: removeIf and entrySet removal
def m = [a: 1, b: 2, c: 3]
m.entrySet().removeIf { it.value > 1 }
m
// case: retainAll
def m = [a: 1, b: 2]
m.keySet().retainAll(['a'])
m
// case: getAt dynamic
def key = 'a'
def m = [a: 1]
println m."$key"
m."${key}2" = 2
m
// case: map as params
def f(Map args, String s) { "$args|$s" }
println f(x: 1, 'str')
println f('str', y: 2)
f('q', a: 1, b: [c: 2])
// case: map arg only
def f(Map args = [:]) { args }
println f()
println f(a: 1)
f([b: 2])
// case: named args with closure
def step(Map a, Closure c) { c(a) }
step(name: 'n') { "got $it.name" }
// case: as conversions
println([a: 1] as TreeMap)
println(([[1, 2]] as List).class.simpleName)
def m = [b: 1, a: 2] as TreeMap
m
// case: asImmutable
def m = [a: 1].asImmutable()
m.b = 2
// case: Collections.emptyMap and singleton
println Collections.emptyMap()
println Collections.singletonList(1)
Collections.unmodifiableMap([a: 1]).put('b', 2)
// case: map each with return
[a: 1].each { k, v -> v }
// case: map find null value property
def m = [a: 1]
m.b.c
// case: map collectMany and flatten
[a: [1, 2], b: [3]].collectMany { k, v -> v }
// case: map drop and first entry
def m = [a: 1, b: 2]
[m.drop(1), m.iterator().next().key, m.entrySet().toList()[1].value, m.keySet()[0], m.values()[1], m.values().toList()[0]]
// case: intersect and minus
[[a: 1, b: 2].intersect([a: 1, b: 3]), [a: 1, b: 2] - [a: 1]]
// case: increment values
def m = [n: 1]
m.n++
m.n += 5
m['n'] *= 2
m
// case: elvis default on map
def m = [a: 0]
[m.a ?: 'zero', m.b ?: 'none', m.a != null ? m.a : 'x']
// case: safe index via get
def m = null
m?.a
// case: null map index
def m = null
m['a']
// case: null property
def m = null
m.a
// case: null property assignment
def m = null
m.a = 1
// case: toMapString and comparisons
[[a: 1].toMapString(), [1, 2].toListString(), [a: 1].hashCode() == [a: 1].hashCode()]
// case: sorted keys join
[b: 1, a: 2].sort { it.key }.collect { k, v -> "$k=$v" }.join('&')
// case: map with default get then mutate
def m = [:]
m.get('list', []) << 1
m.get('list', []) << 2
m
// case: EnumMap like and Map.Entry type
[a: 1].each { println(it instanceof Map.Entry) }
// case: asBoolean
[[:] ? 1 : 2, [a: null] ? 1 : 2]
// case: spread over entries
def m = [a: 1, b: 2]
m*.value + m*.key
// case: key with dash needs quotes
def m = ['my-key': 1]
m.'my-key'
// case: ConcurrentHashMap
def m = new java.util.concurrent.ConcurrentHashMap()
m.a = 1
println m.putIfAbsent('a', 2)
m
