//! Choosing a password.

use std::sync::Arc;

use super::step::Open;
use super::{Enrollee, SessionState};
use crate::domain::command::Step;
use crate::domain::enrollment::{Enrollment, Purpose};
use crate::domain::rejection::Rejection;
use crate::domain::session_opens;
use crate::domain::settings::Settings;
use crate::domain::user::{ChosenPassword, User};
use crate::secret::{
    Digest, Password, PasswordContext, PasswordHash, PasswordRejection, SessionSecret, Strength, check,
};
use crate::service::password_gate::Pass;
use crate::service::{Answer, Failure, Origin, Service, operation};

/// What the audit log calls it.
const OPERATION: &str = "password";

/// What the hashing threads found out about a password, and about which stored hashes.
#[derive(Debug)]
enum Finding {
    /// It is the one chosen before.
    Repeats(PasswordHash),
    /// It is the one an earlier holder chose.
    Proves(Digest),
    /// It is another than the one chosen before, if any.
    New { chosen: ChosenPassword, instead_of: Option<PasswordHash> },
}

impl Service {
    /// Whether a user may take this password (PWD-1, PWD-2).
    pub(crate) fn check_password(
        &self,
        password: &Password,
        user: &User,
        settings: &Settings,
    ) -> Result<Strength, PasswordRejection> {
        let organization = settings.organization.as_str();
        let context = PasswordContext {
            username: user.username.as_str(),
            email: user.email.as_ref().map(crate::domain::contact::Email::as_str),
            product: settings.product.as_str(),
            organization: (!organization.is_empty()).then_some(organization),
        };
        check(password, &self.policy().password, &context, &*self.0.blocklist)
    }
}

impl Enrollee<'_> {
    /// Chooses a password, checked against the rules before anything slow happens and hashed outside any change.
    ///
    /// The same password again changes nothing and is not counted. An earlier holder's password brings back everything
    /// that holder chose (TOK-5).
    ///
    /// # Errors
    /// With the rule it breaks; [`Rejection::PasswordsExhausted`]; [`Failure::Overloaded`] when too many wait.
    pub fn choose_password<'a>(
        &'a self,
        session: &'a SessionSecret,
        password: Password,
        origin: Origin,
    ) -> Answer<'a, SessionState> {
        operation("enrollee.choose_password", async move {
            let enrollment = self.by_session(session.digest(), origin, Some(OPERATION)).await?.record.id;
            let pass = Arc::new(self.service.0.passwords.enter(enrollment.uuid()).await);
            match self.try_choose_password(session, password.again(), origin, &pass).await {
                // Another process took a password while this one was hashed. Most often it is the same one, sent twice.
                Err(Failure::Busy) => self.try_choose_password(session, password, origin, &pass).await,
                other => other,
            }
        })
    }

    async fn try_choose_password(
        &self,
        session: &SessionSecret,
        password: Password,
        origin: Origin,
        pass: &Arc<Pass>,
    ) -> Result<SessionState, Failure> {
        let open = self.open(session, origin, Some(OPERATION)).await?;
        let enrollment = &open.stored.record;
        let live = match session_opens(enrollment, session.digest(), self.service.now()) {
            Ok(_) if enrollment.purpose != Purpose::Onboarding => Err(Rejection::StepNotOffered),
            other => other,
        };
        let live = match live {
            Ok(live) => live,
            Err(rejection) => return Err(self.refuse(&open, OPERATION, rejection).await),
        };
        let user = &open.world.user.record;
        let settings = &open.world.settings;
        let checked = self.service.check_password(&password, user, settings);
        let strength = match checked {
            Ok(strength) => strength,
            Err(reason) => return Err(self.refuse(&open, OPERATION, Rejection::Password(reason)).await),
        };
        let exhausted = live.passwords >= enrollment.terms.passwords;
        let current = live.work.password.as_ref().map(|chosen| chosen.hash.clone());
        let held = live.held.as_ref().and_then(|held| Some((held.by, held.work.password.as_ref()?.hash.clone())));
        let finding = match self.repeats(&password, current.as_ref(), pass).await? {
            Some(repeats) => repeats,
            // Counted out before any further hash is made; only the password chosen already may be sent again.
            None if exhausted => return Err(self.refuse(&open, OPERATION, Rejection::PasswordsExhausted).await),
            None => self.find_out(password, strength.long_enough_alone, current, held, pass).await?,
        };

        let make = |open: &Open, _| step_for(&finding, &open.stored.record);
        let stepped = self.step(session, origin, OPERATION, make).await?;
        self.state(&stepped.enrollment, &stepped.world)
    }

    async fn repeats(
        &self,
        password: &Password,
        current: Option<&PasswordHash>,
        pass: &Arc<Pass>,
    ) -> Result<Option<Finding>, Failure> {
        let Some(hash) = current else { return Ok(None) };
        let verified = self.service.0.hashing.verify_holding(Arc::clone(pass), password.again(), hash).await?;
        let matches = verified.matches;
        Ok(matches.then(|| Finding::Repeats(hash.clone())))
    }

    async fn find_out(
        &self,
        password: Password,
        long_enough_alone: bool,
        instead_of: Option<PasswordHash>,
        held: Option<(Digest, PasswordHash)>,
        pass: &Arc<Pass>,
    ) -> Result<Finding, Failure> {
        let hashing = &self.service.0.hashing;
        // Hashed first, whatever comes of it: once a guess has been compared, nothing but the commit that counts it
        // stands between it and its answer.
        let hash = hashing.hash_holding(Arc::clone(pass), password.again(), self.service.random()).await?;
        if let Some((by, earlier)) = held
            && hashing.verify_holding(Arc::clone(pass), password, &earlier).await?.matches
        {
            return Ok(Finding::Proves(by));
        }
        Ok(Finding::New { chosen: ChosenPassword { hash, long_enough_alone }, instead_of })
    }
}

/// The step that a finding means for the enrollment as it stands now; [`Failure::Busy`] when what was found out about
/// has changed meanwhile.
fn step_for(finding: &Finding, enrollment: &Enrollment) -> Result<Step<'static>, Failure> {
    let session = enrollment.session();
    let current = session.and_then(|session| session.work.password.as_ref()).map(|chosen| &chosen.hash);
    let held = session.and_then(|session| session.held.as_ref()).map(|held| held.by);
    match finding {
        Finding::Repeats(hash) if current == Some(hash) => {
            Ok(Step::ChoosePassword { repeats: true, proves: None, chosen: None })
        }
        Finding::Proves(by) if held == Some(*by) => {
            Ok(Step::ChoosePassword { repeats: false, proves: Some(*by), chosen: None })
        }
        Finding::New { chosen, instead_of } if current == instead_of.as_ref() => {
            Ok(Step::ChoosePassword { repeats: false, proves: None, chosen: Some(chosen.clone()) })
        }
        Finding::Repeats(_) | Finding::Proves(_) | Finding::New { .. } => Err(Failure::Busy),
    }
}
