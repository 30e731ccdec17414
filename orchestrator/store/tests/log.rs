//! The log store on real files.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::io::Write;

use haliotis_model::{BuildId, StepId, StepKey};
use haliotis_store::{LogBytes, LogStore};
use tempfile::TempDir;
use tokio::io::AsyncReadExt;

fn key(step: &str) -> StepKey {
    StepKey { build: BuildId(7), step: StepId::new(step), attempt: 1 }
}

async fn with_log(bytes: &[u8]) -> (TempDir, LogStore, StepKey) {
    let folder = tempfile::tempdir().unwrap();
    let logs = LogStore::new(folder.path().join("logs"));
    let key = key("/train");
    logs.prepare(key.build).await.unwrap();
    fs::write(logs.path(&key), bytes).unwrap();
    (folder, logs, key)
}

#[tokio::test]
async fn a_log_that_is_not_there_is_empty() {
    let logs = LogStore::new("/nowhere/at/all");
    assert_eq!(logs.read(&key("/a"), 5, 10).await.unwrap(), LogBytes { offset: 5, bytes: Vec::new(), total: 0 });
    assert_eq!(logs.tail(&key("/a"), 10).await.unwrap().total, 0);
    assert_eq!(logs.size(&key("/a")).await.unwrap(), 0);
    assert!(logs.open(&key("/a")).await.unwrap().is_none());
    assert_eq!(logs.list(BuildId(7)).await.unwrap(), []);
    assert_eq!(logs.search(&key("/a"), "x", 0, 10).await.unwrap().hits, []);
    logs.remove(BuildId(7)).await.unwrap();
}

#[tokio::test]
async fn a_growing_log_is_read_from_where_the_last_read_stopped() {
    let (_folder, logs, key) = with_log(b"one\ntwo\n").await;
    let first = logs.read(&key, 0, 6).await.unwrap();
    assert_eq!((first.bytes.as_slice(), first.total), (b"one\ntw".as_slice(), 8));
    let mut file = fs::OpenOptions::new().append(true).open(logs.path(&key)).unwrap();
    file.write_all(b"\xff\x00three\n").unwrap();
    let second = logs.read(&key, 6, 1_000).await.unwrap();
    assert_eq!((second.bytes.as_slice(), second.total), (b"o\n\xff\x00three\n".as_slice(), 16));
    let end = logs.read(&key, 16, 1_000).await.unwrap();
    assert_eq!((end.bytes.len(), end.offset, end.total), (0, 16, 16));
    assert_eq!(logs.read(&key, 99, 1).await.unwrap().bytes, b"");
    assert_eq!(logs.size(&key).await.unwrap(), 16);
}

#[tokio::test]
async fn a_tail_begins_with_a_whole_line() {
    let (_folder, logs, key) = with_log(b"one\ntwo\nthree\n").await;
    let tail = logs.tail(&key, 8).await.unwrap();
    assert_eq!((tail.bytes.as_slice(), tail.offset, tail.total), (b"three\n".as_slice(), 8, 14));
    let all = logs.tail(&key, 100).await.unwrap();
    assert_eq!((all.bytes.as_slice(), all.offset), (b"one\ntwo\nthree\n".as_slice(), 0));
    let (_folder, logs, key) = with_log(b"no line break in here").await;
    assert_eq!(logs.tail(&key, 4).await.unwrap().bytes, b"here");
}

#[tokio::test]
async fn one_answer_is_bounded_and_the_whole_is_streamed() {
    let bytes: Vec<u8> = (0..9_000_000_u32).map(|number| (number % 251) as u8).collect();
    let (_folder, logs, key) = with_log(&bytes).await;
    let block = logs.read(&key, 0, u64::MAX).await.unwrap();
    assert_eq!((block.bytes.len(), block.total), (8 * 1024 * 1024, 9_000_000));
    let (file, size) = logs.open(&key).await.unwrap().unwrap();
    let mut read = Vec::new();
    file.take(size).read_to_end(&mut read).await.unwrap();
    assert!(read == bytes);
}

#[tokio::test]
async fn logs_of_a_build_are_listed_and_removed() {
    let (_folder, logs, first) = with_log(b"12345").await;
    let second = StepKey { attempt: 2, ..first.clone() };
    fs::write(logs.path(&second), b"123").unwrap();
    fs::write(logs.build_dir(first.build).join("notes.txt"), b"").unwrap();
    let mut expected = [(first.slug(), 5), (second.slug(), 3)];
    expected.sort();
    let listed: Vec<(String, u64)> =
        logs.list(first.build).await.unwrap().into_iter().map(|log| (log.slug, log.size)).collect();
    assert_eq!(listed, expected);
    assert!(logs.path(&first).ends_with(format!("7/{}.log", first.slug())));
    logs.remove(first.build).await.unwrap();
    assert!(!logs.build_dir(first.build).exists());
}

