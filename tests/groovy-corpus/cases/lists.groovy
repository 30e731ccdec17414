// Lists and the collection methods of the GDK.
// case: literal and access
def l = [1, 'two', 3.0, null, [4]]
println l
println l[0] + l[-2].toString()
println l.size()
println l[10]
l[-1][0]
// case: negative index too small
[1, 2][-3]
// case: get out of bounds
[1, 2].get(5)
// case: class of a list literal
[[].class.name, [1, 2].getClass().simpleName, (1..3).class.name, [1].asImmutable().class.name]
// case: add and remove
def l = [1, 2]
l << 3 << 4
l.add(5)
l.add(0, 0)
l += 6
l.addAll([7, 8])
println l
l.remove(0)
l.remove((Object) 8)
l -= 2
println l
println l.removeAll { it > 5 }
l
// case: plus minus multiply
[[1, 2] + [3], [1, 2] + 3, [1, 2, 1] - 1, [1, 2, 3] - [2, 3], [1, 2] * 2, [1] + [[2]]]
// case: left shift returns the list
def l = []
def r = (l << 1)
r.is(l)
// case: assignment beyond the end
def l = [1]
l[3] = 4
l
// case: negative assignment
def l = [1, 2, 3]
l[-1] = 9
l
// case: ranges as index
def l = [0, 1, 2, 3, 4, 5]
[l[1..3], l[-3..-1], l[3..1], l[0..<2], l[0, 2, 4], l[2..-1], l[1..-2]]
// case: range index out of bounds
[1, 2, 3][1..5]
// case: range assignment
def l = [1, 2, 3, 4]
l[1..2] = ['x']
l
// case: each variants
[1, 2].each { print it }
[1, 2].each { n -> print n * 2 }
[1, 2].eachWithIndex { n, i -> print "$i=$n " }
[[1, 2], [3, 4]].each { a, b -> print a + b }
[1, 2, 3].reverseEach { print it }
[1].each { }
// case: collect
println([1, 2, 3].collect { it * 2 })
println([1, 2, 3].collect([0]) { it })
println([[1, 2], [3]].collect { it.sum() })
println([1, 2].collect { null })
[1, [2, [3]]].collectNested { it * 10 }
// case: collectMany flatten
[[[1, 2], [3]].collectMany { it }, [1, [2, [3, [4]]]].flatten(), [1, 2].collectMany { [it, it * 10] }]
// case: collectEntries
println(['a', 'bb'].collectEntries { [it, it.size()] })
println(['a', 'bb'].collectEntries { [(it): it.size()] })
println([[1, 'x'], [2, 'y']].collectEntries())
['a'].collectEntries([z: 0]) { [it, 1] }
// case: find family
def l = [1, 2, 3, 4, 5]
[l.find { it > 2 }, l.find { it > 9 }, l.findAll { it % 2 }, l.findIndexOf { it == 3 }, l.findLastIndexOf { it < 3 }, l.findIndexValues { it > 3 }, l.findResult { it > 3 ? "f$it" : null }, l.findResults { it > 3 ? it * 2 : null }]
// case: find without closure
[[null, 0, 'a'].find(), [0, 1, '', 'x', null].findAll(), [0, null].any(), [1, 2].every()]
// case: any every count
[[1, 2].any { it > 1 }, [1, 2].every { it > 1 }, [1, 1, 2].count(1), [1, 2, 3].count { it > 1 }, [].any { true }, [].every { false }]
// case: inject and sum
println([1, 2, 3].inject(0) { acc, n -> acc + n })
println([1, 2, 3].inject { acc, n -> acc * n })
println([1, 2, 3].sum())
println(['a', 'b'].sum())
println([[1], [2]].sum())
println([1, 2].sum { it * 10 })
println([1, 2].sum(100))
println([].sum())
[1.5, 2].sum()
// case: min max
println([3, 1, 2].min() + ' ' + [3, 1, 2].max())
println(['aaa', 'b', 'cc'].max { it.size() })
println(['aaa', 'b', 'cc'].min { a, b -> a.size() <=> b.size() })
println([].max())
[1, 2.5, 2L].max()
// case: sort
println([3, 1, 2].sort())
println(['b', 'A', 'c'].sort())
println(['bb', 'a', 'ccc'].sort { it.size() })
println([3, 1, 2].sort { a, b -> b <=> a })
def l = [2, 1]
l.sort()
println l
def m = [2, 1]
println m.sort(false)
m
// case: sort mixed and nested
println([[b: 2], [b: 1]].sort { it.b })
println([1, 2.5, 0.5, 2L].sort())
println([null, 2, 1].sort())
['b', null, 'a'].sort()
// case: sort with comparators
println(['b', 'a'].sort(Collections.reverseOrder()))
println(['bb', 'a'].sort(new OrderBy([{ it.size() }])))
['b', 'a', 'C'].sort(String.CASE_INSENSITIVE_ORDER)
// case: toSorted and unique
def l = [3, 1, 3, 2]
[l.toSorted(), l, l.toUnique(), l.unique(false), l.unique { it % 2 }, l]
// case: reverse head tail
def l = [1, 2, 3]
[l.reverse(), l.head(), l.tail(), l.first(), l.last(), l.init(), l]
// case: first of empty
[].first()
// case: last of empty
[].last()
// case: pop push on 2.4
def l = [1, 2, 3]
println l.pop()
println l.push(9)
l
// case: pop of empty
[].pop()
// case: take drop
def l = [1, 2, 3, 4]
[l.take(2), l.drop(2), l.takeRight(2), l.dropRight(2), l.take(9), l.takeWhile { it < 3 }, l.dropWhile { it < 3 }, l.take(0)]
// case: collate
[[1, 2, 3, 4, 5].collate(2), [1, 2, 3, 4, 5].collate(2, false), [1, 2, 3, 4].collate(3, 1), [1, 2, 3, 4].collate(3, 1, false)]
// case: groupBy countBy split partition
println([1, 2, 3, 4].groupBy { it % 2 })
println(['a', 'bb', 'cc'].groupBy { it.size() })
println([1, 2, 3].countBy { it % 2 ? 'odd' : 'even' })
println([1, 2, 3, 4].split { it > 2 })
['apple', 'avocado', 'bean'].groupBy({ it[0] }, { it.size() })
// case: transpose combinations permutations
[[[1, 2], ['a', 'b']].transpose(), [[1, 2], ['x', 'y']].combinations(), [1, 2, 3].permutations().size(), [[1, 2], [3]].combinations { a, b -> a * b }]
// case: intersect disjoint contains
[[1, 2, 3].intersect([2, 3, 4]), [1].disjoint([2]), [1, 2].contains(2), [1, 2].containsAll([2, 1]), 2 in [1, 2], [1, 2].indexOf(2), [1, 2, 1].lastIndexOf(1), [1].indexOf(7)]
// case: withIndex indexed
println(['a', 'b'].withIndex())
println(['a', 'b'].indexed())
println(['a', 'b'].withIndex(1))
['a', 'b'].withIndex().collect { e, i -> "$i$e" }
// case: join on lists
[[1, 2].join(', '), [].join(','), [[1], [2]].join('|'), [1, 'a', null].join()]
// case: equality
[[1, 2] == [1, 2], [1, 2] == [1L, 2.0], [1, 2].equals([2, 1]), [] == [], [1] == null, [[1]] == [[1]], [1, 2] == (1..2)]
// case: spread operator
def l = ['a', 'bb']
println l*.size()
println([*l, 'c', *[1, 2]])
def f = { a, b -> "$a-$b" }
println f(*l)
null*.foo
// case: spread property on maps
def l = [[n: 1], [n: 2], [:]]
println l.n
println l*.n
l.collect { it.n }
// case: multiple assignment
def (a, b, c) = [1, 2]
println "$a $b $c"
(a, b) = [b, a]
println "$a $b"
def (String s, int n) = ['x', 3]
"$s$n"
// case: list to set and back
[[3, 1, 3].toSet().size(), ([3, 1, 3] as Set).sort(), [1, 1].unique().size(), ([1, 2] as LinkedHashSet).class.simpleName]
// case: list to array
def a = ['x', 'y'] as String[]
println a.length
println a.class.simpleName
println a
println a[1]
println a.join('+')
println a.size()
a.collect { it * 2 }
// case: int arrays
int[] a = [1, 2, 3]
println a
println a.sum()
println a.class.name
a[0] = 9
println a.toList()
def b = new int[3]
println b
def c = new String[2]
println c
a.length + b.length
// case: array out of bounds
def a = new int[2]
a[5]
// case: two dimensional arrays
def g = new int[2][3]
g[1][2] = 7
println g.length + ' ' + g[0].length
println g[1].toList()
def h = [[1, 2], [3, 4]] as int[][]
h[1][0]
// case: swap and shuffle free helpers
def l = [1, 2, 3, 4]
Collections.swap(l, 0, 3)
println l
Collections.reverse(l)
println l
println Collections.max(l)
println Collections.min(l)
println Collections.frequency([1, 1, 2], 1)
println Collections.nCopies(3, 'x')
println Collections.emptyList()
Collections.sort(l)
l
// case: immutable lists
def l = [1, 2].asImmutable()
println l
l << 3
// case: Collections unmodifiable
Collections.unmodifiableList([1]).add(2)
// case: Arrays helpers
println Arrays.asList(1, 2)
println Arrays.asList('a', 'b').class.simpleName
def a = [3, 1, 2] as int[]
Arrays.sort(a)
println Arrays.toString(a)
Arrays.equals(a, [1, 2, 3] as int[])
// case: ArrayList constructors and methods
def l = new ArrayList()
l.add('a'); l.add('b')
println l.isEmpty()
println l.set(0, 'z')
println l.subList(0, 1)
l.clear()
println l
println new ArrayList([1, 2])
new ArrayList<String>(10).size()
// case: LinkedList queue
def q = new LinkedList([1, 2])
q.addFirst(0)
q.addLast(3)
println q.removeFirst()
println q.poll()
println q.peek()
println q.pollLast()
q
// case: Stack and deque
def s = new Stack()
s.push(1); s.push(2)
println s.peek()
println s.pop()
println s
def d = new ArrayDeque([1, 2])
d.addFirst(0)
d.toList()
// case: iterator
def it1 = [1, 2].iterator()
while (it1.hasNext()) print it1.next()
println it1.hasNext()
def l = [1, 2, 3]
def i = l.iterator()
i.next()
i.remove()
l
// case: iterator exhausted
[].iterator().next()
// case: concurrent modification
def l = [1, 2, 3]
for (x in l) { l << x }
// case: for in
def out = []
for (x in [1, 2, 3]) out << x
for (x in 'ab') out << x
for (x in [a: 1]) out << x.key
for (x in 1..2) out << x
for (int i : [7, 8]) out << i
for (x in null) out << 'never'
for (x in 5) out << x
out
// case: list truth and size
[[].isEmpty(), !![], ![], [null] as boolean, [].size(), [1].empty]
// case: nested list access
def m = [[1, 2, 3], [4, 5, 6]]
println m[1][2]
println m*.get(0)
println m.collect { row -> row.collect { it * 2 } }
m.transpose()
// case: grep
[[1, 'a', 2.5, null].grep(Number), ['ab', 'cd'].grep(~/a./), [1, 5, 9].grep(4..9), [1, 2, 3].grep { it > 1 }, [0, 1, '', 'x'].grep()]
// case: list toString nesting
[[1, [2, [3]], []], ['a b', ''], [a: [1]], [null]].toString()
// case: retainAll removeAll
def l = [1, 2, 3, 4]
println l.retainAll([1, 2, 3])
println l.removeAll([1])
println l.retainAll { it == 3 }
l
// case: removeElement and removeAt
def l = ['a', 'b', 'c']
println l.removeAt(1)
println l.removeElement('c')
println l.remove('zzz')
l
// case: swap plus dropRight
[[1, 2, 3].swap(0, 2), (1..5).toList().dropRight(2), [1, 2].plus([3]), [3, 4].plus(0, [1, 2])]
// case: max with closures of maps
def builds = [[n: 1, d: 5], [n: 2, d: 3]]
[builds.max { it.d }.n, builds.min { it.d }.n, builds.sum { it.d }, builds*.d.max()]
// case: asBoolean in if
if ([]) println 'yes' else println 'no'
if ([0]) println 'yes' else println 'no'
// case: each returns the receiver
[1, 2].each { it * 2 }
// case: each on null
null.each { println it }
// case: list equality with arrays
([1, 2] as Integer[]) == [1, 2]
// case: list as keys
def m = [([1, 2]): 'x']
m[[1, 2]]
// case: list subtraction of null
[1, null, 2] - null
// case: list contains with types
[[1].contains(1L), ['a'].contains('a' as char), [1.0].contains(1)]
// case: numbers in unique and minus
[[1, 1L, 1.0].unique(), [1, 2L] - [2], [1, 2] == [1G, 2G]]
// case: streams
println([1, 2, 3].stream().map { it * 2 }.collect(java.util.stream.Collectors.toList()))
println([1, 2, 3].stream().filter { it > 1 }.count())
[3, 4].stream().mapToInt { it }.sum()
// case: missing method on list
[1].foo(2)
// case: list property error
[1, 2].foo
// case: spread on list of strings property missing
['a'].foo
// case: getAt with ranges on strings list
['a', 'b', 'c', 'd'][1..2].join('')
// case: eachCombination eachPermutation
[[1, 2], ['a', 'b']].eachCombination { print it }
def n = 0
[1, 2, 3].eachPermutation { n++ }
n
// case: subsequences and tails
[[1, 2, 3].subsequences().size(), [1, 2].subsequences().contains([2])]
// case: sum of mixed strings
['a', 1, 2.5].sum()
// case: addAll at index
def l = [1, 4]
l.addAll(1, [2, 3])
l
// case: list multiply and nested mutation
def l = [[0]] * 2
l[0] << 1
l
// case: immutability of each index
def l = (1..3).toList()
l.eachWithIndex { v, i -> l[i] = v * v }
l
// case: collect with index and inject map
['a', 'b', 'a'].inject([:]) { m, v -> m[v] = (m[v] ?: 0) + 1; m }
// case: asList of varargs function
def f(Object... xs) { xs.length + ':' + xs.toList() }
println f()
println f(1)
println f(1, 2)
println f([1, 2])
f([1, 2] as Object[])
// case: withDefault list
def l = [].withDefault { it * 2 }
println l[3]
l
// case: min max by spaceship of lists
[[3, 'a'], [1, 'b']].min { it[0] }
// case: dropWhile then find
(1..10).toList().dropWhile { it < 5 }.find { it % 4 == 0 }
// case: listIterator
def l = ['a', 'b']
def i = l.listIterator()
while (i.hasNext()) { def v = i.next(); i.set(v.toUpperCase()) }
l
// case: binarySearch and fill
def l = [1, 3, 5]
println Collections.binarySearch(l, 3)
def a = new int[3]
Arrays.fill(a, 7)
println a
Arrays.copyOf(a, 2).toList() + Arrays.asList(a).size()
