//! One's own account: password, authenticator app, recovery codes. Each change asks for password and factor again.

use super::reauthenticate::{Asked, NewPassword};
use super::{Proof, SignIn};
use crate::domain::audit::Actor;
use crate::domain::event::Event;
use crate::domain::rejection::Rejection;
use crate::domain::role::Role;
use crate::domain::sign_in::{AdminSession, OFFER, OFFER_TRIES, OfferedTotp, Stage};
use crate::domain::user::{TotpFactor, User};
use crate::id::UserId;
use crate::secret::{AdminSessionSecret, Password, PasswordRejection, RecoveryCode, TotpSecret};
use crate::service::enrollee::TotpOffer;
use crate::service::enrollee::mfa::{six_digits, totp_binding};
use crate::service::turn::{Doer, Draft, TURNS, Written};
use crate::service::{Answer, Failure, Origin, operation};
use crate::time::Timestamp;

/// Whoever is signed in, as they see themselves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountView {
    /// Which user.
    pub id: UserId,
    /// The name to sign in with.
    pub username: String,
    /// First and last name.
    pub name: String,
    /// The role.
    pub role: Option<Role>,
    /// Whether there is an authenticator app.
    pub totp: bool,
    /// Whether a second factor is asked for.
    pub factor: bool,
    /// Recovery codes that are left.
    pub recovery_codes: usize,
    /// When they signed in.
    pub last_sign_in: Option<Timestamp>,
}

impl From<&User> for AccountView {
    fn from(user: &User) -> Self {
        let credentials = &user.credentials;
        Self {
            id: user.id,
            username: user.username.as_str().to_owned(),
            name: format!("{} {}", user.first_name.as_str(), user.last_name.as_str()).trim().to_owned(),
            role: user.role,
            totp: credentials.totp.is_some(),
            factor: crate::domain::sign_in::demand(user).is_some_and(|demand| demand.factor),
            recovery_codes: credentials.recovery.len(),
            last_sign_in: user.sign_ins.last,
        }
    }
}

/// Recovery codes, shown here only.
#[derive(Debug)]
pub struct NewRecoveryCodes(pub Vec<RecoveryCode>);

