//! Seeding real repositories: by folder through git2, and over git's network protocol through the git program.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{Command, Stdio};

use git2::{Repository, Signature};
use haliotis_seed::{SeedError, SeedRequest, Seeded, commit_change, create_bare, seed, set_parameter_default};

/// A git daemon on loopback, one process per connection; ends with the connection.
fn daemon(base: &Path) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("git://{}/abalone.git", listener.local_addr().unwrap());
    let base = format!("--base-path={}", base.display());
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let socket = OwnedFd::from(stream);
            let child = Command::new("git")
                .args(["daemon", "--inetd", "--export-all", "--enable=receive-pack", &base])
                .stdin(socket.try_clone().unwrap())
                .stdout(socket)
                .stderr(Stdio::null())
                .spawn();
            child.unwrap().wait().unwrap();
        }
    });
    url
}

#[test]
fn over_the_network_it_is_the_same() {
    let (folder, path) = bare();
    let url = daemon(folder.path());
    let first = seed(&request(&url)).unwrap();
    assert!(first.changed);
    assert_eq!(head(&path), first.commit);
    let shallower = |text: &str| set_parameter_default(text, "MaxDepth", "4");
    let second = commit_change(&url, "main", "haliotis.yaml", shallower, "Shallower", AUTHOR, None).unwrap();
    assert_eq!(head(&path), second.commit);
    assert_eq!(seed(&request(&url)).unwrap(), Seeded { changed: false, ..second.clone() });
    let mut other = request(&url);
    other.template = "abalone-model-deploy".into();
    assert!(matches!(seed(&other).unwrap_err(), SeedError::NotEmpty { .. }));
    assert_eq!(head(&path), second.commit);
}

const AUTHOR: &str = "Haliotis <haliotis@example.org>";

fn request(url: &str) -> SeedRequest {
    let pairs = [
        ("bucket", "haliotis-abalone"),
        ("model_package_group", "abalone-local"),
        ("project_id", "local"),
        ("project_name", "abalone"),
        ("region", "us-east-1"),
        ("role_arn", "arn:aws:iam::000000000000:role/haliotis"),
    ];
    SeedRequest {
        repo_url: url.into(),
        branch: "main".into(),
        template: "abalone-model-build".into(),
        values: pairs.into_iter().map(|(name, value)| (name.into(), value.into())).collect::<BTreeMap<_, _>>(),
        author: AUTHOR.into(),
        credential: None,
    }
}

fn bare() -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("abalone.git");
    create_bare(&path, "main").unwrap();
    let url = path.display().to_string();
    (folder, url)
}

fn read(url: &str, branch: &str, path: &str) -> String {
    let repo = Repository::open(url.trim_start_matches("file://")).unwrap();
    let tree = repo.find_branch(branch, git2::BranchType::Local).unwrap().get().peel_to_tree().unwrap();
    let blob = tree.get_path(Path::new(path)).unwrap().to_object(&repo).unwrap().peel_to_blob().unwrap();
    String::from_utf8(blob.content().to_vec()).unwrap()
}

fn head(url: &str) -> String {
    let repo = Repository::open(url.trim_start_matches("file://")).unwrap();
    repo.head().unwrap().target().unwrap().to_string()
}

#[test]
fn an_empty_repository_is_seeded_once() {
    let (_folder, url) = bare();
    let first = seed(&request(&url)).unwrap();
    assert!(first.changed);
    assert_eq!(head(&url), first.commit);
    assert!(read(&url, "main", "haliotis.yaml").contains("name: abalone-model-build"));
    let again = seed(&request(&format!("file://{url}"))).unwrap();
    assert_eq!(again, Seeded { changed: false, ..first });
}

#[test]
fn two_repositories_get_the_same_tree() {
    let ((_a, one), (_b, other)) = (bare(), bare());
    seed(&request(&one)).unwrap();
    seed(&request(&other)).unwrap();
    let tree = |url: &str| Repository::open(url).unwrap().head().unwrap().peel_to_tree().unwrap().id();
    assert_eq!(tree(&one), tree(&other));
}

