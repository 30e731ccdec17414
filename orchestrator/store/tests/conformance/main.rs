//! One suite for every store. A promise of `Journal` or `Catalog` is a function in `suite.rs` and a line here.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod crash;
mod epochs;
mod fixtures;
mod points;
mod suite;

use std::sync::Arc;

use haliotis_engine::{Catalog, Journal};
use haliotis_store::{Commits, MemoryStore, PostgresStore, SqliteStore};

/// Both traits in one.
pub(crate) trait Store: Journal + Catalog {}
impl<T: Journal + Catalog> Store for T {}

/// A store under test: what is opened twice is the same data.
pub(crate) enum Subject {
    Memory(Arc<MemoryStore>),
    Sqlite(tempfile::TempDir, Commits),
    /// The address of an empty database.
    Postgres(String),
}

impl Subject {
    fn memory() -> Self {
        Self::Memory(Arc::new(MemoryStore::new()))
    }

    fn sqlite(commits: Commits) -> Self {
        Self::Sqlite(tempfile::tempdir().unwrap(), commits)
    }

    /// `None`: there is no server here, and the test says so.
    async fn postgres() -> Option<Self> {
        epochs::database().await.map(Self::Postgres)
    }

    pub(crate) async fn open(&self) -> Arc<dyn Store> {
        match self {
            Self::Memory(store) => Arc::clone(store) as Arc<dyn Store>,
            Self::Sqlite(folder, commits) => {
                SqliteStore::open_for(&folder.path().join("haliotis.db"), *commits).await.unwrap()
            }
            Self::Postgres(url) => PostgresStore::open(url, "the test").await.unwrap(),
        }
    }
}

macro_rules! conformance {
    ($($promise:ident)*) => {
        mod memory {
            $(#[tokio::test]
            async fn $promise() {
                crate::suite::$promise(crate::Subject::memory()).await;
            })*
        }
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $promise() {
                crate::suite::$promise(crate::Subject::sqlite(haliotis_store::Commits::Aside)).await;
            })*
        }
        mod sqlite_here {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $promise() {
                crate::suite::$promise(crate::Subject::sqlite(haliotis_store::Commits::Here)).await;
            })*
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $promise() {
                let Some(subject) = crate::Subject::postgres().await else { return };
                crate::suite::$promise(subject).await;
            })*
        }
    };
}

conformance! {
    a_delivery_is_recorded_once
    a_fenced_turn_changes_nothing_and_the_others_are_written
    a_once_key_makes_one_build
    a_renamed_pipeline_keeps_its_builds_numbers_and_documents
    an_ended_build_can_go_and_its_number_stays
    builds_are_numbered_per_pipeline_and_found_again
    concurrent_creates_with_one_key_make_one_build
    credentials_are_listed_without_their_fields
    cursors_are_replaced
    deliveries_go_once_dealt_with
    documents_are_kept_by_kind_and_name
    everything_is_there_after_a_restart
    lists_are_newest_first_filtered_and_paged
    many_builds_in_one_append_and_many_appends_at_once
    numbers_only_rise_and_the_newest_build_of_each_pipeline_is_found
    of_two_openers_one_advances_a_build
    of_two_that_race_for_a_turn_one_wins
    pipelines_are_kept_by_name
    several_turns_of_one_build_may_be_in_one_append
    status_result_and_end_are_those_of_the_last_turn
    the_audit_trail_is_newest_first_by_subject
    the_outbox_is_written_with_its_turn
    turns_load_in_order
}
