//! Mails: which there are, what causes them, and how far each one is.
//!
//! A mail is a record from the change that causes it to its end. It says what is to be told, to whom and where to;
//! never a secret and never a text that was rendered. What a person reads is made when it is sent, from what holds then.

use serde::{Deserialize, Serialize};

use super::contact::Email;
use super::enrollment::{Closure, Enrollment, Phase, Purpose};
use super::event::Event;
use super::rejection::Rejection;
use crate::id::{DeviceId, EnrollmentId, OutboxId, UserId};
use crate::port::Channel;
use crate::time::Timestamp;

/// What a mail tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "letter", rename_all = "snake_case")]
pub enum Letter {
    /// The link of an invitation.
    Invitation {
        /// What it is for; each purpose has a text of its own.
        purpose: Purpose,
        /// Which generation of the token. A later one makes this mail obsolete.
        generation: u32,
    },
    /// The onboarding message, after completion.
    Onboarding,
    /// A device was added.
    DeviceAdded {
        /// Which one.
        device: DeviceId,
    },
    /// A code to enter, which sets up codes by e-mail as a factor.
    MfaCode {
        /// Which of the enrollment's codes. A later one makes this mail obsolete.
        number: u32,
    },
    /// A second factor was set up.
    MfaEnabled,
    /// A session ended in which completing was refused (REQ-10).
    Unfinished {
        /// Of which generation's token.
        generation: u32,
        /// Which session of that token.
        session: u32,
    },
    /// The invitation was withdrawn.
    Revoked,
    /// Somebody started an enrollment for a person who can sign in already (ADM-7).
    Started {
        /// What it is for.
        purpose: Purpose,
    },
    /// To the initiator: it completed.
    InitiatorCompleted,
    /// To the initiator: too many wrong codes locked it.
    InitiatorLocked,
    /// To the initiator: its holder said that it was not meant for them.
    InitiatorReported,
    /// To see whether mail works.
    Test,
}

impl Letter {
    /// The stable name, also of the text that administrators may write themselves.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Invitation { purpose: Purpose::Onboarding, .. } => "invitation",
            Self::Invitation { purpose: Purpose::Device | Purpose::NetworkDevice, .. } => "device_activation",
            Self::Invitation { purpose: Purpose::Factor, .. } => "factor_invitation",
            Self::Onboarding => "onboarding_mail",
            Self::DeviceAdded { .. } => "device_added",
            Self::MfaCode { .. } => "mfa_code",
            Self::MfaEnabled => "mfa_enabled",
            Self::Unfinished { .. } => "enrollment_unfinished",
            Self::Revoked => "enrollment_revoked",
            Self::Started { .. } => "enrollment_started",
            Self::InitiatorCompleted => "initiator_completed",
            Self::InitiatorLocked => "initiator_locked",
            Self::InitiatorReported => "initiator_reported",
            Self::Test => "test_mail",
        }
    }

    /// Of which generation's token it tells, where it tells of one.
    #[must_use]
    pub const fn generation(self) -> Option<u32> {
        match self {
            Self::Invitation { generation, .. } | Self::Unfinished { generation, .. } => Some(generation),
            _ => None,
        }
    }

    /// Whether it goes to the administrator who started the enrollment, and not to the person it is for.
    #[must_use]
    pub const fn is_to_initiator(self) -> bool {
        matches!(self, Self::InitiatorCompleted | Self::InitiatorLocked | Self::InitiatorReported)
    }
}

/// How a link gets to the person it is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Delivery {
    /// The administrator hands it over.
    #[default]
    Manual,
    /// It is sent by mail; the administrator does not see it.
    Email,
    /// Both.
    Both,
}

impl Delivery {
    /// The stable name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Manual => "manual",
            Self::Email => "email",
            Self::Both => "both",
        }
    }

    /// Whether a mail is part of it.
    #[must_use]
    pub const fn mails(self) -> bool {
        matches!(self, Self::Email | Self::Both)
    }
}

/// How an enrollment's link gets to its person.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sending {
    /// By which way.
    pub delivery: Delivery,
    /// Where its mail goes in place of the address on file (INV-3).
    pub address: Option<Email>,
    /// The latest mail with the link.
    pub mail: Option<OutboxId>,
    /// What its mails say in place of the saved texts, also when they are sent again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wording: Option<Wording>,
}

/// An administrator's own words for one invitation, in place of the saved or built-in texts (MSG-6).
///
/// They are texts with [tags](crate::template::TAGS), under the rules and bounds of saved ones. Header, link and validity
/// are part of the mail whatever they say, so no secret is in them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wording {
    /// One line of plain text with tags; `None`: the saved or built-in one.
    pub subject: Option<String>,
    /// Markdown with tags; `None`: the saved or built-in one.
    pub body: Option<String>,
}

impl Wording {
    /// Whether it leaves everything to the saved texts.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.subject.is_none() && self.body.is_none()
    }

    /// Whether there is a mail that could say it.
    ///
    /// # Errors
    /// [`Rejection::InvalidField`] when something is to be said and nothing is mailed.
    pub fn demand_mailed(&self, delivery: Delivery) -> Result<(), Rejection> {
        let field = match self {
            _ if delivery.mails() => return Ok(()),
            Self { subject: None, body: None } => return Ok(()),
            Self { subject: Some(_), .. } => "subject",
            Self { subject: None, body: Some(_) } => "body",
        };
        Err(Rejection::InvalidField { field, reason: "only an invitation that is mailed has one".to_owned() })
    }
}

