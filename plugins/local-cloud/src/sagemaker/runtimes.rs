//! The Python programs of the job runtimes, carried in the binary and written out as files at open.

use std::path::{Path, PathBuf};

use crate::error::OpenError;

/// Name and text of each, in name order.
const FILES: &[(&str, &str)] = &[
    ("enter.sh", include_str!("../../runtimes/enter.sh")),
    ("haliotis_container.py", include_str!("../../runtimes/haliotis_container.py")),
    ("script_train.py", include_str!("../../runtimes/script_train.py")),
    ("serve.py", include_str!("../../runtimes/serve.py")),
    ("serve_script.py", include_str!("../../runtimes/serve_script.py")),
    ("serve_xgboost.py", include_str!("../../runtimes/serve_xgboost.py")),
    ("train.py", include_str!("../../runtimes/train.py")),
    ("xgboost_data.py", include_str!("../../runtimes/xgboost_data.py")),
    ("xgboost_hyperparameters.py", include_str!("../../runtimes/xgboost_hyperparameters.py")),
    ("xgboost_train.py", include_str!("../../runtimes/xgboost_train.py")),
];

/// What pip installs for the runtimes.
pub(crate) const REQUIREMENTS: &str = include_str!("../../runtimes/requirements.txt");

/// Writes the files that are not already there as they should be; gives the folder. They are compared at every open,
/// so they need not be synced: what a power cut damages is written again.
pub(crate) fn write_out(folder: &Path) -> Result<PathBuf, OpenError> {
    std::fs::create_dir_all(folder).map_err(OpenError::io(folder))?;
    for (name, text) in FILES {
        let path = folder.join(name);
        if std::fs::read(&path).ok().as_deref() != Some(text.as_bytes()) {
            let new = folder.join(format!("{name}.new"));
            std::fs::write(&new, text).and_then(|()| std::fs::rename(&new, &path)).map_err(OpenError::io(&path))?;
        }
    }
    Ok(folder.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_file_is_put_right() {
        let folder = tempfile::tempdir().unwrap();
        write_out(folder.path()).unwrap();
        let path = folder.path().join("train.py");
        std::fs::write(&path, "broken").unwrap();
        write_out(folder.path()).unwrap();
        assert_ne!(std::fs::read_to_string(&path).unwrap(), "broken");
    }
}
