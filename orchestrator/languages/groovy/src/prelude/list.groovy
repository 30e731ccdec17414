// Methods of lists that take a closure. The first parameter is the receiver.
class ListMethods {
    static replaceAll(List self, Closure body) {
        for (int at = 0; at < self.size(); at++) self.set(at, body.call(self.get(at)))
    }

    static collectNested(List self, Closure body) {
        def out = []
        for (item in self) out.add(item instanceof Collection ? item.collectNested(body) : body.call(item))
        out
    }
}