#[test]
fn a_changed_hyperparameter_is_one_more_commit_and_stays_when_seeded_again() {
    let (_folder, url) = bare();
    let first = seed(&request(&url)).unwrap();
    let deeper = |text: &str| set_parameter_default(text, "MaxDepth", "4");
    let change = || commit_change(&url, "main", "haliotis.yaml", deeper, "Shallower trees", AUTHOR, None).unwrap();
    let second = change();
    assert!(second.changed);
    assert_eq!(head(&url), second.commit);
    assert!(read(&url, "main", "haliotis.yaml").contains("MaxDepth: { type: integer, default: 4, "));
    let repo = Repository::open(&url).unwrap();
    let commit = repo.head().unwrap().peel_to_commit().unwrap();
    assert_eq!(commit.parent_id(0).unwrap().to_string(), first.commit);
    let diff = repo
        .diff_tree_to_tree(Some(&commit.parent(0).unwrap().tree().unwrap()), Some(&commit.tree().unwrap()), None)
        .unwrap();
    assert_eq!((diff.stats().unwrap().insertions(), diff.stats().unwrap().deletions()), (1, 1));
    assert!(!change().changed);
    assert_eq!(seed(&request(&url)).unwrap(), Seeded { changed: false, ..second });
}

#[test]
fn other_content_is_refused_and_kept() {
    for branch in ["main", "work"] {
        let (_folder, url) = bare();
        let repo = Repository::open(&url).unwrap();
        let who = Signature::now("Ada", "ada@example.org").unwrap();
        let empty = repo.treebuilder(None).unwrap().write().unwrap();
        let tree = repo.find_tree(empty).unwrap();
        let reference = format!("refs/heads/{branch}");
        let before = repo.commit(Some(&reference), &who, &who, "My own work", &tree, &[]).unwrap();
        let error = seed(&request(&url)).unwrap_err();
        assert!(matches!(error, SeedError::NotEmpty { .. }), "{error}");
        assert!(error.to_string().contains("nothing was changed"), "{error}");
        assert_eq!(repo.refname_to_id(&reference).unwrap(), before);
        assert_eq!(repo.references().unwrap().count(), 1);
    }
}

#[test]
fn other_values_or_another_template_are_refused() {
    let (_folder, url) = bare();
    let first = seed(&request(&url)).unwrap();
    let mut other = request(&url);
    other.values.insert("project_name".into(), "oyster".into());
    match seed(&other).unwrap_err() {
        SeedError::SeededOtherwise { commit, .. } => assert_eq!(commit, first.commit),
        error => panic!("{error}"),
    }
    let mut deploy = request(&url);
    deploy.template = "abalone-model-deploy".into();
    assert!(seed(&deploy).unwrap_err().to_string().contains("it was seeded from abalone-model-build"));
    assert_eq!(head(&url), first.commit);
}

#[test]
fn what_is_wrong_with_a_request_is_said() {
    let (folder, url) = bare();
    type Spoil<'a> = &'a dyn Fn(&mut SeedRequest);
    let cases: [(Spoil<'_>, &str); 6] = [
        (&|r| r.template = "oyster".into(), "there is no template oyster; there are: abalone-model-build, abalone"),
        (&|r| r.author = "nobody".into(), "is no author"),
        (&|r| r.repo_url = "/nowhere/at/all.git".into(), "/nowhere/at/all.git is not a repository"),
        (&|r| r.repo_url = "ext::sh -c id".into(), "is no repository address"),
        (&|r| r.repo_url = "-x".into(), "is no repository address"),
        (&|r| drop(r.values.remove("bucket")), "bucket is missing"),
    ];
    for (spoil, words) in cases {
        let mut wrong = request(&url);
        spoil(&mut wrong);
        let error = seed(&wrong).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
    assert_eq!(Repository::open(&url).unwrap().references().unwrap().count(), 0);
    let missing = commit_change(&url, "main", "x", |text| Ok(text.into()), "m", AUTHOR, None).unwrap_err();
    assert!(matches!(missing, SeedError::NoFile { .. }), "{missing}");
    create_bare(Path::new(&url), "main").unwrap();
    let taken = create_bare(folder.path(), "main").unwrap_err();
    assert!(matches!(taken, SeedError::PlaceTaken { .. }), "{taken}");
}

#[test]
fn a_parameter_is_changed_where_it_stands() {
    let text =
        "parameters:\n  A: { type: integer, default: 5, description: \"x, default: 1\" }\n  B: { default: 0.2 }\n";
    assert_eq!(set_parameter_default(text, "A", "4").unwrap(), text.replacen("default: 5", "default: 4", 1));
    assert_eq!(set_parameter_default(text, "B", "0.1").unwrap(), text.replace("0.2", "0.1"));
    for name in ["C", "a", ""] {
        assert!(matches!(set_parameter_default(text, name, "1"), Err(SeedError::NoParameter(_))), "{name:?}");
    }
}
