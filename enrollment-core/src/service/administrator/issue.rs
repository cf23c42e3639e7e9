//! Issuing an enrollment: its token, its links, its terms.

use super::{Administrator, doer};
use crate::domain::command::{Changed, Command, Decision};
use crate::domain::contact::Email;
use crate::domain::enrollment::{Closure, Enrollment, Phase, Purpose, Terms};
use crate::domain::event::Event;
use crate::domain::mail::{Addressee, Delivery, Letter, Sending, Wording};
use crate::domain::owner::Owner;
use crate::domain::rejection::Rejection;
use crate::domain::settings::{FrontEnd, Settings};
use crate::domain::user::User;
use crate::domain::username::Username;
use crate::domain::{decide, token_opens};
use crate::id::{EnrollmentId, OutboxId};
use crate::record::{Stored, Version, new_row};
use crate::secret::{Token, TokenSeed};
use crate::service::mail::Post;
use crate::service::operation::concerns;
use crate::service::turn::Draft;
use crate::service::{Failure, Link, Principal, Service};
use crate::time::{Span, Timestamp};

/// What kind of enrollment to start, and how its link reaches the person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StartEnrollment {
    /// What it is for.
    pub purpose: Purpose,
    /// How the link gets there.
    pub delivery: Delivery,
    /// Where mail goes, in place of the address on file; the account keeps its own (INV-3).
    pub email: Option<Email>,
    /// How long the token is valid, inside the policy's bounds; `None`: as the settings say (INV-8).
    pub validity: Option<Span>,
    /// What its mails say in place of the saved texts (MSG-6). Only where something is mailed.
    pub wording: Option<Wording>,
}

/// An issued invitation, for personal hand-over: the only time its token is shown (INV-2).
///
/// With [`Delivery::Email`] its token reaches its person by mail alone: whoever asked does not see it, and a host does
/// not show it to them.
#[derive(Debug)]
pub struct Issued {
    /// Which enrollment.
    pub id: EnrollmentId,
    /// Its secret.
    pub token: Token,
    /// Where the browser goes.
    pub url: Link,
    /// What opens the desktop client, where the settings lead to it (INV-11).
    pub deep_link: Option<Link>,
    /// What a phone's client scans, where the settings lead to a client.
    pub client_code: Option<Link>,
    /// The first instant at which the token opens nothing.
    pub expires_at: Timestamp,
    /// How it gets to its person.
    pub delivery: Delivery,
    /// The mail with it, where one is part of that.
    pub mail: Option<OutboxId>,
    /// What to run on the machine, where it is for one.
    pub command: Option<Link>,
    /// What it is for.
    pub purpose: Purpose,
    /// One more with every rotation.
    pub generation: u32,
}

impl Issued {
    fn new(service: &Service, front_end: FrontEnd, enrollment: &Enrollment, token: Token) -> Self {
        let instance = service.instance();
        let client = front_end.for_purpose(enrollment.purpose).has_client();
        let machine = enrollment.user().is_none();
        Self {
            id: enrollment.id,
            url: instance.invitation(&token),
            deep_link: client.then(|| instance.deep_link(&token)),
            client_code: client.then(|| instance.client_code(&token)),
            command: machine.then(|| instance.machine_command(&token)),
            token,
            delivery: enrollment.sending.delivery,
            mail: enrollment.sending.mail.filter(|_| enrollment.sending.delivery.mails()),
            expires_at: enrollment.expires,
            purpose: enrollment.purpose,
            generation: enrollment.generation,
        }
    }
}

/// A token that was made, and what is kept of it.
pub(super) struct Minted {
    pub(super) token: Token,
    pub(super) seed: TokenSeed,
}

