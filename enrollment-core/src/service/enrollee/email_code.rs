//! Setting up codes by e-mail as a second factor.

use super::mfa::RecoveryCodes;
use super::step::Open;
use super::{Enrollee, SessionState};
use crate::domain::command::Step;
use crate::domain::location::FactorKind;
use crate::domain::rejection::Rejection;
use crate::id::EnrollmentId;
use crate::secret::{Binding, KeyError, KeyRing, SessionSecret, ShortCode, TokenSeed};
use crate::service::{Answer, Failure, Origin, operation};
use crate::time::Timestamp;

/// A code that is on its way to the address on file.
#[derive(Debug, Clone)]
pub struct EmailCodeSent {
    /// The first instant at which the code is worth nothing; `None` when the factor was verified before and no code was
    /// sent.
    pub expires: Option<Timestamp>,
    /// The first instant at which asking again sends another.
    pub again: Option<Timestamp>,
    /// Where the session stands.
    pub state: SessionState,
}

/// Where a code by e-mail is bound to.
fn binding(enrollment: EnrollmentId) -> Binding<'static> {
    Binding { table: "enrollments", row: enrollment.uuid(), column: "email_code" }
}

/// The code of a seed, as it stands in the mail.
pub(crate) fn email_code(
    ring: &KeyRing,
    enrollment: EnrollmentId,
    seed: &TokenSeed,
    number: u32,
    digits: u32,
) -> Result<ShortCode, KeyError> {
    ring.short_code(seed, "email", enrollment, number, digits)
}

impl Enrollee<'_> {
    /// Sends a code to the address on file, in place of the one before. Asking again within
    /// [`again_after`](crate::domain::policy::EmailCodeRules::again_after), as by a double click, sends nothing more and
    /// answers with the code that is on its way.
    ///
    /// # Errors
    /// [`Rejection::EmailCodesNotOffered`] where such codes would not count for this user (no mail, no address, the
    /// policy, the locations); [`Rejection::CodesExhausted`].
    pub fn send_email_code<'a>(&'a self, session: &'a SessionSecret, origin: Origin) -> Answer<'a, EmailCodeSent> {
        operation("enrollee.send_email_code", self.try_send_email_code(session, origin))
    }

    async fn try_send_email_code(&self, session: &SessionSecret, origin: Origin) -> Result<EmailCodeSent, Failure> {
        let ring = self.service.making_ring()?;
        let seed = TokenSeed::new(&ring, self.service.entropy());
        let rules = self.service.policy().email_codes;
        let make = |open: &Open, _| {
            let enrollment = &open.stored.record;
            let accepted = open.world.circumstances(self.service).accepted_factors();
            let number = enrollment.email_codes.saturating_add(1);
            let code = self.service.keyed(email_code(&ring, enrollment.id, &seed, number, rules.digits))?;
            Ok(Step::RequestEmailCode {
                offered: accepted.contains(&FactorKind::Email),
                rules,
                seed: seed.clone(),
                digest: ring.keyed_digest(&binding(enrollment.id), code.expose()),
            })
        };
        let stepped = self.step(session, origin, "email_code", make).await?;
        let code = stepped.enrollment.session().and_then(|session| session.work.email_code.as_ref());
        Ok(EmailCodeSent {
            expires: code.map(|code| code.expires),
            again: code.map(|code| code.made.plus(rules.again_after.duration())),
            state: self.state(&stepped.enrollment, &stepped.world)?,
        })
    }

    /// Verifies codes by e-mail by the one that was sent last, which then is worth nothing more. A wrong one is counted
    /// before the answer leaves, together with those of an authenticator app; at the limit the enrollment locks (MFA-4).
    /// Repeating a confirmation changes nothing and returns no codes.
    ///
    /// # Errors
    /// [`Rejection::WrongCode`], [`Rejection::TokenLocked`]; uncounted, [`Rejection::CodeExpired`] and
    /// [`Rejection::InvalidField`] for what is not a code at all.
    pub fn confirm_email_code<'a>(
        &'a self,
        session: &'a SessionSecret,
        code: &'a str,
        origin: Origin,
    ) -> Answer<'a, RecoveryCodes> {
        operation("enrollee.confirm_email_code", self.try_confirm_email_code(session, code, origin))
    }

    async fn try_confirm_email_code(
        &self,
        session: &SessionSecret,
        code: &str,
        origin: Origin,
    ) -> Result<RecoveryCodes, Failure> {
        let no_code = |digits| Rejection::InvalidField { field: "code", reason: format!("{digits} digits") };
        let typed = ShortCode::parse(code).map_err(|_| no_code(self.service.policy().email_codes.digits))?;
        let fresh = self.service.new_recovery_codes()?;
        let make = |open: &Open, _| {
            let enrollment = &open.stored.record;
            let sent = enrollment.session().and_then(|session| session.work.email_code.as_ref());
            let right = match sent {
                Some(sent) if u32::try_from(typed.expose().len()) != Ok(sent.digits) => {
                    return Err(no_code(sent.digits).into());
                }
                // Whoever stole its key could know it. That is no fault of the person, and is not counted.
                Some(sent) if self.service.is_revoked_key(&sent.digest.key) => {
                    return Err(Rejection::CodeExpired.into());
                }
                Some(sent) => {
                    let ring = self.service.ring();
                    self.service.keyed(ring.verify_code(&binding(enrollment.id), &sent.digest, typed.expose()))?
                }
                None => false,
            };
            Ok(Step::ConfirmEmailCode { right, recovery: fresh.digests(open.world.user.record.id) })
        };
        let stepped = self.step(session, origin, "email_code_confirm", make).await?;
        self.verified(&stepped, fresh)
    }
}
