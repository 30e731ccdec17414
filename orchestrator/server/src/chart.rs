//! A metric over model versions as a line, with a mark per version whose shape says how it was decided.

use crate::words;

/// The picture's own units; it scales with the page.
const WIDTH: f64 = 440.0;
const HEIGHT: f64 = 180.0;
const LEFT: f64 = 52.0;
/// Between the axis and the first mark.
const INDENT: f64 = 16.0;
const RIGHT: f64 = 18.0;
const TOP: f64 = 16.0;
const BOTTOM: f64 = 28.0;
/// More versions than this would be a smear; the table has them all.
pub(crate) const POINTS_MAX: usize = 60;

/// One version's value.
pub(crate) struct Sample {
    pub(crate) version: u32,
    pub(crate) value: f64,
    /// As `approved`, `rejected`, `pending`: a class of the style sheet and the shape of the mark.
    pub(crate) standing: &'static str,
}

/// A mark of the chart.
pub(crate) struct Mark {
    pub(crate) x: f64,
    pub(crate) y: f64,
    pub(crate) standing: &'static str,
    pub(crate) label: String,
    /// Written below the mark, where there is room.
    pub(crate) version: Option<u32>,
}

/// A line across with its value.
pub(crate) struct Tick {
    pub(crate) y: f64,
    pub(crate) label: String,
}

/// What the template draws.
pub(crate) struct Chart {
    pub(crate) name: String,
    pub(crate) width: f64,
    pub(crate) height: f64,
    pub(crate) left: f64,
    pub(crate) right: f64,
    pub(crate) floor: f64,
    pub(crate) line: String,
    pub(crate) marks: Vec<Mark>,
    pub(crate) ticks: Vec<Tick>,
    /// The same in words.
    pub(crate) summary: String,
}

/// The chart of the newest samples, oldest first; `None` without any.
pub(crate) fn chart(name: &str, samples: &[Sample]) -> Option<Chart> {
    let samples = &samples[samples.len().saturating_sub(POINTS_MAX)..];
    let (first, last) = (samples.first()?, samples.last()?);
    let (low, high) = bounds(samples);
    let step = if samples.len() > 1 { (WIDTH - LEFT - INDENT - RIGHT) / count(samples.len() - 1) } else { 0.0 };
    let alone = if samples.len() > 1 { LEFT + INDENT } else { f64::midpoint(LEFT, WIDTH - RIGHT) };
    let y = |value: f64| crate::graph::round(TOP + (high - value) / (high - low) * (HEIGHT - TOP - BOTTOM));
    // A number below every mark as long as they do not run into each other.
    let stride = samples.len().div_ceil(14);
    let mark = |(at, sample): (usize, &Sample)| Mark {
        x: crate::graph::round(alone + count(at) * step),
        y: y(sample.value),
        standing: sample.standing,
        label: format!("Version {}: {} {}, {}", sample.version, name, words::number(sample.value), sample.standing),
        version: ((samples.len() - 1 - at).is_multiple_of(stride)).then_some(sample.version),
    };
    let marks: Vec<_> = samples.iter().enumerate().map(mark).collect();
    let line = marks.iter().enumerate().map(|(at, mark)| {
        let verb = if at == 0 { 'M' } else { 'L' };
        format!("{verb} {} {}", mark.x, mark.y)
    });
    let best = samples.iter().map(|sample| sample.value).fold(f64::INFINITY, f64::min);
    let summary = format!(
        "{name} over versions {} to {}: first {}, lowest {}, last {}",
        first.version,
        last.version,
        words::number(first.value),
        words::number(best),
        words::number(last.value)
    );
    Some(Chart {
        name: name.to_owned(),
        width: WIDTH,
        height: HEIGHT,
        left: LEFT,
        right: WIDTH - RIGHT,
        floor: HEIGHT - BOTTOM,
        line: line.collect::<Vec<_>>().join(" "),
        ticks: ticks(low, high).into_iter().map(|(value, label)| Tick { y: y(value), label }).collect(),
        marks,
        summary,
    })
}

#[expect(clippy::cast_precision_loss, reason = "at most POINTS_MAX")]
fn count(points: usize) -> f64 {
    points as f64
}

/// Three to six round values between the bounds, written with the same number of digits.
fn ticks(low: f64, high: f64) -> Vec<(f64, String)> {
    let rough = (high - low) / 6.0;
    let ten = 10_f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].into_iter().map(|part| part * ten).find(|step| *step >= rough).unwrap_or(rough);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 0..=9")]
    let decimals = (-step.log10().floor()).clamp(0.0, 9.0) as usize;
    let first = (low / step).ceil();
    let values = (0..10_u32).map(|at| (first + f64::from(at)) * step).take_while(|value| *value <= high + step * 1e-9);
    values.map(|value| (value, format!("{value:.decimals$}"))).collect()
}

/// Lowest and highest with some air; never the same.
fn bounds(samples: &[Sample]) -> (f64, f64) {
    let values = || samples.iter().map(|sample| sample.value).filter(|value| value.is_finite());
    let low = values().fold(f64::INFINITY, f64::min);
    let high = values().fold(f64::NEG_INFINITY, f64::max);
    if low > high {
        return (0.0, 1.0);
    }
    let air = if high > low { (high - low) * 0.15 } else { (high.abs() * 0.05).max(0.5) };
    (low - air, high + air)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_stand_inside_and_lower_values_lower() {
        let sample = |version, value| Sample { version, value, standing: "approved" };
        let chart = chart("mse", &[sample(1, 5.0), sample(2, 4.5), sample(3, 4.8)]).unwrap();
        assert!(chart.marks.iter().all(|mark| mark.y > TOP && mark.y < HEIGHT - BOTTOM && mark.x >= LEFT));
        assert!(chart.marks[1].y > chart.marks[0].y);
        assert_eq!(chart.summary, "mse over versions 1 to 3: first 5, lowest 4.500, last 4.800");
    }

    #[test]
    fn ticks_are_round() {
        let labels = |low, high| ticks(low, high).into_iter().map(|(_, label)| label).collect::<Vec<_>>();
        assert_eq!(labels(4.23, 7.25), ["5", "6", "7"]);
        assert_eq!(labels(0.31, 0.6), ["0.35", "0.40", "0.45", "0.50", "0.55", "0.60"]);
        assert_eq!(labels(1200.0, 2400.0), ["1200", "1400", "1600", "1800", "2000", "2200", "2400"]);
    }

    #[test]
    fn one_version_and_none_are_fine() {
        assert!(chart("mse", &[]).is_none());
        let one = chart("mse", &[Sample { version: 1, value: 4.0, standing: "pending" }]).unwrap();
        assert_eq!(one.marks.len(), 1);
    }
}
