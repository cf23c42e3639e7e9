//! Policy: the bounds inside which administrators choose. Set by code or configuration, never at run time.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::location::Location;
use super::retention::Retention;
use super::user::User;
use crate::secret::PasswordRules;
use crate::time::Span;

/// A smallest, a usual and a largest value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bounds<T> {
    /// The smallest value that may be chosen.
    pub min: T,
    /// The value when nobody chose.
    pub default: T,
    /// The largest value that may be chosen.
    pub max: T,
}

/// A value outside its bounds. It is refused with them, never clamped (INV-8).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{value} is outside the allowed range from {min} to {max}")]
pub struct OutOfBounds {
    /// What was asked for.
    pub value: String,
    /// The smallest value allowed.
    pub min: String,
    /// The largest value allowed.
    pub max: String,
}

impl<T: Copy + PartialOrd + fmt::Display> Bounds<T> {
    /// `value` if it lies inside.
    ///
    /// # Errors
    /// With the bounds, when it does not.
    pub fn check(&self, value: T) -> Result<T, OutOfBounds> {
        if value >= self.min && value <= self.max {
            Ok(value)
        } else {
            Err(OutOfBounds { value: value.to_string(), min: self.min.to_string(), max: self.max.to_string() })
        }
    }
}

/// When a second factor must be verified before an enrollment completes (REQ-3).
///
/// # Contract
/// Pure: the same answer for the same user and locations. Called with all locations as they are at the instant of the
/// completion.
pub trait MfaRule: fmt::Debug + Send + Sync + 'static {
    /// Whether `user` must have a verified factor.
    fn demands(&self, user: &User, locations: &[Location]) -> bool;
}

/// The rules that come with the library.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StandardMfaRule {
    /// Exactly when at least one location has internal MFA.
    AnyInternalLocation,
    /// Exactly when at least one location with internal MFA admits the user.
    ReachableInternalLocation,
    /// Always.
    Always,
    /// Never.
    Never,
}

impl MfaRule for StandardMfaRule {
    fn demands(&self, user: &User, locations: &[Location]) -> bool {
        let mut internal = locations.iter().filter(|location| location.asks_for_our_factor());
        match self {
            Self::AnyInternalLocation => internal.next().is_some(),
            Self::ReachableInternalLocation => internal.any(|location| location.admits(user)),
            Self::Always => true,
            Self::Never => false,
        }
    }
}

/// How codes are sent by e-mail (MFA-2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct EmailCodeRules {
    /// Digits of a code, 6 to 8 (NIST SP 800-63B-4, section 3.1.3.2: at least six).
    pub digits: u32,
    /// How long a code is valid from its making, 1 to 10 minutes (the same section: at most ten).
    pub validity: Span,
    /// How many codes are sent in one session, 1 to 10.
    pub per_session: u32,
    /// For so long after one was sent, whoever asks again hears of that one and gets no other; less than `validity`.
    pub again_after: Span,
}

impl Default for EmailCodeRules {
    fn default() -> Self {
        Self { digits: 6, validity: Span::minutes(10), per_session: 5, again_after: Span::seconds(30) }
    }
}

/// What is allowed. A policy that exists is consistent: [`Policy::check`] is called when a service is built.
#[derive(Debug, Clone)]
pub struct Policy {
    /// How long a token can be valid from issue.
    pub token_validity: Bounds<Span>,
    /// How long a session can last from its own start.
    pub session_validity: Bounds<Span>,
    /// How many sessions one token can open.
    pub max_sessions: Bounds<u32>,
    /// Wrong codes until an enrollment locks (MFA-4), 1 to 100 (NIST SP 800-63B-4, section 3.2.2).
    pub wrong_codes: u32,
    /// Lengths of passwords.
    pub password: PasswordRules,
    /// Passwords submitted per session, before the next is refused (PWD-1).
    pub passwords_per_session: u32,
    /// When a second factor is mandatory.
    pub mfa: Arc<dyn MfaRule>,
    /// Codes by e-mail do not count as a factor (NIST SP 800-63B-4 does not accept e-mail as out-of-band).
    pub require_strong_factor: bool,
    /// How codes are sent by e-mail, where they count.
    pub email_codes: EmailCodeRules,
    /// The server may make a device's key pair when asked (REQ-8).
    pub server_made_keys: bool,
    /// How many recovery codes are handed out (MFA-3), 1 to 20.
    pub recovery_codes: u32,
    /// How long what has ended is kept (SYS-8).
    pub retention: Retention,
}

