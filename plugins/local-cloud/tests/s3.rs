//! S3 and STS as unmodified boto3 sees them, across a restart and after a crash in the middle of a write.

#![cfg_attr(test, expect(clippy::unwrap_used, reason = "a test may panic"))]

mod support;

use support::{boto, start};

#[tokio::test(flavor = "multi_thread")]
async fn boto3_stores_lists_copies_and_uploads_in_parts() {
    let folder = tempfile::tempdir().unwrap();
    let running = start(folder.path()).await;
    boto("s3.py", &running.url, &[]).await;
    boto("sts.py", &running.url, &[]).await;
    boto("s3_keep.py", &running.url, &["write"]).await;
    running.stop().await;
    let again = start(folder.path()).await;
    boto("s3_keep.py", &again.url, &["read"]).await;
    again.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn other_host_names_and_unsigned_requests_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let running = start(folder.path()).await;
    let foreign = raw(&running.url, "GET / HTTP/1.1\r\nHost: evil.example\r\n").await;
    assert!(foreign.starts_with("HTTP/1.1 403") && foreign.contains("evil.example"), "{foreign}");
    let unsigned = raw(&running.url, "GET /bucket/key HTTP/1.1\r\nHost: localhost\r\n").await;
    assert!(unsigned.starts_with("HTTP/1.1 403") && unsigned.contains("<Code>AccessDenied</Code>"), "{unsigned}");
    let target = "POST / HTTP/1.1\r\nHost: localhost\r\nX-Amz-Target: SageMaker.ListModels\r\nContent-Length: 0\r\n";
    let target = raw(&running.url, target).await;
    assert!(target.contains("x-amzn-errortype: MissingAuthenticationTokenException"), "{target}");
    let query = "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 0\r\n";
    let query = raw(&running.url, query).await;
    assert!(query.contains("<Code>MissingAuthenticationToken</Code>"), "{query}");
    running.stop().await;
}

#[tokio::test]
async fn a_crash_between_sidecar_and_bytes_leaves_the_old_object_whole() {
    let folder = tempfile::tempdir().unwrap();
    let store = haliotis_local_cloud::s3::Store::open(folder.path()).unwrap();
    store.create_bucket("bucket").unwrap();
    let old = store.put_bytes("bucket", "a/key.txt", b"old content").unwrap();
    let objects = folder.path().join("buckets/bucket/objects");
    let kept = folder.path().join("kept");
    std::fs::hard_link(store.get_path("bucket", "a/key.txt").unwrap(), &kept).unwrap();
    store.put_bytes("bucket", "a/key.txt", b"new").unwrap();
    // The state between the second and the third step of a write: new sidecar, old bytes, litter in tmp.
    std::fs::rename(&kept, objects.join("a%/key.txt")).unwrap();
    std::fs::write(folder.path().join("tmp/x.haliotis-tmp"), b"ne").unwrap();
    drop(store);
    let store = haliotis_local_cloud::s3::Store::open(folder.path()).unwrap();
    assert_eq!(store.read("bucket", "a/key.txt").unwrap(), b"old content");
    assert_eq!(store.head("bucket", "a/key.txt").unwrap(), old);
    assert_eq!(std::fs::read_dir(folder.path().join("tmp")).unwrap().count(), 0);
}

#[test]
fn writers_and_readers_of_one_key_never_see_a_mixture() {
    let folder = tempfile::tempdir().unwrap();
    let store = haliotis_local_cloud::s3::Store::open(folder.path()).unwrap();
    store.create_bucket("bucket").unwrap();
    store.put_bytes("bucket", "d/k", b"0").unwrap();
    std::thread::scope(|scope| {
        for writer in 0..3_u8 {
            let store = &store;
            scope.spawn(move || {
                for round in 0..20_usize {
                    store.put_bytes("bucket", "d/k", &vec![b'a' + writer; round + 1]).unwrap();
                    store.delete("bucket", &format!("d/other{writer}")).unwrap();
                    store.put_bytes("bucket", &format!("d/e/{writer}"), b"x").unwrap();
                    store.delete("bucket", &format!("d/e/{writer}")).unwrap();
                }
            });
        }
        let store = &store;
        scope.spawn(move || {
            for _ in 0..200 {
                let (mut file, info) = store.open_object("bucket", "d/k").unwrap();
                let mut bytes = Vec::new();
                std::io::Read::read_to_end(&mut file, &mut bytes).unwrap();
                assert_eq!(bytes.len() as u64, info.size);
                assert_eq!(md5(&bytes), info.etag);
            }
        });
    });
    assert_eq!(store.list("bucket", "").unwrap().len(), 1);
}

fn md5(bytes: &[u8]) -> String {
    use md5::Digest;
    hex::encode(md5::Md5::digest(bytes))
}

/// One request as it is written here, and the whole answer.
async fn raw(url: &str, head: &str) -> String {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut stream = tokio::net::TcpStream::connect(url.trim_start_matches("http://")).await.unwrap();
    stream.write_all(format!("{head}Connection: close\r\n\r\n").as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}