impl SignIn<'_> {
    /// Replaces one's own password, under the rules of PWD-1 and PWD-2. Every other session of the user ends.
    ///
    /// # Errors
    /// [`Rejection::Password`] with the rule it breaks: rules are looked at before the proof, so that no code is used up
    /// for a password that could not be taken. As for a sign-in where the proof is wrong; a new password is hashed only
    /// after a right one.
    pub fn change_password<'a>(
        &'a self,
        session: &'a AdminSessionSecret,
        proof: &'a Proof,
        password: Password,
        origin: Origin,
    ) -> Answer<'a, ()> {
        operation("sign_in.change_password", async move {
            let (_, user, _) = self.of_session(session, |stage| matches!(stage, Stage::Open { .. })).await?;
            let settings = self.service.settings().await?;
            let strength =
                self.service.check_password(&password, &user.record, &settings).map_err(Rejection::Password)?;
            if !AccountView::from(&user.record).factor && !strength.long_enough_alone {
                let min = self.service.policy().password.min_alone;
                return Err(Rejection::Password(PasswordRejection::TooShort { min }).into());
            }
            let new = NewPassword { password, long_enough_alone: strength.long_enough_alone };
            let asked = Asked { password: Some(new), ..Asked::new(Event::PasswordChanged, "change_password") };
            let change = |user: &mut User, session: &mut AdminSession, _: &Draft| end_others(user, session);
            self.proven(session, proof, origin, &asked, change).await?;
            Ok(())
        })
    }

    /// Offers another authenticator app. Nothing changes until [`confirm_totp`](Self::confirm_totp), within ten minutes
    /// and in this session.
    ///
    /// # Errors
    /// As for a sign-in where the proof is wrong.
    pub fn offer_totp<'a>(
        &'a self,
        session: &'a AdminSessionSecret,
        proof: &'a Proof,
        origin: Origin,
    ) -> Answer<'a, TotpOffer> {
        operation("sign_in.offer_totp", async move {
            let (_, user, _) = self.of_session(session, |stage| matches!(stage, Stage::Open { .. })).await?;
            let secret = TotpSecret::random(self.service.entropy());
            let place = totp_binding(user.record.id);
            let ring = self.service.making_ring()?;
            let sealed = self.service.keyed(ring.seal(&place, secret.expose_bytes(), self.service.entropy()))?;
            let change = |_: &mut User, session: &mut AdminSession, draft: &Draft| {
                session.offered =
                    Some(OfferedTotp { secret: sealed.clone(), until: draft.now.plus(OFFER), failures: 0 });
            };
            let user =
                self.proven(session, proof, origin, &Asked::new(Event::TotpOffered, "offer_totp"), change).await?;
            TotpOffer::of(&secret, &self.service.settings().await.map_err(Failure::after_the_change)?, &user)
        })
    }

    /// Drops the app that was offered in this session. Where there is none, nothing happens.
    ///
    /// # Errors
    /// [`Rejection::NotSignedIn`].
    pub fn drop_offered_totp<'a>(&'a self, session: &'a AdminSessionSecret) -> Answer<'a, ()> {
        operation("sign_in.drop_offered_totp", async move {
            for _ in 0..TURNS {
                let (session, user, _) = self.of_session(session, |stage| matches!(stage, Stage::Open { .. })).await?;
                if session.record.offered.is_none() {
                    return Ok(());
                }
                let mut draft = Draft::new(self.service.now());
                let after = AdminSession { offered: None, ..session.record.clone() };
                draft.ops.extend([user.check(), session.put(&after)]);
                if let Written::Applied = self.service.write(draft).await? {
                    return Ok(());
                }
            }
            Err(Failure::Busy)
        })
    }

    /// Puts the offered app in the place of the one before, by one code that it shows. The recovery codes are replaced
    /// with it, and every other session of the user ends.
    ///
    /// # Errors
    /// [`Rejection::MfaNotStarted`] when nothing was offered, or too long ago, and with the last of [`OFFER_TRIES`] wrong
    /// codes, which drops the offer; [`Rejection::InvalidField`] for a wrong code before that. Whoever took over a session
    /// has not seen the secret and could otherwise guess until they have replaced the app.
    pub fn confirm_totp<'a>(
        &'a self,
        session: &'a AdminSessionSecret,
        code: &'a str,
        origin: Origin,
    ) -> Answer<'a, NewRecoveryCodes> {
        operation("sign_in.confirm_totp", self.try_confirm_totp(session, code, origin))
    }

    async fn try_confirm_totp(
        &self,
        secret: &AdminSessionSecret,
        code: &str,
        origin: Origin,
    ) -> Result<NewRecoveryCodes, Failure> {
        let digits = six_digits(code)?;
        let codes = self.service.new_recovery_codes()?;
        for _ in 0..TURNS {
            let (session, user, _) = self.of_session(secret, |stage| matches!(stage, Stage::Open { .. })).await?;
            let mut draft = Draft::new(self.service.now());
            let mut after = session.record.clone();
            let offered = after.offered.take().filter(|offered| draft.now < offered.until);
            let offered = offered.ok_or(Rejection::MfaNotStarted)?;
            let opened = self.service.open_totp(user.record.id, &offered.secret)?;
            let Some(last_step) = opened.matched_step(&digits, draft.now) else {
                let failures = offered.failures.saturating_add(1);
                let goes_on = failures < OFFER_TRIES;
                after.offered = goes_on.then_some(OfferedTotp { failures, ..offered });
                draft.ops.extend([user.check(), session.put(&after)]);
                self.log_refusal(&mut draft, Some(&user), origin, "confirm_totp");
                if let Written::Applied = self.service.write(draft).await? {
                    let refusal = if goes_on { wrong_code() } else { Rejection::MfaNotStarted };
                    return Err(refusal.into());
                }
                continue;
            };
            let mut next = user.record.clone();
            next.credentials.totp = Some(TotpFactor { secret: offered.secret, last_step });
            next.credentials.recovery = codes.digests(next.id);
            end_others(&mut next, &mut after);
            draft.ops.extend([user.put(&next), session.put(&after)]);
            let doer = Doer { actor: Actor::User(next.id), origin };
            self.service.audit(&mut draft, doer, user.key(), user.version, Event::FactorReplaced);
            if let Written::Applied = self.service.write(draft).await? {
                return Ok(NewRecoveryCodes(codes.codes));
            }
        }
        Err(Failure::Busy)
    }

    /// Replaces one's own recovery codes. The ones before are dead.
    ///
    /// # Errors
    /// [`Rejection::MfaNotVerified`] without a second factor; as for a sign-in where the proof is wrong.
    pub fn replace_recovery_codes<'a>(
        &'a self,
        session: &'a AdminSessionSecret,
        proof: &'a Proof,
        origin: Origin,
    ) -> Answer<'a, NewRecoveryCodes> {
        operation("sign_in.replace_recovery_codes", async move {
            let (_, user, _) = self.of_session(session, |stage| matches!(stage, Stage::Open { .. })).await?;
            if !AccountView::from(&user.record).factor {
                return Err(Rejection::MfaNotVerified.into());
            }
            let codes = self.service.new_recovery_codes()?;
            let change = |user: &mut User, _: &mut AdminSession, _: &Draft| {
                user.credentials.recovery = codes.digests(user.id);
            };
            let asked = Asked::new(Event::RecoveryCodesReplaced, "replace_recovery_codes");
            self.proven(session, proof, origin, &asked, change).await?;
            Ok(NewRecoveryCodes(codes.codes))
        })
    }
}

/// Ends every session of a user but this one.
const fn end_others(user: &mut User, session: &mut AdminSession) {
    user.sign_ins.epoch = user.sign_ins.epoch.wrapping_add(1);
    session.epoch = user.sign_ins.epoch;
}

fn wrong_code() -> Rejection {
    let reason = "this is not the code that the app shows now; compare the clocks of phone and server";
    Rejection::InvalidField { field: "code", reason: reason.to_owned() }
}
