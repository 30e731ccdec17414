//! A disk that really is full: writes are refused with the reason, nothing acknowledged is lost, and once there is room
//! they go on without a restart.
//!
//! The test starts this same binary again in a mount namespace of its own, with a small disk in memory.

#![expect(clippy::print_stderr, reason = "a test says when it could not run")]

use std::path::Path;
use std::process::Command;

use haliotis_engine::{BuildFilter, Catalog, Journal};
use haliotis_model::{Millis, NewBuild, Object, Source, WorkspaceKind};
use haliotis_store::SqliteStore;

const DISK: &str = "HALIOTIS_SMALL_DISK";
const MOUNT: &str = r#"mount -t tmpfs -o size=4m small "$HALIOTIS_SMALL_DISK" || exit 77
exec "$1" --exact on_the_small_disk --nocapture"#;
/// What the script answers when it may not mount.
const NO_MOUNT: i32 = 77;

#[test]
fn a_full_disk_loses_nothing_and_needs_no_restart() {
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount", "sh", "-c", MOUNT, "sh"])
        .arg(std::env::current_exe().unwrap())
        .env(DISK, folder.path())
        .output();
    let Ok(output) = output else { return eprintln!("not run: there is no `unshare` program here") };
    let said = String::from_utf8_lossy(&output.stderr);
    if output.status.code() == Some(NO_MOUNT) || said.contains("unshare failed") {
        return eprintln!("not run: this host gives no mount namespaces: {said}");
    }
    assert!(output.status.success(), "{}{said}", String::from_utf8_lossy(&output.stdout));
}

#[tokio::test]
async fn on_the_small_disk() {
    let Ok(disk) = std::env::var(DISK) else { return };
    let disk = Path::new(&disk);
    let ballast = disk.join("ballast");
    std::fs::write(&ballast, vec![1_u8; 1_500_000]).unwrap();
    let store = SqliteStore::open(&disk.join("haliotis.db")).await.unwrap();
    let mut made = Vec::new();
    let error = loop {
        match store.create(big_build()).await {
            Ok(created) => made.push(created.id),
            Err(error) => break error.to_string(),
        }
        assert!(made.len() < 1_000, "the disk never became full");
    };
    assert!(error.contains("is full") && error.contains("haliotis.db") && error.contains("free some space"), "{error}");
    assert!(made.len() > 5);
    assert!(store.create(big_build()).await.is_err(), "and it stays full");
    for build in &made {
        assert_eq!(store.load(*build).await.unwrap().0.source.text.len(), 100_000);
    }
    std::fs::remove_file(ballast).unwrap();
    let next = store.create(big_build()).await.unwrap();
    assert_eq!(next.number as usize, made.len() + 1, "the refused builds took no number");
    assert_eq!(store.builds(&BuildFilter::default()).await.unwrap().len(), made.len() + 1);
    assert_eq!(store.check().await.unwrap(), Vec::<String>::new());
}

fn big_build() -> NewBuild {
    NewBuild {
        pipeline: "a".to_owned(),
        number: 0,
        source: Source {
            language: "yaml".to_owned(),
            path: "p.yaml".to_owned(),
            text: "x".repeat(100_000),
            files: Object::new(),
            repo: None,
            branch: None,
            commit: None,
            credential: None,
        },
        parameters: Object::new(),
        causes: Vec::new(),
        event: Object::new(),
        workspace: WorkspaceKind::Own,
        cloud: "local".to_owned(),
        created_at: Millis(1),
        once: None,
        program_version: 1,
        carry: None,
    }
}
