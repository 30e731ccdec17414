//! `haliotis logs BUILD [STEP]`: what steps printed; `-f` follows.

use std::io::Write;
use std::time::Duration;

use clap::Args;
use haliotis_engine::{BuildView, NodeView};
use haliotis_model::{BuildId, Millis, StepKey};

use crate::app::reading::Reading;
use crate::context::Context;
use crate::failure::{Failure, Outcome};

/// How often a followed log is looked at: short enough to feel live, long enough to cost nothing.
const FOLLOW_EVERY: Duration = Duration::from_millis(200);
/// One read: large enough for the disk, small enough for memory.
const CHUNK: u64 = 1 << 20;

/// Arguments of `logs`.
#[derive(Args)]
pub struct Logs {
    /// The build: its id, PIPELINE#NUMBER, or PIPELINE for its newest
    build: String,
    /// This step alone
    step: Option<String>,
    /// Say when each line was printed, in local time to a tenth of a second
    #[arg(short, long)]
    timestamps: bool,
    /// Go on as the build does
    #[arg(short, long)]
    follow: bool,
}

/// Prints the logs, step by step in the order they started.
pub async fn run(args: Logs, ctx: &Context) -> Outcome {
    let reading = Reading::open(ctx).await?;
    let id = reading.find(&args.build).await?;
    let mut printer = Printer { timestamps: args.timestamps, ..Printer::default() };
    loop {
        let view = reading.view(id).await?;
        let nodes = chosen(&view, args.step.as_deref())?;
        printer.print(&reading, id, &nodes, args.step.is_none()).await?;
        if !args.follow || view.result.is_some() {
            return Ok(());
        }
        tokio::time::sleep(FOLLOW_EVERY).await;
    }
}

fn chosen<'a>(view: &'a BuildView, step: Option<&str>) -> Result<Vec<&'a NodeView>, Failure> {
    let mut nodes: Vec<_> = match step {
        Some(step) => {
            let name = step.trim_start_matches('/');
            let node = view.nodes.iter().find(|node| node.id.as_str().trim_start_matches('/') == name);
            vec![node.ok_or_else(|| {
                let names: Vec<_> = view.nodes.iter().map(|node| node.id.as_str().trim_start_matches('/')).collect();
                Failure::not_found(format!("this build has no step `{name}`; it has {}", names.join(", ")))
            })?]
        }
        None => view.nodes.iter().filter(|node| node.attempt > 0).collect(),
    };
    nodes.sort_by_key(|node| (node.started_at.is_none(), node.started_at));
    Ok(nodes)
}

/// How far each step's log has been printed.
#[derive(Default)]
struct Printer {
    offsets: std::collections::BTreeMap<StepKey, u64>,
    last: Option<StepKey>,
    timestamps: bool,
    /// The last printed byte ended no line: the next one begins none.
    open_line: bool,
}

impl Printer {
    async fn print(&mut self, reading: &Reading, build: BuildId, nodes: &[&NodeView], headings: bool) -> Outcome {
        let mut out = std::io::stdout();
        for node in nodes {
            for attempt in 1..=node.attempt {
                let key = StepKey { build, step: node.id.clone(), attempt };
                loop {
                    let offset = self.offsets.get(&key).copied().unwrap_or(0);
                    let bytes = reading.logs.read(&key, offset, CHUNK).await?.bytes;
                    if bytes.is_empty() {
                        break;
                    }
                    if headings && self.last.as_ref() != Some(&key) {
                        let name = key.step.as_str().trim_start_matches('/');
                        let attempt = if attempt > 1 { format!(" (attempt {attempt})") } else { String::new() };
                        writeln!(out, "{}", console::style(format!("── {name}{attempt}")).bold())?;
                        self.last = Some(key.clone());
                    }
                    if self.timestamps {
                        let marks = reading.logs.times(&key).await?;
                        let stamped = self.stamped(&bytes, offset, &marks, node.started_at);
                        out.write_all(&stamped)?;
                    } else {
                        out.write_all(&bytes)?;
                    }
                    self.offsets.insert(key.clone(), offset + bytes.len() as u64);
                }
            }
        }
        out.flush()?;
        Ok(())
    }

    /// The lines with their times before them: of the first mark that covers a line; before the first, of the start of the
    /// step, after the last, of the last mark.
    fn stamped(&mut self, bytes: &[u8], offset: u64, marks: &[(u64, i64)], started: Option<Millis>) -> Vec<u8> {
        let mut out = Vec::with_capacity(bytes.len() * 2);
        let mut end = offset;
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            end += line.len() as u64;
            if !self.open_line {
                let mark = marks.get(marks.partition_point(|(seen, _)| *seen < end)).or(marks.last());
                let at = mark.map(|(_, at)| *at).or(started.map(|at| at.0)).unwrap_or(0);
                out.extend_from_slice(crate::show::moment(at).as_bytes());
                out.push(b' ');
            }
            out.extend_from_slice(line);
            self.open_line = !line.ends_with(b"\n");
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_has_the_time_of_the_mark_that_covers_it() {
        let mut printer = Printer { timestamps: true, ..Printer::default() };
        let marks = [(4, 1_000), (8, 61_000)];
        let mut text = printer.stamped(b"one\ntwo\nthr", 0, &marks, None);
        // The rest of a line that was cut by the read has no time of its own.
        text.extend(printer.stamped(b"ee\n", 11, &marks, None));
        let text = String::from_utf8(text).unwrap();
        let second = |line: &str| line.split(' ').next().unwrap()[14..].to_owned();
        let seconds: Vec<_> = text.lines().map(second).collect();
        assert_eq!(seconds.iter().map(|text| &text[..5]).collect::<Vec<_>>(), ["00:01", "01:01", "01:01"]);
        assert!(text.lines().zip([" one", " two", " three"]).all(|(line, end)| line.ends_with(end)), "{text}");
        let started = printer.stamped(b"x\n", 0, &[], Some(Millis(5_000)));
        assert!(String::from_utf8(started).unwrap().contains("00:05.0"));
    }
}
