// Dates and java.time. The clock itself is never printed.
// case: date from millis
def d = new Date(0L)
println d
println d.time
d.getTime() == 0
// case: date format
def d = new Date(1700000000000L)
println d.format('yyyy-MM-dd HH:mm:ss')
println d.format("yyyyMMdd'T'HHmmss")
println d.format('EEE, d MMM yyyy')
println d.format('EEEE MMMM dd, yy h:mm a')
println d.format('yyyy.DDD w u SSS z Z X')
d.format('yyyy-MM-dd', TimeZone.getTimeZone('UTC'))
// case: date time zone format
new Date(1700000000000L).format('yyyy-MM-dd HH:mm z', TimeZone.getTimeZone('America/New_York'))
// case: date parse
def d = Date.parse('yyyy-MM-dd HH:mm', '2024-02-29 13:45')
println d.time
println d
d.format('dd.MM.yyyy')
// case: date parse failure
Date.parse('yyyy-MM-dd', 'nonsense')
// case: date arithmetic
def d = new Date(1700000000000L)
println((d + 1).format('yyyy-MM-dd'))
println((d - 30).format('yyyy-MM-dd'))
println d.plus(7).format('dd')
(d + 3) - d
// case: date compare
def a = new Date(1000L); def b = new Date(2000L)
[a < b, a <=> b, a.before(b), a.after(b), a == new Date(1000L), b.time - a.time]
// case: SimpleDateFormat
import java.text.SimpleDateFormat
def f = new SimpleDateFormat('yyyy/MM/dd')
f.setTimeZone(TimeZone.getTimeZone('UTC'))
println f.format(new Date(86400000L))
f.parse('1970/01/03').time
// case: date property access
def d = new Date(1700000000000L)
[d[Calendar.YEAR], d[Calendar.MONTH], d[Calendar.DAY_OF_MONTH], d[Calendar.HOUR_OF_DAY]]
// case: clearTime and copyWith
def d = new Date(1700000000000L)
println d.clearTime().format('yyyy-MM-dd HH:mm:ss')
new Date(1700000000000L).clone() == new Date(1700000000000L)
// case: calendar
def c = Calendar.getInstance(TimeZone.getTimeZone('UTC'))
c.setTimeInMillis(1700000000000L)
println c.get(Calendar.YEAR)
c.add(Calendar.DAY_OF_MONTH, 20)
println c.get(Calendar.MONTH)
c.set(Calendar.HOUR_OF_DAY, 3)
c.time.format('yyyy-MM-dd HH')
// case: instant
import java.time.Instant
def i = Instant.ofEpochSecond(1700000000L)
println i
println i.plusSeconds(60)
println i.toEpochMilli()
println Instant.parse('2024-01-02T03:04:05Z').epochSecond
println Instant.ofEpochMilli(1700000000123L)
i.isBefore(Instant.ofEpochMilli(1L))
// case: local date
import java.time.LocalDate
def d = LocalDate.of(2024, 2, 28)
println d
println d.plusDays(2)
println d.plusMonths(1)
println d.minusYears(1)
println d.dayOfWeek
println d.month
println d.lengthOfMonth()
println d.isLeapYear()
println d.withDayOfMonth(1)
[d.year, d.monthValue, d.dayOfMonth, d.dayOfYear]
// case: local date compare and parse
import java.time.LocalDate
def a = LocalDate.parse('2024-01-01'); def b = LocalDate.of(2024, 3, 1)
[a.isBefore(b), a < b, a == LocalDate.of(2024, 1, 1), java.time.temporal.ChronoUnit.DAYS.between(a, b), a.until(b).toString()]
// case: local date time
import java.time.LocalDateTime
def t = LocalDateTime.of(2024, 1, 2, 3, 4, 5)
println t
println t.plusHours(22)
println LocalDateTime.of(2024, 1, 2, 3, 4)
println t.toLocalDate()
println t.toLocalTime()
println t.withMinute(0).withSecond(0)
LocalDateTime.parse('2024-05-06T07:08:09.5')
// case: date time formatter
import java.time.*
import java.time.format.DateTimeFormatter
def t = LocalDateTime.of(2024, 1, 2, 13, 4, 5)
println t.format(DateTimeFormatter.ofPattern('yyyy-MM-dd HH:mm:ss'))
println t.format(DateTimeFormatter.ofPattern('dd MMM yyyy, EEE hh:mm a'))
println DateTimeFormatter.ISO_LOCAL_DATE.format(t)
println t.format(DateTimeFormatter.ISO_LOCAL_DATE_TIME)
println t.format(DateTimeFormatter.BASIC_ISO_DATE)
println LocalDate.parse('06/05/2024', DateTimeFormatter.ofPattern('dd/MM/yyyy'))
DateTimeFormatter.ofPattern("yyyyMMdd'x'HHmmssSSS").format(t)
// case: zoned date time
import java.time.*
def z = ZonedDateTime.of(2024, 1, 2, 3, 4, 5, 0, ZoneId.of('UTC'))
println z
println z.withZoneSameInstant(ZoneId.of('America/New_York'))
println z.toInstant()
println z.format(java.time.format.DateTimeFormatter.ISO_OFFSET_DATE_TIME)
println ZonedDateTime.ofInstant(Instant.ofEpochSecond(0L), ZoneOffset.UTC)
z.toEpochSecond()
// case: offset date time
import java.time.*
def o = OffsetDateTime.of(2024, 1, 2, 3, 4, 5, 0, ZoneOffset.ofHours(2))
println o
println o.toInstant()
OffsetDateTime.parse('2024-01-02T03:04:05+01:00').toEpochSecond()
// case: duration
import java.time.Duration
println Duration.ofMinutes(90)
println Duration.ofSeconds(3661)
println Duration.ofMillis(1500)
println Duration.ofDays(2).toHours()
println Duration.ofMinutes(5).plus(Duration.ofSeconds(30)).seconds
println Duration.parse('PT1H30M').toMinutes()
println Duration.ZERO
Duration.between(java.time.Instant.ofEpochSecond(0L), java.time.Instant.ofEpochSecond(75L))
// case: period
import java.time.*
[Period.ofDays(3).toString(), Period.of(1, 2, 3).toString(), Period.between(LocalDate.of(2024, 1, 15), LocalDate.of(2024, 3, 20)).toString(), Period.ofMonths(14).normalized().toString()]
// case: day of week and month enums
import java.time.*
[DayOfWeek.MONDAY, DayOfWeek.of(7), DayOfWeek.MONDAY.plus(2), Month.JANUARY.value, Month.of(12), LocalDate.of(2024, 6, 1).dayOfWeek == DayOfWeek.SATURDAY]
// case: local time
import java.time.LocalTime
[LocalTime.of(9, 30).toString(), LocalTime.of(9, 30, 15).plusMinutes(45).toString(), LocalTime.parse('10:15').hour, LocalTime.MIDNIGHT.toString(), LocalTime.NOON.isAfter(LocalTime.MIDNIGHT)]
// case: chrono units
import java.time.*
import java.time.temporal.ChronoUnit
def a = LocalDateTime.of(2024, 1, 1, 0, 0); def b = a.plusHours(50)
[ChronoUnit.HOURS.between(a, b), ChronoUnit.DAYS.between(a, b), a.plus(3, ChronoUnit.WEEKS).toString(), b.truncatedTo(ChronoUnit.DAYS).toString()]
// case: now exists
import java.time.*
[Instant.now() instanceof Instant, LocalDate.now().year > 2000, new Date().time > 0, LocalDateTime.now().class.simpleName, ZonedDateTime.now().class.simpleName]
// case: parse failure
java.time.LocalDate.parse('2024-13-45')
// case: invalid date
java.time.LocalDate.of(2023, 2, 30)
// case: time units
import java.util.concurrent.TimeUnit
[TimeUnit.HOURS.toMinutes(2), TimeUnit.DAYS.toMillis(1), TimeUnit.MILLISECONDS.toSeconds(1999), TimeUnit.SECONDS.convert(3, TimeUnit.MINUTES), TimeUnit.MINUTES.toString()]
// case: build timestamps
def start = new Date(1700000000000L)
def took = 3725000L
def h = took.intdiv(3600000); def m = (took % 3600000).intdiv(60000); def s = (took % 60000).intdiv(1000)
"${start.format('yyyyMMdd.HHmm')} ${h}h ${m}m ${s}s"
// case: date to instant
[new Date(1700000000000L).toInstant().toString(), Date.from(java.time.Instant.ofEpochSecond(5L)).time, new Date(0L).toTimestamp().class.simpleName]
// case: date range loop
def a = new Date(0L)
def days = (0..2).collect { (a + it).format('MM-dd') }
days
// case: formatter with zone text
import java.time.*
import java.time.format.DateTimeFormatter
def z = ZonedDateTime.of(2024, 7, 2, 3, 4, 5, 0, ZoneId.of('Europe/Berlin'))
[z.format(DateTimeFormatter.ofPattern('VV xxx X Z z')), z.offset.toString(), z.zone.toString(), z.format(DateTimeFormatter.ISO_INSTANT)]
