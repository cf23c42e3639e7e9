//! Users: the people of the directory.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::contact::{Email, Phone};
use super::group::GroupName;
use super::location::FactorKind;
use super::role::Role;
use super::sign_in::SignIns;
use super::text::PersonName;
use super::username::Username;
use crate::id::{EnrollmentId, Number, UserId};
use crate::secret::{KeyedDigest, PasswordHash, Sealed};
use crate::time::Timestamp;

/// A person in the directory.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct User {
    /// Which one.
    pub id: UserId,
    /// The same for protocols that speak int64.
    pub number: Number,
    /// The name to sign in with; unique.
    pub username: Username,
    /// First name.
    pub first_name: PersonName,
    /// Last name.
    pub last_name: PersonName,
    /// Where mail goes.
    pub email: Option<Email>,
    /// Where short messages go.
    pub phone: Option<Phone>,
    /// The groups they belong to.
    pub groups: BTreeSet<GroupName>,
    /// The role they have, if they are an administrator.
    pub role: Option<Role>,
    /// Whether they may do anything.
    pub status: UserStatus,
    /// When their onboarding completed, and by which enrollment.
    pub enrolled: Option<Enrolled>,
    /// What they can sign in with. Empty until an enrollment completes (INV-1).
    pub credentials: Credentials,
    /// What is known of their signing in.
    #[serde(default)]
    pub sign_ins: SignIns,
    /// When they were added.
    pub created: Timestamp,
}

/// Whether a user may do anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UserStatus {
    /// They may.
    Active,
    /// They may not: no sign-in, no enrollment, no peer.
    Disabled,
}

/// A completed onboarding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Enrolled {
    /// When.
    pub at: Timestamp,
    /// By which enrollment.
    pub by: EnrollmentId,
}

/// What a user can sign in with.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Credentials {
    /// The password.
    pub password: Option<ChosenPassword>,
    /// The authenticator app.
    pub totp: Option<TotpFactor>,
    /// Codes by e-mail, to the address that is on file when one is sent.
    #[serde(default)]
    pub email: bool,
    /// Recovery codes that still work.
    pub recovery: Vec<KeyedDigest>,
}

impl Credentials {
    /// The kinds of second factor that are set up.
    #[must_use]
    pub fn factors(&self) -> BTreeSet<FactorKind> {
        kinds(self.totp.as_ref(), self.email)
    }
}

/// The kinds of factor that these are.
pub(super) fn kinds(totp: Option<&TotpFactor>, email: bool) -> BTreeSet<FactorKind> {
    totp.map(|_| FactorKind::Totp).into_iter().chain(email.then_some(FactorKind::Email)).collect()
}

/// A password's hash, and what can no longer be seen from it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ChosenPassword {
    /// The hash (PHC string).
    pub hash: PasswordHash,
    /// Whether it is long enough to stand without a second factor (PWD-1).
    pub long_enough_alone: bool,
}

/// A verified authenticator app.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TotpFactor {
    /// The secret, sealed to the user (MFA-5).
    pub secret: Sealed,
    /// The last accepted step; no step up to it is accepted again (MFA-1).
    pub last_step: u64,
}

impl User {
    /// Whether they may act at all.
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.status == UserStatus::Active
    }

    /// Whether they have a role and no authenticator app, by which administrators sign in.
    #[must_use]
    pub const fn lacks_app(&self) -> bool {
        self.role.is_some() && self.credentials.totp.is_none()
    }

    /// Whether they have completed their onboarding.
    #[must_use]
    pub const fn is_enrolled(&self) -> bool {
        self.enrolled.is_some()
    }
}
