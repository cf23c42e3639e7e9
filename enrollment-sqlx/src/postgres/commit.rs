//! Committing a change: in one statement (see [`super::at_once`]) or, when that wrote nothing or was refused, after a
//! closer look, which tells why. That look is one transaction, and in it as few statements as can be, since each is a
//! round trip:
//!
//! 1. `begin`, and locks on rows that must not be made, when the change checks that some are absent;
//! 2. one statement that locks and reads everything the change expects, upon which it is judged;
//! 3. one statement that writes, or two when a key moves;
//! 4. `commit`.

use data_encoding::HEXLOWER;
use enrollment_core::port::{Change, CommitOutcome, StoreError};
use sqlx::Row as _;
use sqlx::postgres::PgConnection;

use super::errors::{Meaning, Patience, Trouble};
use super::lent::roll_back;
use super::locks::Locks;
use super::schema::Schema;
use super::script::Script;
use super::{Postgres, at_once, facts, write};
use crate::batch::Batch;
use crate::check;
use crate::facts::Wanted;

/// Isolation is by locks. A stricter default of the server would only make more victims.
pub(super) const BEGIN: &str = "begin isolation level read committed";

pub(super) async fn commit(db: &Postgres, change: &Change) -> Result<CommitOutcome, StoreError> {
    let work = Work::new(change)?;
    let mut patience = Patience::new("committing a change");
    let mut at_once = at_once::script(&db.schema, change, &work.locks, &work.fingerprint);
    loop {
        let made = match &at_once {
            Some(script) => write_at_once(db, script.clone(), &patience).await,
            None => attempt(db, &work, &patience).await.map(Some),
        };
        match made {
            Ok(Some(outcome)) => return patience.answer(outcome),
            Ok(None) => at_once = None,
            Err(trouble) => patience.with(trouble)?,
        }
    }
}

/// `None`: nothing happened, and a closer look tells why.
async fn write_at_once(db: &Postgres, script: Script, patience: &Patience) -> Result<Option<CommitOutcome>, Trouble> {
    let mut lent = db.lend(patience).await?;
    // All rows are fetched, so that the driver waits for the end of the transaction, which ends with the statement.
    let error = match script.query().fetch_all(lent.connection()).await {
        Ok(rows) => {
            lent.give_back();
            let fits: Option<bool> = rows.first().map(|row| row.try_get(0)).transpose()?;
            return Ok((fits == Some(true)).then_some(CommitOutcome::Applied));
        }
        Err(error) => error,
    };
    match Meaning::of(&error) {
        Meaning::Raced => {
            lent.give_back();
            Ok(None)
        }
        Meaning::Broken => Err(Trouble::Repeatable(error)),
        Meaning::Victim | Meaning::Final(_) => {
            let trouble = Trouble::Before(error);
            lent.give_back_after(&trouble);
            Err(trouble)
        }
    }
}

async fn attempt(db: &Postgres, work: &Work<'_>, patience: &Patience) -> Result<CommitOutcome, Trouble> {
    let mut lent = db.lend(patience).await?;
    // A connection on which this fails is closed: whether a transaction was begun is not known.
    let mut transaction = lent.begin(format!("{BEGIN}{}", work.early_locks())).await?;
    let made = match work.run(&mut transaction, &db.schema).await {
        Ok(Ran::Written) => transaction.commit().await.map(|()| CommitOutcome::Applied).map_err(Trouble::Committing),
        Ok(Ran::Nothing(outcome)) => {
            roll_back(transaction).await;
            Ok(outcome)
        }
        Err(trouble) => {
            roll_back(transaction).await;
            Err(trouble)
        }
    };
    match &made {
        Ok(_) => lent.give_back(),
        Err(trouble) => lent.give_back_after(trouble),
    }
    made
}

/// A change and what is derived from it once, however often it is tried.
#[derive(Debug)]
pub(super) struct Work<'a> {
    change: &'a Change,
    fingerprint: String,
    wanted: Wanted<'a>,
    locks: Locks,
}

/// What came of a try.
pub(super) enum Ran {
    /// The change takes effect with the transaction.
    Written,
    /// There is nothing to take effect.
    Nothing(CommitOutcome),
}

impl<'a> Work<'a> {
    /// # Errors
    /// When the change does not keep to the limits of the port.
    pub(super) fn new(change: &'a Change) -> Result<Self, StoreError> {
        check::change(change)?;
        let mut wanted = Wanted::default();
        wanted.change(change);
        let fingerprint = HEXLOWER.encode(&change.fingerprint());
        Ok(Self { change, fingerprint, wanted, locks: Locks::of(change) })
    }

    /// Statements that must come before the facts, each after a semicolon.
    pub(super) fn early_locks(&self) -> String {
        if self.locks.before_the_facts { self.locks.statements() } else { String::new() }
    }

    /// Locks, judges and writes, inside a transaction that ends when it fails.
    pub(super) async fn run(&self, conn: &mut PgConnection, schema: &Schema) -> Result<Ran, Trouble> {
        let facts = facts::lock(conn, schema, &self.locks, &self.wanted).await?;
        let is_known = facts.changes.contains_key(&self.change.id);
        let mut batch = Batch::new(facts);
        let outcome = batch.commit(self.change, &self.fingerprint)?;
        if is_known || outcome != CommitOutcome::Applied {
            return Ok(Ran::Nothing(outcome));
        }
        for statement in write::statements(schema, &batch.writes()) {
            statement.query().execute(&mut *conn).await?;
        }
        Ok(Ran::Written)
    }
}
