//! The spans of use cases and of workers' rounds: what was done, about which enrollment, and what came of it.
//!
//! Every use case and every round passes through here, so that none has a line of its own for it. Fields are words of
//! this program, ids and counts: who collects traces learns nothing that opens anything, and nothing personal.

use std::cell::Cell;
use std::pin::Pin;
use std::task::{Context, Poll};

use tracing::Span;
use tracing::field::{Empty, display};

use super::{Answer, Failure};
use crate::id::EnrollmentId;

/// The answer of a use case, within a span `operation` at level `debug`. Where nobody asks for such spans it costs the
/// look at a flag.
///
/// `otel.name` is the name, `enrollment` the enrollment it was about, `stale` how often it was decided anew because
/// somebody else was faster, `outcome` is `done` or the code of the failure; `dropped` when nobody waited for the end.
pub(crate) fn operation<'a, T: 'a>(
    name: &'static str,
    work: impl Future<Output = Result<T, Failure>> + Send + 'a,
) -> Answer<'a, T> {
    let work = Box::pin(work);
    let span = tracing::debug_span!("operation", otel.name = name, enrollment = Empty, stale = Empty, outcome = Empty);
    if span.is_disabled() { work } else { Box::pin(Traced::new(span, work)) }
}

/// The answer of a worker's round, within a span `round` at level `debug`: as [`operation`], with how much it did.
pub(crate) fn round<'a>(
    name: &'static str,
    work: impl Future<Output = Result<usize, Failure>> + Send + 'a,
) -> Answer<'a, usize> {
    let work = Box::pin(work);
    let span = tracing::debug_span!("round", otel.name = name, done = Empty, stale = Empty, outcome = Empty);
    if span.is_disabled() {
        return work;
    }
    let of_round = span.clone();
    let counted = async move {
        let done = work.await?;
        of_round.record("done", i64::try_from(done).unwrap_or(i64::MAX));
        Ok(done)
    };
    Box::pin(Traced::new(span, Box::pin(counted)))
}

/// Says which enrollment the operation is about, also to the span it was called in: logs and traces of a request then
/// tell which one it was. An id opens nothing.
pub(crate) fn concerns(enrollment: EnrollmentId) {
    tell(&Span::current(), enrollment);
}

fn tell(span: &Span, enrollment: EnrollmentId) {
    span.record("enrollment", display(enrollment));
    TOLD.set(Told { enrollment: Some(enrollment), ..TOLD.get() });
}

/// Says that a change came too late, and is decided anew.
pub(super) fn came_too_late() {
    let told = TOLD.get();
    TOLD.set(Told { stale: told.stale.saturating_add(1), ..told });
}

/// What an operation has told of itself so far.
#[derive(Debug, Clone, Copy)]
struct Told {
    enrollment: Option<EnrollmentId>,
    stale: i64,
}

const NOTHING: Told = Told { enrollment: None, stale: 0 };

thread_local! {
    /// By the operation that this thread polls at this moment. Nobody reads what is told outside of one.
    static TOLD: Cell<Told> = const { Cell::new(NOTHING) };
}

/// Work within its span.
struct Traced<'a, T> {
    work: Answer<'a, T>,
    span: Span,
    /// The span it was called in.
    caller: Span,
    told: Told,
    ended: bool,
}

impl<'a, T> Traced<'a, T> {
    fn new(span: Span, work: Answer<'a, T>) -> Self {
        Self { work, span, caller: Span::current(), told: NOTHING, ended: false }
    }

    fn end(&mut self, outcome: &'static str) {
        self.ended = true;
        self.span.record("stale", self.told.stale).record("outcome", outcome);
        if let Some(enrollment) = self.told.enrollment {
            tell(&self.caller, enrollment);
        }
    }
}

impl<T> Future for Traced<'_, T> {
    type Output = Result<T, Failure>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        let outer = TOLD.replace(this.told);
        let polled = this.span.in_scope(|| this.work.as_mut().poll(context));
        this.told = TOLD.replace(outer);
        if let Poll::Ready(answer) = &polled {
            this.end(answer.as_ref().map_or_else(Failure::code, |_| "done"));
        }
        polled
    }
}

impl<T> Drop for Traced<'_, T> {
    fn drop(&mut self) {
        if !self.ended {
            self.end("dropped");
        }
    }
}
