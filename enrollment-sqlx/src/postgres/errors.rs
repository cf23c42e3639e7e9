//! What errors of the server and of connections mean. Codes: <https://www.postgresql.org/docs/current/errcodes-appendix.html>.

use enrollment_core::port::{CommitOutcome, StoreError, StoreErrorKind};
use sqlx::error::DatabaseError;

use crate::error::Failure;

/// What is to be done about an error that came before anything took effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// The transaction was chosen as a victim: the same again may succeed.
    Victim,
    /// Another transaction has just put in what this one was about to: a new look tells.
    Raced,
    /// The connection is of no more use; another one may be.
    Broken,
    /// Trying again at once would not help.
    Final(StoreErrorKind),
}

impl Meaning {
    pub(crate) fn of(error: &sqlx::Error) -> Self {
        match error {
            sqlx::Error::Database(error) => Self::of_answer(error.as_ref()),
            // After an answer that the driver does not understand nobody knows what comes next on the connection.
            sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::Protocol(_) | sqlx::Error::BeginFailed => {
                Self::Broken
            }
            sqlx::Error::PoolTimedOut => Self::Final(StoreErrorKind::Busy),
            sqlx::Error::PoolClosed | sqlx::Error::Configuration(_) => Self::Final(StoreErrorKind::Unavailable),
            _ => Self::Final(StoreErrorKind::Corrupt),
        }
    }

    fn of_answer(error: &dyn DatabaseError) -> Self {
        let code = error.code().unwrap_or_default();
        match code.as_ref() {
            // serialization failure, deadlock
            "40001" | "40P01" => Self::Victim,
            "23505" if is_our_unique_index(error) => Self::Raced,
            // ended by the administrator, by a crash of the server, by its start or stop, for idling in a transaction
            "57P01" | "57P02" | "57P03" | "57P05" | "25P03" => Self::Broken,
            // lock not available in time, query canceled, too many connections
            "55P03" | "57014" | "53300" => Self::Final(StoreErrorKind::Busy),
            // bytes that no text has, a value too long for an index, no transaction to commit in
            "22021" | "54000" | "25P01" => Self::Final(StoreErrorKind::Misuse),
            // a standby or a server set to read only, a feature or right that is missing
            "25006" | "42501" => Self::Final(StoreErrorKind::Unavailable),
            _ => match code.get(..2).unwrap_or_default() {
                "08" => Self::Broken,
                // no such database, wrong password, no memory or disk, errors of the system
                "3D" | "28" | "53" | "58" => Self::Final(StoreErrorKind::Unavailable),
                _ => Self::Final(StoreErrorKind::Corrupt),
            },
        }
    }

    const fn kind(self) -> StoreErrorKind {
        match self {
            Self::Victim | Self::Raced => StoreErrorKind::Busy,
            Self::Broken => StoreErrorKind::Unavailable,
            Self::Final(kind) => kind,
        }
    }

    /// Whether the connection can go on, in a transaction that has to be rolled back.
    pub(crate) const fn leaves_the_connection_sound(self) -> bool {
        !matches!(self, Self::Broken)
    }
}

/// Unique indexes that somebody added are not in the facts, so that a new look would not tell.
fn is_our_unique_index(error: &dyn DatabaseError) -> bool {
    error.constraint().is_some_and(|name| name.ends_with("_pkey") || name.ends_with("_key"))
}

/// What the server answered. Its own texts are left out: they quote values.
#[derive(Debug, thiserror::Error)]
#[error("SQLSTATE {code}, table {table:?}, constraint {constraint:?}")]
struct Answer {
    code: String,
    table: Option<String>,
    constraint: Option<String>,
}

/// Nothing took effect.
pub(crate) fn failed(during: &'static str) -> impl Fn(sqlx::Error) -> Failure + Copy {
    move |error| failure(Meaning::of(&error).kind(), during, error)
}

/// The error came while things were taking effect. A refusal says that they did not.
pub(crate) fn unknown(during: &'static str) -> impl Fn(sqlx::Error) -> Failure + Copy {
    move |error| {
        let refused = error.as_database_error().and_then(DatabaseError::code);
        // transaction rollback, integrity constraint violation
        let kind = match refused.as_deref().and_then(|code| code.get(..2)) {
            Some("40" | "23") => Meaning::of(&error).kind(),
            _ => StoreErrorKind::Unknown,
        };
        failure(kind, during, error)
    }
}

