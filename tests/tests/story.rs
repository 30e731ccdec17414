//! The abalone story clicked through in Chromium, from an empty server to a second version in production. What a person
//! does outside of the pages is done from the command line: two repositories are seeded, the data lies in a bucket.

#![expect(clippy::unwrap_used, clippy::print_stderr, reason = "a test may panic, and one that did not run says so")]

use std::process::Command;

use haliotis_tests::{Done, House, python, python_dir, root};

/// What the templates want to know.
fn values() -> Vec<String> {
    let pairs = [
        ("project_name", "abalone"),
        ("project_id", "p-story"),
        ("region", "us-east-1"),
        ("bucket", "haliotis-us-east-1-000000000000"),
        ("role_arn", "arn:aws:iam::000000000000:role/haliotis-local"),
        ("data_url", "s3://story-data/abalone-dataset.csv"),
        ("model_package_group", "abalone"),
        ("branch", "main"),
        ("poll_every", "1s"),
    ];
    pairs.iter().flat_map(|(name, value)| ["--set".to_owned(), format!("{name}={value}")]).collect()
}

fn seeded(house: &House, template: &str) -> String {
    let repo = house.dir.path().join(format!("{template}.git")).to_str().unwrap().to_owned();
    assert!(Command::new("git").args(["init", "-q", "--bare", "-b", "main", &repo]).status().unwrap().success());
    let values = values();
    let mut args = vec!["seed", "--repo", &repo, "--template", template];
    args.extend(values.iter().map(String::as_str));
    house.run(&args).expect(0);
    repo
}

#[test]
fn the_story_is_clicked_through_from_an_empty_server_to_production() {
    let Some(modules) = std::env::var_os("HALIOTIS_BROWSER_MODULES") else {
        eprintln!("not run: HALIOTIS_BROWSER_MODULES is not set; ./tests/run sets it");
        return;
    };
    let data = python_dir().join("datasets/abalone-dataset.csv");
    let house = House::new();
    if !data.exists() {
        // The demo makes the Python environment and fetches the data; its own test has done so before this one.
        house.run(&["demo", "--yes", "--listen", "127.0.0.1:0", "--data-dir", "first"]).expect(0);
    }
    let (build, deploy) = (seeded(&house, "abalone-model-build"), seeded(&house, "abalone-model-deploy"));
    let (server, url) = house.serve();
    let port = std::fs::read_to_string(house.data().join("cloud/port")).unwrap();
    let put = "import boto3, sys; s3 = boto3.client('s3'); s3.create_bucket(Bucket='story-data'); \
               s3.upload_file(sys.argv[1], 'story-data', 'abalone-dataset.csv')";
    let done = Command::new(python())
        .args(["-c", put])
        .arg(&data)
        .env("AWS_ENDPOINT_URL", format!("http://127.0.0.1:{}", port.trim()))
        .env("AWS_DEFAULT_REGION", "us-east-1")
        .env("AWS_ACCESS_KEY_ID", "AKIALOCALHALIOTIS000")
        .env("AWS_SECRET_ACCESS_KEY", "haliotis-local-cloud-secret")
        .output()
        .unwrap();
    Done::from(done).expect(0);
    let pictures = haliotis_tests::binary().parent().unwrap().parent().unwrap().join("screenshots");
    let done = Command::new("node")
        .arg(root().join("tests/browser/story.mjs"))
        .args([&url, pictures.to_str().unwrap(), &build, &deploy])
        .env("HALIOTIS_BROWSER_MODULES", &modules)
        .output()
        .unwrap();
    let done = Done::from(done);
    assert_eq!(done.code, 0, "{}\n{}", done.stdout, done.stderr);
    server.stop();
}
