// Methods of every object that take a closure. The first parameter is the receiver.
class ObjectMethods {
    static with(Object self, Closure body) {
        def bound = body.clone()
        bound.delegate = self
        bound.resolveStrategy = Closure.DELEGATE_FIRST
        bound.call(self)
    }

    static tap(Object self, Closure body) {
        with(self, body)
        self
    }

    static identity(Object self, Closure body) {
        with(self, body)
    }

    static each(Object self, Closure body) {
        for (item in self) body.call(item)
        self
    }

    static eachWithIndex(Object self, Closure body) {
        int at = 0
        for (item in self) body.call(item, at++)
        self
    }

    static collect(Object self, Closure body) {
        def out = []
        for (item in self) out.add(body.call(item))
        out
    }

    static find(Object self, Closure body) {
        for (item in self) if (body.call(item)) return item
        null
    }

    static findAll(Object self, Closure body) {
        def out = []
        for (item in self) if (body.call(item)) out.add(item)
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

    static inject(Object self, Object first, Closure body) {
        def sum = first
        for (item in self) sum = body.call(sum, item)
        sum
    }

    static findIndexOf(Object self, Closure body) {
        int at = 0
        for (item in self) { if (body.call(item)) return at; at++ }
        -1
    }

    static findResult(Object self, Closure body) {
        for (item in self) { def found = body.call(item); if (found != null) return found }
        null
    }

    static grep(Object self, Object filter) {
        def out = []
        for (item in self) if (item in filter) out.add(item)
        out
    }
}
