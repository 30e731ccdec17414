// More of the methods that Groovy adds, as the sandbox's list of permitted ones names them.
// case: abs and numbers
[(-5).abs(), -5L.abs(), (-2.5).abs(), 7.power(2), 7.minus(3), 8.xor(3), 6.and(3), 5.or(2), 1.leftShift(3), 8.rightShift(1)]
// case: asImmutable of a set
def s = ([3, 1] as Set).asImmutable()
[s.contains(3), s.size()]
// case: capitalize on gstring
def n = 'x'
"${n}yz".capitalize()
// case: collectEntries with index
['a', 'b'].withIndex().collectEntries { v, i -> [(v): i] }
// case: collectNested and flatten with nulls
[[1, null, [2]].flatten(), [[], [[]]].flatten(), [1, [2, 3] as Set].flatten()]
// case: containsAll with array
[[1, 2].containsAll([1] as Integer[]), ([1, 2] as Set).containsAll([1, 2])]
// case: count in string and map
['banana'.count('an'), [a: 1, b: 2, c: 1].count { it.value == 1 }]
// case: countBy on range
(1..6).countBy { it % 3 }
// case: drop on array
def a = [1, 2, 3] as Integer[]
println a.max() + a.min()
println a.contains(2)
println a.first() + a.last()
a.findAll { it > 1 }
// case: string arrays
def a = 'c a b'.split()
println a.sort().join(',')
println a.collect { it * 2 }
println a.find { it > 'a' }
println a.any { it == 'b' }
println a.every { it.size() == 1 }
println a.toList().indexOf('b')
println a.inject('') { x, y -> x + y }
println a.eachWithIndex { v, i -> print "$i$v " }.length
println a.groupBy { it }
println a.collectEntries { [it, 1] }
println a.size() + ' ' + a.length
println a.contains('a')
println a[0..1]
a + 'd'
// case: array plus minus
def a = ['x', 'y'] as String[]
[(a + ['z']).length, a - 'x', (a as List) + 1]
// case: arrays print in strings
def a = ['p', 'q'] as String[]
"$a ${a.toString().startsWith('[Ljava.lang.String')}"
// case: each on array returns
['a'] as String[]
// case: eachLine on text with numbers
def out = []
'x\ny'.eachLine(1) { l, n -> out << "$n:$l" }
out
// case: splitEachLine
def out = []
'a,b\nc,d'.splitEachLine(',') { out << it.reverse() }
out
// case: every on map with entries
[a: 1].every { k, v -> v == 1 }
// case: findIndexOf from start
[1, 2, 1, 2].findIndexOf(2) { it == 1 }
// case: findResult with default
[[1, 2].findResult { it > 1 ? 'y' : null }, [1].findResult('none') { it > 1 ? 'y' : null }]
// case: first last on various
[(1..3).first(), 'abc'.toList().last(), ([7, 8] as LinkedHashSet).first(), [a: 1].iterator().next().value]
// case: getAt with list of indexes on string
'abcdef'[0, 2, 4]
// case: groupBy with two closures and lists
[[k: 'a', n: 1], [k: 'a', n: 2], [k: 'b', n: 1]].groupBy({ it.k }, { it.n })
// case: inject on map
[a: 1, b: 2].inject([]) { acc, k, v -> acc << k + v }
// case: intersect on maps and ranges
[(1..5).intersect(3..7), [1, 2] .disjoint([3])]
// case: join on sets and ranges
[(1..3).join('-'), ([1, 2] as LinkedHashSet).join('+'), ('a'..'c').join('')]
// case: max min on maps
def m = [a: 3, b: 9, c: 1]
[m.max { it.value }.key, m.min { a, b -> a.value <=> b.value }.key, m*.value.sum()]
// case: multiply lists and strings
[['a'] * 3, '-' * 5, [1, 2].multiply(2)]
// case: next previous on numbers and chars
[5.next(), 5.previous(), 1.5.next(), ('a' as char).next()]
// case: padding numbers in loop
(8..10).collect { "$it".padLeft(3, '0') }
// case: permutations with closure sum
[1, 2].permutations { it.sum() }.sum()
// case: plus with index
[1, 4].plus(1, [2, 3])
// case: push pop order
def s = []
s.push(1); s.push(2)
[s, s.pop(), s]
// case: putAt on list and map
def l = [1]
l.putAt(0, 5)
def m = [:]
m.putAt('k', 1)
[l, m]
// case: removeAll with closure on list
def l = [1, 2, 3, 4]
l.removeAll { it % 2 == 0 }
l
// case: size on everything
['abc'.size(), [1].size(), [a: 1].size(), (1..4).size(), ([] as int[]).size(), new StringBuilder('xy').size()]
// case: split on collections
[1, 2, 3].split { it < 2 }
// case: sum on strings and nested
[['a', 'b'].sum { it.toUpperCase() }, [[1], [2]].sum(), [1, 2].sum(0.5), ['x'].sum('>')]
// case: tail init on strings lists
[[1, 2, 3].tail(), [1, 2, 3].init(), (1..3).tail()]
// case: tail of empty
[].tail()
// case: take from map
[a: 1, b: 2, c: 3].take(2)
// case: tokenize many
'a=b;c=d'.tokenize(';=')
// case: toSorted with closure
[[3, 1, 2].toSorted { -it }, [b: 1, a: 2].toSorted { it.value }, ['b', 'A'].toSorted { a, b -> a.compareToIgnoreCase(b) }]
// case: transpose uneven
[[1, 2, 3], ['a', 'b']].transpose()
// case: unique on maps and by closure
[[[a: 1], [a: 1]].unique(), ['a', 'A', 'b'].unique { it.toLowerCase() }, [1, -1, 2].unique { a, b -> a.abs() <=> b.abs() }]
// case: with returning a value
[1, 2].with { it.sum() * 10 }
// case: withDefault nested
def m = [:].withDefault { [:].withDefault { 0 } }
m.a.b++
m.a.b++
m.c.d = 5
m
// case: withDefault plus keeps it
def m = [:].withDefault { [] }
m.x << 1
m.x << 2
m.keySet().sort() + m.x
// case: every type to string in list
[true, 'c' as char, 1 as byte, 2 as short, 3L, 4G, 1.5f, 2.5d, 3.50, null, 's', "g${1}"].toString()
// case: compare lists of different sizes
[[1, 2] == [1, 2, 3], [1, [2]] == [1, [2]], [] == [null]]
// case: list minus by value across types
[1, 2L, 3.0] - [1L, 3]
// case: center and multiply
'x'.center(4) + '|' + 'ab'.center(5, '.')
// case: find with several groups
'key: value'.find(/(\w+): (\w+)/) { all, k, v -> "$v=$k" }
// case: replace many
[a: '1', b: '2'].inject('a-b') { s, k, v -> s.replace(k, v) }
// case: takeWhile on strings and maps
['hello'.takeWhile { it != 'o' }, [a: 1, b: 5, c: 2].takeWhile { k, v -> v < 3 }]
// case: string to list conversions
[('a,b' as String).split(',') as List, 'ab'.toList()]
// case: boolean conversions
[[true, false].any(), [0, 1].every(), 'TRUE'.toBoolean(), 'on'.toBoolean(), Boolean.valueOf('x')]
// case: as conversions between collections
[([1, 2] as Set).class.simpleName, ((1..2) as List).class.simpleName, ([1, 1] as Set) as List, [1, 2] as LinkedList]
// case: sort is stable
[[1, 'b'], [0, 'x'], [1, 'a']].sort { it[0] }
// case: sort by several keys with elvis
[[a: 2, b: 'x'], [a: 1, b: 'z'], [a: 1, b: 'y']].sort { x, y -> x.a <=> y.a ?: x.b <=> y.b }*.b.join()
// case: max of dates and strings
['pear', 'fig'].max { it.length() } + ['b', 'c'].max()
// case: collect with range index
(0..<3).collect { i -> (0..i).sum() }
// case: each with index on map keys
[x: 1, y: 2].keySet().eachWithIndex { k, i -> print "$i$k " }
// case: nested each and break by find
[[1, 2], [3, 4]].find { row -> row.find { it == 3 } }
// case: any with index
['a', 'b'].withIndex().any { v, i -> v == 'b' && i == 1 }
// case: map sort by value then key list
[a: 2, b: 1, c: 2].sort { -it.value }.keySet().toList()
// case: zip by transpose to map
[['a', 'b'], [1, 2]].transpose().collectEntries()
// case: string formatting of table
['a': 1.5, 'bb': 22.25].collect { k, v -> String.format('%-4s|%6.2f', k, v) }
// case: decimals rounding helpers
[3.14159.round(new java.math.MathContext(3)), 2.5.setScale(0, BigDecimal.ROUND_HALF_UP), (10 / 3).setScale(3, java.math.RoundingMode.DOWN)]
// case: integer formatting helpers
[Integer.toString(42), Long.toString(42L), Integer.valueOf(7) + 1, Integer.parseInt('-7'), Integer.toString(-255, 16)]
// case: big decimal parse and compare
[new BigDecimal('1.10').compareTo(1.1), new BigDecimal('1.10').equals(1.1), new BigDecimal(5), new BigInteger('99') + 1]
// case: optional chaining with with
def m = [a: [b: 'x']]
m?.a?.b?.with { it.toUpperCase() }
// case: string switch by contains
def f = { s -> s.contains('err') ? 'E' : s.contains('warn') ? 'W' : 'I' }
['error', 'warning', 'ok'].collect(f)
// case: list of lists to string table
[[1, 22], [333, 4]].collect { r -> r*.toString()*.padLeft(4).join('') }.join('\n')
// case: each over null entries
[a: null].each { k, v -> println "$k $v" }
// case: putAll with spread
def a = [x: 1]
def b = [*: a, y: 2]
b.putAll(x: 9)
b
// case: regex replace with maps
def env = [NAME: 'bob']
'hi ${NAME} ${NOPE}'.replaceAll(/\$\{(\w+)\}/) { all, k -> env[k] ?: all }
// case: isCase forms
[[1, 2].isCase(1), (1..3).isCase(2), (~/a+/).isCase('aa'), String.isCase('x'), [a: 1].isCase('a'), 'x'.isCase('x')]
// case: iterators and next
def it1 = ['a', 'b'].iterator()
[it1.next(), it1.hasNext(), it1.next(), it1.hasNext()]
// case: LinkedHashMap access order of updates
def m = [b: 1, a: 2]
m.b = 3
m.remove('a')
m.a = 4
m
// case: sublist
[1, 2, 3, 4].subList(1, 3)
// case: set algebra with minus and plus list
([1, 2, 3] as LinkedHashSet) - [2] + [9]
// case: string equality variants
['a'.equals('a'), 'a'.is('a'), 'A'.equalsIgnoreCase('a'), 'a'.compareTo('c'), 'b' > 'a']
// case: char arithmetic in loops
('a'..'e').collect { (char) ((it as char) + 1) }.join()
// case: number ranges with negative
[(-2..2).toList(), (2..-2).toList(), (-3..<0).size()]
// case: collate with remainder
[(1..7).collate(3), (1..7).collate(3, false), 'abcdefg'.toList().collate(2)*.join()]
// case: date in strings
"${new Date(0).format('yyyy')}-${String.format('%tF', new Date(0))}"
