//! Why a use case did not do what was asked.

use std::time::Duration;

use crate::domain::rejection::Rejection;
use crate::port::{StoreError, StoreErrorKind};
use crate::record::RecordError;
use crate::secret::{HashingError, KeyId};

/// Why a use case did not do what was asked. An answer never lies: except for `OutcomeUnknown`, nothing happened
/// (apart from a wrong code having been counted).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    /// The domain said no.
    #[error(transparent)]
    Rejected(#[from] Rejection),
    /// Others changed the same thing again and again. The same request again will do.
    #[error("too many changes to the same thing at once; nothing happened, try again")]
    Busy,
    /// The queue of password hashes is full.
    #[error("the server has too many passwords to check; nothing happened, try again")]
    Overloaded {
        /// When to try again.
        retry_after: Duration,
    },
    /// The store could not be asked. Nothing happened.
    #[error("the store is not available; nothing happened")]
    Unavailable(#[source] StoreError),
    /// A record names a key that this process's ring does not have, because another has rotated a moment ago. Nothing
    /// happened, and it says nothing about what was asked; later it will do.
    #[error("a key is not known here yet; nothing happened, try again")]
    UnknownKey(KeyId),
    /// Whether it happened is not known. The same request again returns the truth.
    #[error("it is not known whether this happened; the same request again tells")]
    OutcomeUnknown(#[source] StoreError),
    /// Something is broken: a record that cannot be read, or was altered. Nothing happened.
    #[error("the server cannot do this: {0}")]
    Broken(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl Failure {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Rejected(rejection) => rejection.code(),
            Self::Busy => "busy",
            Self::Overloaded { .. } => "overloaded",
            Self::Unavailable(_) | Self::UnknownKey(_) => "unavailable",
            Self::OutcomeUnknown(_) => "outcome_unknown",
            Self::Broken(_) => "internal",
        }
    }

    /// The same, met while the answer to a change was put together that has taken effect: it is no longer true that
    /// nothing happened.
    pub(crate) fn after_the_change(self) -> Self {
        match self {
            Self::Unavailable(error) => Self::OutcomeUnknown(error),
            Self::Busy | Self::Overloaded { .. } | Self::UnknownKey(_) => {
                let text = "only a part of it happened";
                Self::OutcomeUnknown(StoreError::with_source(StoreErrorKind::Unknown, text, self))
            }
            other => other,
        }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        match error.kind() {
            StoreErrorKind::Busy | StoreErrorKind::Unavailable => Self::Unavailable(error),
            StoreErrorKind::Unknown => Self::OutcomeUnknown(error),
            StoreErrorKind::Corrupt | StoreErrorKind::Misuse => Self::Broken(error.into()),
        }
    }
}

impl From<RecordError> for Failure {
    fn from(error: RecordError) -> Self {
        Self::Broken(error.into())
    }
}

impl From<HashingError> for Failure {
    fn from(error: HashingError) -> Self {
        match error {
            HashingError::Overloaded { retry_after } => Self::Overloaded { retry_after },
            other => Self::Broken(other.into()),
        }
    }
}
