// Literals and numbers.
// case: integer literals
println 42; println 0x2A; println 052; println 0b101010; println 1_000_000
-7
// case: integer classes
[1, 1L, 1G, 1.0, 1.0f, 1.0d, 1.0G, 2147483648, 9223372036854775808].collect { it.class.name }
// case: integer division gives decimal
println 7 / 2; println 1 / 3; println 10 / 4; println 6 / 3; println 1 / 8
(7 / 2).class.name
// case: division results
[10 / 3, 2 / 3, 100 / 7, 1 / 16, 1 / 1024, 5 / 1, 0 / 5, -7 / 2]
// case: intdiv and modulo
[7.intdiv(2), -7.intdiv(2), 7 % 3, -7 % 3, 7 % -3, 7L % 4, 7.mod(3)]
// case: power
[2**10, 2**31, 2**32, 2**62, 2**63, 2**-1, 2.0**3, 2**0.5, 3L**2, (-2)**3]
// case: power classes
[2**10, 2**31, 2**63, 2**-1, 2.5**2].collect { it.class.simpleName }
// case: int overflow wraps
println 2147483647 + 1
println Integer.MAX_VALUE * 2
Integer.MIN_VALUE - 1
// case: long overflow wraps
println Long.MAX_VALUE + 1
9223372036854775807L * 2
// case: bigint arithmetic
def a = 12345678901234567890
println a.class.name
println a + 1
println a * a
println a / 2
a % 7
// case: bigdecimal arithmetic
println 1.1 + 2.2
println 1.10 + 2.20
println 1.5 * 1.5
println 10.00 - 0.5
1.0 / 3
// case: bigdecimal scale
println 1.00
println 1.50 * 2
println 3.0 * 2.00
println 10.0 / 4
1e3
// case: bigdecimal exponent toString
[1e10, 1e-10, 1.5e5, 1E+3, 123e-2, 0.0000001, 0.000001].collect { it.toString() }
// case: double toString
println 1.0d; println 0.1d; println 100.0d; println 1e7d; println 1.0E10d; println 1e-3d; println 1e-4d; println 123456789.123d
1.0d / 3
// case: float toString
println 1.1f; println 3.4028235e38f; println 1e10f; println 0.001f
1.0f / 3
// case: mixed double arithmetic
println 0.1d + 0.2d
println 1 + 0.5d
println 1.1 + 0.5d
(1.1f + 1).class.name
// case: special doubles
println 1.0d / 0
println((-1.0d) / 0)
println 0.0d / 0.0d
Double.NaN == Double.NaN
// case: division by zero
1 / 0
// case: intdiv by zero
1.intdiv(0)
// case: modulo by zero
5 % 0
// case: big decimal division by zero
1.5 / 0
// case: bit operations
[5 & 3, 5 | 3, 5 ^ 3, ~5, 1 << 4, -16 >> 2, -16 >>> 28, 1L << 40]
// case: boolean operations
[true & false, true | false, true ^ true, !true, true && false, true || false]
// case: comparison across numbers
[1 == 1.0, 1 == 1L, 1.0 == 1.00, 1 < 1.5, 2 <=> 1.9, 1.0d == 1, 1.0f == 1.0]
// case: equals is strict
[1.equals(1L), 1.0.equals(1.00), 1.equals(1)]
// case: increment
def i = 5
println i++
println(++i)
println i--
println(--i)
i
// case: compound assignment
def i = 10
i += 5; println i
i -= 3; println i
i *= 2; println i
i = i.intdiv(5); println i
i %= 3; println i
def j = 7
j <<= 2; println j
j >>= 1; println j
j &= 6; println j
j |= 1; println j
j ^= 3; println j
j **= 2
j
// case: char casts
println 'a' as char
println ((char) 65)
println (('a' as char) + 1)
println ((int) ('a' as char))
'abc'.charAt(1).class.name
// case: number casts
println ((int) 3.99)
println ((long) -3.99)
println 3.7 as int
println '42' as int
println 42 as String
println ((byte) 300)
println ((short) 70000)
5 as double
// case: number methods
[3.2d.round(), (-3.5d).round(), 3.14159d.round(2), 3.7d.trunc(), 3.789d.trunc(1), 7.abs(), (-2.5).abs()]
// case: bigdecimal methods
println 3.14159.setScale(2, java.math.RoundingMode.HALF_UP)
println 2.50.stripTrailingZeros()
println 1.0.scale()
println 123.456.precision()
println 100.0.stripTrailingZeros().toPlainString()
1.25.toBigInteger()
// case: toInteger and friends
[('12'.toInteger()), '12'.toLong(), '1.5'.toDouble(), '1.5'.toFloat(), '1.50'.toBigDecimal(), '99'.toBigInteger(), 3.9.toInteger(), 3.toLong()]
// case: toInteger trims
' 12 '.toInteger()
// case: toInteger failure
'abc'.toInteger()
// case: parseInt failure
Integer.parseInt('12x')
// case: parseInt empty
Integer.parseInt('')
// case: parseInt radix
[Integer.parseInt('ff', 16), Integer.parseInt('-101', 2), Integer.valueOf('12'), Long.parseLong('123'), Double.parseDouble('1e3'), Boolean.parseBoolean('TRUE')]
// case: integer radix strings
[Integer.toString(255, 16), Integer.toHexString(255), Integer.toBinaryString(10), Integer.toOctalString(8), Integer.toHexString(-1), Long.toHexString(255L)]
// case: integer constants
[Integer.MAX_VALUE, Integer.MIN_VALUE, Long.MAX_VALUE, Long.MIN_VALUE, Double.MAX_VALUE, Byte.MAX_VALUE, Short.MIN_VALUE]
// case: isNumber isInteger
['12', '1.5', 'x', '', '-3', '1e5', '12L'].collect { [it, it.isNumber(), it.isInteger(), it.isDouble(), it.isLong(), it.isBigDecimal()] }
// case: times upto downto step
3.times { print it }
1.upto(4) { print it }
4.downto(1) { print it }
0.step(10, 3) { print it }
println ''
1.5.upto(3.5) { print it }
// case: number compare methods
[1.compareTo(2), 2.compareTo(1), 1.0.compareTo(1.00), Math.max(1, 2), Math.min(1.5d, 2)]
// case: big number formatting
println 123456789012345678901234567890
println 1.23456789012345678901234567890
println 1e400
0.1 + 0.2
// case: unary minus and plus
def x = 5
[-x, +x, -(-x), -1.5, -x.abs(), (-x).abs()]
// case: number properties
[5.class.simpleName, 5.0.class.simpleName, 5.intValue(), 5.9.intValue(), 5.doubleValue(), 5.longValue(), 65.toString()]
// case: hash codes
['abc'.hashCode(), 42.hashCode(), true.hashCode(), 'Jenkins'.hashCode(), ''.hashCode(), 1.5d.hashCode(), 3000000000L.hashCode()]
// case: list hash codes
[[1, 2, 3].hashCode(), [a: 1].hashCode(), ([1, 2] as Set).hashCode(), [].hashCode()]
// case: null arithmetic
null + 1
// case: null plus string
null + 'a'
// case: null to string
"${null} " + null
// case: boolean literals and casts
[true.toString(), 'true'.toBoolean(), 'yes'.toBoolean(), '1'.toBoolean(), 'y'.toBoolean(), 'no'.toBoolean(), 'x' as boolean, '' as boolean, 0 as boolean]
// case: groovy truth
[null, 0, 1, '', 'a', [], [1], [:], [a: 1], 0.0, 0.1, false, true, "${''}", 'false'].collect { it ? 'T' : 'F' }.join('')
// case: big power mod
[2.power(8), 2G.pow(100), 7G.modPow(3G, 5G), 12G.gcd(18G), 2G ** 64]
// case: numeric promotion in lists
[1 + 1L, 1 + 1.0, 1L + 1.0d, 1G + 1, 1G + 1.0, 1.0f + 1L, (byte) 1 + (byte) 1].collect { it.class.simpleName }
// case: integer caching irrelevant to is
def a = 1000; def b = 1000
[a == b, a.equals(b), a.is(a)]
// case: long literal in range and arithmetic
def start = 1600000000000L
println start + 1000
println (start / 1000)
(start / 1000).class.simpleName
// case: decimal division precision
[1 / 7, 22 / 7, 1.0 / 7, 2.00 / 3, 1 / 9.0, 1e2 / 3]
// case: remainder of decimals
[5.5d % 2, -5.5d % 2, 5.5f % 2]
// case: modulo of decimals is refused
5.5 % 2
// case: multiply string error
'a' * 'b'
// case: minus on numbers and casts
[(5 - 2.5), 5.minus(2), 5.plus(2), 5.multiply(2), 5.div(2), 5.0.div(2)]
// case: chars are compared with strings
['a' as char == 'a', 'a' == ('a' as char), ('a' as char) == 97, 'b' > 'a']
// case: character class
[Character.isDigit('5' as char), Character.isLetter('x' as char), Character.toUpperCase('q' as char), Character.getNumericValue('7' as char), Character.isWhitespace(' ' as char)]
// case: math functions
[Math.abs(-3), Math.ceil(1.2), Math.floor(1.8), Math.round(2.5), Math.round(-2.5), Math.sqrt(16), Math.pow(2, 3), Math.signum(-2d), Math.cbrt(27)]
// case: math logs and trig
[Math.log(Math.E), Math.log10(1000), Math.sin(0), Math.cos(0), Math.atan2(1, 1), Math.hypot(3, 4), Math.toDegrees(Math.PI), Math.exp(0)]
// case: math int helpers
[Math.floorMod(-7, 3), Math.floorDiv(-7, 3), Math.max(3L, 2), Math.min(1, 2.5d), Math.PI, Math.rint(2.5d)]
// case: math exact overflow
Math.addExact(2147483647, 1)
// case: Math round types
[Math.round(2.4f).class.simpleName, Math.round(2.4d).class.simpleName, Math.abs(-2L).class.simpleName, Math.max(1, 2L).class.simpleName, Math.floor(1).class.simpleName]
