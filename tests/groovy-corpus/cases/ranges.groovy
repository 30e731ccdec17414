// Ranges and sets.
// case: basic ranges
println 1..5
println 1..<5
println 5..1
println 'a'..'d'
println((1..5).size())
println((1..5).class.simpleName)
(1..5).toList()
// case: properties
def r = 2..6
[r.from, r.to, r.contains(3), r.contains(7), r.reverse, r.size(), 3 in r, r.containsWithinBounds(2)]
// case: step and by
[(1..10).step(3), (10..1).step(4), ('a'..'g').step(2)]
// case: step closure
def out = []
(1..6).step(2) { out << it }
out
// case: collect on range
[(1..3).collect { it * it }, (1..4).sum(), (1..4).inject { a, b -> a * b }, (3..1).collect { it }, (1..3).reverse()]
// case: empty exclusive range
def r = 1..<1
[r.size(), r.toList(), r.toString()]
// case: reversed exclusive
(5..<1).toList()
// case: decimals
(1.0..3.0).toList()
// case: range equality
[(1..3) == [1, 2, 3], (1..3) == (1..3), (1..<4) == (1..3), (1..3).equals([1, 2, 3])]
// case: range get
def r = 10..20
[r[0], r[-1], r[1..2], r.get(3)]
// case: range immutability
(1..3).add(4)
// case: range in switch and grep
def kind(n) { switch (n) { case 1..5: 'low'; break; case 6..10: 'mid'; break; default: 'out' } }
[kind(3), kind(7), kind(11)]
// case: range with variables
def a = 2; def b = 4
(a..b).collect { it } + (a..<b).collect { it }
// case: range each with index
('x'..'z').eachWithIndex { c, i -> print "$i$c " }
// case: range of long
(1L..3L).collect { it.class.simpleName }.unique()
// case: any find
[(1..10).find { it > 4 }, (1..10).findAll { it % 3 == 0 }, (1..3).any { it == 2 }, (1..3).every { it > 0 }]
// case: range to string in gstring
def n = 3
"${1..n} ${(0..<n).toList()}"
// case: range step zero
(1..5).step(0)
// case: char range
('a' as char)..('c' as char)
// case: is a list
[(1..3) instanceof List, (1..3) instanceof Range, 1..3 instanceof Collection]
// case: set basics
def s = [3, 1, 2, 3] as Set
println s
println s.size()
println s.class.simpleName
println s.contains(2)
s << 9
s.add(1)
// case: set operations
def a = [1, 2, 3] as Set; def b = [2, 3, 4] as Set
[a + b, a - b, a.intersect(b), a.disjoint(b), a == ([3, 2, 1] as Set)]
// case: hash set order of strings
def s = new HashSet(['zebra', 'apple', 'mango', 'kiwi', 'banana', 'one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight'])
s
// case: toSet order of strings
['linux', 'windows', 'mac', 'arm64', 'x86'].toSet()
// case: linked hash set
new LinkedHashSet([3, 1, 2, 1])
// case: tree set
def t = new TreeSet([3, 1, 2])
println t
println t.first()
println t.headSet(3)
t.last()
// case: set remove
def s = [1, 2] as Set
println s.remove(1)
println s.remove(7)
s
// case: set in groupBy
['a', 'b'].toSet().collect { it * 2 }.sort()
// case: set plus element and truth
def s = [] as Set
println s ? 'y' : 'n'
s += 'x'
println s
s.class.simpleName
// case: sorted set from list
([3, 1, 2] as SortedSet).toString()
// case: set of lists
([[1, 2], [1, 2], [3]] as Set).size()
// case: each and iterator on set
def s = new LinkedHashSet(['b', 'a'])
s.each { print it }
println s.iterator().next()
s.join(',')
// case: set find and any
def s = ['x', 'yy'] as LinkedHashSet
[s.find { it.size() > 1 }, s.any { it == 'x' }, s.collectEntries { [it, it.size()] }]
// case: set index
def s = new LinkedHashSet(['b', 'a'])
s[1]
// case: set immutability
([1] as Set).asImmutable() << 2