/// Where a mail goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Addressee {
    /// To this address, whatever the account's is.
    Explicit(Email),
    /// To the address this user has when the mail is sent (INV-3).
    CurrentAddressOf(UserId),
}

/// One mail, from the change that causes it to its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mail {
    /// Which one; the same as its first outbox entry, and what the recipient's copy is identified by on every try.
    pub id: OutboxId,
    /// The outbox entry that delivers it: its first, or the one of the last time it was brought back from the dead.
    pub entry: OutboxId,
    /// What it tells.
    pub letter: Letter,
    /// Whom it concerns, which need not be the recipient.
    pub user: Option<UserId>,
    /// The enrollment it is about.
    pub enrollment: Option<EnrollmentId>,
    /// Where it goes.
    pub to: Addressee,
    /// When it was queued.
    pub queued: Timestamp,
    /// How far it is.
    pub state: MailState,
}

/// How far a mail is. Reasons and receipts are what a relay said, made one line; they carry no secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum MailState {
    /// It waits for its first try.
    Queued,
    /// A try failed, and another follows.
    Retrying {
        /// Why.
        why: String,
        /// How many tries there were.
        tries: u32,
        /// Not before this instant.
        at: Timestamp,
    },
    /// The relay has taken it.
    Sent {
        /// When.
        at: Timestamp,
        /// What the relay answered.
        receipt: String,
    },
    /// It cannot be delivered, until somebody brings it back.
    Dead {
        /// Why.
        why: String,
        /// Since when.
        at: Timestamp,
    },
    /// It is no longer wanted.
    Obsolete {
        /// Why.
        why: String,
        /// Since when.
        at: Timestamp,
    },
}

impl MailState {
    /// The stable name.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Retrying { .. } => "retrying",
            Self::Sent { .. } => "sent",
            Self::Dead { .. } => "dead",
            Self::Obsolete { .. } => "obsolete",
        }
    }

    /// The part of the list it stands in.
    #[must_use]
    pub const fn standing(&self) -> MailStanding {
        match self {
            Self::Queued | Self::Retrying { .. } => MailStanding::Queue,
            Self::Sent { .. } => MailStanding::Sent,
            Self::Dead { .. } => MailStanding::Dead,
            Self::Obsolete { .. } => MailStanding::Obsolete,
        }
    }
}

/// Which of the lists of mails one is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MailStanding {
    /// On their way.
    #[default]
    Queue,
    /// Taken by the relay.
    Sent,
    /// Not deliverable.
    Dead,
    /// No longer wanted.
    Obsolete,
}

impl MailStanding {
    /// The stable name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queue => "queue",
            Self::Sent => "sent",
            Self::Dead => "dead",
            Self::Obsolete => "obsolete",
        }
    }
}

/// That a channel takes nothing from us, whatever the message: its queue waits instead of being burnt (MSG-8).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pause {
    /// Which channel.
    pub channel: Channel,
    /// Since when.
    pub since: Timestamp,
    /// Why, as of the last probe.
    pub why: String,
    /// How often it was probed since.
    pub probes: u32,
    /// When one message is tried again.
    pub next_probe: Timestamp,
}

/// A letter that a change causes, and when it is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caused {
    /// What is told.
    pub letter: Letter,
    /// Not before this instant; `None`: at once.
    pub due: Option<Timestamp>,
}

/// The mails that a change to an enrollment causes, queued in that same change.
///
/// Starting and sending again are not among them: where those mails go depends on what the administrator asked for.
#[must_use]
pub fn caused_by(event: &Event, before: &Enrollment, after: &Enrollment) -> Vec<Caused> {
    let at_once = |letter| Caused { letter, due: None };
    match event {
        Event::EnrollmentCompleted => {
            let mut letters = Vec::new();
            if after.purpose == Purpose::Onboarding {
                letters.push(at_once(Letter::Onboarding));
            }
            if let Phase::Completed(completed) = &after.phase
                && let Some(device) = completed.device
            {
                letters.push(at_once(Letter::DeviceAdded { device }));
            }
            if before.session().is_some_and(|session| session.work.has_factor()) {
                letters.push(at_once(Letter::MfaEnabled));
            }
            letters.push(at_once(Letter::InitiatorCompleted));
            letters
        }
        // Due longer than anything else in the queue, so that it is sent first: somebody waits for it.
        Event::EmailCodeRequested => {
            let letter = Letter::MfaCode { number: after.email_codes };
            vec![Caused { letter, due: Some(Timestamp::EPOCH) }]
        }
        // Told when the session is over and nothing came of it; once for each.
        Event::CompletionRefused { .. } => match before.session() {
            Some(session) if before.last_refusal.as_ref().is_none_or(|refusal| refusal.at < session.started) => {
                let letter = Letter::Unfinished { generation: before.generation, session: before.sessions };
                vec![Caused { letter, due: Some(session.deadline) }]
            }
            _ => Vec::new(),
        },
        Event::EnrollmentClosed { why } => match why {
            Closure::Revoked if opened_something(before, after) => vec![at_once(Letter::Revoked)],
            Closure::Locked => vec![at_once(Letter::InitiatorLocked)],
            Closure::Reported => vec![at_once(Letter::InitiatorReported)],
            // The new invitation is what there is to tell, or there is nobody to tell it to.
            Closure::Revoked | Closure::Restarted | Closure::UserDisabled => Vec::new(),
        },
        _ => Vec::new(),
    }
}

/// Whether something could still have come of an enrollment when it was closed. Nobody is told that a link is dead which
/// had expired before.
fn opened_something(before: &Enrollment, after: &Enrollment) -> bool {
    matches!(&after.phase, Phase::Closed(closed) if closed.at < before.ends())
}
