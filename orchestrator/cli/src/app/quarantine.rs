//! A build that brings the whole process down (a stack or memory that runs out) is told from the others and, after the
//! third time, left alone: it ends with that, and the others go on.
//!
//! ```text
//! DATA/driving        8 bytes: the build whose program is being asked right now, 0: none
//! DATA/crashes.json   build to how often the process ended while it was being asked
//! ```
//! The first is written without a sync: it has to outlive the process, not the machine. A program that panics never gets
//! so far; its build ends at once. A `kill -9` may hit a build by chance, which is why one time is not enough.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use haliotis_engine::Watch;
use haliotis_model::BuildId;

/// So often a build may bring the process down.
const CRASHES: u32 = 3;
/// Counts that are kept: those of the newest builds.
const KEPT: usize = 1_000;

/// Counts what the last life died of, and watches this one.
///
/// # Errors
/// Those of the two files.
pub fn watch(dir: &Path) -> io::Result<Watch> {
    let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(dir.join("driving"))?;
    let counts = count(dir, last(&file))?;
    file.write_all_at(&0_i64.to_le_bytes(), 0)?;
    let quarantined = counts
        .into_iter()
        .filter(|(_, times)| *times >= CRASHES)
        .map(|(build, times)| {
            let why = format!(
                "quarantined: the server went down {times} times while it drove this build; the others went on. Report \
                 it with `haliotis replay {build}`"
            );
            (BuildId(build), why)
        })
        .collect();
    Ok(Watch {
        driving: Box::new(move |build| {
            let id = build.map_or(0, |build| build.0);
            // What cannot be written is not counted; the build itself needs none of this.
            let _ = file.write_all_at(&id.to_le_bytes(), 0);
            haliotis_failpoints::driving(id);
        }),
        quarantined,
    })
}

fn last(file: &File) -> i64 {
    let mut bytes = [0; 8];
    file.read_exact_at(&mut bytes, 0).map_or(0, |()| i64::from_le_bytes(bytes))
}

fn count(dir: &Path, died: i64) -> io::Result<BTreeMap<i64, u32>> {
    let path = dir.join("crashes.json");
    let text = std::fs::read_to_string(&path).unwrap_or_default();
    let mut counts: BTreeMap<i64, u32> = serde_json::from_str(&text).unwrap_or_default();
    if died > 0 {
        *counts.entry(died).or_insert(0) += 1;
        tracing::warn!(build = died, "the last server went down while it drove this build");
        while counts.len() > KEPT {
            counts.pop_first();
        }
        let next = dir.join("crashes.json.new");
        std::fs::write(&next, serde_json::to_vec(&counts)?)?;
        std::fs::rename(next, path)?;
    }
    Ok(counts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_third_death_of_one_build_puts_it_aside() {
        let dir = std::env::temp_dir().join(format!("haliotis-quarantine-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        for life in 1..=4 {
            let watch = watch(&dir).unwrap();
            assert_eq!(watch.quarantined.contains_key(&BuildId(7)), life == 4, "life {life}");
            (watch.driving)(Some(BuildId(3)));
            (watch.driving)(None);
            (watch.driving)(Some(BuildId(7)));
        }
        // An end in order counts for nothing.
        let watching = watch(&dir).unwrap();
        (watching.driving)(None);
        let counted = watch(&dir).unwrap().quarantined;
        assert_eq!(counted.keys().collect::<Vec<_>>(), [&BuildId(7)]);
        std::fs::remove_dir_all(dir).unwrap();
    }
}
