//! The entries of one turn, up to [`AT_ONCE`] of them under way: looked at together as places become free, delivered side
//! by side, and written down together as the relay takes them.
//!
//! Nothing waits for company. What has come while others are being read or written goes with the next: one by one where
//! the relay is slow, many at a time where the store is.

use std::mem;
use std::slice;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt};

use super::ending::Taken;
use super::look::Step;
use super::{AT_ONCE, Acted, OutboxWorker, Turn};
use crate::port::Leased;
use crate::service::Failure;

pub(super) struct Round<'r> {
    worker: &'r OutboxWorker,
    turn: &'r Turn,
    waiting: slice::Iter<'r, Leased>,
    running: FuturesUnordered<BoxFuture<'r, Came<'r>>>,
    /// Entries that were begun and are not behind us.
    under_way: usize,
    /// Some of them are being looked at.
    looking: bool,
    /// The relay has these, and nobody has begun to write that down.
    taken: Vec<Taken<'r>>,
    /// Others are being written down.
    recording: bool,
    settled: usize,
    failed: Option<Failure>,
}

/// What has come to an end.
enum Came<'r> {
    /// Looking at so many entries.
    Looked(usize, Result<Vec<(&'r Leased, Step)>, Failure>),
    /// What was done about one.
    Acted(Result<Acted<'r>, Failure>),
    /// Writing down so many mails; how many of them were settled.
    Recorded(usize, Result<usize, Failure>),
}

impl<'r> Round<'r> {
    pub(super) fn new(worker: &'r OutboxWorker, turn: &'r Turn, leased: &'r [Leased]) -> Self {
        Self {
            worker,
            turn,
            waiting: leased.iter(),
            running: FuturesUnordered::new(),
            under_way: 0,
            looking: false,
            taken: Vec::new(),
            recording: false,
            settled: 0,
            failed: None,
        }
    }

    /// How many entries were settled, when all are behind us.
    ///
    /// # Errors
    /// The last failure. The others were finished first: they may have been with the relay already.
    pub(super) async fn run(mut self) -> Result<usize, Failure> {
        loop {
            self.begin();
            self.record();
            let Some(came) = self.running.next().await else { break };
            self.take_in(came);
            // And all that has come by now, so that it goes on together.
            while let Some(Some(came)) = self.running.next().now_or_never() {
                self.take_in(came);
            }
        }
        self.failed.map_or(Ok(self.settled), Err)
    }

    /// Fills the places that are free.
    fn begin(&mut self) {
        if self.worker.is_halted(self.turn) {
            let rest = mem::take(&mut self.waiting);
            self.under_way += rest.len();
            rest.for_each(|leased| self.act(leased, Step::Release));
        }
        let free = if self.looking { 0 } else { AT_ONCE.saturating_sub(self.under_way) };
        let some: Vec<_> = self.waiting.by_ref().take(free).collect();
        if some.is_empty() {
            return;
        }
        self.under_way += some.len();
        self.looking = true;
        let worker = self.worker;
        self.running.push(async move { Came::Looked(some.len(), worker.look(&some).await) }.boxed());
    }

    /// Writes down what the relay has taken, unless others are being written down.
    fn record(&mut self) {
        if self.recording || self.taken.is_empty() {
            return;
        }
        self.recording = true;
        let (worker, turn, taken) = (self.worker, self.turn, mem::take(&mut self.taken));
        let count = taken.len();
        let recorded = async move {
            let settled = worker.record_all_sent(&taken).await?;
            worker.resume(turn).await?;
            Ok(settled)
        };
        self.running.push(recorded.map(move |settled| Came::Recorded(count, settled)).boxed());
    }

    fn act(&mut self, leased: &'r Leased, step: Step) {
        let (worker, turn) = (self.worker, self.turn);
        self.running.push(async move { Came::Acted(worker.act(turn, leased, step).await) }.boxed());
    }

    fn take_in(&mut self, came: Came<'r>) {
        match came {
            Came::Looked(_, Ok(steps)) => {
                self.looking = false;
                steps.into_iter().for_each(|(leased, step)| self.act(leased, step));
            }
            Came::Looked(count, Err(failure)) => {
                self.looking = false;
                self.end(count, Err(failure));
            }
            Came::Acted(Ok(Acted::Taken(taken))) => self.taken.push(taken),
            Came::Acted(Ok(Acted::Ended(settled))) => self.end(1, Ok(usize::from(settled))),
            Came::Acted(Err(failure)) => self.end(1, Err(failure)),
            Came::Recorded(count, settled) => {
                self.recording = false;
                self.end(count, settled);
            }
        }
    }

    /// So many entries are behind us.
    fn end(&mut self, count: usize, settled: Result<usize, Failure>) {
        self.under_way -= count;
        match settled {
            Ok(settled) => self.settled += settled,
            Err(failure) => self.failed = Some(failure),
        }
    }
}
