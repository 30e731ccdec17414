//! `files`: looks at, finds, hashes, touches, packs and removes files of the workspace; what Jenkins' file steps need.
//!
//! Nothing outside the workspace is reached: paths are checked, links are not followed.

use std::fs;
use std::io::Read;
use std::path::Path;
use std::time::UNIX_EPOCH;

use async_trait::async_trait;
use haliotis_model::{
    ArgumentKind, ArgumentSchema, Delivery, Object, OutputSchema, Placement, StepOutput, StepSchema, Value,
    WorkspaceKind,
};
use haliotis_plugin_api::{Started, StepContext, StepError, StepRunner};
use serde_json::json;
use sha1::Sha1;
use sha2::Sha256;

use crate::files;

/// Most bytes that packing takes in or unpacking gives out.
const MAX_BYTES: u64 = 8 * 1024 * 1024 * 1024;
/// Largest file of an archive whose text is told, and most bytes of all: outputs live in the journal.
const MAX_TEXT: u64 = 256 * 1024;
const MAX_TEXTS: u64 = 1024 * 1024;
/// How much of a file is hashed at a time.
const CHUNK: usize = 64 * 1024;

pub(crate) struct Files;

#[async_trait]
impl StepRunner for Files {
    fn schema(&self) -> StepSchema {
        use ArgumentKind::{Any, Boolean, Path, String};
        StepSchema {
            name: "files",
            doc: "Looks at, finds, hashes, touches, packs or removes files of the workspace.",
            placement: Placement::Agent,
            delivery: Delivery::AtLeastOnce,
            arguments: vec![
                ArgumentSchema::required("do", String, "What.").one_of(&[
                    "stat",
                    "find",
                    "pwd",
                    "touch",
                    "hash",
                    "delete-dir",
                    "pack",
                    "unpack",
                    "list",
                ]),
                ArgumentSchema::optional("path", Path, "The file, or the archive."),
                ArgumentSchema::optional("dir", Path, "The folder that is packed, or unpacked into."),
                ArgumentSchema::optional("glob", String, "Which files, as of `archive`; default: all."),
                ArgumentSchema::optional("exclude", String, "Globs of files to leave out."),
                ArgumentSchema::optional(
                    "format",
                    String,
                    "Of an archive; `tar` is compressed by gzip where the name ends in gz.",
                )
                .or("tar")
                .one_of(&["tar", "zip"]),
                ArgumentSchema::optional("algorithm", String, "Of a hash.").or("sha256").one_of(&["sha256", "sha1"]),
                ArgumentSchema::optional("patterns", Any, "Removes only what these match: [{pattern, type}]."),
                ArgumentSchema::optional("texts", Boolean, "Of `list`: the files' texts, too.").or(false),
                ArgumentSchema::optional("tmp", Boolean, "The folder for temporary files instead.").or(false),
            ],
            outputs: vec![
                OutputSchema { name: "exists", doc: "Of `stat`: whether there is such a file or folder." },
                OutputSchema { name: "files", doc: "Of `find`, `pack`, `unpack` and `list`." },
                OutputSchema { name: "texts", doc: "Of `list` with `texts`: text by file name." },
                OutputSchema { name: "path", doc: "Of `pwd`: absolute." },
                OutputSchema { name: "hash", doc: "Of `hash`: hexadecimal." },
            ],
            open_outputs: false,
            cloud: false,
            example: "do: find\nglob: \"reports/**/*.xml\"",
        }
    }

    async fn start(&self, _ctx: &StepContext) -> Result<Started, StepError> {
        Ok(Started::default())
    }

    async fn attach(&self, ctx: &StepContext, _handle: &Value) -> Result<StepOutput, StepError> {
        let ctx = ctx.clone();
        files::off_thread(move || act(&ctx)).await
    }

    async fn cancel(&self, _ctx: &StepContext, _handle: &Value) -> Result<(), StepError> {
        Ok(())
    }
}

fn act(ctx: &StepContext) -> Result<StepOutput, StepError> {
    let outputs = match ctx.required("do")?.as_str() {
        "stat" => json!({ "exists": checked(ctx, "path")?.exists() }),
        "find" => json!({ "files": found(ctx)? }),
        "pwd" if ctx.flag("tmp") => {
            let tmp = tmp_of(&ctx.workspace);
            fs::create_dir_all(&tmp).map_err(|error| files::cannot("make", &tmp, &error))?;
            json!({ "path": tmp.display().to_string() })
        }
        "pwd" => json!({ "path": ctx.workspace.display().to_string() }),
        "touch" => {
            touch(ctx)?;
            json!({})
        }
        "hash" => return hash(ctx),
        "delete-dir" => {
            delete(ctx)?;
            json!({})
        }
        "pack" => json!({ "files": pack(ctx)? }),
        "unpack" => json!({ "files": unpack(ctx)? }),
        "list" => return listed(ctx),
        other => return Err(StepError::Usage(format!("files: `{other}` is nothing that can be done"))),
    };
    Ok(StepOutput::success(outputs.as_object().cloned().unwrap_or_else(Object::new)))
}

