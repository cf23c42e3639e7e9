//! Setting up a second factor.

use std::sync::Arc;

use std::fmt;

use zeroize::Zeroizing;

use super::step::{Open, Stepped};
use super::{Enrollee, SessionState};
use crate::domain::command::{Outcome, Step};
use crate::domain::rejection::Rejection;
use crate::domain::settings::Settings;
use crate::domain::user::User;
use crate::id::UserId;
use crate::secret::{Binding, KeyRing, KeyedDigest, RecoveryCode, Sealed, SessionSecret, TotpSecret};
use crate::service::circumstances::World;
use crate::service::{Answer, Failure, Origin, Service, operation};

/// A TOTP secret to be scanned or typed, shown to its holder only.
pub struct TotpOffer {
    /// Base32 without padding.
    pub secret: Zeroizing<String>,
    /// `otpauth://totp/…` (Key URI Format).
    pub uri: Zeroizing<String>,
    /// The URI as a QR code, SVG.
    pub qr_svg: Zeroizing<String>,
}

impl TotpOffer {
    /// This secret, as it is shown to its user.
    pub(crate) fn of(secret: &TotpSecret, settings: &Settings, user: &User) -> Result<Self, Failure> {
        let issuer =
            [settings.organization.as_str(), settings.product.as_str()].into_iter().find(|name| !name.is_empty());
        let issuer = issuer.unwrap_or("VPN");
        let account = user.username.as_str();
        Ok(Self {
            secret: secret.base32(),
            uri: secret.otpauth_uri(issuer, account),
            qr_svg: secret.qr_svg(issuer, account).map_err(|error| Failure::Broken(error.into()))?,
        })
    }
}

impl fmt::Debug for TotpOffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TotpOffer(…)")
    }
}

/// Recovery codes, shown here only.
#[derive(Debug)]
pub struct RecoveryCodes {
    /// The codes; `None` when there are some already, since this factor or another was verified before. They can be
    /// replaced until completion.
    pub codes: Option<Vec<RecoveryCode>>,
    /// This factor was verified before, and nothing changed.
    pub already_verified: bool,
    /// Where the session stands.
    pub state: SessionState,
}

/// Where a user's TOTP secret is sealed to: the user, not the enrollment, so that it can move there at completion and
/// to no one else (MFA-5).
pub(crate) fn totp_binding(user: UserId) -> Binding<'static> {
    Binding { table: "users", row: user.uuid(), column: "totp" }
}

/// Where a user's recovery codes are bound to.
pub(crate) fn recovery_binding(user: UserId) -> Binding<'static> {
    Binding { table: "users", row: user.uuid(), column: "recovery" }
}

/// The code of an authenticator app as a person typed it, without spaces and dashes.
pub(crate) fn six_digits(code: &str) -> Result<Zeroizing<String>, Rejection> {
    let digits: Zeroizing<String> = Zeroizing::new(code.chars().take(32).filter(|c| !matches!(c, ' ' | '-')).collect());
    if digits.len() == 6 && code.len() <= 32 && digits.bytes().all(|b| b.is_ascii_digit()) {
        Ok(digits)
    } else {
        Err(Rejection::InvalidField { field: "code", reason: "six digits".to_owned() })
    }
}

impl Service {
    pub(crate) fn open_totp(&self, user: UserId, sealed: &Sealed) -> Result<TotpSecret, Failure> {
        let bytes = self.keyed(self.ring().open(&totp_binding(user), sealed))?;
        let bytes: [u8; 20] = bytes
            .as_slice()
            .try_into()
            .map_err(|_| Failure::Broken("a sealed TOTP secret of another length".into()))?;
        Ok(TotpSecret::from_bytes(bytes))
    }

    pub(crate) fn new_recovery_codes(&self) -> Result<FreshCodes, Failure> {
        let codes = (0..self.policy().recovery_codes).map(|_| RecoveryCode::random(self.entropy())).collect();
        Ok(FreshCodes { codes, ring: self.making_ring()? })
    }
}

/// Recovery codes that nobody has seen, with the ring under which all of this call happens.
pub(crate) struct FreshCodes {
    pub(crate) codes: Vec<RecoveryCode>,
    ring: Arc<KeyRing>,
}

impl FreshCodes {
    pub(crate) fn digests(&self, user: UserId) -> Vec<KeyedDigest> {
        self.codes.iter().map(|code| self.ring.keyed_digest(&recovery_binding(user), code.expose())).collect()
    }
}

