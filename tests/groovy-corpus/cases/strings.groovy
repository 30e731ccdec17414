// Strings, GStrings and escapes.
// case: quotes
println 'single'; println "double"; println '''triple
single'''; println """triple
double"""
println(/slashy \d+ a\/b/)
$/dollar $$ slashy / and \n $/$ /$
// case: escapes
println 'a\tb\\c\'d\"e'
println "\$5 \"q\" 'r'"
println 'u\u0041\u00e9'
println 'oct\101 \0'.length()
'line1\nline2'
// case: line continuation in triple quotes
println '''\
first
second \
joined
'''
println """a \
  b"""
'one \
two'
// case: interpolation
def name = 'World'; def m = [a: [b: 3]]
println "Hello $name"
println "Hello ${name.toUpperCase()}!"
println "Deep $m.a.b and ${m.a.b + 1}"
println "No here: \${name} costs 5\$"
println """multi ${name}
line"""
"${1 + 1}${'x'}"
// case: interpolation of collections
println "${[1, 'a', null, [2]]} ${[k: 'v', n: null]}"
println "list: ${['x', "y${1}"]}"
"${[:]} ${[]}"
// case: gstring is lazy only with closures
def x = 1
def eager = "v=$x"
def lazy = "v=${-> x}"
x = 2
println eager
println lazy
lazy.toString()
// case: gstring with writer closure
"a${ w -> w << 'written' }b"
// case: gstring class and equality
def n = 'x'
def g = "a$n"
println g.class.name
println(g == 'ax')
println('ax' == g)
println(g.equals('ax'))
println('ax'.equals(g))
println(g.toString().equals('ax'))
g.length()
// case: gstring as map key
def k = 'key'
def m = ["$k": 1, (k): 2]
println m.size()
println m['key']
m.collect { kk, v -> kk.class.simpleName }
// case: gstring values and strings
def n = 5
def g = "a${n}b${n + 1}c"
println g.values
println g.strings
g.valueCount
// case: plus and multiply
println 'a' + 1 + 2
println 1 + 2 + 'a'
println 'ab' * 3
println 'a' + null
println 'a' * 0
'x' + [1, 2] + [a: 1]
// case: minus
[('hello world' - 'o w'), 'aXbX' - 'X', 'abc' - 'z', 'abc123' - ~/\d+/]
// case: minus with number
'a1b1' - 1
// case: indexing
def s = 'Groovy'
[s[0], s[-1], s[1..3], s[-3..-1], s[3..1], s[0, 2, 4], s[1..<3], s.getAt(2)]
// case: index out of range
'abc'[5]
// case: substring range out of range
'abc'[1..9]
// case: basic methods
def s = '  Hello World  '
[s.trim(), s.length(), s.size(), s.toUpperCase(), s.toLowerCase().trim(), s.indexOf('o'), s.lastIndexOf('o'), s.contains('World'), s.isEmpty()]
// case: starts ends replace
def s = 'pipeline.groovy'
[s.startsWith('pipe'), s.endsWith('.groovy'), s.replace('.', '-'), s.replace('e' as char, 'E' as char), s.substring(3), s.substring(0, 4), s.startsWith('line', 4)]
// case: substring error
'abc'.substring(5)
// case: substring error two
'abc'.substring(2, 1)
// case: charAt error
'abc'.charAt(3)
// case: replaceAll and replaceFirst
println 'a1b22c'.replaceAll(/\d+/, '#')
println 'a1b22c'.replaceFirst(/\d+/, '#')
println 'john smith'.replaceAll(/(\w+) (\w+)/, '$2 $1')
println 'a.b'.replaceAll('.', 'x')
println 'price 5'.replaceAll(/\d/, '\\$')
'x-y'.replaceAll('-', '')
// case: replaceAll with closure
println 'hello world'.replaceAll(/\w+/) { it.capitalize() }
println 'a1b2'.replaceAll(/([a-z])(\d)/) { all, l, d -> "$d$l" }
'abc'.replaceFirst(/b/) { it.toUpperCase() }
// case: split
println 'a,b,,c,,'.split(',')
println 'a,b,,c,,'.split(',').length
println 'a b  c'.split()
println 'a1b2c3'.split(/\d/)
println 'a:b:c'.split(':', 2)
println 'a,b,'.split(',', -1)
println ''.split(',').length
'a.b'.split('\\.') as List
// case: tokenize
[('a,b,,c'.tokenize(',')), ' a b  c '.tokenize(), 'a:b/c'.tokenize(':/'), ''.tokenize(',')]
// case: lines
def t = 'one\ntwo\r\nthree\n'
println t.readLines()
t.eachLine { println "> $it" }
t.eachLine { l, i -> println "$i $l" }
t.readLines().size()
// case: padding
['7'.padLeft(3, '0'), 'ab'.padRight(5) + '|', 'x'.center(5, '*'), 'abcdef'.padLeft(3), 'ab'.padLeft(5, '-=')]
// case: capitalize reverse
['hello'.capitalize(), 'abc'.reverse(), ''.capitalize(), 'a'.multiply(3), 'hello'.uncapitalize()]
// case: take drop
['hello'.take(2), 'hello'.drop(2), 'hi'.take(5), 'hi'.drop(5), 'hello'.takeWhile { it != 'l' }, 'hello'.dropWhile { it != 'l' }]
// case: each char
def out = []
'abc'.each { out << it + it }
println out
println 'abc'.collect { it.toUpperCase() }
println 'abc'.toList()
println 'abc'.toCharArray()
println 'abc'.chars
'abc' as List
// case: count find findAll
['banana'.count('a'), 'a1b22'.find(/\d+/), 'a1b22'.findAll(/\d+/), 'abc'.find(/z/), 'k=v'.find(/(\w)=(\w)/) { all, k, v -> v + k }]
// case: findAll with closure groups
'a=1 b=2'.findAll(/(\w)=(\d)/) { all, k, v -> "$k:$v" }
// case: any every on chars
['abc'.any { it == 'b' }, 'aaa'.every { it == 'a' }, 'abcabc'.toList().unique().join('')]
// case: compare strings
['a' < 'b', 'a' <=> 'b', 'b'.compareTo('a'), 'A'.compareToIgnoreCase('a'), 'ABC'.equalsIgnoreCase('abc'), 'apple' <=> 'banana']
// case: stripIndent and stripMargin
println '''
    a
      b
    c'''.stripIndent()
