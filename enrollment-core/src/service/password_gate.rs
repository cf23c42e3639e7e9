//! One password at a time per enrollment, and per place from which somebody signs in.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_channel::oneshot;

use uuid::Uuid;

/// Lets one submission per enrollment (or place) through at a time, in this process. Without it, many guesses at what an earlier
/// holder chose could be tried before the first wrong one is written down and ends that chance (TOK-5), and one
/// invitation could keep all hashing threads busy.
#[derive(Debug, Clone, Default)]
pub(super) struct PasswordGate(Arc<Mutex<HashMap<Uuid, Vec<oneshot::Sender<()>>>>>);

/// The right to submit. Whoever works for a submission holds it: a hash that is being made goes on when its request is
/// dropped, and the next one waits for that.
#[derive(Debug)]
pub(super) struct Pass {
    gate: PasswordGate,
    of: Uuid,
}

impl PasswordGate {
    /// Waits until no other submission for this one is under way.
    pub(super) async fn enter(&self, of: Uuid) -> Pass {
        loop {
            let Some(turn) = self.queue(of) else { return Pass { gate: self.clone(), of } };
            // An error says that the one before left without a word, which is a turn too.
            let _ = turn.await;
        }
    }

    /// A place behind whoever is inside; `None`: nobody was, and the caller is now.
    fn queue(&self, of: Uuid) -> Option<oneshot::Receiver<()>> {
        let mut inside = self.lock();
        if let Some(waiting) = inside.get_mut(&of) {
            let (sender, turn) = oneshot::channel();
            waiting.push(sender);
            return Some(turn);
        }
        inside.insert(of, Vec::new());
        None
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Uuid, Vec<oneshot::Sender<()>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        for waiting in self.gate.lock().remove(&self.of).into_iter().flatten() {
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
    async fn one_submission_per_enrollment_at_a_time() {
        let gate = PasswordGate::default();
        let (one, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let inside = gate.enter(one).await;
        let _elsewhere = gate.enter(other).await;
        let turn = gate.queue(one).expect("somebody is inside");
        drop(inside);
        turn.await.expect("the turn is called");
        drop(gate.enter(one).await);
        assert!(gate.queue(one).is_none(), "nobody is left inside");
    }
}
