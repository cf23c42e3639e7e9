//! Making a mail, at the instant it is sent and from what holds then: the address, the texts, the link.

use crate::domain::contact::Email;
use crate::domain::device::Device;
use crate::domain::enrollment::{Enrollment, Phase};
use crate::domain::mail::{Addressee, Letter, Mail};
use crate::domain::requirement::Requirement;
use crate::domain::settings::{FrontEnd, Settings};
use crate::domain::token_opens;
use crate::domain::user::User;
use crate::port::{Message, Recipient};
use crate::record::{Kind, RowKey, Stored};
use crate::service::circumstances::World;
use crate::service::enrollee::email_code;
use crate::service::texts::OwnTexts;
use crate::service::{Failure, Service};
use crate::template::mail::{Facts, MailContext};
use crate::template::{Tags, durations};
use crate::time::Timestamp;

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
    /// The message of a mail, or why there is none any more.
    pub(crate) async fn prepare(&self, mail: &Mail) -> Result<Prepared, Failure> {
        // The texts with the enrollment: sending many mails is mostly reading.
        let about = mail.enrollment.map(|id| RowKey::new(Kind::Enrollment, id.uuid()));
        let keys: Vec<_> = Self::keys_of_texts(mail.letter.as_str()).into_iter().chain(about).collect();
        let rows: Vec<_> = self.store().get(&keys).await?.into_iter().flatten().collect();
        let enrollment = match about {
            None => None,
            Some(key) => match rows.iter().find(|row| row.key == key) {
                None => return Ok(Prepared::Obsolete("the enrollment is gone")),
                Some(row) => Some(Stored::<Enrollment>::read(row)?.record),
            },
        };
        let initiator = enrollment.as_ref().and_then(|enrollment| enrollment.initiator);
        let world = match mail.user {
            None => None,
            Some(user) => match self.world_of(user, initiator, &[]).await? {
                None => return Ok(Prepared::Obsolete("the user is gone")),
                world => world,
            },
        };
        let to = match self.address(mail, world.as_ref()).await? {
            Ok(address) => address,
            Err(prepared) => return Ok(prepared),
        };
        let facts = match self.facts(mail, enrollment.as_ref(), world.as_ref()).await? {
            Ok(facts) => facts,
            Err(why) => return Ok(Prepared::Obsolete(why)),
        };
        let (people, settings) = match world {
            Some(world) => (world.tags(self.instance()), world.settings),
            None => (self.nobody(enrollment.as_ref()), self.settings().await?),
        };
        let wording = match mail.letter {
            Letter::Invitation { .. } => enrollment.as_ref().and_then(|enrollment| enrollment.sending.wording.as_ref()),
            _ => None,
        };
        let own = self.own_texts(facts.text(), wording, &rows);
        self.message(mail, to, people, &settings, facts, &own).map(Prepared::Ready)
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
            queued: mail.queued,
        })
    }

    /// The address in force now (INV-3).
    async fn address(&self, mail: &Mail, world: Option<&World>) -> Result<Result<Email, Prepared>, Failure> {
        let id = match &mail.to {
            Addressee::Explicit(address) => return Ok(Ok(address.clone())),
            Addressee::CurrentAddressOf(id) => *id,
        };
        let known = world.and_then(|world| {
            [Some(&world.user.record), world.initiator.as_ref()].into_iter().flatten().find(|user| user.id == id)
        });
        let user = match known {
            Some(user) => Some(user.clone()),
            None => self.read::<User>(id.uuid()).await?.map(|stored| stored.record),
        };
        Ok(match user {
            None => Err(Prepared::Obsolete("the recipient is gone")),
            Some(user) if !user.is_active() => Err(Prepared::Obsolete("the recipient is disabled")),
            Some(user) => user.email.ok_or(Prepared::Dead("the recipient has no e-mail address")),
        })
    }

    /// What the mail says, or why it is past its use.
    async fn facts(
        &self,
        mail: &Mail,
        enrollment: Option<&Enrollment>,
        world: Option<&World>,
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
            Letter::DeviceAdded { device } => match self.read::<Device>(device.uuid()).await? {
                None => return Ok(Err("the device is gone")),
                Some(device) => Facts::DeviceAdded { device: device.record.name.to_string(), at },
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
        Ok(Ok(Facts::Invitation {
            purpose: enrollment.purpose,
            link: instance.invitation(&token).expose().to_owned(),
            report_link: instance.report(&token).expose().to_owned(),
            browser: settings.front_end != FrontEnd::Desktop,
            desktop: settings.front_end != FrontEnd::Browser,
            validity: validity(mail.queued, enrollment.expires),
            expires: durations::at(enrollment.expires),
            token: token.expose().to_owned(),
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

/// How long a link is valid from `from`, in words: exact where it was chosen, to the minute where it is what is left.
fn validity(from: Timestamp, expires: Timestamp) -> String {
    let length = expires.since(from);
    let seconds = length.as_secs();
    durations::in_words(if seconds > 3600 { std::time::Duration::from_secs(seconds - seconds % 60) } else { length })
}
