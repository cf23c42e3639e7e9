//! What can be tried: every command in every variant that the rules tell apart.

use enrollment_core::domain::command::{Begin, Command, Rotation, Step};
use enrollment_core::domain::enrollment::Closure;
use enrollment_core::time::Timestamp;

use super::common::{VALIDITY, device, profile, secret, seed, token};
use super::world::{RULES, Values, Variant};

/// Tells values of one kind apart: passwords, TOTP secrets, codes, sets of recovery codes, devices, profiles.
pub(crate) type Tag = u16;

/// The serial of a session that never was.
pub(crate) const FOREIGN: u32 = 9_999;

/// Something tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Action {
    /// Time passes until this instant.
    Clock(Timestamp),
    /// Somebody with the token begins and shows the secrets of these sessions.
    Begin {
        shown: Vec<u32>,
    },
    /// Whoever has the secret of session `by` does something.
    Step {
        by: u32,
        act: Act,
    },
    Close(Closure),
    Rotate,
    Sweep,
}

/// A step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Act {
    Profile(Tag),
    /// A password: the one chosen before, the one the holder of session `proves` chose, or a new one.
    Password {
        repeats: bool,
        proves: Option<u32>,
        chosen: Option<(Tag, bool)>,
    },
    Offer(Tag),
    Confirm {
        matched: Option<u64>,
        codes: Tag,
    },
    Codes(Tag),
    /// Asks for a code by e-mail, where such codes are offered or not.
    SendCode {
        code: Tag,
        offered: bool,
    },
    /// Enters a code: the one that was sent last, or another.
    EnterCode {
        right: bool,
        codes: Tag,
    },
    Stage {
        device: Tag,
        /// It clashes with the device that waits.
        displaces: bool,
        world: usize,
    },
    Complete {
        world: usize,
    },
}

impl Action {
    /// The command of it, for an enrollment whose last serial and generation are these.
    pub(crate) fn command<'a>(
        &self,
        serial: u32,
        generation: u32,
        now: Timestamp,
        values: &Values,
        worlds: &'a [Variant],
    ) -> Option<Command<'a>> {
        Some(match self {
            Self::Clock(_) => return None,
            Self::Begin { shown } => Command::Begin(Begin {
                presented: shown.iter().map(|serial| secret(*serial)).collect(),
                next: secret(serial + 1),
            }),
            Self::Step { by, act } => Command::Step { session: secret(*by), step: act.step(values, worlds) },
            Self::Close(why) => Command::Close(*why),
            Self::Rotate => Command::Rotate(Rotation {
                token: token(generation + 1),
                seed: seed(generation + 1),
                expires: now.plus(VALIDITY.duration()),
            }),
            Self::Sweep => Command::Sweep,
        })
    }
}

impl Act {
    fn step<'a>(&self, values: &Values, worlds: &'a [Variant]) -> Step<'a> {
        match self {
            Self::Profile(tag) => Step::ConfirmProfile(profile(*tag)),
            Self::Password { repeats, proves, chosen } => Step::ChoosePassword {
                repeats: *repeats,
                proves: proves.map(secret),
                chosen: chosen.map(|(tag, long)| values.password(tag, long)),
            },
            Self::Offer(tag) => Step::OfferTotp(values.sealed(*tag).clone()),
            Self::Confirm { matched, codes } => {
                Step::ConfirmTotp { matched: *matched, recovery: values.codes(*codes).to_vec() }
            }
            Self::SendCode { code, offered } => Step::RequestEmailCode {
                offered: *offered,
                rules: RULES,
                seed: seed(u32::from(*code)),
                digest: values.codes(*code)[0].clone(),
            },
            Self::EnterCode { right, codes } => {
                Step::ConfirmEmailCode { right: *right, recovery: values.codes(*codes).to_vec() }
            }
            Self::Codes(tag) => Step::ReplaceRecoveryCodes(values.codes(*tag).to_vec()),
            Self::Stage { device: tag, displaces, world } => Step::StageDevice {
                device: device(*tag),
                displaces: *displaces,
                circumstances: worlds[*world].world.circumstances(),
            },
            Self::Complete { world } => Step::Complete(worlds[*world].world.circumstances()),
        }
    }
}