impl Administrator<'_> {
    /// Adds a new enrollment for `user` to a draft.
    pub(super) fn issue(
        &self,
        draft: &mut Draft,
        by: &Principal,
        user: &User,
        settings: &Settings,
        start: &StartEnrollment,
    ) -> Result<Issued, Failure> {
        self.issue_for(draft, by, (user.id.into(), &user.username), settings, start)
    }

    /// Adds a new enrollment for a user or machine, whom lists call `username`, to a draft.
    pub(super) fn issue_for(
        &self,
        draft: &mut Draft,
        by: &Principal,
        (subject, username): (Owner, &Username),
        settings: &Settings,
        start: &StartEnrollment,
    ) -> Result<Issued, Failure> {
        let policy = self.service.policy();
        let id = EnrollmentId::new(draft.now, self.service.entropy());
        concerns(id);
        let generation = 1;
        let Minted { token, seed } = self.mint(start.purpose, id, generation)?;
        let validity = start.validity.unwrap_or(settings.token_validity);
        let mail = start.delivery.mails().then(|| OutboxId::new(draft.now, self.service.entropy()));
        let enrollment = Enrollment {
            id,
            purpose: start.purpose,
            subject,
            username: username.clone(),
            initiator: by.user,
            created: draft.now,
            expires: draft.now.plus(validity.duration()),
            terms: Terms {
                validity,
                session: settings.session_validity,
                max_sessions: settings.max_sessions,
                wrong_codes: policy.wrong_codes,
                passwords: policy.passwords_per_session,
            },
            generation,
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
            sending: Sending {
                delivery: start.delivery,
                address: start.email.clone(),
                mail,
                wording: start.wording.clone().filter(|wording| !wording.is_empty()),
            },
            phase: Phase::Invited,
        };
        if let Some(mail) = mail {
            self.post_invitation(draft, &enrollment, mail, enrollment.sending.address.clone())?;
        }
        let row = new_row(&enrollment);
        let key = row.key();
        draft.ops.push(row);
        self.service.audit(draft, doer(by), key, Version::FIRST, Event::EnrollmentIssued);
        Ok(Issued::new(self.service, settings.front_end, &enrollment, token))
    }

    /// Adds the mail with the link of an enrollment as it will be; `to` in place of the address its user has then.
    pub(super) fn post_invitation(
        &self,
        draft: &mut Draft,
        enrollment: &Enrollment,
        mail: OutboxId,
        to: Option<Email>,
    ) -> Result<(), Failure> {
        let Enrollment { id, purpose, generation, .. } = *enrollment;
        let user = enrollment.user().ok_or(Rejection::ForMachine)?;
        let letter = Letter::Invitation { purpose, generation };
        let to = to.map_or(Addressee::CurrentAddressOf(user), Addressee::Explicit);
        let post = Post { id: mail, letter, user: Some(user), enrollment: Some(id), to, due: None };
        self.service.post(draft, post)
    }

    /// A new token under the ring's active key.
    pub(super) fn mint(&self, purpose: Purpose, id: EnrollmentId, generation: u32) -> Result<Minted, Failure> {
        let ring = self.service.making_ring()?;
        let seed = TokenSeed::new(&ring, self.service.entropy());
        let token = self.service.keyed(ring.token(&seed, purpose.as_str(), id, generation))?;
        Ok(Minted { token, seed })
    }

    /// What was issued, with a token that the caller has made.
    pub(super) fn issued(&self, settings: &Settings, enrollment: &Enrollment, token: Token) -> Issued {
        Issued::new(self.service, settings.front_end, enrollment, token)
    }

    /// Whether a token of this enrollment opens a session: it is valid, not used up, and its key is not revoked.
    pub(super) fn opens(&self, enrollment: &Enrollment, now: Timestamp) -> bool {
        enrollment.may_begin(now)
            && token_opens(enrollment, now).is_ok()
            && !self.service.is_of_a_revoked_key(enrollment)
    }

    /// The same invitation again, as long as its token opens something. `None` also when the key that made it was
    /// revoked.
    pub(super) fn again(
        &self,
        settings: &Settings,
        enrollment: &Enrollment,
        now: Timestamp,
    ) -> Result<Option<Issued>, Failure> {
        let Some(seed) = enrollment.seed.as_ref().filter(|_| self.opens(enrollment, now)) else { return Ok(None) };
        let ring = self.service.ring();
        let token = ring.token(seed, enrollment.purpose.as_str(), enrollment.id, enrollment.generation);
        Ok(Some(self.issued(settings, enrollment, self.service.keyed(token)?)))
    }

    /// The open enrollment of a user and purpose; there is at most one (INV-5).
    pub(super) async fn open_enrollment(
        &self,
        user: &User,
        purpose: Purpose,
    ) -> Result<Option<Stored<Enrollment>>, Failure> {
        self.service.find(&Enrollment::open_key(user.id, purpose)).await
    }

    /// Adds the end of an enrollment to a draft; says whether there was anything to end.
    pub(super) async fn close(
        &self,
        draft: &mut Draft,
        by: &Principal,
        stored: &Stored<Enrollment>,
        why: Closure,
    ) -> Result<bool, Failure> {
        match decide(&stored.record, Command::Close(why), draft.now)? {
            Decision::Unchanged(_) => Ok(false),
            Decision::Changed(changed) => {
                self.add_changed(draft, by, stored, *changed).await?;
                Ok(true)
            }
        }
    }

    /// Adds what was decided of an enrollment to a draft.
    pub(super) async fn add_changed(
        &self,
        draft: &mut Draft,
        by: &Principal,
        stored: &Stored<Enrollment>,
        changed: Changed,
    ) -> Result<(), Failure> {
        // What an administrator does to an enrollment is never refused by its own outcome.
        self.service.add_changed(draft, doer(by), stored, None, changed).await?;
        Ok(())
    }

    /// Whether the validity that was asked for lies inside the policy (INV-8).
    pub(super) fn demand_validity(&self, start: &StartEnrollment) -> Result<(), Rejection> {
        let Some(validity) = start.validity else { return Ok(()) };
        let bounds = &self.service.policy().token_validity;
        bounds.check(validity).map(|_| ()).map_err(|reason| Rejection::OutOfRange { field: "validity", reason })
    }
}
