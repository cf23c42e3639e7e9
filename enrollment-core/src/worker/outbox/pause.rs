//! When a relay refuses us, the queue waits instead of being burnt (MSG-8).

use std::time::Duration;

use super::{OutboxWorker, Turn};
use crate::domain::event::Event;
use crate::domain::mail::Pause;
use crate::port::Channel;
use crate::record::{Stored, Version, new_row};
use crate::service::Failure;
use crate::service::turn::{Draft, TURNS, Written};
use crate::worker::SYSTEM;

/// Until the first probe, doubled with each further one up to the longest. Not random: one worker probes, and a relay
/// that counts failed sign-ins should not see them close together.
const FIRST_PROBE: Duration = Duration::from_secs(60);
const LONGEST: Duration = Duration::from_secs(30 * 60);

impl OutboxWorker {
    /// The pause of the channel, if it is paused.
    pub(super) async fn pause(&self) -> Result<Option<Stored<Pause>>, Failure> {
        self.service.read::<Pause>(Pause::key(Channel::Email).id).await
    }

    /// Takes the next probe for this worker alone; says whether nobody else did.
    pub(super) async fn claim_probe(&self, pause: &Stored<Pause>) -> Result<bool, Failure> {
        let mut draft = Draft::new(self.service.now());
        let wait = FIRST_PROBE.saturating_mul(2 << pause.record.probes.min(16)).min(LONGEST);
        let probes = pause.record.probes.saturating_add(1);
        draft.ops.push(pause.put(&Pause { probes, next_probe: draft.now.plus(wait), ..pause.record.clone() }));
        Ok(matches!(self.service.write(draft).await?, Written::Applied))
    }

    /// Pauses the channel, or writes down why it stays paused.
    pub(super) async fn pause_channel(&self, why: &str) -> Result<(), Failure> {
        tracing::error!(why, "the relay refuses this server: mail is paused until it takes messages again");
        let channel = Channel::Email;
        for _ in 0..TURNS {
            let mut draft = Draft::new(self.service.now());
            match self.pause().await? {
                Some(pause) if pause.record.why == why => return Ok(()),
                Some(pause) => draft.ops.push(pause.put(&Pause { why: why.to_owned(), ..pause.record.clone() })),
                None => {
                    let next_probe = draft.now.plus(FIRST_PROBE);
                    draft.ops.push(new_row(&Pause {
                        channel,
                        since: draft.now,
                        why: why.to_owned(),
                        probes: 0,
                        next_probe,
                    }));
                    let event = Event::ChannelPaused { channel: channel.to_string() };
                    self.service.audit(&mut draft, SYSTEM, Pause::key(channel), Version::FIRST, event);
                }
            }
            if let Written::Applied = self.service.write(draft).await? {
                return Ok(());
            }
        }
        Err(Failure::Busy)
    }

    /// Ends the pause, when this turn was its probe.
    pub(super) async fn resume(&self, turn: &Turn) -> Result<(), Failure> {
        if turn.probe.is_none() {
            return Ok(());
        }
        for _ in 0..TURNS {
            let Some(pause) = self.pause().await? else { return Ok(()) };
            let mut draft = Draft::new(self.service.now());
            draft.ops.push(pause.delete());
            let event = Event::ChannelResumed { channel: pause.record.channel.to_string() };
            self.service.audit(&mut draft, SYSTEM, pause.key(), pause.version, event);
            if let Written::Applied = self.service.write(draft).await? {
                tracing::info!("the relay takes messages again");
                return Ok(());
            }
        }
        Err(Failure::Busy)
    }
}