#[tokio::test]
async fn a_search_names_each_line_once_and_goes_on_from_where_it_stopped() {
    let (_folder, logs, key) = with_log(b"ok\nERROR one error\nfine\nan error\nlast Error without end").await;
    let found = logs.search(&key, "error", 0, 2).await.unwrap();
    let lines: Vec<(u64, u64, &str)> = found.hits.iter().map(|hit| (hit.line, hit.offset, hit.text.as_str())).collect();
    assert_eq!(lines, [(3, 3, "ERROR one error"), (24, 27, "an error")]);
    let rest = logs.search(&key, "error", found.next.unwrap(), 2).await.unwrap();
    assert_eq!((rest.hits.len(), rest.hits[0].line, rest.next), (1, 33, None));
    for nothing in ["", "absent"] {
        assert_eq!(logs.search(&key, nothing, 0, 2).await.unwrap().hits, []);
    }
}

#[tokio::test]
async fn a_search_finds_what_crosses_a_block_border_and_survives_endless_lines() {
    const BLOCK: usize = 1024 * 1024;
    let mut bytes = vec![b'a'; 3 * BLOCK];
    bytes[BLOCK - 3..BLOCK + 3].copy_from_slice(b"needle");
    bytes[BLOCK + 100] = b'\n';
    bytes[2 * BLOCK - 10] = b'\n';
    bytes[2 * BLOCK + 50..2 * BLOCK + 56].copy_from_slice(b"Needle");
    let (_folder, logs, key) = with_log(&bytes).await;
    let found = logs.search(&key, "needle", 0, 10).await.unwrap();
    let lines: Vec<(u64, u64)> = found.hits.iter().map(|hit| (hit.line, hit.offset)).collect();
    assert_eq!(lines, [(0, BLOCK as u64 - 3), (2 * BLOCK as u64 - 9, 2 * BLOCK as u64 + 50)]);
    assert_eq!(found.hits[0].text.len(), 400);
    let every_byte = logs.search(&key, "a", 0, 10).await.unwrap();
    let lines: Vec<u64> = every_byte.hits.iter().map(|hit| hit.line).collect();
    assert_eq!(lines, [0, BLOCK as u64 + 101, 2 * BLOCK as u64 - 9]);
}

#[tokio::test]
async fn a_byte_that_changed_in_the_log_of_an_ended_build_is_found_and_named() {
    let folder = tempfile::tempdir().unwrap();
    let logs = LogStore::new(folder.path());
    let key = |build: i64, step: &str| StepKey { build: BuildId(build), step: StepId::new(step), attempt: 1 };
    assert_eq!(logs.seal(BuildId(1)).await.unwrap(), 0, "a build that printed nothing");
    assert!(!folder.path().join("1").exists());
    for (key, bytes) in [(key(1, "/a"), 3 << 20), (key(1, "/b"), 5), (key(2, "/a"), 7)] {
        logs.prepare(key.build).await.unwrap();
        std::fs::write(logs.path(&key), vec![b'x'; bytes]).unwrap();
    }
    assert_eq!(logs.seal(BuildId(1)).await.unwrap(), 2);
    assert_eq!(logs.seal(BuildId(2)).await.unwrap(), 1);
    let found = logs.verify(u64::MAX).await.unwrap();
    assert_eq!((found.logs, found.bytes, found.findings.len(), found.more), (3, (3 << 20) + 12, 0, false));
    assert!(logs.verify(1).await.unwrap().more, "the newest build is enough for the limit");
    assert_eq!(logs.list(BuildId(1)).await.unwrap().len(), 2, "the hashes are no log");

    let path = logs.path(&key(1, "/a"));
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[(1 << 20) + 17] ^= 1;
    std::fs::write(&path, &bytes).unwrap();
    std::fs::write(logs.path(&key(1, "/b")), "xxx").unwrap();
    std::fs::remove_file(logs.path(&key(2, "/a"))).unwrap();
    let findings = logs.verify(u64::MAX).await.unwrap().findings;
    let said = findings.join(" | ");
    assert_eq!(findings.len(), 3, "{said}");
    assert!(said.contains("bytes 1048576 to 2097152 are not what the step printed"), "{said}");
    assert!(said.contains("has 3 bytes, the step had printed 5") && said.contains("it had 7 bytes"), "{said}");
    logs.remove(BuildId(2)).await.unwrap();
    assert_eq!(logs.verify(u64::MAX).await.unwrap().findings.len(), 2, "what was removed on purpose is not missed");
}