/// `WORKSPACE@tmp`, as Jenkins names it.
fn tmp_of(workspace: &Path) -> std::path::PathBuf {
    let mut name = workspace.as_os_str().to_owned();
    name.push("@tmp");
    name.into()
}

fn checked(ctx: &StepContext, argument: &str) -> Result<std::path::PathBuf, StepError> {
    let path = ctx.path(&ctx.required(argument)?)?;
    files::through_real_folders(&ctx.workspace, &path)?;
    Ok(path)
}

fn globs(ctx: &StepContext) -> (Vec<String>, Vec<String>) {
    let glob = ctx.text("glob").filter(|glob| !glob.is_empty()).unwrap_or_else(|| "**".to_owned());
    let exclude = ctx.text("exclude").filter(|glob| !glob.is_empty());
    (vec![glob], exclude.into_iter().collect())
}

fn found(ctx: &StepContext) -> Result<Vec<Value>, StepError> {
    let (glob, exclude) = globs(ctx);
    let picked = files::pick(&ctx.workspace, &glob, &exclude)?;
    let described = picked.iter().map(|file| {
        let modified = fs::metadata(&file.path).ok().and_then(|meta| meta.modified().ok());
        let ms = modified.and_then(|time| time.duration_since(UNIX_EPOCH).ok()).map_or(0, |age| age.as_millis());
        let name = file.relative.rsplit('/').next().unwrap_or_default();
        json!({
            "name": name, "path": file.relative, "directory": false, "length": file.size,
            "lastModified": u64::try_from(ms).unwrap_or(u64::MAX),
        })
    });
    Ok(described.collect())
}

fn touch(ctx: &StepContext) -> Result<(), StepError> {
    let path = checked(ctx, "path")?;
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(|error| files::cannot("make", folder, &error))?;
    }
    let file = fs::OpenOptions::new().create(true).append(true).open(&path);
    let file = file.map_err(|error| files::cannot("touch", &path, &error))?;
    file.set_modified(std::time::SystemTime::now()).map_err(|error| files::cannot("touch", &path, &error))
}

fn hash(ctx: &StepContext) -> Result<StepOutput, StepError> {
    match ctx.text("algorithm").as_deref() {
        Some("sha1") => hash_by::<Sha1>(ctx),
        _ => hash_by::<Sha256>(ctx),
    }
}

fn hash_by<H: sha2::Digest>(ctx: &StepContext) -> Result<StepOutput, StepError> {
    let path = checked(ctx, "path")?;
    let mut file = match fs::File::open(&path) {
        Ok(file) => file,
        Err(error) => return Ok(StepOutput::failure(format!("cannot read {}: {error}", path.display()))),
    };
    let mut hash = H::new();
    let mut chunk = vec![0; CHUNK];
    loop {
        let read = file.read(&mut chunk)?;
        if read == 0 {
            break;
        }
        hash.update(chunk.get(..read).unwrap_or_default());
    }
    let hex = hex::encode(hash.finalize());
    Ok(StepOutput::success(Object::from_iter([("hash".to_owned(), hex.into())])))
}

