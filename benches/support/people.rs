//! A location, and people with their invitations, as large as they are in use.

use std::collections::BTreeSet;

use enrollment::core::domain::device::PublicKey;
use enrollment::core::domain::enrollment::{Enrollment, Phase, Purpose, Terms};
use enrollment::core::domain::group::Access;
use enrollment::core::domain::location::{Location, MfaMode, Ownership};
use enrollment::core::domain::policy::Policy;
use enrollment::core::domain::sign_in::SignIns;
use enrollment::core::domain::user::{Credentials, User, UserStatus};
use enrollment::core::id::{EnrollmentId, LocationId, Number, UserId};
use enrollment::core::port::SystemEntropy;
use enrollment::core::secret::{KeyRing, Token, TokenSeed};
use enrollment::core::time::Timestamp;

/// A key that no other `n` has.
pub(crate) fn public_key(n: u32) -> PublicKey {
    let mut secret = [7; 32];
    secret[..4].copy_from_slice(&n.to_be_bytes());
    let public = x25519_dalek::PublicKey::from(&x25519_dalek::StaticSecret::from(secret));
    PublicKey::from_bytes(public.to_bytes()).expect("no point of low order")
}

/// A location that everybody reaches, with IPv4 and IPv6, without MFA.
pub(crate) fn location(now: Timestamp) -> Location {
    Location {
        id: LocationId::new(now, &SystemEntropy),
        number: Number::new(&SystemEntropy),
        name: "Office Berlin".parse().expect("a name"),
        endpoint: "vpn.example.com:51820".parse().expect("an endpoint"),
        public_key: public_key(0),
        private_key: None,
        pools: ["10.1.0.0/16", "fd00:1::/64"].map(|pool| pool.parse().expect("a pool")).to_vec(),
        allowed_ips: ["10.0.0.0/8", "fd00::/16"].map(|network| network.parse().expect("a network")).to_vec(),
        dns: vec!["10.1.0.1".parse().expect("an address")],
        keepalive: 25,
        mtu: None,
        mfa: MfaMode::Disabled,
        factors: BTreeSet::new(),
        access: Access::Everyone,
        ownership: Ownership::Shared,
        created: now,
    }
}

/// The `n`-th person.
pub(crate) fn user(n: u32, now: Timestamp) -> User {
    User {
        id: UserId::new(now, &SystemEntropy),
        number: Number::new(&SystemEntropy),
        username: format!("akowalska{n}").parse().expect("a username"),
        first_name: "Anna".parse().expect("a name"),
        last_name: "Kowalska".parse().expect("a name"),
        email: Some(format!("anna.kowalska{n}@example.com").parse().expect("an address")),
        phone: Some("+48 600 100 200".parse().expect("a number")),
        groups: ["staff", "sales"].map(|group| group.parse().expect("a group")).into(),
        role: None,
        status: UserStatus::Active,
        enrolled: None,
        credentials: Credentials::default(),
        sign_ins: SignIns::default(),
        created: now,
    }
}

/// The onboarding of `user`, started by `initiator`, and its token.
pub(crate) fn onboarding(user: &User, initiator: UserId, ring: &KeyRing, now: Timestamp) -> (Enrollment, Token) {
    let policy = Policy::standard();
    let id = EnrollmentId::new(now, &SystemEntropy);
    let seed = TokenSeed::new(ring, &SystemEntropy);
    let token = ring.token(&seed, Purpose::Onboarding.as_str(), id, 1).expect("the active key");
    let enrollment = Enrollment {
        id,
        purpose: Purpose::Onboarding,
        subject: user.id.into(),
        username: user.username.clone(),
        initiator: Some(initiator),
        created: now,
        expires: now.plus(policy.token_validity.default.duration()),
        terms: Terms {
            validity: policy.token_validity.default,
            session: policy.session_validity.default,
            max_sessions: policy.max_sessions.default,
            wrong_codes: policy.wrong_codes,
            passwords: policy.passwords_per_session,
        },
        generation: 1,
        token: token.digest(),
        seed: Some(seed),
        past_tokens: Vec::new(),
        sessions: 0,
        serial: 0,
        past_sessions: Vec::new(),
        wrong_codes: 0,
        email_codes: 0,
        takeovers: 0,
        last_refusal: None,
        sending: enrollment::core::domain::mail::Sending::default(),
        phase: Phase::Invited,
    };
    (enrollment, token)
}
