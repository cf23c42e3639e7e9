//! How a case of a suite ends, and what it runs on.

use std::fmt;
use std::pin::Pin;
use std::time::Duration;

/// Why a factory could not do its part.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// How an implementation broke a promise.
#[derive(thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    message: String,
    #[source]
    source: Option<BoxError>,
}

impl Failure {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), source: None }
    }

    pub(crate) fn caused(message: &str, source: impl Into<BoxError>) -> Self {
        let source = source.into();
        Self { message: format!("{message}: {source}"), source: Some(source) }
    }
}

impl fmt::Debug for Failure {
    /// The message and its causes as text: a test that returns a `Failure` shows this.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)?;
        let mut cause = self.source.as_deref().and_then(std::error::Error::source);
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

/// A case under way.
pub(crate) type Running = Pin<Box<dyn Future<Output = Result<(), Failure>> + Send>>;

/// No case takes longer than this unless the implementation hangs. Generous: slow disks are not broken.
const PATIENCE: Duration = Duration::from_secs(60);

/// Runs a case so that an implementation that panics or hangs fails it instead of ending the suite.
pub(crate) async fn guarded(case: Running) -> Result<(), Failure> {
    let mut task = tokio::spawn(case);
    match tokio::time::timeout(PATIENCE, &mut task).await {
        Ok(Ok(verdict)) => verdict,
        Ok(Err(panicked)) => Err(Failure::caused("the case panicked", panicked)),
        Err(_) => {
            task.abort();
            Err(Failure::new(format!("the case hangs: it was not over after {PATIENCE:?}")))
        }
    }
}

/// Runs a case on a runtime of its own.
pub(crate) fn on_a_runtime(case: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    // More threads than processors: parallel writers meet even on a small machine.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(4)
        .enable_all()
        .build()
        .map_err(|error| Failure::caused("no runtime for the case", error))?;
    runtime.block_on(case)
}

/// Ends a case when a condition does not hold.
macro_rules! ensure {
    ($condition:expr, $($message:tt)+) => {
        if !$condition {
            return Err($crate::verdict::Failure::new(format!($($message)+)));
        }
    };
}

/// Ends a case when two values differ.
macro_rules! ensure_eq {
    ($got:expr, $want:expr, $($message:tt)+) => {
        match (&$got, &$want) {
            (got, want) => if *got != *want {
                let message = format!($($message)+);
                return Err($crate::verdict::Failure::new(format!("{message}: got {got:?}, not {want:?}")));
            }
        }
    };
}

pub(crate) use {ensure, ensure_eq};
