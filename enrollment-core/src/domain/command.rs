//! What can be asked of an enrollment, and what a decision says.

use super::enrollment::{Closure, Enrollment, Profile};
use super::event::Event;
use super::policy::EmailCodeRules;
use super::rejection::Rejection;
use super::requirement::Circumstances;
use super::user::{ChosenPassword, User};
use crate::id::DeviceId;
use crate::secret::{Digest, KeyedDigest, Sealed, TokenSeed};
use crate::time::Timestamp;

/// What is asked of an enrollment.
#[derive(Debug)]
pub enum Command<'a> {
    /// A holder of the token begins, or begins again.
    Begin(Begin),
    /// The holder of a session does a step.
    Step {
        /// The digest of the session secret that was shown.
        session: Digest,
        /// The step.
        step: Step<'a>,
    },
    /// It ends without completion.
    Close(Closure),
    /// The token is replaced by one of a new generation; the old one and its session are dead.
    Rotate(Rotation),
    /// Reservations of an enrollment from which nothing can come any more are given back.
    Sweep,
}

/// A begin, with the secrets its caller derived beforehand.
#[derive(Debug, Clone)]
pub struct Begin {
    /// Digests of the session secrets the caller can show: a previous one, or those derived from their nonce.
    pub presented: Vec<Digest>,
    /// The digest of the session secret for the next serial, should a new session be made.
    pub next: Digest,
}

/// A new token.
#[derive(Debug)]
pub struct Rotation {
    /// Its digest.
    pub token: Digest,
    /// From which it is derived.
    pub seed: TokenSeed,
    /// The first instant at which it opens nothing.
    pub expires: Timestamp,
}

/// A step of the enrollee. All secret work (hashing, sealing, checking a code) is done before.
#[derive(Debug)]
pub enum Step<'a> {
    /// Confirms their data.
    ConfirmProfile(Profile),
    /// Chooses a password.
    ChoosePassword {
        /// The same password as the one already chosen.
        repeats: bool,
        /// The password that the earlier holder with this session digest chose.
        proves: Option<Digest>,
        /// Its hash, when it is neither.
        chosen: Option<ChosenPassword>,
    },
    /// Asks for a TOTP secret; this one is kept if none is on offer.
    OfferTotp(Sealed),
    /// Enters a code.
    ConfirmTotp {
        /// The step it belongs to, under the secret on offer; `None`: it is wrong.
        matched: Option<u64>,
        /// Digests of fresh recovery codes.
        recovery: Vec<KeyedDigest>,
    },
    /// Asks for a code by e-mail; this one is sent, unless one was a moment ago.
    RequestEmailCode {
        /// Such codes are a factor that counts for this user.
        offered: bool,
        /// The bounds in force.
        rules: EmailCodeRules,
        /// From which the next code is derived.
        seed: TokenSeed,
        /// Its digest.
        digest: KeyedDigest,
    },
    /// Enters a code that came by e-mail.
    ConfirmEmailCode {
        /// It is the one that was sent last.
        right: bool,
        /// Digests of fresh recovery codes.
        recovery: Vec<KeyedDigest>,
    },
    /// Asks for fresh recovery codes.
    ReplaceRecoveryCodes(Vec<KeyedDigest>),
    /// Stages a device in place of the one staged before.
    StageDevice {
        /// The device.
        device: DeviceId,
        /// It has the name or the key of the device that an earlier holder staged. That one goes: most often both are
        /// one person's, in another browser.
        displaces: bool,
        /// Against what it is judged.
        circumstances: Circumstances<'a>,
    },
    /// Supplies a machine's key, with this device made of it, and completes: there is nothing else to do.
    SupplyKey {
        /// The device.
        device: DeviceId,
    },
    /// Completes.
    Complete(Circumstances<'a>),
}

/// What became of a command that was not refused outright.
#[derive(Debug)]
pub enum Decision {
    /// There is nothing to write: it was done before.
    Unchanged(Outcome),
    /// The enrollment changes.
    Changed(Box<Changed>),
}

/// A change to an enrollment and all it causes.
#[derive(Debug)]
pub struct Changed {
    /// What the enrollment becomes.
    pub next: Enrollment,
    /// What the caller hears. A refusal here is one that is written down, such as a wrong code.
    pub outcome: Result<Outcome, Rejection>,
    /// What else is written in the same change.
    pub effects: Vec<Effect>,
    /// What it is audited as.
    pub event: Event,
}

/// What the caller hears.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// A new session has begun.
    Begun,
    /// The caller's session goes on.
    Continued,
    /// The step is done.
    Done,
    /// It was done before.
    AlreadyDone,
}

/// What a decision causes beside the enrollment itself, in the same change.
#[derive(Debug)]
pub enum Effect {
    /// A staged device goes, and its addresses are free at once: nobody ever used them.
    ReleaseDevice(DeviceId),
    /// A staged device becomes a peer wherever its owner is admitted.
    PromoteDevice(DeviceId),
    /// The user becomes this.
    WriteUser(Box<User>),
    /// The user must be as read, in the same change.
    HoldUser,
}
