// Methods of streams and optionals that take a closure. The first parameter is the receiver.
class StreamMethods {
    static map(Object self, Closure body) { self.$items().collect { body.call(it) }.stream() }

    static mapToInt(Object self, Closure body) { map(self, body) }

    static mapToLong(Object self, Closure body) { map(self, body) }

    static mapToDouble(Object self, Closure body) { map(self, body) }

    static mapToObj(Object self, Closure body) { map(self, body) }

    static filter(Object self, Closure body) { self.$items().findAll { body.call(it) }.stream() }

    static flatMap(Object self, Closure body) { self.$items().collectMany { body.call(it).toList() }.stream() }

    static sorted(Object self, Closure order) { self.$items().sort(false, order).stream() }

    static sorted(Object self, Comparator order) { self.$items().sort(false, order).stream() }

    static peek(Object self, Closure body) {
        self.$items().each { body.call(it) }
        self
    }

    static forEach(Object self, Closure body) {
        for (item in self.$items()) body.call(item)
    }

    static anyMatch(Object self, Closure body) { self.$items().any { body.call(it) } }

    static allMatch(Object self, Closure body) { self.$items().every { body.call(it) } }

    static noneMatch(Object self, Closure body) { !self.$items().any { body.call(it) } }

    static reduce(Object self, Object first, Closure body) { self.$items().inject(first, body) }

    static reduce(Object self, Closure body) {
        def items = self.$items()
        items ? Optional.of(items.inject(body)) : Optional.empty()
    }

    static findFirst(Object self) {
        def items = self.$items()
        items ? Optional.of(items[0]) : Optional.empty()
    }

    static findAny(Object self) { findFirst(self) }

    static max(Object self, Object order) { Optional.ofNullable(self.$items().max(order)) }

    static min(Object self, Object order) { Optional.ofNullable(self.$items().min(order)) }

    static max(Object self) { Optional.ofNullable(self.$items().max()) }

    static min(Object self) { Optional.ofNullable(self.$items().min()) }
}

class OptionalMethods {
    static map(Object self, Closure body) { self.isPresent() ? Optional.ofNullable(body.call(self.get())) : self }

    static flatMap(Object self, Closure body) { self.isPresent() ? body.call(self.get()) : self }

    static filter(Object self, Closure body) { self.isPresent() && body.call(self.get()) ? self : Optional.empty() }

    static ifPresent(Object self, Closure body) { if (self.isPresent()) body.call(self.get()) }

    static orElseGet(Object self, Closure body) { self.isPresent() ? self.get() : body.call() }

    static orElseThrow(Object self, Closure body) {
        if (self.isPresent()) return self.get()
        throw body.call()
    }
}
