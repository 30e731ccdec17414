// Regular expressions.
// case: find operator
def m = 'hello world 42' =~ /\d+/
println m.find()
println m.group()
m.class.name
// case: match operator
['abc' ==~ /[a-c]+/, 'abcd' ==~ /[a-c]+/, 'v1.2.3' ==~ /v\d+(\.\d+)*/, '' ==~ /.*/, 'a\nb' ==~ /a.b/]
// case: matcher index
def m = 'k1=v1;k2=v2' =~ /(\w+)=(\w+)/
println m[0]
println m[0][1]
println m[1][2]
println m.size()
println m.count
m[-1][0]
// case: matcher index without groups
def m = 'a1b2' =~ /\d/
[m[0], m[1], m.size(), m[0..1]]
// case: matcher index out of range
def m = 'abc' =~ /z/
m[0]
// case: matcher truth
[('abc' =~ /b/) ? 'y' : 'n', ('abc' =~ /z/) ? 'y' : 'n']
// case: matches and group
def m = 'release-1.2' =~ /release-(\d+)\.(\d+)/
if (m.matches()) println m.group(1) + '/' + m.group(2)
m.groupCount()
// case: group without match
def m = 'abc' =~ /(b)/
m.group(1)
// case: while find
def m = 'a1b22c333' =~ /\d+/
def out = []
while (m.find()) out << [m.group(), m.start(), m.end()]
out
// case: each over matcher
('a=1,b=2' =~ /(\w)=(\d)/).each { all, k, v -> println "$k -> $v" }
('xyz' =~ /[xz]/).each { print it }
('a1' =~ /\w\d/).collect { it }
// case: multi assignment from matcher
def (all, maj, min) = ('v3.14' =~ /v(\d+)\.(\d+)/)[0]
"$maj $min"
// case: pattern objects
def p = ~/a(b*)c/
println p.class.name
println p.matcher('abbc').matches()
println p.pattern()
println p
'abc'.matches(p)
// case: pattern compile flags
import java.util.regex.Pattern
def p = Pattern.compile('^b', Pattern.MULTILINE | Pattern.CASE_INSENSITIVE)
println p.matcher('a\nB').find()
println Pattern.quote('a.b')
println Pattern.matches('a+', 'aaa')
p.split('xbybz').toList()
// case: inline flags
['ABC' ==~ /(?i)abc/, 'a\nb' ==~ /(?s)a.b/, ('a\nb' =~ /(?m)^b$/).find(), 'a b' ==~ /(?x) a \s b/]
// case: lookaround and backreference
[('price100' =~ /(?<=price)\d+/)[0], 'foobar'.replaceAll(/foo(?=bar)/, 'X'), 'foobaz' =~ /foo(?!bar)/ ? 1 : 0, ('aa bb ab' =~ /(\w)\1/).collect { it[0] }]
// case: named groups
def m = '2024-05-06' =~ /(?<y>\d{4})-(?<m>\d\d)/
m.find()
[m.group('y'), m.group('m')]
// case: replace on matcher
def m = 'a1b2' =~ /\d/
println m.replaceAll('#')
println m.replaceFirst('#')
m.reset()
m.find()
// case: lookingAt hitEnd region
def m = 'abc123' =~ /[a-z]+/
println m.lookingAt()
println m.end()
m.matches()
// case: greedy and lazy
[('<a><b>' =~ /<.+>/)[0], ('<a><b>' =~ /<.+?>/)[0], 'aaa'.replaceFirst(/a{2}/, 'b')]
// case: character classes
['a-b_c d'.replaceAll(/[^\w-]/, ''), 'tab\there'.replaceAll(/\s/, '_'), 'x.y'.replaceAll(/[.]/, ','), 'Äb'.replaceAll(/\p{L}/, 'l'), 'a1B'.replaceAll(/\p{Upper}/, 'U'), 'a&&b'.replaceAll(/[a-z&&[^b]]/, '-')]
// case: replacement escapes
['a'.replaceAll('a', '\\$1'), 'a.b'.replaceAll(/\./, '\\\\'), 'x'.replaceAll('x', java.util.regex.Matcher.quoteReplacement('$1')), 'ab'.replaceAll(/(a)(b)/, '$2$1$0')]
// case: bad group reference
'a'.replaceAll('a', '$1')
// case: bad pattern
'a' =~ /(/
// case: findAll groups
println 'k1=v1 k2=v2'.findAll(/(\w+)=(\w+)/)
'k1=v1 k2=v2'.findAll(/(\w+)=(\w+)/) { it[1] }
// case: switch on pattern
def f(s) { switch (s) { case ~/v\d+/: 'version'; break; case ~/.*-SNAPSHOT/: 'snapshot'; break; default: 'none' } }
[f('v12'), f('1-SNAPSHOT'), f('x')]
// case: grep and any by pattern
[['a1', 'b', 'c2'].grep(~/.\d/), ['x', 'y'].any { it ==~ /y/ }, ['main', 'dev'].findAll { it =~ /^m/ }]
// case: branch name cleanup
'feature/ABC-123 my branch'.toLowerCase().replaceAll(/[^a-z0-9]+/, '-').replaceAll(/^-|-$/, '')
// case: extract from text
def text = '''Version: 1.4.2
Commit: abc123
'''
def v = (text =~ /Version: (.+)/)[0][1]
def c = (text =~ /(?m)^Commit: (\w+)$/)[0][1]
"$v $c"
// case: null match
null ==~ /a/
// case: gstring pattern
def w = 'b+'
['abbc' =~ /a${w}c/ ? 1 : 0, 'abbc' ==~ "a${w}c"]
// case: split with limit and regex groups
['a1b2c'.split(/\d/, 2).toList(), 'a, b;c'.split(/[,;]\s*/).toList(), 'CamelCaseName'.split(/(?=[A-Z])/).toList()]
// case: pattern negate string
def p = ~'a.c'
[p.class.simpleName, 'abc' ==~ p, 'abc'.replaceAll(~/b/, 'x')]
// case: matcher is reset by find int
def m = 'aXbX' =~ /X/
[m.find(2), m.start(), m.hasGroup()]
// case: possessive and atomic
['aaa' ==~ /a++/, 'aaab' ==~ /a*+b/, 'abc' ==~ /(?>a|ab)c/]
// case: unicode escapes in regex
['\u00e9' ==~ /\u00e9/, 'a\tb' ==~ /a\tb/, 'aAbB'.replaceAll(/(?i)b/, '*')]
// case: append replacement
def m = 'a1b2' =~ /\d/
def sb = new StringBuffer()
while (m.find()) m.appendReplacement(sb, '<' + m.group() + '>')
m.appendTail(sb)
sb.toString()
// case: word boundaries and anchors
['the cat sat'.replaceAll(/\bcat\b/, 'dog'), 'line1\nline2'.replaceAll(/(?m)^/, '> '), 'abc'.replaceAll(/$/, '!'), 'abc'.replaceAll('', '-')]
// case: quantifier on optional group null
def m = 'b' =~ /(a)?(b)/
m[0]
// case: asPredicate and toMatchResult
def m = 'xy' =~ /(x)(y)/
m.find()
def r = m.toMatchResult()
[r.group(1), r.group(2), m.start(2), m.end(1)]
