// Methods of strings and matchers that take a closure. The first parameter is the receiver.
class TextMethods {
    static eachLine(CharSequence self, Closure body) { eachLine(self, 0, body) }

    static eachLine(CharSequence self, int first, Closure body) {
        int at = first
        def last = null
        for (line in self.readLines()) {
            last = body.maximumNumberOfParameters == 2 ? body.call(line, at++) : body.call(line)
        }
        last
    }

    static splitEachLine(CharSequence self, Object pattern, Closure body) {
        def last = null
        for (line in self.readLines()) last = body.call(line.split(pattern) as List)
        last
    }

    static eachMatch(CharSequence self, Object pattern, Closure body) {
        for (match in self.$matches(pattern)) body.call(match)
        self
    }

    static replaceAll(CharSequence self, Object pattern, Closure body) { replace(self, pattern, body, false) }

    static replaceFirst(CharSequence self, Object pattern, Closure body) { replace(self, pattern, body, true) }

    private static replace(CharSequence self, Object pattern, Closure body, boolean first) {
        def spans = self.$spans(pattern)
        def out = new StringBuilder()
        boolean done = false
        for (span in spans) {
            out.append(span[0])
            if (span.size() < 2) break
            if (done && first) out.append(span[1] instanceof List ? span[1][0] : span[1])
            else out.append(body.call(span[1]))
            done = true
        }
        out.toString()
    }

    static find(CharSequence self, Object pattern, Closure body) {
        def found = self.$matches(pattern)
        found ? body.call(found[0]) : null
    }

    static findAll(CharSequence self, Object pattern, Closure body) {
        self.$matches(pattern).collect { body.call(it) }
    }

    static takeWhile(CharSequence self, Closure body) {
        def out = new StringBuilder()
        for (char letter in self.toCharArray()) {
            if (!body.call(letter)) break
            out.append(letter)
        }
        out.toString()
    }

    static dropWhile(CharSequence self, Closure body) {
        def out = new StringBuilder()
        boolean dropping = true
        for (char letter in self.toCharArray()) {
            if (dropping && body.call(letter)) continue
            dropping = false
            out.append(letter)
        }
        out.toString()
    }

    static collectReplacements(CharSequence self, Closure body) {
        def out = new StringBuilder()
        for (char letter in self.toCharArray()) {
            def with = body.call(letter)
            out.append(with == null ? letter : with)
        }
        out.toString()
    }
}

class MatcherMethods {
    static each(Object self, Closure body) {
        for (match in self.toList()) body.call(match)
        self
    }

    static eachWithIndex(Object self, Closure body) {
        int at = 0
        for (match in self.toList()) body.call(match, at++)
        self
    }

    static collect(Object self, Closure body) { self.toList().collect { body.call(it) } }

    static replaceAll(Object self, Closure body) { self.toList().collect { body.call(it) } }

    static find(Object self, Closure body) {
        for (match in self.toList()) if (body.call(match)) return match
        null
    }

    static findAll(Object self, Closure body) {
        def out = []
        for (match in self.toList()) if (body.call(match)) out.add(match)
        out
    }
}