impl Enrollee<'_> {
    /// Offers a TOTP secret. Asking again before it is verified returns the same one.
    ///
    /// # Errors
    /// When the session is not the one in force, or the step is not part of the enrollment.
    pub fn offer_totp<'a>(&'a self, session: &'a SessionSecret, origin: Origin) -> Answer<'a, TotpOffer> {
        operation("enrollee.offer_totp", self.try_offer_totp(session, origin))
    }

    async fn try_offer_totp(&self, session: &SessionSecret, origin: Origin) -> Result<TotpOffer, Failure> {
        let fresh = TotpSecret::random(self.service.entropy());
        let ring = self.service.making_ring()?;
        let make = |open: &Open, _| {
            let binding = totp_binding(open.world.user.record.id);
            let sealed = ring.seal(&binding, fresh.expose_bytes(), self.service.entropy());
            Ok(Step::OfferTotp(self.service.keyed(sealed)?))
        };
        let stepped = self.step(session, origin, "totp", make).await?;
        let offered = stepped.enrollment.session().and_then(|session| session.work.offered_totp.as_ref());
        let sealed = offered.ok_or_else(|| Failure::Broken("an offered secret is not there".into()))?;
        self.totp_offer(&stepped.world, sealed)
    }

    /// The offer of a sealed secret.
    pub(super) fn totp_offer(&self, world: &World, sealed: &Sealed) -> Result<TotpOffer, Failure> {
        let user = &world.user.record;
        TotpOffer::of(&self.service.open_totp(user.id, sealed)?, &world.settings, user)
    }

    /// Verifies the offered secret by one code. A wrong one is counted before the answer leaves; at the limit the
    /// enrollment locks (MFA-4). Repeating a confirmation changes nothing and returns no codes.
    ///
    /// # Errors
    /// [`Rejection::WrongCode`], [`Rejection::TokenLocked`]; [`Rejection::InvalidField`], uncounted, for what is not a
    /// code at all.
    pub fn confirm_totp<'a>(
        &'a self,
        session: &'a SessionSecret,
        code: &'a str,
        origin: Origin,
    ) -> Answer<'a, RecoveryCodes> {
        operation("enrollee.confirm_totp", self.try_confirm_totp(session, code, origin))
    }

    async fn try_confirm_totp(
        &self,
        session: &SessionSecret,
        code: &str,
        origin: Origin,
    ) -> Result<RecoveryCodes, Failure> {
        let digits = six_digits(code)?;
        let codes = self.service.new_recovery_codes()?;
        let make = |open: &Open, now| {
            let (enrollment, user) = (&open.stored.record, open.world.user.record.id);
            let offered = enrollment.session().and_then(|session| session.work.offered_totp.as_ref());
            let matched = match offered {
                Some(sealed) => self.service.open_totp(user, sealed)?.matched_step(&digits, now),
                None => None,
            };
            Ok(Step::ConfirmTotp { matched, recovery: codes.digests(user) })
        };
        let stepped = self.step(session, origin, "totp_confirm", make).await?;
        self.verified(&stepped, codes)
    }

    /// Replaces the recovery codes, so that a lost answer loses nothing (MFA-3).
    ///
    /// # Errors
    /// [`Rejection::MfaNotVerified`] while there is no verified factor.
    pub fn replace_recovery_codes<'a>(
        &'a self,
        session: &'a SessionSecret,
        origin: Origin,
    ) -> Answer<'a, RecoveryCodes> {
        operation("enrollee.replace_recovery_codes", async move {
            let codes = self.service.new_recovery_codes()?;
            let make = |open: &Open, _| Ok(Step::ReplaceRecoveryCodes(codes.digests(open.world.user.record.id)));
            let stepped = self.step(session, origin, "recovery_codes", make).await?;
            let state = self.state(&stepped.enrollment, &stepped.world)?;
            Ok(RecoveryCodes { codes: Some(codes.codes), already_verified: false, state })
        })
    }

    /// The answer to a right code, with those of the fresh recovery codes that are in force now.
    pub(super) fn verified(&self, stepped: &Stepped, fresh: FreshCodes) -> Result<RecoveryCodes, Failure> {
        let digests = fresh.digests(stepped.world.user.record.id);
        let in_force = stepped.enrollment.session().is_some_and(|session| session.work.recovery == digests);
        Ok(RecoveryCodes {
            codes: in_force.then_some(fresh.codes),
            already_verified: stepped.outcome == Outcome::AlreadyDone,
            state: self.state(&stepped.enrollment, &stepped.world)?,
        })
    }
}
