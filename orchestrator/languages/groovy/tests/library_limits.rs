//! Hostile calls of the library: each ends with a value, an exception or a limit; none panics, and none holds the server.

#![expect(clippy::disallowed_types, reason = "the test measures how long a script holds it")]

use std::rc::Rc;
use std::time::{Duration, Instant};

use haliotis_groovy::plain::{Ended, evaluate};

/// In a debug build on a loaded machine; each takes milliseconds in a release.
const LONGEST: Duration = Duration::from_secs(20);

const HOSTILE: &[&str] = &[
    "'x'.padLeft(2000000000)",
    "'x' * 2000000000",
    "'abc'.repeat(2147483647)",
    "'abc'.center(-5)",
    "'abc'.substring(-1)",
    "'abc'[-9]",
    "'abc'[2..<0]",
    "String.format('%2000000000d', 1)",
    "String.format('%.2000000000f', 1.5d)",
    "String.format('%')",
    "String.format('%1$')",
    "String.format('%9999999999999999999$s', 1)",
    "Math.floorMod(Long.MIN_VALUE, -1L)",
    "Math.floorDiv(Long.MIN_VALUE, -1L)",
    "Math.floorMod(-1L, Long.MIN_VALUE)",
    "Math.abs(Integer.MIN_VALUE)",
    "Long.MIN_VALUE.intdiv(-1)",
    "Integer.MIN_VALUE % -1",
    "new Date(Long.MAX_VALUE).format('yyyy')",
    "new Date(Long.MIN_VALUE).clearTime().time",
    "new Date(99999, 1, 1)",
    "new Date(0).plus(2147483647)",
    "new Date(0).format('d' * 70000)",
    "new Date(0).format('\\u0027')",
    "Date.parse('yyyy', '99999999')",
    "Date.parse('yyyyMMdd', '2024')",
    "def c = Calendar.getInstance(); c.add(Calendar.YEAR, 2147483647); c.time",
    "java.time.LocalDate.of(2147483647, 1, 1)",
    "java.time.LocalDate.of(2024, 1, 1).plusDays(Long.MAX_VALUE)",
    "java.time.LocalDate.of(2024, 1, 1).plusYears(Long.MIN_VALUE)",
    "java.time.LocalDate.ofEpochDay(Long.MIN_VALUE)",
    "java.time.Instant.ofEpochSecond(Long.MAX_VALUE)",
    "java.time.Instant.ofEpochMilli(Long.MIN_VALUE)",
    "java.time.Duration.ofDays(Long.MAX_VALUE).toString()",
    "java.time.Duration.ofSeconds(Long.MIN_VALUE).abs()",
    "java.time.DayOfWeek.of(-128)",
    "java.time.Month.JANUARY.plus(Long.MIN_VALUE)",
    "java.time.ZoneId.of('')",
    "java.time.ZoneOffset.ofHours(99)",
    "java.time.LocalTime.of(25, 0)",
    "java.time.LocalDate.parse('')",
    "java.time.Duration.parse('P')",
    "def l = []; l << l << l; l.flatten()",
    "(1..12).toList().permutations().size()",
    "(1..40).toList().subsequences().size()",
    "([(1..100).toList()] * 8).combinations().size()",
    "[1, 2].collate(0)",
    "[1, 2].collate(-1, 3)",
    "[1, 2].subList(2, 1)",
    "[1][2147483647] = 1",
    "def l = [1]; l[2000000000] = 1",
    "[0] * 2000000000",
    "Collections.nCopies(2147483647, 'x')",
    "(1..5).step(-2147483648)",
    "('a' * 30) ==~ /(a+)+b/",
    "('a' * 200 + 'b') =~ /(?=(a+)+c)/ ? 1 : 0",
    "'x' =~ /(?<n>/",
    "'x'.replaceAll('x', '$')",
    "'x'.replaceAll('x', '\\\\')",
    "'x'.replaceAll('(x)', '${nope}')",
    "'x'.split('')",
    "'éé'.substring(1, 2)",
    "new Random(1).nextInt(0)",
    "new Random(1).nextInt(5, 5)",
    "Integer.parseInt('1', 99)",
    "Integer.toString(5, 99)",
    "Integer.parseInt('--1')",
    "Integer.parseInt('+')",
    "new BigDecimal('1e999999999').toPlainString().size()",
    "new BigDecimal('1e999999999').toBigInteger()",
    "new BigDecimal('1e999999999') + 1",
    "new BigDecimal('1').setScale(2147483647)",
    "new BigDecimal(1).divide(3, 2147483647, java.math.RoundingMode.UP)",
    "1e999999999 as int",
    "1e999999999.hashCode()",
    "1e2147483647 == 2",
    "1e999999999 <=> 1e999999998",
    "String.format('%f', 1e999999999)",
    "10G ** 2000000000",
    "7G.modPow(3G, 0G)",
    "Double.MAX_VALUE.round(400)",
    "1.5d.round(-400)",
    "new groovy.json.JsonSlurper().parseText('[' * 100000)",
    "new groovy.json.JsonSlurper().parseText('{\"a\":1e999999999}').a + 1",
    "new groovy.json.JsonSlurper().parseText('\"\\\\u12')",
    "groovy.json.JsonOutput.prettyPrint('}' * 1000)",
    "def m = [:]; m.self = m; groovy.json.JsonOutput.toJson(m)",
    "def m = [:]; m.self = m; String.valueOf(m)",
    "'%zz'.formatted(1)",
    "URLDecoder.decode('%', 'UTF-8')",
    "'zz'.decodeHex()",
    "'=='.decodeBase64()",
    "UUID.fromString('1-2-3')",
    "''.next() + ''.previous()",
    "'abc'.tr('', '')",
    "'abc'.tr('a-', 'b')",
    "new StringBuilder('abc').delete(2, 1)",
    "new StringBuilder('abc').insert(9, 'x')",
    "new StringBuilder('abc').setLength(2147483647)",
    "[].iterator().remove()",
    "''.getAt(0..5)",
    "[1].transpose()",
    "[[1], 2].combinations()",
    "['a': 1].take(-1)",
    "'x'.take(-1) + 'x'.drop(-1)",
    "Arrays.copyOf([1] as int[], -1)",
    "Arrays.copyOfRange([1] as int[], 5, 2)",
    "System.arraycopy([1] as int[], 0, [1] as int[], 1, 5)",
    "Character.toString(-1)",
    "String.valueOf((char) 55296)",
];

#[test]
fn hostile_calls_end() {
    let run = || {
        let mut wrong = Vec::new();
        for script in HOSTILE {
            let started = Instant::now();
            let ended =
                std::panic::catch_unwind(|| evaluate(script, "Script1.groovy", "Script1", Rc::new(|_: &str| {})));
            match ended {
                Err(_) => wrong.push(format!("panics: {script}")),
                Ok(Ended::Fatal(text)) if text.contains("refused its arguments") => {
                    wrong.push(format!("leaks: {script}"))
                }
                Ok(Ended::Invalid(problems)) => wrong.push(format!("is no Groovy: {script}: {problems:?}")),
                Ok(_) if started.elapsed() > LONGEST => wrong.push(format!("takes {:?}: {script}", started.elapsed())),
                Ok(_) => {}
            }
        }
        wrong
    };
    let wrong = std::thread::Builder::new().stack_size(64 << 20).spawn(run).map(std::thread::JoinHandle::join);
    match wrong {
        Ok(Ok(wrong)) => assert!(wrong.is_empty(), "{wrong:#?}"),
        other => panic!("the thread did not run: {other:?}"),
    }
}
