// Methods of numbers and ranges that take a closure. The first parameter is the receiver.
class NumberMethods {
    static times(Number self, Closure body) {
        int count = self.intValue()
        for (int at = 0; at < count; at++) body.call(at)
    }

    static upto(Number self, Number last, Closure body) {
        if (self > last) throw new GroovyRuntimeException("The argument (" + last + ") to upto() cannot be less than the value (" + self + ") it's called on.")
        for (def at = self; at <= last; at++) body.call(at)
    }

    static downto(Number self, Number last, Closure body) {
        if (self < last) throw new GroovyRuntimeException("The argument (" + last + ") to downto() cannot be greater than the value (" + self + ") it's called on.")
        for (def at = self; at >= last; at--) body.call(at)
    }

    static step(Number self, Number last, Number by, Closure body) {
        if (by > 0) for (def at = self; at < last; at = at + by) body.call(at)
        else if (by < 0) for (def at = self; at > last; at = at + by) body.call(at)
        else if (self != last) throw new GroovyRuntimeException("Infinite loop in " + self + ".step(" + last + ", " + by + ")")
    }
}

class RangeMethods {
    static step(Range self, int by, Closure body) {
        for (item in self.step(by)) body.call(item)
    }
}