/// A policy that contradicts itself; every reason at once.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the policy contradicts itself: {}", .0.join("; "))]
pub struct InvalidPolicy(pub Vec<String>);

impl Policy {
    /// This library's own: 24 h, 10 min, three sessions, MFA where a location asks for it.
    #[must_use]
    pub fn standard() -> Self {
        Self {
            token_validity: Bounds { min: Span::minutes(10), default: Span::hours(24), max: Span::days(30) },
            session_validity: Bounds { min: Span::minutes(2), default: Span::minutes(10), max: Span::hours(1) },
            max_sessions: Bounds { min: 1, default: 3, max: 10 },
            wrong_codes: 10,
            password: PasswordRules::default(),
            passwords_per_session: 20,
            mfa: Arc::new(StandardMfaRule::AnyInternalLocation),
            require_strong_factor: false,
            email_codes: EmailCodeRules::default(),
            server_made_keys: false,
            recovery_codes: 8,
            retention: Retention::standard(),
        }
    }

    /// As Defguard does it: one session per token.
    #[must_use]
    pub fn defguard() -> Self {
        Self { max_sessions: Bounds { min: 1, default: 1, max: 1 }, ..Self::standard() }
    }

    /// As Duo's self-enrollment does it: links that live for 30 days, a factor for everybody.
    #[must_use]
    pub fn duo() -> Self {
        Self {
            token_validity: Bounds { min: Span::hours(1), default: Span::days(30), max: Span::days(30) },
            mfa: Arc::new(StandardMfaRule::Always),
            ..Self::standard()
        }
    }

    /// After NIST SP 800-63-4: a strong factor for everybody, tokens of at most 24 h (SP 800-63A-4, section 3.8,
    /// enrollment codes sent by e-mail).
    #[must_use]
    pub fn nist() -> Self {
        Self {
            token_validity: Bounds { min: Span::minutes(10), default: Span::hours(24), max: Span::hours(24) },
            mfa: Arc::new(StandardMfaRule::Always),
            require_strong_factor: true,
            ..Self::standard()
        }
    }

    /// The preset of this name: `standard`, `defguard`, `duo`, `nist`.
    #[must_use]
    pub fn preset(name: &str) -> Option<Self> {
        match name {
            "standard" => Some(Self::standard()),
            "defguard" => Some(Self::defguard()),
            "duo" => Some(Self::duo()),
            "nist" => Some(Self::nist()),
            _ => None,
        }
    }

    /// Whether the policy is consistent.
    ///
    /// # Errors
    /// With every reason at once, when it is not.
    pub fn check(&self) -> Result<(), InvalidPolicy> {
        let mut reasons = Vec::new();
        let mut demand = |holds: bool, reason: &str| {
            if !holds {
                reasons.push(reason.to_owned());
            }
        };
        demand(in_order(&self.token_validity), "token_validity: min ≤ default ≤ max does not hold");
        demand(in_order(&self.session_validity), "session_validity: min ≤ default ≤ max does not hold");
        demand(in_order(&self.max_sessions), "max_sessions: min ≤ default ≤ max does not hold");
        demand(self.token_validity.min >= Span::minutes(1), "token_validity: less than a minute reaches nobody");
        demand(self.token_validity.max <= Span::days(366), "token_validity: more than a year");
        demand(self.session_validity.min >= Span::minutes(1), "session_validity: less than a minute");
        demand(self.session_validity.max <= Span::days(1), "session_validity: more than a day");
        demand(self.max_sessions.min >= 1, "max_sessions: a token that opens no session");
        demand((1..=100).contains(&self.wrong_codes), "wrong_codes: 1 to 100 (NIST SP 800-63B-4, section 3.2.2)");
        demand((1..=100).contains(&self.passwords_per_session), "passwords_per_session: 1 to 100");
        demand((1..=20).contains(&self.recovery_codes), "recovery_codes: 1 to 20");
        let EmailCodeRules { digits, validity, per_session, again_after } = self.email_codes;
        demand((6..=8).contains(&digits), "email_codes.digits: 6 to 8 (NIST SP 800-63B-4, section 3.1.3.2)");
        demand(
            (Span::minutes(1)..=Span::minutes(10)).contains(&validity),
            "email_codes.validity: 1 to 10 minutes (NIST SP 800-63B-4, section 3.1.3.2)",
        );
        demand((1..=10).contains(&per_session), "email_codes.per_session: 1 to 10");
        demand(again_after < validity, "email_codes.again_after: at least as long as a code is valid");
        demand(
            self.password.min_with_mfa >= 8 && self.password.min_alone >= self.password.min_with_mfa,
            "password: at least 8, and alone at least as long as with MFA (NIST SP 800-63B-4, section 3.1.1.2)",
        );
        demand(
            self.password.max >= 64 && self.password.max <= 256 && self.password.max >= self.password.min_alone,
            "password: a maximum from 64 to 256 (NIST SP 800-63B-4, section 3.1.1.2)",
        );
        reasons.extend(self.retention.reasons());
        if reasons.is_empty() { Ok(()) } else { Err(InvalidPolicy(reasons)) }
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self::standard()
    }
}