fn failure(kind: StoreErrorKind, during: &'static str, error: sqlx::Error) -> Failure {
    match error {
        sqlx::Error::Database(error) => {
            let owned = |text: Option<&str>| text.map(str::to_owned);
            let (table, constraint) = (owned(error.table()), owned(error.constraint()));
            let code = error.code().unwrap_or_default().into_owned();
            Failure::new(kind, during, Answer { code, table, constraint })
        }
        // What cannot be decoded is quoted in the error.
        sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => Failure::corrupt(during),
        other => Failure::new(kind, during, other),
    }
}

/// Why an attempt came to no answer.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// Nothing happened.
    Before(sqlx::Error),
    /// It may have happened.
    Committing(sqlx::Error),
    /// It may have happened, or still happen; if the same is tried again, it happens once.
    Repeatable(sqlx::Error),
    /// This is the answer.
    Answer(StoreError),
}

impl From<sqlx::Error> for Trouble {
    fn from(error: sqlx::Error) -> Self {
        Self::Before(error)
    }
}

impl From<StoreError> for Trouble {
    fn from(error: StoreError) -> Self {
        Self::Answer(error)
    }
}

impl From<Failure> for Trouble {
    fn from(failure: Failure) -> Self {
        Self::Answer(failure.into())
    }
}

/// How often a call is tried again.
#[derive(Debug)]
pub(crate) struct Patience {
    during: &'static str,
    contended: u32,
    broken: u32,
    /// Whether what a try before this one did is not known, and may even be under way.
    fate_unknown: bool,
}

impl Patience {
    pub(crate) const fn new(during: &'static str) -> Self {
        // Contended: more often than a call that can succeed is a victim or is raced. Broken: once, so that a statement
        // at which the server breaks down does not break it down again and again.
        Self { during, contended: 8, broken: 1, fate_unknown: false }
    }

    /// For a connection that cannot be replaced.
    pub(crate) const fn without_another_connection(self) -> Self {
        Self { broken: 0, ..self }
    }

    /// `Ok`: again.
    pub(crate) fn with(&mut self, trouble: Trouble) -> Result<(), StoreError> {
        let error = match trouble {
            Trouble::Before(error) => error,
            Trouble::Repeatable(error) => {
                self.fate_unknown = true;
                error
            }
            Trouble::Committing(error) => return Err(unknown(self.during)(error).into()),
            Trouble::Answer(error) => return Err(self.no_answer_but_applied(error)),
        };
        let left = match Meaning::of(&error) {
            Meaning::Victim | Meaning::Raced => &mut self.contended,
            Meaning::Broken => &mut self.broken,
            Meaning::Final(_) => &mut 0,
        };
        if *left == 0 {
            return Err(self.no_answer_but_applied(failed(self.during)(error).into()));
        }
        *left -= 1;
        Ok(())
    }

    /// What a commit came to. Where a try before may still be under way, only `Applied` is sure to stay true.
    pub(crate) fn answer(&self, outcome: CommitOutcome) -> Result<CommitOutcome, StoreError> {
        if outcome == CommitOutcome::Applied || !self.fate_unknown {
            return Ok(outcome);
        }
        Err(StoreError::new(StoreErrorKind::Unknown, self.during))
    }

    fn no_answer_but_applied(&self, error: StoreError) -> StoreError {
        if self.fate_unknown { StoreError::with_source(StoreErrorKind::Unknown, self.during, error) } else { error }
    }

    /// Whether a connection broke: others of the pool may be as old as that one.
    pub(crate) const fn distrusts_the_pool(&self) -> bool {
        self.broken == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broken() -> sqlx::Error {
        sqlx::Error::Io(std::io::ErrorKind::ConnectionReset.into())
    }

    #[test]
    fn after_a_try_of_unknown_fate_only_applied_is_an_answer() {
        let mut patience = Patience::new("a test");
        assert_eq!(patience.answer(CommitOutcome::Stale).expect("nothing is under way"), CommitOutcome::Stale);
        patience.with(Trouble::Repeatable(broken())).expect("once more");
        assert_eq!(patience.answer(CommitOutcome::Applied).expect("this stays true"), CommitOutcome::Applied);
        let unknown = [
            patience.answer(CommitOutcome::Stale).expect_err("the first try may be under way"),
            patience.with(Trouble::Before(sqlx::Error::PoolTimedOut)).expect_err("no more tries"),
            patience.with(Trouble::Answer(StoreError::new(StoreErrorKind::Corrupt, "a test"))).expect_err("no answer"),
            patience.with(Trouble::Repeatable(broken())).expect_err("twice is enough"),
        ];
        assert!(unknown.iter().all(|error| error.kind() == StoreErrorKind::Unknown), "{unknown:?}");
    }
}