fn delete(ctx: &StepContext) -> Result<(), StepError> {
    let patterns = |kind: &str| -> Vec<String> {
        let all = ctx.arg("patterns").and_then(Value::as_array).cloned().unwrap_or_default();
        let of_kind = all.iter().filter(|one| one.get("type").and_then(Value::as_str).unwrap_or("INCLUDE") == kind);
        of_kind.filter_map(|one| one.get("pattern")?.as_str().map(str::to_owned)).collect()
    };
    let (include, exclude) = (patterns("INCLUDE"), patterns("EXCLUDE"));
    if include.is_empty() && exclude.is_empty() {
        if is_persons_own(ctx) {
            ctx.log
                .line("nothing is removed: the workspace is your own folder (haliotis run --workspace names another)");
            return Ok(());
        }
        let Ok(entries) = fs::read_dir(&ctx.workspace) else { return Ok(()) };
        for entry in entries.flatten() {
            let path = entry.path();
            let is_dir = entry.file_type().is_ok_and(|kind| kind.is_dir());
            let removed = if is_dir { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
            removed.map_err(|error| files::cannot("remove", &path, &error))?;
        }
        return Ok(());
    }
    let include = if include.is_empty() { vec!["**".to_owned()] } else { include };
    for file in files::pick(&ctx.workspace, &include, &exclude)? {
        fs::remove_file(&file.path).map_err(|error| files::cannot("remove", &file.path, &error))?;
    }
    Ok(())
}

/// Whether the step's folder is what a person works on, in `haliotis run`: it holds the file that runs, or a repository. A
/// Jenkinsfile that cleans its workspace at the end must not take away the work, itself among it.
fn is_persons_own(ctx: &StepContext) -> bool {
    let file = Path::new(&ctx.build.source.path);
    let holds = |path: &Path| ctx.workspace.join(path).exists();
    matches!(ctx.build.workspace, WorkspaceKind::InPlace { .. })
        && (holds(Path::new(".git"))
            || (file.is_relative() && holds(file))
            || file.file_name().is_some_and(|name| holds(Path::new(name))))
}

fn pack(ctx: &StepContext) -> Result<Vec<Value>, StepError> {
    let archive = checked(ctx, "path")?;
    let root = match ctx.text("dir").filter(|dir| !dir.is_empty()) {
        Some(dir) => ctx.path(&dir)?,
        None => ctx.workspace.clone(),
    };
    let (glob, exclude) = globs(ctx);
    let mut picked = files::pick(&root, &glob, &exclude)?;
    picked.retain(|file| file.path != archive);
    files::total_size(&picked, MAX_BYTES, "files")?;
    if let Some(folder) = archive.parent() {
        fs::create_dir_all(folder).map_err(|error| files::cannot("make", folder, &error))?;
    }
    let broken = |error: std::io::Error| files::cannot("write", &archive, &error);
    let file = fs::File::create(&archive).map_err(broken)?;
    if ctx.text("format").as_deref() == Some("zip") {
        crate::zip::write(file, &picked).map_err(broken)?;
    } else if archive.to_string_lossy().ends_with("gz") {
        let encoder = flate2::write::GzEncoder::new(file, flate2::Compression::default());
        tar_of(encoder, &picked).and_then(flate2::write::GzEncoder::finish).map_err(broken)?;
    } else {
        tar_of(file, &picked).map_err(broken)?;
    }
    Ok(picked.into_iter().map(|file| file.relative.into()).collect())
}

fn tar_of<W: std::io::Write>(to: W, picked: &[files::Picked]) -> std::io::Result<W> {
    let mut tar = tar::Builder::new(to);
    for file in picked {
        tar.append_path_with_name(&file.path, &file.relative)?;
    }
    tar.into_inner()
}

fn unpack(ctx: &StepContext) -> Result<Vec<Value>, StepError> {
    let archive = checked(ctx, "path")?;
    let target = match ctx.text("dir").filter(|dir| !dir.is_empty()) {
        Some(dir) => ctx.path(&dir)?,
        None => ctx.workspace.clone(),
    };
    files::through_real_folders(&ctx.workspace, &target)?;
    fs::create_dir_all(&target).map_err(|error| files::cannot("make", &target, &error))?;
    let chosen = ["glob", "exclude"].iter().any(|name| ctx.text(name).is_some_and(|text| !text.is_empty()));
    if !chosen {
        return unpack_into(ctx, &archive, &target);
    }
    // All of it aside, then what was chosen to its place.
    let aside = ctx.scratch.join("unpacked");
    let _ = fs::remove_dir_all(&aside);
    fs::create_dir_all(&aside).map_err(|error| files::cannot("make", &aside, &error))?;
    unpack_into(ctx, &archive, &aside)?;
    let (include, exclude) = globs(ctx);
    let mut names = Vec::new();
    for file in files::pick(&aside, &include, &exclude)? {
        let to = target.join(&file.relative);
        files::through_real_folders(&ctx.workspace, &to)?;
        if let Some(folder) = to.parent() {
            fs::create_dir_all(folder).map_err(|error| files::cannot("make", folder, &error))?;
        }
        fs::copy(&file.path, &to).map_err(|error| files::cannot("write", &to, &error))?;
        names.push(file.relative.into());
    }
    let _ = fs::remove_dir_all(&aside);
    Ok(names)
}

fn unpack_into(ctx: &StepContext, archive: &Path, target: &Path) -> Result<Vec<Value>, StepError> {
    let broken = |error: std::io::Error| files::cannot("unpack", archive, &error);
    let file = fs::File::open(archive).map_err(broken)?;
    if ctx.text("format").as_deref() == Some("zip") {
        let names = crate::zip::extract(archive, target, MAX_BYTES).map_err(broken)?;
        return Ok(names.into_iter().map(Value::from).collect());
    }
    let reader: Box<dyn Read> = if archive.to_string_lossy().ends_with("gz") {
        Box::new(flate2::read::GzDecoder::new(file))
    } else {
        Box::new(file)
    };
    // Entries that lead out of the folder are skipped by `unpack_in`.
    let mut names = Vec::new();
    for entry in tar::Archive::new(reader.take(MAX_BYTES)).entries().map_err(broken)? {
        let mut entry = entry.map_err(broken)?;
        let name = entry.path().map(|path| path.display().to_string()).unwrap_or_default();
        if entry.header().entry_type().is_symlink() || entry.header().entry_type().is_hard_link() {
            continue;
        }
        if entry.unpack_in(target).map_err(broken)? {
            names.push(name.into());
        }
    }
    Ok(names)
}

/// The texts of an archive's files by name, without unpacking them into the workspace: `unzip read: true`, and with that
/// whether it can be read at all: `unzip test: true`.
fn listed(ctx: &StepContext) -> Result<StepOutput, StepError> {
    let aside = ctx.scratch.join("unpacked");
    let _ = fs::remove_dir_all(&aside);
    fs::create_dir_all(&aside).map_err(|error| files::cannot("make", &aside, &error))?;
    let archive = checked(ctx, "path")?;
    let names = match unpack_into(ctx, &archive, &aside) {
        Ok(names) => names,
        Err(error) => {
            return Ok(StepOutput::failure(format!("cannot read the archive {}: {error}", archive.display())));
        }
    };
    let (include, exclude) = globs(ctx);
    let picked = files::pick(&aside, &include, &exclude)?;
    let mut texts = Object::new();
    for file in picked.iter().filter(|_| ctx.flag("texts")) {
        let bytes = fs::read(&file.path)?;
        if texts.len() as u64 * MAX_TEXT > MAX_TEXTS || bytes.len() as u64 > MAX_TEXT {
            return Ok(StepOutput::failure(format!(
                "{} holds too much to be read at once: unpack it (at most {MAX_TEXT} bytes a file are read)",
                archive.display()
            )));
        }
        texts.insert(file.relative.clone(), String::from_utf8_lossy(&bytes).into_owned().into());
    }
    let _ = fs::remove_dir_all(&aside);
    let outputs = json!({ "files": names, "texts": texts });
    Ok(StepOutput::success(outputs.as_object().cloned().unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::bench::Case;

    #[tokio::test]
    async fn look_find_hash_and_remove() {
        let case = Case::new("files", json!({"do": "stat", "path": "a/b.txt"})).file("a/b.txt", "x");
        assert_eq!(case.run().await.outputs["exists"], true);
        let found = case.then("files", json!({"do": "find", "glob": "**/*.txt"})).run().await;
        assert_eq!(found.outputs["files"][0]["path"], "a/b.txt");
        let hash = case.then("files", json!({"do": "hash", "path": "a/b.txt"})).run().await;
        assert_eq!(hash.outputs["hash"], "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881");
        let hash = case.then("files", json!({"do": "hash", "path": "a/b.txt", "algorithm": "sha1"})).run().await;
        assert_eq!(hash.outputs["hash"], "11f6ad8ec52a2984abaafd7c3b516503785c2072");
        case.then("files", json!({"do": "touch", "path": "c"})).run().await;
        assert!(case.ctx.workspace.join("c").exists());
        let some = json!({"do": "delete-dir", "patterns": [{"pattern": "a/**", "type": "INCLUDE"}]});
        case.then("files", some).run().await;
        assert!(!case.ctx.workspace.join("a/b.txt").exists() && case.ctx.workspace.join("c").exists());
        case.then("files", json!({"do": "delete-dir"})).run().await;
        assert!(!case.ctx.workspace.join("c").exists());
    }

    #[tokio::test]
    async fn archives_there_and_back() {
        for (name, format) in [("x.tar", "tar"), ("x.tar.gz", "tar"), ("x.zip", "zip")] {
            let text = "ab".repeat(5000);
            let case = Case::new("files", json!({"do": "pack", "path": name, "format": format, "glob": "d/**"}));
            let case = case.file("d/é.txt", &text).file("other", "no");
            assert_eq!(case.run().await.outputs["files"], json!(["d/é.txt"]));
            let list = json!({"do": "list", "path": name, "format": format, "texts": true});
            let texts = case.then("files", list).run().await.outputs["texts"].clone();
            assert_eq!(texts, json!({"d/é.txt": text}), "{name}");
            let back = json!({"do": "unpack", "path": name, "format": format, "dir": "out"});
            case.then("files", back).run().await;
            let read = std::fs::read_to_string(case.ctx.workspace.join("out/d/é.txt")).unwrap();
            assert_eq!(read, text, "{name}");
            assert!(!case.ctx.workspace.join("out/other").exists());
            let some = json!({"do": "unpack", "path": name, "format": format, "dir": "none", "glob": "*.md"});
            assert_eq!(case.then("files", some).run().await.outputs["files"], json!([]), "{name}");
            assert!(!case.ctx.workspace.join("none/d").exists());
        }
    }
}
