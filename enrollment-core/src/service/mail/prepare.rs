//! Making a mail, at the instant it is sent and from what holds then: the address, the texts, the link.

use crate::domain::contact::Email;
use crate::domain::device::Device;
use crate::domain::enrollment::{Enrollment, Phase};
use crate::domain::mail::{Addressee, Letter, Mail};
use crate::domain::requirement::Requirement;
use crate::domain::settings::{FrontEnd, Settings};
use crate::domain::token_opens;
use crate::domain::user::User;
use crate::id::OutboxId;
use crate::port::{InlineImage, Message, Recipient};
use crate::secret::{Token, qr_png};
use crate::service::circumstances::World;
use crate::service::enrollee::email_code;
use crate::service::texts::OwnTexts;
use crate::service::{Failure, Instance, Service};
use crate::template::mail::{ClientFacts, Facts, MailContext};
use crate::template::{Tags, durations};
use crate::time::Timestamp;

use super::sources::Sources;

/// What became of a mail that was about to be sent.
#[derive(Debug)]
pub(crate) enum Prepared {
    /// It can go.
    Ready(Message),
    /// It is no longer wanted, for this reason.
    Obsolete(&'static str),
    /// It can go nowhere, for this reason.
    Dead(&'static str),
}

/// Why a mail is past its use.
type PastUse = &'static str;

impl Service {
    /// The message of a mail, or why there is none any more. The sources were read for this mail.
    pub(crate) fn prepare(&self, mail: &Mail, sources: &Sources) -> Result<Prepared, Failure> {
        let enrollment = match mail.enrollment {
            None => None,
            Some(id) => match sources.record::<Enrollment>(id.uuid())? {
                None => return Ok(Prepared::Obsolete("the enrollment is gone")),
                enrollment => enrollment,
            },
        };
        let initiator = enrollment.as_ref().and_then(|enrollment| enrollment.initiator);
        let world = match mail.user {
            None => None,
            Some(user) => match sources.world(user, initiator)? {
                None => return Ok(Prepared::Obsolete("the user is gone")),
                world => world,
            },
        };
        let to = match address(mail, sources)? {
            Ok(address) => address,
            Err(prepared) => return Ok(prepared),
        };
        let facts = match self.facts(mail, enrollment.as_ref(), world.as_ref(), sources)? {
            Ok(facts) => facts,
            Err(why) => return Ok(Prepared::Obsolete(why)),
        };
        let people =
            world.as_ref().map_or_else(|| self.nobody(enrollment.as_ref()), |world| world.tags(self.instance()));
        let wording = match mail.letter {
            Letter::Invitation { .. } => enrollment.as_ref().and_then(|enrollment| enrollment.sending.wording.as_ref()),
            _ => None,
        };
        let own = self.own_texts(facts.text(), wording, &sources.rows);
        self.message(mail, to, people, &sources.common.settings, facts, &own).map(Prepared::Ready)
    }

    fn message(
        &self,
        mail: &Mail,
        to: Email,
        people: Tags,
        settings: &Settings,
        facts: Facts,
        own: &OwnTexts,
    ) -> Result<Message, Failure> {
        let text = facts.text();
        let context = MailContext {
            people,
            organization: settings.organization.to_string(),
            support_contact: settings.support_contact.to_string(),
            facts,
        };
        let rendered = context.render(own.subject.as_ref(), own.body.as_deref());
        let (rendered, error) = rendered.map_err(|error| Failure::Broken(error.into()))?;
        if let Some(error) = error {
            tracing::error!(%error, template = text.name, "a text did not render; the built-in one was sent");
        }
        Ok(Message {
            id: mail.id,
            from: settings.sender.clone(),
            to: Recipient::Email(to),
            subject: rendered.subject,
            text: rendered.text,
            html: Some(rendered.html),
            images: rendered.images,
            queued: mail.queued,
        })
    }

    /// What the mail says, or why it is past its use.
    fn facts(
        &self,
        mail: &Mail,
        enrollment: Option<&Enrollment>,
        world: Option<&World>,
        sources: &Sources,
    ) -> Result<Result<Facts, PastUse>, Failure> {
        let now = self.now();
        // It was queued in the change it tells of.
        let at = durations::at(mail.queued);
        let missing = || Failure::Broken("a mail about nothing".into());
        let facts = match mail.letter {
            Letter::Invitation { generation, .. } => {
                let (enrollment, world) = (enrollment.ok_or_else(missing)?, world.ok_or_else(missing)?);
                return self.invitation(mail, enrollment, generation, &world.settings, now);
            }
            Letter::Unfinished { generation, session } => {
                let (enrollment, world) = (enrollment.ok_or_else(missing)?, world.ok_or_else(missing)?);
                return Ok(self.unfinished(enrollment, world, (generation, session), now));
            }
            Letter::DeviceAdded { device } => match sources.record::<Device>(device.uuid())? {
                None => return Ok(Err("the device is gone")),
                Some(device) => Facts::DeviceAdded { device: device.name.to_string(), at },
            },
            Letter::Started { purpose } => match enrollment.map(|enrollment| &enrollment.phase) {
                Some(Phase::Closed(_)) => return Ok(Err("the enrollment has ended")),
                _ => Facts::Started { purpose, at },
            },
            Letter::MfaCode { number } => {
                let enrollment = enrollment.ok_or_else(missing)?;
                return self.mfa_code(enrollment, number, now);
            }
            Letter::Onboarding => Facts::Onboarding,
            Letter::MfaEnabled => Facts::MfaEnabled { at },
            Letter::Revoked => Facts::Revoked { at },
            Letter::InitiatorCompleted => Facts::InitiatorCompleted { at },
            Letter::InitiatorLocked => Facts::InitiatorLocked { at },
            Letter::InitiatorReported => Facts::InitiatorReported { at },
            Letter::Test => Facts::Test { at },
        };
        Ok(Ok(facts))
    }

    /// The link, derived here and kept nowhere.
    fn invitation(
        &self,
        mail: &Mail,
        enrollment: &Enrollment,
        generation: u32,
        settings: &Settings,
        now: Timestamp,
    ) -> Result<Result<Facts, PastUse>, Failure> {
        if enrollment.generation != generation {
            return Ok(Err("a newer link was made"));
        }
        let Some(seed) = enrollment.seed.as_ref().filter(|_| token_opens(enrollment, now).is_ok()) else {
            return Ok(Err("the link opens nothing any more"));
        };
        if !enrollment.may_begin(now) {
            return Ok(Err("the link was opened as often as it may"));
        }
        if self.is_of_a_revoked_key(enrollment) {
            return Ok(Err("the key of its link is revoked"));
        }
        let token = self.keyed(self.ring().token(seed, enrollment.purpose.as_str(), enrollment.id, generation))?;
        let instance = self.instance();
        let front_end = settings.front_end.for_purpose(enrollment.purpose);
        Ok(Ok(Facts::Invitation {
            purpose: enrollment.purpose,
            link: instance.invitation(&token).expose().to_owned(),
            report_link: instance.report(&token).expose().to_owned(),
            browser: front_end != FrontEnd::Desktop,
            client: front_end.has_client().then(|| client_facts(instance, &token, mail.id)).transpose()?,
            validity: validity(mail.queued, enrollment.expires),
            expires: durations::at(enrollment.expires),
        }))
    }

    /// The code, derived here and kept nowhere.
    fn mfa_code(
        &self,
        enrollment: &Enrollment,
        number: u32,
        now: Timestamp,
    ) -> Result<Result<Facts, PastUse>, Failure> {
        let Some(session) = enrollment.session() else { return Ok(Err("the enrollment has ended")) };
        let code = match &session.work.email_code {
            Some(code) if code.number == number => code,
            Some(_) => return Ok(Err("a newer code was asked for")),
            None => return Ok(Err("the code was used, or somebody else went on")),
        };
        if now >= code.expires {
            return Ok(Err("the code's time is over"));
        }
        if self.is_revoked_key(&code.seed.key) {
            return Ok(Err("the key of its code is revoked"));
        }
        let derived = self.keyed(email_code(&self.ring(), enrollment.id, &code.seed, number, code.digits))?;
        Ok(Ok(Facts::MfaCode {
            code: derived.expose().to_owned(),
            validity: validity(code.made, code.expires),
            expires: durations::at(code.expires),
        }))
    }

    /// What was left undone in a session that is over. Nothing, when it completed or somebody went on since.
    fn unfinished(
        &self,
        enrollment: &Enrollment,
        world: &World,
        of: (u32, u32),
        now: Timestamp,
    ) -> Result<Facts, PastUse> {
        let Some(session) = enrollment.session() else { return Err("the enrollment has ended") };
        if (enrollment.generation, enrollment.sessions) != of || now < session.deadline {
            return Err("somebody went on with it");
        }
        let circumstances = world.circumstances(self);
        let missing = circumstances.missing(enrollment.purpose, &session.work);
        let opens = token_opens(enrollment, now).is_ok() && enrollment.may_begin(now);
        Ok(Facts::Unfinished {
            missing: missing.into_iter().map(Requirement::help).collect::<Vec<_>>().join(" "),
            expires: opens.then(|| durations::at(enrollment.expires)),
        })
    }

    /// The tags of a mail that names nobody, or only the machine that an enrollment is for.
    fn nobody(&self, enrollment: Option<&Enrollment>) -> Tags {
        let instance = self.instance();
        let machine = enrollment.filter(|enrollment| enrollment.user().is_none());
        let username = machine.map(|enrollment| enrollment.username.to_string()).unwrap_or_default();
        Tags {
            username,
            instance_url: instance.url.clone(),
            instance_version: instance.version.clone(),
            ..Tags::default()
        }
    }
}

/// The address in force now (INV-3).
fn address(mail: &Mail, sources: &Sources) -> Result<Result<Email, Prepared>, Failure> {
    let id = match &mail.to {
        Addressee::Explicit(address) => return Ok(Ok(address.clone())),
        Addressee::CurrentAddressOf(id) => *id,
    };
    Ok(match sources.record::<User>(id.uuid())? {
        None => Err(Prepared::Obsolete("the recipient is gone")),
        Some(user) if !user.is_active() => Err(Prepared::Obsolete("the recipient is disabled")),
        Some(user) => user.email.ok_or(Prepared::Dead("the recipient has no e-mail address")),
    })
}

fn client_facts(instance: &Instance, token: &Token, mail: OutboxId) -> Result<ClientFacts, Failure> {
    let qr = qr_png(instance.client_code(token).expose()).map_err(|error| Failure::Broken(error.into()))?;
    Ok(ClientFacts {
        token: token.expose().to_owned(),
        deep_link: instance.deep_link(token).expose().to_owned(),
        qr: InlineImage::of(mail, qr),
    })
}

/// How long a link is valid from `from`, in words: exact where it was chosen, to the minute where it is what is left.
fn validity(from: Timestamp, expires: Timestamp) -> String {
    let length = expires.since(from);
    let seconds = length.as_secs();
    durations::in_words(if seconds > 3600 { std::time::Duration::from_secs(seconds - seconds % 60) } else { length })
}
