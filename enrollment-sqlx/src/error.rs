//! What can go wrong, in the words of the port.

#[cfg(feature = "sqlite")]
use std::path::PathBuf;
use std::sync::Arc;

use enrollment_core::port::{StoreError, StoreErrorKind};

/// The store could not be opened. Nothing was changed, or only what the next attempt takes up again.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The file, or the lock file beside it, cannot be made or opened.
    #[cfg(feature = "sqlite")]
    #[error("cannot make or open {path}")]
    File {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is no database, or the server cannot be reached; or neither can be used.
    #[error("cannot use the database")]
    Database(#[source] sqlx::Error),
    /// The file system does not support write-ahead logging: it lacks shared memory, as network file systems do.
    #[cfg(feature = "sqlite")]
    #[error("the file system does not support write-ahead logging")]
    NoWriteAheadLog,
    /// The name of a schema has 1 to 63 characters: lower-case ASCII letters, digits and underscores, no digit first.
    #[cfg(feature = "postgres")]
    #[error("{0:?} cannot be the name of a schema")]
    SchemaName(String),
    /// The database does not keep texts in UTF-8.
    #[cfg(feature = "postgres")]
    #[error("the database has the encoding {0}, not UTF8")]
    Encoding(String),
    /// The tables were made by a later version of this library.
    #[error("the database was made by a later version (migration {0})")]
    Newer(i64),
    /// The tables could not be brought up to date.
    #[error("cannot bring the tables up to date")]
    Migration(#[source] sqlx::migrate::MigrateError),
}

/// Why a call or a whole group of calls failed; told to each of the callers.
///
/// Neither the text nor the source carries a value; errors of parsers, which quote what they read, are not kept.
#[derive(Debug, Clone)]
pub(crate) struct Failure {
    kind: StoreErrorKind,
    during: &'static str,
    source: Option<Arc<dyn std::error::Error + Send + Sync>>,
}

impl Failure {
    /// The database refused.
    pub(crate) fn new(
        kind: StoreErrorKind,
        during: &'static str,
        source: impl std::error::Error + Send + Sync + 'static,
    ) -> Self {
        Self { kind, during, source: Some(Arc::new(source)) }
    }

    /// The database holds what it should not.
    pub(crate) const fn corrupt(during: &'static str) -> Self {
        Self { kind: StoreErrorKind::Corrupt, during, source: None }
    }

    /// Whether one call may have spoiled it for the others of its group.
    #[cfg(feature = "sqlite")]
    pub(crate) const fn may_be_one_calls_fault(&self) -> bool {
        matches!(self.kind, StoreErrorKind::Corrupt | StoreErrorKind::Misuse)
    }
}

impl From<Failure> for StoreError {
    fn from(failure: Failure) -> Self {
        match failure.source {
            Some(source) => Self::with_source(failure.kind, failure.during, source),
            None => Self::new(failure.kind, failure.during),
        }
    }
}

/// The caller broke the contract; nothing happened.
pub(crate) fn misuse(message: &'static str) -> StoreError {
    StoreError::new(StoreErrorKind::Misuse, message)
}

/// The store was closed; nothing happened.
#[cfg(feature = "sqlite")]
pub(crate) fn closed() -> StoreError {
    StoreError::new(StoreErrorKind::Unavailable, "the store is closed")
}
