// JSON.
// case: parse object
import groovy.json.JsonSlurper
def j = new JsonSlurper().parseText('{"a": 1, "b": [true, false, null], "c": {"d": "x"}, "e": 1.5, "f": 1e3, "g": 12345678901}')
println j.a + j.b.size()
println j.c.d
println j.e.class.simpleName
println j.f
println j.g.class.simpleName
j.keySet().toList()
// case: parse list and scalars
import groovy.json.JsonSlurper
def s = new JsonSlurper()
[s.parseText('[1, "two", {"three": 3}]'), s.parseText('[]'), s.parseText('{}')]
// case: parse escapes
import groovy.json.JsonSlurper
new JsonSlurper().parseText('{"t": "a\\nb\\t\\"q\\" \\u0041 \\\\ \\/"}').t
// case: slurper classic
import groovy.json.JsonSlurperClassic
def j = new JsonSlurperClassic().parseText('{"z": 1, "a": {"k": [1, 2.5, "s"]}}')
println j
println j.getClass().simpleName
println j.a.k*.class*.simpleName
j.z
// case: classic key order
import groovy.json.JsonSlurperClassic
new JsonSlurperClassic().parseText('{"zeta": 1, "alpha": 2, "mid": 3, "beta": 4, "omega": 5}')
// case: slurper key order
import groovy.json.JsonSlurper
new JsonSlurper().parseText('{"zeta": 1, "alpha": 2, "mid": 3, "beta": 4, "omega": 5}').keySet().toList().sort()
// case: toJson
import groovy.json.JsonOutput
println JsonOutput.toJson([a: 1, b: 'x', c: [1, 2], d: null, e: true, f: 1.50, g: [h: []]])
println JsonOutput.toJson([1, 'a', null])
println JsonOutput.toJson('text "quoted" \n \t / \\ é')
println JsonOutput.toJson(5)
println JsonOutput.toJson(null)
println JsonOutput.toJson("g${1}")
JsonOutput.toJson([:])
// case: toJson of objects and enums
import groovy.json.JsonOutput
class P { String name; int age; List tags = [] }
enum E { ONE }
println JsonOutput.toJson(new P(name: 'n', age: 3))
println JsonOutput.toJson([e: E.ONE])
JsonOutput.toJson([d: new Date(0L)])
// case: toJson of ranges sets and chars
import groovy.json.JsonOutput
println JsonOutput.toJson(1..3)
println JsonOutput.toJson([1, 2] as Set)
println JsonOutput.toJson(['a' as char])
println JsonOutput.toJson([1L, 2G, 1.5d, 2.5f])
JsonOutput.toJson([1, 2] as int[])
// case: pretty print
import groovy.json.JsonOutput
println JsonOutput.prettyPrint(JsonOutput.toJson([a: 1, b: [1, [c: 'd']], e: [:], f: [], g: 'x: {y}, [z]']))
JsonOutput.prettyPrint('[1,2,{"a":null}]')
// case: pretty print string escapes
import groovy.json.JsonOutput
JsonOutput.prettyPrint('{"a":"line\\nbreak","b":"\\u00e9","c":true}')
// case: round trip
import groovy.json.*
def data = [name: 'x', list: [1, 2, [k: 'v']], n: null]
new JsonSlurper().parseText(JsonOutput.toJson(data)) == data
// case: parse failure
import groovy.json.JsonSlurper
try { new JsonSlurper().parseText('{"a": }') } catch (groovy.json.JsonException e) { e.class.simpleName }
// case: parse empty
import groovy.json.JsonSlurper
new JsonSlurper().parseText('')
// case: parse null
import groovy.json.JsonSlurper
new JsonSlurper().parseText(null)
// case: JsonBuilder list and map
import groovy.json.JsonBuilder
println new JsonBuilder([a: [1, 2]]).toString()
new JsonBuilder([a: 1]).toPrettyString()
// case: JsonBuilder closure
import groovy.json.JsonBuilder
def b = new JsonBuilder()
b.root { name 'x'; items 1, 2; nested { k 'v' } }
b.toString()
// case: json in strings
import groovy.json.JsonOutput
def name = 'n'
def payload = """{"text": "${name}", "n": ${1 + 1}}"""
println payload
new groovy.json.JsonSlurper().parseText(payload).n
// case: modify and write
import groovy.json.*
def j = new JsonSlurperClassic().parseText('{"v": 1}')
j.v = 2
j.list = [1]
j.list << 2
JsonOutput.toJson(j)
// case: unicode output
groovy.json.JsonOutput.toJson([a: 'ü', b: '日', c: '\u0001'])
// case: nested lookup with find
def j = new groovy.json.JsonSlurper().parseText('{"items":[{"id":1,"n":"a"},{"id":2,"n":"b"}]}')
[j.items.find { it.id == 2 }.n, j.items*.n, j.items.collectEntries { [it.id, it.n] }]
// case: big numbers
def j = new groovy.json.JsonSlurperClassic().parseText('{"i": 2147483647, "l": 2147483648, "b": 123456789012345678901, "d": 0.1, "e": 1.0e5}')
j.collect { k, v -> v.class.simpleName }
// case: number output
groovy.json.JsonOutput.toJson([1.10, 1e5, 100G, 1.0d, 1e20d])
// case: toJson of NaN
groovy.json.JsonOutput.toJson(Double.NaN)
// case: toJson with closure value and non-string key
println groovy.json.JsonOutput.toJson([1: 'a'])
groovy.json.JsonOutput.toJson([(null): 1])
