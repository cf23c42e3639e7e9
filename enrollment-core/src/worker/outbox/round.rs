//! The entries of one turn, up to [`AT_ONCE`] of them under way: looked at together as places become free, delivered side
//! by side, and written down together as the relay takes them. While some are being written down, those that are to have
//! their places are looked at already.
//!
//! Nothing waits for company. What has come while others are being read or written goes with the next: one by one where
//! the relay is slow, many at a time where the store is.

use std::collections::VecDeque;
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
    /// Some are being looked at.
    looking: bool,
    /// What is to be done about those that have no place yet. They wait for a change that is being written, for no relay.
    next: VecDeque<(&'r Leased, Step)>,
    /// Entries that were begun and are not behind us.
    under_way: usize,
    /// The relay has these, and nobody has begun to write that down.
    taken: Vec<Taken<'r>>,
    /// So many others are being written down.
    recording: usize,
    settled: usize,
    failed: Option<Failure>,
}

/// What has come to an end.
enum Came<'r> {
    /// Looking at some entries.
    Looked(Vec<&'r Leased>, Result<Vec<(&'r Leased, Step)>, Failure>),
    /// What was done about one.
    Acted(Result<Acted<'r>, Failure>),
    /// Writing down what the relay has taken; how many mails were settled.
    Recorded(Result<usize, Failure>),
}

impl<'r> Round<'r> {
    pub(super) fn new(worker: &'r OutboxWorker, turn: &'r Turn, leased: &'r [Leased]) -> Self {
        Self {
            worker,
            turn,
            waiting: leased.iter(),
            running: FuturesUnordered::new(),
            looking: false,
            next: VecDeque::new(),
            under_way: 0,
            taken: Vec::new(),
            recording: 0,
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
            self.look();
            let Some(came) = self.running.next().await else { break };
            self.take_in(came);
            // And all that has come by now, so that it goes on together.
            while let Some(Some(came)) = self.running.next().now_or_never() {
                self.take_in(came);
            }
        }
        self.failed.map_or(Ok(self.settled), Err)
    }

    /// Fills the places that are free. What is only given back needs none.
    fn begin(&mut self) {
        let halted = self.worker.is_halted(self.turn);
        if halted {
            let rest = mem::take(&mut self.waiting);
            self.next.extend(rest.map(|leased| (leased, Step::Release)));
        }
        while halted || self.under_way < AT_ONCE {
            let Some((leased, step)) = self.next.pop_front() else { break };
            self.under_way += 1;
            let (worker, turn) = (self.worker, self.turn);
            self.running.push(async move { Came::Acted(worker.act(turn, leased, step).await) }.boxed());
        }
    }

    /// Looks at as many entries as there are places for now, or will be when what is being written down is written.
    fn look(&mut self) {
        if self.looking || !self.next.is_empty() {
            return;
        }
        let places = AT_ONCE.saturating_sub(self.under_way - self.recording);
        let some: Vec<_> = self.waiting.by_ref().take(places).collect();
        if some.is_empty() {
            return;
        }
        self.looking = true;
        let worker = self.worker;
        let looked = async move {
            let steps = worker.look(&some).await;
            Came::Looked(some, steps)
        };
        self.running.push(looked.boxed());
    }

    /// Writes down what the relay has taken, unless others are being written down.
    fn record(&mut self) {
        if self.recording > 0 || self.taken.is_empty() {
            return;
        }
        self.recording = self.taken.len();
        let (worker, turn, taken) = (self.worker, self.turn, mem::take(&mut self.taken));
        let recorded = async move {
            let settled = worker.record_all_sent(&taken).await?;
            worker.resume(turn).await?;
            Ok(settled)
        };
        self.running.push(recorded.map(Came::Recorded).boxed());
    }

    fn take_in(&mut self, came: Came<'r>) {
        match came {
            Came::Looked(some, steps) => {
                self.looking = false;
                match steps {
                    Ok(steps) => self.next.extend(steps),
                    // Given back: a code among them is of no use any more when their leases end.
                    Err(failure) => {
                        self.failed = Some(failure);
                        self.next.extend(some.into_iter().map(|leased| (leased, Step::Release)));
                    }
                }
            }
            Came::Acted(Ok(Acted::Taken(taken))) => self.taken.push(taken),
            Came::Acted(Ok(Acted::Ended(settled))) => self.end(1, Ok(usize::from(settled))),
            Came::Acted(Err(failure)) => self.end(1, Err(failure)),
            Came::Recorded(settled) => {
                let count = mem::take(&mut self.recording);
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
