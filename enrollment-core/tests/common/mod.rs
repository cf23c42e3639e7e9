//! Small builders for tests of the rules: values told apart by a number, one user, locations, settings.

use std::collections::BTreeSet;

use data_encoding::{BASE64, BASE64_NOPAD};
use enrollment_core::domain::enrollment::{Enrollment, Phase, Profile, Purpose, Terms};
use enrollment_core::domain::group::Access;
use enrollment_core::domain::location::{FactorKind, Location, MfaMode, Ownership};
use enrollment_core::domain::policy::Policy;
use enrollment_core::domain::requirement::Circumstances;
use enrollment_core::domain::settings::{DeviceStep, Settings};
use enrollment_core::domain::sign_in::SignIns;
use enrollment_core::domain::user::{ChosenPassword, Credentials, User, UserStatus};
use enrollment_core::id::{DeviceId, EnrollmentId, LocationId, Number, UserId};
use enrollment_core::secret::{Digest, KeyedDigest, PasswordHash, Sealed, TokenSeed};
use enrollment_core::time::{Span, Timestamp};
use uuid::Uuid;

/// When every enrollment here is issued.
pub(crate) const ISSUED: Timestamp = Timestamp::from_seconds(1_000_000);
/// How long its token is valid.
pub(crate) const VALIDITY: Span = Span::hours(24);
/// How long a session lasts.
pub(crate) const SESSION: Span = Span::minutes(10);

/// The digest of the session secret with this serial.
pub(crate) fn secret(serial: u32) -> Digest {
    let mut bytes = [0; 32];
    bytes[..4].copy_from_slice(&serial.to_be_bytes());
    Digest::from_bytes(bytes)
}

/// The digest of the token of this generation.
pub(crate) fn token(generation: u32) -> Digest {
    Digest::of(format!("token {generation}").as_bytes())
}

/// The seed of the token of this generation.
pub(crate) fn seed(generation: u32) -> TokenSeed {
    TokenSeed { key: "00000000".parse().expect("a key id"), nonce: u128::from(generation).to_be_bytes() }
}

/// Password number `tag`.
pub(crate) fn password(tag: u16, long_enough_alone: bool) -> ChosenPassword {
    let salt = BASE64_NOPAD.encode(&u128::from(tag).to_be_bytes());
    let hash = PasswordHash::parse(&format!("$argon2id$v=19$m=8,t=1,p=1${salt}${}", BASE64_NOPAD.encode(&[7; 32])));
    ChosenPassword { hash: hash.expect("a hash"), long_enough_alone }
}

/// Sealed TOTP secret number `tag`.
pub(crate) fn sealed(tag: u16) -> Sealed {
    let bytes = [&[0; 24], &u128::from(tag).to_be_bytes()[..]].concat();
    serde_json::from_value(serde_json::json!({ "key": "00000000", "sealed": BASE64.encode(&bytes) })).expect("sealed")
}

/// Digests of the recovery codes number `tag`.
pub(crate) fn codes(tag: u16) -> Vec<KeyedDigest> {
    let mac = [[0; 16], u128::from(tag).to_be_bytes()].concat();
    let digest = serde_json::from_value(serde_json::json!({ "key": "00000000", "mac": BASE64.encode(&mac) }));
    vec![digest.expect("a keyed digest")]
}

/// Device number `tag`.
pub(crate) fn device(tag: u16) -> DeviceId {
    DeviceId::from_uuid(Uuid::from_u128(u128::from(tag)))
}

/// A confirmed profile whose phone number ends in `tag`.
pub(crate) fn profile(tag: u16) -> Profile {
    Profile { phone: Some(format!("+49 30 {tag:06}").parse().expect("a phone number")) }
}

/// An active user who is not enrolled.
pub(crate) fn user() -> User {
    User {
        id: UserId::from_uuid(Uuid::from_u128(1)),
        number: Number::try_from(1).expect("a number"),
        username: "alex".parse().expect("a username"),
        first_name: "Alex".parse().expect("a name"),
        last_name: "".parse().expect("a name"),
        email: Some("alex@example.com".parse().expect("an address")),
        phone: None,
        groups: BTreeSet::new(),
        role: None,
        status: UserStatus::Active,
        enrolled: None,
        credentials: Credentials::default(),
        sign_ins: SignIns::default(),
        created: ISSUED,
    }
}

/// A location that admits everyone and accepts authenticator apps where it asks for our factor.
pub(crate) fn location(mfa: MfaMode) -> Location {
    Location {
        id: LocationId::from_uuid(Uuid::from_u128(1)),
        number: Number::try_from(1).expect("a number"),
        name: "Berlin".parse().expect("a name"),
        endpoint: "vpn.example.com:51820".parse().expect("an endpoint"),
        public_key: "jNQKmw+IF9llxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxw=".parse().expect("a key"),
        private_key: None,
        pools: Vec::new(),
        allowed_ips: Vec::new(),
        dns: Vec::new(),
        keepalive: 0,
        mtu: None,
        mfa,
        factors: BTreeSet::from([FactorKind::Totp]),
        access: Access::Everyone,
        ownership: Ownership::Shared,
        created: ISSUED,
    }
}

/// That location, for members of a group to which [`user`] does not belong.
pub(crate) fn elsewhere(mfa: MfaMode) -> Location {
    Location { access: Access::Groups(BTreeSet::from(["others".parse().expect("a group")])), ..location(mfa) }
}

/// A world that the rules are asked about.
#[derive(Debug, Clone)]
pub(crate) struct World {
    pub(crate) user: User,
    pub(crate) locations: Vec<Location>,
    pub(crate) settings: Settings,
    pub(crate) policy: Policy,
    pub(crate) mail: bool,
}

impl World {
    /// [`user`], these locations, this setting of the device step, the standard policy, and mail.
    pub(crate) fn new(locations: Vec<Location>, device_step: DeviceStep) -> Self {
        let policy = Policy::standard();
        let settings = Settings { device_step, ..Settings::defaults(&policy) };
        Self { user: user(), locations, settings, policy, mail: true }
    }

    pub(crate) fn circumstances(&self) -> Circumstances<'_> {
        Circumstances {
            user: &self.user,
            locations: &self.locations,
            settings: &self.settings,
            policy: &self.policy,
            mail: self.mail,
        }
    }
}

/// A freshly issued enrollment.
pub(crate) fn invitation(purpose: Purpose, max_sessions: u32, wrong_codes: u32, passwords: u32) -> Enrollment {
    Enrollment {
        id: EnrollmentId::from_uuid(Uuid::from_u128(1)),
        purpose,
        subject: user().id.into(),
        username: user().username,
        initiator: None,
        created: ISSUED,
        expires: ISSUED.plus(VALIDITY.duration()),
        terms: Terms { validity: VALIDITY, session: SESSION, max_sessions, wrong_codes, passwords },
        generation: 0,
        token: token(0),
        seed: Some(seed(0)),
        past_tokens: Vec::new(),
        sessions: 0,
        serial: 0,
        past_sessions: Vec::new(),
        wrong_codes: 0,
        email_codes: 0,
        takeovers: 0,
        last_refusal: None,
        sending: enrollment_core::domain::mail::Sending::default(),
        phase: Phase::Invited,
    }
}