fn in_order<T: PartialOrd>(bounds: &Bounds<T>) -> bool {
    bounds.min <= bounds.default && bounds.default <= bounds.max
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_preset_is_consistent() {
        for name in ["standard", "defguard", "duo", "nist"] {
            assert_eq!(Policy::preset(name).expect(name).check(), Ok(()), "{name}");
        }
        assert!(Policy::preset("lax").is_none());
    }

    /// TOK-1, TOK-6
    #[test]
    fn the_standard_periods_are_a_day_ten_minutes_and_three_sessions() {
        let policy = Policy::standard();
        assert_eq!(policy.token_validity.default, Span::hours(24));
        assert_eq!(policy.session_validity.default, Span::minutes(10));
        assert_eq!(policy.max_sessions.default, 3);
        assert_eq!(Policy::defguard().max_sessions.default, 1);
    }

    #[test]
    fn a_policy_that_contradicts_itself_is_refused_with_every_reason() {
        let five_digits = EmailCodeRules { digits: 5, ..EmailCodeRules::default() };
        let policy = Policy { wrong_codes: 0, recovery_codes: 0, email_codes: five_digits, ..Policy::standard() };
        assert_eq!(policy.check().map_err(|InvalidPolicy(reasons)| reasons.len()), Err(3));
    }

    /// MFA-2
    #[test]
    fn codes_by_mail_have_six_to_eight_digits_and_are_valid_for_ten_minutes_at_most() {
        let usual = EmailCodeRules::default();
        assert_eq!((usual.digits, usual.validity), (6, Span::minutes(10)));
        for (rules, holds) in [
            (EmailCodeRules { digits: 8, ..usual }, true),
            (EmailCodeRules { digits: 5, ..usual }, false),
            (EmailCodeRules { digits: 9, ..usual }, false),
            (EmailCodeRules { validity: Span::seconds(601), ..usual }, false),
            (EmailCodeRules { validity: Span::seconds(59), ..usual }, false),
            (EmailCodeRules { per_session: 0, ..usual }, false),
            (EmailCodeRules { again_after: usual.validity, ..usual }, false),
        ] {
            let policy = Policy { email_codes: rules, ..Policy::standard() };
            assert_eq!(policy.check().is_ok(), holds, "{rules:?}");
        }
        assert!(Policy::nist().require_strong_factor && !Policy::duo().require_strong_factor);
    }

    /// SYS-8
    #[test]
    fn nothing_is_kept_shorter_than_others_rely_on() {
        let soon = Some(Span::minutes(1));
        let retention = Retention {
            changes: Span::hours(24),
            work: Span::minutes(1),
            mails: soon,
            dead_mails: soon,
            enrollments: soon,
            audit: soon,
        };
        let refused = Policy { retention, ..Policy::standard() }.check();
        assert_eq!(
            refused.map_err(|InvalidPolicy(reasons)| reasons),
            Err(vec![
                "retention.changes: at least 25h".to_owned(),
                "retention.work: at least 24h".to_owned(),
                "retention.mails: at least 24h".to_owned(),
                "retention.dead_mails: at least 24h".to_owned(),
                "retention.enrollments: at least 168h".to_owned(),
                "retention.audit: at least 720h".to_owned(),
            ])
        );
        let forever = Retention { mails: None, dead_mails: None, enrollments: None, ..Retention::standard() };
        assert_eq!(Policy { retention: forever, ..Policy::standard() }.check(), Ok(()));
    }

    /// INV-8
    #[test]
    fn a_value_outside_is_refused_with_the_range() {
        let bounds = Policy::standard().token_validity;
        assert_eq!(bounds.check(Span::hours(1)), Ok(Span::hours(1)));
        assert_eq!(
            bounds.check(Span::minutes(1)).map_err(|error| error.to_string()),
            Err("1m is outside the allowed range from 10m to 720h".to_owned())
        );
    }
}
