//! The one task of a store that writes. It takes what waits, up to a group, runs it in one transaction, and answers
//! when that is on the disk.

use enrollment_core::port::{
    Change, CommitOutcome, LeaseRef, LeaseRequest, Leased, Retained, SettleOutcome, Settlement, StoreError,
};
use enrollment_core::time::Timestamp;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions, Connection};
use tokio::sync::{mpsc, oneshot};

use super::errors::{failed, is_of_the_disk, unknown};
use super::script::Script;
use super::{facts, outbox, write};
use crate::batch::Batch;
use crate::error::Failure;
use crate::facts::Wanted;

/// One call that writes.
#[derive(Debug)]
pub(crate) enum Job {
    /// `Store::commit`
    Commit { change: Change, fingerprint: String, reply: Reply<CommitOutcome> },
    /// `Store::settle`
    Settle { lease: LeaseRef, how: Settlement, now: Timestamp, reply: Reply<SettleOutcome> },
    /// `Store::lease`
    Lease { request: LeaseRequest, reply: Reply<Vec<Leased>> },
    /// `Store::prune`
    Prune { what: Retained, before: Timestamp, limit: u32, reply: Reply<u64> },
    /// Nothing more is taken; what waits is served.
    Close { reply: Reply<()> },
}

/// Where the caller waits, and what it will hear when the transaction is on the disk.
#[derive(Debug)]
pub(crate) struct Reply<T> {
    to: oneshot::Sender<Result<T, StoreError>>,
    outcome: Option<Result<T, StoreError>>,
}

impl<T> Reply<T> {
    pub(crate) fn new() -> (Self, oneshot::Receiver<Result<T, StoreError>>) {
        let (to, from) = oneshot::channel();
        (Self { to, outcome: None }, from)
    }

    fn set(&mut self, outcome: Result<T, StoreError>) {
        self.outcome = Some(outcome);
    }

    /// That nobody waits any more is not an error.
    fn send(self, failure: Option<&Failure>) {
        let outcome = failure.map_or(self.outcome, |failure| Some(Err(failure.clone().into())));
        if let Some(outcome) = outcome {
            self.to.send(outcome).ok();
        }
    }
}

impl Job {
    /// Whether the caller has gone. Work for nobody is not begun: a store that is behind catches up sooner.
    fn is_abandoned(&self) -> bool {
        match self {
            Self::Commit { reply, .. } => reply.to.is_closed(),
            Self::Settle { reply, .. } => reply.to.is_closed(),
            Self::Lease { reply, .. } => reply.to.is_closed(),
            Self::Prune { reply, .. } => reply.to.is_closed(),
            Self::Close { .. } => false,
        }
    }

    /// Whether the changes it comes to are part of the group's script, rather than statements of its own.
    const fn is_written_by_script(&self) -> bool {
        matches!(self, Self::Commit { .. } | Self::Settle { .. })
    }

    fn answer(self, failure: Option<&Failure>) {
        match self {
            Self::Commit { reply, .. } => reply.send(failure),
            Self::Settle { reply, .. } => reply.send(failure),
            Self::Lease { reply, .. } => reply.send(failure),
            Self::Prune { reply, .. } => reply.send(failure),
            Self::Close { reply } => reply.send(failure),
        }
    }
}

/// The writer and its connection.
#[derive(Debug)]
pub(crate) struct Writer {
    jobs: mpsc::Receiver<Job>,
    group: usize,
    options: SqliteConnectOptions,
    /// `None` after a failure: the next group opens another, and closing this one has rolled back what was open.
    conn: Option<SqliteConnection>,
}

impl Writer {
    pub(crate) const fn new(
        jobs: mpsc::Receiver<Job>,
        group: usize,
        options: SqliteConnectOptions,
        conn: SqliteConnection,
    ) -> Self {
        Self { jobs, group, options, conn: Some(conn) }
    }