println '''  |x
  | y
  #z'''.stripMargin()
'''  #x
  # y'''.stripMargin('#')
// case: isAllWhitespace and friends
['  '.isAllWhitespace(), 'a '.isAllWhitespace(), ''.isEmpty(), ' '.isBlank(), 'ab'.contains(''), 'x'.equals('x'), 'ABC'.toLowerCase()]
// case: tr
['hello'.tr('el', 'ip'), 'hello'.tr('a-y', 'b-z'), 'abc'.tr('abc', 'x')]
// case: expand unexpand denormalize
['a\tb'.expand(4), 'a\nb\r\n'.normalize(), 'a\nb'.denormalize().length(), '    x'.unexpand(4)]
// case: next previous
['a'.next(), 'az'.next(), 'b'.previous(), 'a9'++]
// case: string increments in ranges
('a'..'e').toList()
// case: eachMatch
'a1b2'.eachMatch(/[a-z]\d/) { println it }
'x=1'.eachMatch(/(\w)=(\d)/) { all, a, b -> println "$a $b" }
// case: toString methods
[1.toString(), [1, 'a'].toString(), [a: 'b'].toString(), null.toString(), true.toString(), 'x'.toString(), 1.50.toString()]
// case: inspect and dump formats
println 'it\'s\n'.inspect()
println([1, 'a', [b: 'c']].inspect())
println (['x', 1.5, null]).inspect()
"g${1}".inspect()
// case: string format
println String.format('%d %5d|%-5d|%05d', 1, 42, 42, 42)
println String.format('%s %10s|%-10s|%.2s', 'a', 'right', 'left', 'truncate')
println String.format('%.2f %8.3f %e %g', 3.14159d, 2.71828d, 12345.678d, 0.0001d)
println String.format('%x %X %o %c %b %%', 255, 255, 8, 'c' as char, true)
println String.format('%,d %+d %(d % d', 1234567, 5, -5, 5)
String.format('%2$s %1$s %n', 'a', 'b').trim()
// case: format decimals
[String.format('%.2f', 3.14159), String.format('%.0f', 2.5), String.format('%.1f', 0.25), 1].take(3)
// case: format wrong type
String.format('%d', 'x')
// case: format missing argument
String.format('%s %s', 'a')
// case: format float with int
String.format('%.2f', 5)
// case: sprintf printf
println sprintf('%03d-%s', 7, 'x')
printf('%s is %d%n', 'a', 1)
printf('%s%n', ['list'])
sprintf('%5.1f|', 3.14159d)
// case: format null bool hash
[String.format('%s %b %S', null, null, 'up'), String.format('%h', 'hi'), String.format('%08.2f', 3.14159d), String.format('%-8s|', true)]
// case: format of lists and maps
String.format('%s %s', [1, 2], [a: 1])
// case: join
[['a', 'b'].join(), ['a', 'b'].join('-'), [1, null, 'x'].join(','), String.join('/', ['p', 'q']), String.join('-', 'a', 'b'), [].join(',')]
// case: string valueOf
[String.valueOf(1), String.valueOf(true), String.valueOf(1.5), String.valueOf((Object) null), String.valueOf(['a'] as Object)]
// case: string builder
def sb = new StringBuilder()
sb.append('a').append(1).append(true).append(null)
sb << 'x' << 2
println sb
println sb.length()
sb.insert(0, '>')
sb.deleteCharAt(1)
println sb.reverse()
println sb.toString()
sb.indexOf('2')
// case: string builder edit
def sb = new StringBuilder('hello world')
sb.replace(0, 5, 'HELLO')
sb.delete(5, 6)
println sb
println sb.charAt(1)
println sb.contains('ELL')
sb.size()
// case: string buffer
def sb = new StringBuffer('a')
sb.append('b') << 'c'
sb.toString() + sb.length()
// case: string writer
def w = new StringWriter()
w << 'a' << 1
w.write('b')
w.append('c')
w.println 'd'
w.print 5
w.toString()
// case: left shift on string
def s = 'a' << 'b'
println s
s.class.simpleName
// case: char array
def c = 'hey'.toCharArray()
println c.length
println c[0]
println new String(c)
println String.valueOf(c)
c.join('-')
// case: bytes
def b = 'héy'.getBytes('UTF-8')
println b
println b.length
println new String(b, 'UTF-8')
'abc'.bytes.toList()
// case: base64 and hex
println 'hello'.bytes.encodeBase64().toString()
println new String('aGVsbG8='.decodeBase64())
println 'hello'.bytes.encodeHex().toString()
println Base64.encoder.encodeToString('hi?>'.bytes)
println Base64.getUrlEncoder().encodeToString('hi?>'.bytes)
new String(Base64.decoder.decode('aGk='))
// case: digests
println java.security.MessageDigest.getInstance('MD5').digest('a'.bytes).encodeHex().toString()
println java.security.MessageDigest.getInstance('SHA-256').digest('a'.bytes).encodeHex()
java.security.MessageDigest.getInstance('SHA-1').digest('a'.bytes).collect { String.format('%02x', it) }.join()
// case: url encoding
[URLEncoder.encode('a b&c=d/é~*', 'UTF-8'), URLDecoder.decode('a+b%26c%3D', 'UTF-8')]
// case: unicode
println 'é'.length()
println 'ñandú'.toUpperCase()
println '日本語'.reverse()
println '😀'.length()
'straße'.toUpperCase()
// case: java string methods
['a,b'.split(',').toList(), 'abc'.indexOf('c', 1), 'aXbX'.lastIndexOf('X', 2), 'abc'.concat('d'), 'a-b'.matches(/\w-\w/), 'AbC'.chars().count(), 'ab'.repeat(2), ' x '.strip()]
// case: codepoints and chars
['a'.codePointAt(0), 'abc'.intern() == 'abc', 'b'.charAt(0) as int, (int) 'z'.charAt(0)]
// case: string in switch and in operator
['b' in ['a', 'b'], 'x' in 'xyz'.toList(), !('q' in ['a'])]
// case: dollar in single quotes
'cost $5 ${x}'
// case: slashy interpolation
def v = 'x'
println(/a${v}b\d/)
def d = /c:\\dir/
d
// case: multi-line shell text
def image = 'app'; def tag = '1.2'
def cmd = """
  docker build \\
    -t ${image}:${tag} .
  echo \$HOME
"""
println cmd
cmd.trim().readLines().size()
// case: string comparison with null
['a' == null, null == null, null?.length(), ''.equals(null)]
// case: safe navigation on null string
String s = null
println s?.trim()
s.trim()
// case: string as array and loop
for (c in 'abc') print c + ','
for (int i = 0; i < 'abc'.size(); i++) print 'abc'[i]
''
// case: text block split and trim
'''
alpha

beta
'''.split('\n').findAll { it.trim() }.collect { it.trim() }
// case: string to enum like maps
'a=1;b=2'.split(';').collectEntries { def (k, v) = it.split('='); [(k): v.toInteger()] }
// case: join of gstrings
def v = 'x'; ["a$v", 'b'].join('-')
// case: containsIgnoreCase by lower
'HELLO'.toLowerCase().contains('ell')
// case: compare gstring in collections
def v = 'a'; [["$v"].contains('a'), ['a'].contains("$v"), ["$v"] == ['a'], ['a'] == ["$v" as String]]
// case: number to padded
(1..3).collect { it.toString().padLeft(2, '0') }
// case: character iteration and ascii
'AZ'.collect { (int) (it as char) }
// case: minus list of strings
'a-b-c'.split('-').toList() - ['b']
// case: subsequence and regionMatches
['abcdef'.subSequence(1, 3).toString(), 'Hello'.regionMatches(true, 0, 'HE', 0, 2), 'abc'.contentEquals('abc'), 'a\tb'.contains('\t')]
// case: lines and blank
['a\nb'.lines().count(), 'x'.isInteger(), '5'.isInteger(), ' '.isEmpty(), 'a b'.tokenize()[1]]
// case: asType conversions
['5' as Integer, '5.5' as BigDecimal, '7' as Long, 'true' as Boolean, 'a' as char, '1.5' as double]
// case: string eachWithIndex and inject
println 'abc'.toList().withIndex()
'abc'.toList().inject('') { acc, c -> c + acc }
// case: String.format with GString and locale
def n = 3
[String.format("n=%s", "v$n"), String.format(Locale.US, '%,.2f', 12345.678d), String.format("${n}%d", 4)]
