//! The spans of use cases and of workers' rounds: what was done, about which enrollment, and what came of it.
//!
//! Every use case and every round passes through here, so that none has a line of its own for it. Fields are words of
//! this program, ids and counts: who collects traces learns nothing that opens anything, and nothing personal.

use std::cell::Cell;
use std::pin::Pin;
use std::task::{Context, Poll};

use tracing::Span;
use tracing::field::{Empty, display};
use tracing::level_filters::LevelFilter;

use super::{Answer, Failure};
use crate::id::EnrollmentId;

/// The answer of a use case, within a span `operation` at level `debug`. Where nobody asks for that level it costs one
/// comparison.
///
/// `otel.name` is the name, `enrollment` the enrollment it was about, `stale` how often it was decided anew because
/// somebody else was faster, `outcome` is `done` or the code of the failure; `dropped` when nobody waited for the end.
pub(crate) fn operation<'a, T: 'a>(
    name: &'static str,
    work: impl Future<Output = Result<T, Failure>> + Send + 'a,
) -> Answer<'a, T> {
    within(name, Box::pin(work), |name| {
        tracing::debug_span!("operation", otel.name = name, enrollment = Empty, stale = Empty, outcome = Empty)
    })
}

/// The answer of a worker's round, within a span `round` at level `debug`: as [`operation`], with how much it did and how
/// many changes it tried.
pub(crate) fn round<'a>(
    name: &'static str,
    work: impl Future<Output = Result<usize, Failure>> + Send + 'a,
) -> Answer<'a, usize> {
    let counted = async move {
        let done = work.await?;
        Span::current().record("done", i64::try_from(done).unwrap_or(i64::MAX));
        Ok(done)
    };
    within(name, Box::pin(counted), |name| {
        tracing::debug_span!("round", otel.name = name, done = Empty, changes = Empty, stale = Empty, outcome = Empty)
    })
}

fn within<'a, T: 'a>(name: &'static str, work: Answer<'a, T>, span: fn(&'static str) -> Span) -> Answer<'a, T> {
    if LevelFilter::current() < LevelFilter::DEBUG {
        return work;
    }
    Box::pin(Traced { name, span, work, begun: None })
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

/// Says that a change is tried.
pub(super) fn changes() {
    let told = TOLD.get();
    TOLD.set(Told { changes: told.changes.saturating_add(1), ..told });
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
    changes: i64,
    stale: i64,
}

const NOTHING: Told = Told { enrollment: None, changes: 0, stale: 0 };

thread_local! {
    /// By the operation that this thread polls at this moment. Nobody reads what is told outside of one.
    static TOLD: Cell<Told> = const { Cell::new(NOTHING) };
}

/// Work within a span, which begins with it.
struct Traced<'a, T> {
    name: &'static str,
    span: fn(&'static str) -> Span,
    work: Answer<'a, T>,
    /// Until it has ended.
    begun: Option<Begun>,
}

/// Work on its way.
struct Begun {
    span: Span,
    /// The span it was begun in.
    caller: Span,
    told: Told,
}

impl Begun {
    fn end(self, outcome: &'static str) {
        let Told { changes, stale, .. } = self.told;
        self.span.record("changes", changes).record("stale", stale).record("outcome", outcome);
        // Where the span is not wanted, it was the caller's that was told in the first place.
        if let Some(enrollment) = self.told.enrollment.filter(|_| !self.span.is_disabled()) {
            tell(&self.caller, enrollment);
        }
    }
}

impl<T> Future for Traced<'_, T> {
    type Output = Result<T, Failure>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { name, span, work, begun } = self.get_mut();
        let mut now =
            begun.take().unwrap_or_else(|| Begun { caller: Span::current(), span: span(name), told: NOTHING });
        let outer = TOLD.replace(now.told);
        let polled = now.span.in_scope(|| work.as_mut().poll(context));
        now.told = TOLD.replace(outer);
        match &polled {
            Poll::Pending => *begun = Some(now),
            Poll::Ready(answer) => now.end(answer.as_ref().map_or_else(Failure::code, |_| "done")),
        }
        polled
    }
}

impl<T> Drop for Traced<'_, T> {
    fn drop(&mut self) {
        if let Some(begun) = self.begun.take() {
            begun.end("dropped");
        }
    }
}