    /// Serves until every handle is gone or the store was closed, and then what still waits.
    pub(crate) async fn run(mut self) {
        let mut waiting = Vec::with_capacity(self.group);
        let mut closing = Vec::new();
        while self.jobs.recv_many(&mut waiting, self.group).await > 0 {
            let mut group = Vec::with_capacity(waiting.len());
            for job in waiting.drain(..) {
                match job {
                    Job::Close { reply } => closing.push(reply),
                    job if job.is_abandoned() => {}
                    job => group.push(job),
                }
            }
            if !closing.is_empty() {
                self.jobs.close();
            }
            self.serve(group).await;
        }
        if let Some(conn) = self.conn {
            // A failure to close loses nothing: what was answered is on the disk.
            conn.close().await.ok();
        }
        for mut reply in closing {
            reply.set(Ok(()));
            reply.send(None);
        }
    }

    async fn serve(&mut self, mut group: Vec<Job>) {
        if group.is_empty() {
            return;
        }
        let Err(failure) = self.attempt(&mut group).await else {
            group.into_iter().for_each(|job| job.answer(None));
            return;
        };
        tracing::warn!(jobs = group.len(), ?failure, "a transaction failed");
        if let Some(conn) = self.conn.take() {
            conn.close_hard().await.ok();
        }
        if group.len() > 1 && failure.may_be_one_calls_fault() {
            for job in group {
                Box::pin(self.serve(vec![job])).await;
            }
        } else {
            group.into_iter().for_each(|job| job.answer(Some(&failure)));
        }
    }

    /// Runs a group in one transaction and leaves in each job what to answer.
    async fn attempt(&mut self, group: &mut [Job]) -> Result<(), Failure> {
        let conn = match &mut self.conn {
            Some(conn) => conn,
            none => {
                let conn = self.options.connect().await;
                none.insert(conn.map_err(failed("opening the database"))?)
            }
        };
        let mut wanted = Wanted::default();
        for job in group.iter() {
            match job {
                Job::Commit { change, .. } => wanted.change(change),
                Job::Settle { lease, .. } => wanted.lease(lease),
                Job::Lease { .. } | Job::Prune { .. } | Job::Close { .. } => {}
            }
        }
        let mut batch = Batch::new(facts::begin(&wanted, conn).await?);
        for job in group.iter_mut() {
            match job {
                Job::Commit { change, fingerprint, reply } => reply.set(batch.commit(change, fingerprint)),
                Job::Settle { lease, how, now, reply } => reply.set(Ok(batch.settle(lease, how, *now))),
                Job::Lease { .. } | Job::Prune { .. } | Job::Close { .. } => {}
            }
        }
        let mut script = write::script(&batch.writes());
        if group.iter().all(Job::is_written_by_script) {
            // In one piece with what is written: each piece is a way to the driver's thread and back.
            script.push("commit");
            return commit(script, conn).await;
        }
        if !script.is_empty() {
            script.query().execute(&mut *conn).await.map_err(failed("writing changes"))?;
        }
        for job in group.iter_mut() {
            match job {
                Job::Lease { request, reply } => reply.set(Ok(outbox::lease(conn, request).await?)),
                Job::Prune { what, before, limit, reply } => {
                    reply.set(Ok(outbox::prune(conn, *what, *before, *limit).await?));
                }
                Job::Commit { .. } | Job::Settle { .. } | Job::Close { .. } => {}
            }
        }
        sqlx::query("commit").execute(conn).await.map_err(unknown("committing"))?;
        Ok(())
    }
}

/// Runs a script that ends with `commit`. When it fails, a transaction that is still open says that nothing has happened,
/// unless it was the disk that failed: then the end of the log may hold a commit that only a restart finds.
async fn commit(script: Script, conn: &mut SqliteConnection) -> Result<(), Failure> {
    let Err(error) = script.query().execute(&mut *conn).await else { return Ok(()) };
    let nothing_happened = !is_of_the_disk(&error) && sqlx::query("rollback").execute(conn).await.is_ok();
    Err(if nothing_happened { failed("writing changes")(error) } else { unknown("committing")(error) })
}
