//! One password at a time per session.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use futures_channel::oneshot;

use crate::secret::Digest;

/// Lets one submission per session through at a time, in this process; an enrollment has one session. Without it, many
/// guesses at what an earlier holder chose could be tried before the first wrong one is written down and ends that chance
/// (TOK-5), and one invitation could keep all hashing threads busy.
#[derive(Debug, Default)]
pub(super) struct PasswordGate(Mutex<HashMap<Digest, Vec<oneshot::Sender<()>>>>);

/// The right to submit. Leaves with whoever holds it, also when their request is dropped.
#[derive(Debug)]
pub(super) struct Pass<'a> {
    gate: &'a PasswordGate,
    session: Digest,
}

impl PasswordGate {
    /// Waits until no other submission in this session is under way.
    pub(super) async fn enter(&self, session: Digest) -> Pass<'_> {
        loop {
            let Some(turn) = self.queue(session) else { return Pass { gate: self, session } };
            // An error says that the one before left without a word, which is a turn too.
            let _ = turn.await;
        }
    }

    /// A place behind whoever is inside; `None`: nobody was, and the caller is now.
    fn queue(&self, session: Digest) -> Option<oneshot::Receiver<()>> {
        let mut inside = self.lock();
        if let Some(waiting) = inside.get_mut(&session) {
            let (sender, turn) = oneshot::channel();
            waiting.push(sender);
            return Some(turn);
        }
        inside.insert(session, Vec::new());
        None
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Digest, Vec<oneshot::Sender<()>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        for waiting in self.gate.lock().remove(&self.session).into_iter().flatten() {
            // Whoever has gone meanwhile needs no word.
            let _ = waiting.send(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// TOK-5, PWD-1
    #[tokio::test]
    async fn one_submission_per_session_at_a_time() {
        let gate = PasswordGate::default();
        let (one, other) = (Digest::of(b"one"), Digest::of(b"other"));
        let inside = gate.enter(one).await;
        let _elsewhere = gate.enter(other).await;
        let turn = gate.queue(one).expect("somebody is inside");
        drop(inside);
        turn.await.expect("the turn is called");
        drop(gate.enter(one).await);
        assert!(gate.queue(one).is_none(), "nobody is left inside");
    }
}
