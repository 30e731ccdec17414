// Methods of what has elements that take a closure. The first parameter is the receiver.
class IterableMethods {
    static each(Object self, Closure body) {
        for (item in self) body.call(item)
        self
    }

    static forEach(Object self, Closure body) {
        for (item in self) body.call(item)
    }

    static eachWithIndex(Object self, Closure body) {
        int at = 0
        for (item in self) body.call(item, at++)
        self
    }

    static reverseEach(Object self, Closure body) {
        for (item in self.toList().reverse()) body.call(item)
        self
    }

    static collect(Object self) { self.toList() }

    static collect(Object self, Closure body) {
        def out = []
        for (item in self) out.add(body.call(item))
        out
    }

    static collect(Object self, Collection into, Closure body) {
        for (item in self) into.add(body.call(item))
        into
    }

    static collectMany(Object self, Closure body) {
        def out = []
        for (item in self) out.addAll(body.call(item))
        out
    }

    static collectMany(Object self, Collection into, Closure body) {
        for (item in self) into.addAll(body.call(item))
        into
    }

    static collectNested(Object self, Closure body) {
        def out = []
        for (item in self) out.add(item instanceof Collection ? collectNested(item, body) : body.call(item))
        out
    }

    static collectEntries(Object self, Closure body) {
        collectEntries(self, [:], body)
    }

    static collectEntries(Object self, Map into, Closure body) {
        for (item in self) into << [body.call(item)].collectEntries()
        into
    }

    static collectEntries(Object self, Map into) {
        into << self.collectEntries()
    }

    static find(Object self, Closure body) {
        for (item in self) if (body.call(item)) return item
        null
    }

    static findAll(Object self, Closure body) {
        def out = self instanceof Set ? ([] as LinkedHashSet) : []
        for (item in self) if (body.call(item)) out.add(item)
        out
    }

    static findIndexOf(Object self, Closure body) {
        int at = 0
        for (item in self) { if (body.call(item)) return at; at++ }
        -1
    }

    static findIndexOf(Object self, int from, Closure body) {
        int at = 0
        for (item in self) { if (at >= from && body.call(item)) return at; at++ }
        -1
    }

    static findLastIndexOf(Object self, Closure body) {
        int at = 0
        int found = -1
        for (item in self) { if (body.call(item)) found = at; at++ }
        found
    }

    static findIndexValues(Object self, Closure body) {
        def out = []
        long at = 0
        for (item in self) { if (body.call(item)) out.add(at); at++ }
        out
    }

    static findResult(Object self, Closure body) {
        for (item in self) { def found = body.call(item); if (found != null) return found }
        null
    }

    static findResult(Object self, Object otherwise, Closure body) {
        def found = findResult(self, body)
        found == null ? otherwise : found
    }

    static findResults(Object self, Closure body) {
        def out = []
        for (item in self) { def found = body.call(item); if (found != null) out.add(found) }
        out
    }

    static any(Object self, Closure body) {
        for (item in self) if (body.call(item)) return true
        false
    }

    static every(Object self, Closure body) {
        for (item in self) if (!body.call(item)) return false
        true
    }

    static count(Object self, Closure body) {
        int many = 0
        for (item in self) if (body.call(item)) many++
        many
    }

    static inject(Object self, Closure body) {
        def sum = null
        boolean first = true
        for (item in self) {
            sum = first ? item : body.call(sum, item)
            first = false
        }
        if (first) throw new NoSuchElementException('Cannot call inject() on an empty collection without passing an initial value.')
        sum
    }

    static inject(Object self, Object start, Closure body) {
        def sum = start
        for (item in self) sum = body.call(sum, item)
        sum
    }

    static sum(Object self, Closure body) { collect(self, body).sum() }

    static sum(Object self, Object first, Closure body) { collect(self, body).sum(first) }

    static max(Object self, Closure body) { extreme(self, body, 1) }

    static min(Object self, Closure body) { extreme(self, body, -1) }

    static max(Object self, Comparator order) { extreme(self, { a, b -> order.compare(a, b) }, 1) }

    static min(Object self, Comparator order) { extreme(self, { a, b -> order.compare(a, b) }, -1) }

    private static extreme(Object self, Closure body, int sign) {
        boolean two = body.maximumNumberOfParameters == 2
        def best = null
        def bestKey = null
        boolean first = true
        for (item in self) {
            if (first) {
                best = item
                bestKey = two ? null : body.call(item)
                first = false
            } else if (two) {
                if (body.call(item, best) * sign > 0) best = item
            } else {
                def key = body.call(item)
                if ((key <=> bestKey) * sign > 0) {
                    best = item
                    bestKey = key
                }
            }
        }
        best
    }

    static sort(Object self, Closure order) { sorting(self, order, true) }

    // Java's own List.sort answers nothing, and Groovy 2.4 on a Java of today calls that one.
    static sort(Object self, Comparator order) {
        def sorted = sorting(self, { a, b -> order.compare(a, b) }, true)
        self instanceof List ? null : sorted
    }

    static sort(Object self, boolean inPlace, Closure order) { sorting(self, order, inPlace) }

    static sort(Object self, boolean inPlace, Comparator order) { sorting(self, { a, b -> order.compare(a, b) }, inPlace) }

    static toSorted(Object self, Closure order) { sorting(self, order, false) }

    static toSorted(Object self, Comparator order) { sorting(self, { a, b -> order.compare(a, b) }, false) }

