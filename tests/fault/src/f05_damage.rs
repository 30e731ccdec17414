//! F5: the database's file is cut, overwritten, or loses its write-ahead log. Damage is found, or what is read is true.
//!
//! The oracle: what the undamaged folder says of its builds, journals and all. A damaged one may refuse, and then by
//! name; what it answers must be that.

use std::io::{Seek, SeekFrom, Write};
use std::path::Path;

use crate::Trial;
use crate::house::{House, is_over};

/// One page of SQLite.
const PAGE: u64 = 4_096;
/// Builds whose journals are compared.
const BUILDS: usize = 8;

/// How the description of the smallest damage begins.
const ONE_BYTE: &str = "one byte";

pub(crate) async fn run(trial: &mut Trial) -> Result<(), String> {
    let house = House::new(&trial.options.binary, "f5")?;
    let server = house.serve(&[]).await?;
    let text = "name: p\nsteps:\n  a: { run: 'echo a' }\n  b: { needs: [a], run: 'echo b' }\n";
    house.pipeline(&server, "p", "yaml", text).await?;
    for number in 0..BUILDS {
        let id = server.build("p", &format!("b{number}")).await?;
        server.wait(id, std::time::Duration::from_secs(30), is_over).await?;
    }
    server.stop().await?;
    let backup = house.dir.join("backup");
    let backed_up = house.run(&["backup", &backup.display().to_string()]).await?;
    trial.outcome.expect(backed_up.status.success(), || String::from_utf8_lossy(&backed_up.stderr).into_owned());
    // The backup's file is whole in itself; the server's own may have its last writes in the write-ahead log.
    let file = house.data().join("haliotis.db");
    let sound = std::fs::read(backup.join("haliotis.db")).map_err(|error| error.to_string())?;
    restore_file(&file, &sound)?;
    let truth = told(&house).await?;
    let (mut refused, mut harmless, mut unnoticed) = (0, 0, 0);
    let mut tries = trial.rounds(12, 200, 1);
    while let Some(number) = tries.another() {
        restore_file(&file, &sound)?;
        let what = damage(trial, number, &file, sound.len() as u64)?;
        match told(&house).await {
            Err(_) => refused += 1,
            Ok(now) if now == truth => harmless += 1,
            // A byte within a value: neither SQLite nor we keep a checksum of that, and the report says so.
            Ok(_) if what.starts_with(ONE_BYTE) => unnoticed += 1,
            Ok(now) => trial.outcome.find(format!("{what}: served otherwise than it was, and nobody noticed: {now:?}")),
        }
    }
    tries.note("damages", &mut trial.outcome);
    trial.outcome.measure("refused by name", refused);
    trial.outcome.measure("without effect on any answer", harmless);
    trial.outcome.measure("one byte within a value changed, and nobody noticed", unnoticed);
    trial.outcome.skip("checksums of rows: a single byte that changes within a value is served as it is");

    // A server over a damaged file never answers with something else; here the header is gone.
    restore_file(&file, &sound)?;
    overwrite(&file, 0, &[0x5a; 4_096])?;
    match house.serve(&[]).await {
        Ok(server) => {
            trial.outcome.find("a server started over a file without a header");
            server.stop().await?;
        }
        Err(why) => {
            trial.outcome.expect(why.contains("haliotis.db"), || format!("the refusal does not name the file: {why}"))
        }
    }
    let mut other = House::over(&house, &house.dir.join("restored"));
    other.var("HALIOTIS_DATA_DIR", other.data().display().to_string());
    let restored = other.run(&["restore", &backup.display().to_string()]).await?;
    trial.outcome.expect(restored.status.success(), || String::from_utf8_lossy(&restored.stderr).into_owned());
    let again = told(&other).await?;
    trial.outcome.expect(again == truth, || "the restored folder says otherwise than the one it is of".to_owned());
    Ok(())
}

/// What the folder says of itself. `Err`: it was refused; a crash of ours is none of the allowed ways.
async fn told(house: &House) -> Result<Vec<String>, String> {
    let mut lines = Vec::new();
    let mut asked =
        vec![vec!["doctor".to_owned(), "--json".to_owned()], vec!["builds".to_owned(), "--json".to_owned()]];
    asked.extend((1..=BUILDS).map(|id| vec!["replay".to_owned(), id.to_string(), "--json".to_owned()]));
    for (place, args) in asked.iter().enumerate() {
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let done = house.run(&args).await?;
        let text = String::from_utf8_lossy(&done.stdout).into_owned();
        let said = String::from_utf8_lossy(&done.stderr).into_owned();
        if said.contains("panicked") {
            return Ok(vec![format!("a panic: {said}")]);
        }
        if place == 0 {
            let checks: serde_json::Value = serde_json::from_str(&text).map_err(|error| error.to_string())?;
            let database = checks.as_array().into_iter().flatten().find(|check| check["name"] == "database");
            match database {
                Some(check) if check["verdict"] == "good" => {}
                other => return Err(format!("{other:?}")),
            }
        } else if !done.status.success() {
            return Err(said);
        } else {
            lines.push(text);
        }
    }
    Ok(lines)
}

fn restore_file(file: &Path, sound: &[u8]) -> Result<(), String> {
    for beside in ["-wal", "-shm"] {
        let _ = std::fs::remove_file(format!("{}{beside}", file.display()));
    }
    std::fs::write(file, sound).map_err(|error| error.to_string())
}

fn damage(trial: &mut Trial, number: usize, file: &Path, size: u64) -> Result<String, String> {
    let failed = |error: std::io::Error| error.to_string();
    let page = trial.random.below(size / PAGE);
    Ok(match number % 4 {
        0 => {
            let at = trial.random.below(size);
            std::fs::OpenOptions::new().write(true).open(file).and_then(|file| file.set_len(at)).map_err(failed)?;
            format!("cut at byte {at} of {size}")
        }
        1 => {
            let noise: Vec<u8> = (0..PAGE).map(|_| trial.random.bits() as u8).collect();
            overwrite(file, page * PAGE, &noise)?;
            format!("page {page} overwritten")
        }
        2 => {
            let at = page * PAGE + trial.random.below(PAGE);
            overwrite(file, at, &[trial.random.bits() as u8 | 1])?;
            format!("{ONE_BYTE} at {at} overwritten")
        }
        _ => {
            // An index of the write-ahead log that belongs to nothing.
            std::fs::write(format!("{}-shm", file.display()), vec![0xff; 32_768]).map_err(failed)?;
            "a stale -shm".to_owned()
        }
    })
}

fn overwrite(file: &Path, at: u64, bytes: &[u8]) -> Result<(), String> {
    let write = || {
        let mut file = std::fs::OpenOptions::new().write(true).open(file)?;
        file.seek(SeekFrom::Start(at))?;
        file.write_all(bytes)
    };
    write().map_err(|error: std::io::Error| error.to_string())
}
