// Methods of maps that take a closure. The first parameter is the receiver. A closure of two parameters gets key and
// value, any other the entry.
class MapMethods {
    private static ask(Closure body, Object entry) {
        body.maximumNumberOfParameters == 2 ? body.call(entry.key, entry.value) : body.call(entry)
    }

    static each(Map self, Closure body) {
        for (entry in self) ask(body, entry)
        self
    }

    static forEach(Map self, Closure body) {
        for (entry in self) body.call(entry.key, entry.value)
    }

    static eachWithIndex(Map self, Closure body) {
        int at = 0
        for (entry in self) {
            if (body.maximumNumberOfParameters == 3) body.call(entry.key, entry.value, at++) else body.call(entry, at++)
        }
        self
    }

    static reverseEach(Map self, Closure body) {
        for (entry in self.toList().reverse()) ask(body, entry)
        self
    }

    static collect(Map self, Closure body) {
        def out = []
        for (entry in self) out.add(ask(body, entry))
        out
    }

    static collect(Map self, Collection into, Closure body) {
        for (entry in self) into.add(ask(body, entry))
        into
    }

    static collectMany(Map self, Closure body) {
        def out = []
        for (entry in self) out.addAll(ask(body, entry))
        out
    }

    static collectEntries(Map self, Closure body) { collectEntries(self, [:], body) }

    static collectEntries(Map self, Map into, Closure body) {
        for (entry in self) into << [ask(body, entry)].collectEntries()
        into
    }

    static find(Map self, Closure body) {
        for (entry in self) if (ask(body, entry)) return entry
        null
    }

    static findAll(Map self, Closure body) {
        def out = [:]
        for (entry in self) if (ask(body, entry)) out.put(entry.key, entry.value)
        out
    }

    static findResult(Map self, Closure body) {
        for (entry in self) { def found = ask(body, entry); if (found != null) return found }
        null
    }

    static findResults(Map self, Closure body) {
        def out = []
        for (entry in self) { def found = ask(body, entry); if (found != null) out.add(found) }
        out
    }

    static any(Map self, Closure body) {
        for (entry in self) if (ask(body, entry)) return true
        false
    }

    static every(Map self, Closure body) {
        for (entry in self) if (!ask(body, entry)) return false
        true
    }

    static count(Map self, Closure body) {
        int many = 0
        for (entry in self) if (ask(body, entry)) many++
        many
    }

    static inject(Map self, Object first, Closure body) {
        def sum = first
        for (entry in self) {
            sum = body.maximumNumberOfParameters == 3 ? body.call(sum, entry.key, entry.value) : body.call(sum, entry)
        }
        sum
    }

    static max(Map self, Closure body) { self.toList().max(body) }

    static min(Map self, Closure body) { self.toList().min(body) }

    static sum(Map self, Closure body) { collect(self, body).sum() }

    static sort(Map self, Closure order) { sorted(self, order) }

    static toSorted(Map self, Closure order) { sorted(self, order) }

    static sort(Map self, Comparator order) { sorted(self, { a, b -> order.compare(a.key, b.key) }) }

    static toSorted(Map self, Comparator order) { sorted(self, { a, b -> order.compare(a, b) }) }

    private static sorted(Map self, Closure order) {
        def out = [:]
        for (entry in self.toList().sort(false, order)) out.put(entry.key, entry.value)
        out
    }

    static groupBy(Map self, Closure body) {
        def out = [:]
        for (entry in self) {
            def key = ask(body, entry)
            def group = out.get(key)
            if (group == null) {
                group = [:]
                out.put(key, group)
            }
            group.put(entry.key, entry.value)
        }
        out
    }

    static groupEntriesBy(Map self, Closure body) {
        def out = [:]
        for (entry in self) {
            def key = ask(body, entry)
            out.get(key, []).add(entry)
        }
        out
    }

    static countBy(Map self, Closure body) {
        def out = [:]
        for (entry in self) {
            def key = ask(body, entry)
            out.put(key, (out.get(key) ?: 0) + 1)
        }
        out
    }

    static takeWhile(Map self, Closure body) {
        def out = [:]
        for (entry in self) {
            if (!ask(body, entry)) break
            out.put(entry.key, entry.value)
        }
        out
    }

    static dropWhile(Map self, Closure body) {
        def out = [:]
        boolean dropping = true
        for (entry in self) {
            if (dropping && ask(body, entry)) continue
            dropping = false
            out.put(entry.key, entry.value)
        }
        out
    }

    static withDefault(Map self, Closure make) { self.clone().$default(make) }

    static computeIfAbsent(Map self, Object key, Closure make) {
        def there = self.get(key)
        if (there != null) return there
        def made = make.call(key)
        if (made != null) self.put(key, made)
        made
    }

    static computeIfPresent(Map self, Object key, Closure make) {
        def there = self.get(key)
        if (there == null) return null
        compute(self, key, make)
    }

    static compute(Map self, Object key, Closure make) {
        def made = make.call(key, self.get(key))
        if (made == null) self.remove(key) else self.put(key, made)
        made
    }

    static merge(Map self, Object key, Object value, Closure join) {
        def there = self.get(key)
        def made = there == null ? value : join.call(there, value)
        if (made == null) self.remove(key) else self.put(key, made)
        made
    }

    static replaceAll(Map self, Closure body) {
        for (entry in self.toList()) self.put(entry.key, body.call(entry.key, entry.value))
    }
}