    private static sorting(Object self, Closure order, boolean inPlace) {
        if (order.maximumNumberOfParameters != 2) {
            return self.$sortByKeys(collect(self, order), inPlace)
        }
        def sorted = merge(self.toList(), order)
        if (!inPlace || !(self instanceof List)) return sorted
        self.clear()
        self.addAll(sorted)
        self
    }

    private static merge(List items, Closure order) {
        int count = items.size()
        if (count < 2) return items
        int half = count.intdiv(2)
        def left = merge(items.subList(0, half), order)
        def right = merge(items.subList(half, count), order)
        def out = []
        int a = 0
        int b = 0
        while (a < left.size() && b < right.size()) {
            out.add(order.call(right[b], left[a]) < 0 ? right[b++] : left[a++])
        }
        while (a < left.size()) out.add(left[a++])
        while (b < right.size()) out.add(right[b++])
        out
    }

    static unique(Object self, Closure same) { distinct(self, same, true) }

    static unique(Object self, boolean inPlace, Closure same) { distinct(self, same, inPlace) }

    static toUnique(Object self, Closure same) { distinct(self, same, false) }

    private static distinct(Object self, Closure same, boolean inPlace) {
        boolean two = same.maximumNumberOfParameters == 2
        def kept = []
        def keys = []
        for (item in self) {
            if (two) {
                boolean there = false
                for (other in kept) if (same.call(item, other) == 0) { there = true; break }
                if (!there) kept.add(item)
            } else {
                def key = same.call(item)
                if (!keys.contains(key)) {
                    keys.add(key)
                    kept.add(item)
                }
            }
        }
        if (!inPlace) return kept
        self.clear()
        self.addAll(kept)
        self
    }

    static groupBy(Object self, Closure body) {
        def out = [:]
        for (item in self) {
            def key = body.call(item)
            def group = out.get(key)
            if (group == null) {
                group = []
                out.put(key, group)
            }
            group.add(item)
        }
        out
    }

    static groupBy(Object self, Closure first, Closure second) {
        def out = [:]
        for (entry in groupBy(self, first)) out.put(entry.key, groupBy(entry.value, second))
        out
    }

    static groupBy(Object self, List bodies) {
        if (bodies.size() == 1) return groupBy(self, bodies[0])
        def out = [:]
        for (entry in groupBy(self, bodies[0])) out.put(entry.key, groupBy(entry.value, bodies.tail()))
        out
    }

    static countBy(Object self, Closure body) {
        def out = [:]
        for (item in self) {
            def key = body.call(item)
            out.put(key, (out.get(key) ?: 0) + 1)
        }
        out
    }

    static split(Object self, Closure body) {
        def yes = []
        def no = []
        for (item in self) (body.call(item) ? yes : no).add(item)
        [yes, no]
    }

    static takeWhile(Object self, Closure body) {
        def out = []
        for (item in self) {
            if (!body.call(item)) break
            out.add(item)
        }
        out
    }

    static dropWhile(Object self, Closure body) {
        def out = []
        boolean dropping = true
        for (item in self) {
            if (dropping && body.call(item)) continue
            dropping = false
            out.add(item)
        }
        out
    }

    static grep(Object self, Object filter) {
        def out = []
        for (item in self) if (item in filter) out.add(item)
        out
    }

    static count(Object self, Object item) {
        int many = 0
        for (other in self) if (other == item) many++
        many
    }

    static combinations(Object self, Closure body) {
        self.combinations().collect { body.call(it) }
    }

    static eachCombination(Object self, Closure body) {
        self.combinations().each { body.call(it) }
    }

    static eachPermutation(Object self, Closure body) {
        for (items in self.permutations()) body.call(items)
        self.iterator()
    }

    static permutations(Object self, Closure body) {
        def out = []
        for (items in self.permutations()) out.add(body.call(items))
        out
    }
}

class CollectionMethods {
    static removeAll(Collection self, Closure body) { keep(self, body, false) }

    static retainAll(Collection self, Closure body) { keep(self, body, true) }

    static removeIf(Collection self, Closure body) { keep(self, body, false) }

    private static keep(Collection self, Closure body, boolean wanted) {
        def gone = []
        for (item in self.toList()) {
            boolean fits = body.call(item)
            if (fits != wanted) gone.add(item)
        }
        if (!gone) return false
        if (self instanceof List) {
            def left = []
            for (item in self) {
                boolean out = false
                for (other in gone) if (other.is(item)) { out = true; break }
                if (!out) left.add(item)
            }
            self.clear()
            self.addAll(left)
        } else {
            for (item in gone) self.remove(item)
        }
        true
    }
}

class IteratorMethods {
    static each(Iterator self, Closure body) {
        while (self.hasNext()) body.call(self.next())
        self
    }

    static forEachRemaining(Iterator self, Closure body) {
        while (self.hasNext()) body.call(self.next())
    }

    static collect(Iterator self, Closure body) {
        def out = []
        while (self.hasNext()) out.add(body.call(self.next()))
        out
    }

    static find(Iterator self, Closure body) {
        while (self.hasNext()) { def item = self.next(); if (body.call(item)) return item }
        null
    }

    static findAll(Iterator self, Closure body) {
        def out = []
        while (self.hasNext()) { def item = self.next(); if (body.call(item)) out.add(item) }
        out
    }
}
