//! Mails: a header nobody edits, the text of an administrator or the built-in one, and the facts nobody edits either.
//!
//! So whatever an administrator writes, a mail says that it is automatic and whom to ask (MSG-6), has its link, and
//! names the validity that is in force (MSG-5).

use std::collections::BTreeMap;
use std::fmt;

use minijinja::Value;

use super::builtin::{self, MailText};
use super::engine::{Part, RenderError, Template};
use super::subject::Subject;
use super::tags::{ClientLink, Tags};
use crate::domain::enrollment::Purpose;
use crate::domain::settings::FrontEnd;
use crate::id::OutboxId;
use crate::port::InlineImage;

/// The tags that the parts nobody edits may use beyond [`super::TAGS`].
pub(super) const TAGS: [&str; 16] = [
    "organization",
    "support_contact",
    "purpose",
    "link",
    "report_link",
    "token",
    "deep_link",
    "code",
    "browser",
    "client",
    "validity",
    "expires",
    "at",
    "device",
    "missing",
    "may_return",
];

/// What one mail says, beside the people it names. Some of it is secret, so `Debug` shows its name only.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Facts {
    /// An invitation and its link.
    Invitation {
        /// What it is for.
        purpose: Purpose,
        /// Where the browser goes.
        link: String,
        /// Where its holder says that it was not meant for them.
        report_link: String,
        /// Whether it leads to the browser.
        browser: bool,
        /// How it leads to the client, if it does.
        client: Option<ClientFacts>,
        /// How long the link is valid from when the mail was queued, in words.
        validity: String,
        /// The instant at which it opens nothing any more.
        expires: String,
    },
    /// The onboarding message.
    Onboarding,
    /// A device was added.
    DeviceAdded {
        /// Its name.
        device: String,
        /// When.
        at: String,
    },
    /// A code to enter.
    MfaCode {
        /// Its digits.
        code: String,
        /// How long it is valid from when it was asked for, in words.
        validity: String,
        /// The instant at which it is worth nothing any more.
        expires: String,
    },
    /// A second factor was set up.
    MfaEnabled {
        /// When.
        at: String,
    },
    /// A session ended before everything was done.
    Unfinished {
        /// What is missing, in sentences.
        missing: String,
        /// Until when the link opens another session; `None`: it opens none.
        expires: Option<String>,
    },
    /// The invitation was withdrawn.
    Revoked {
        /// When.
        at: String,
    },
    /// Somebody started an enrollment.
    Started {
        /// What it is for.
        purpose: Purpose,
        /// When.
        at: String,
    },
    /// To the initiator: it completed.
    InitiatorCompleted {
        /// When.
        at: String,
    },
    /// To the initiator: it is locked.
    InitiatorLocked {
        /// When.
        at: String,
    },
    /// To the initiator: it was reported.
    InitiatorReported {
        /// When.
        at: String,
    },
    /// Mail works.
    Test {
        /// When it was asked for.
        at: String,
    },
}

/// How an invitation leads to the client.
#[derive(Clone, PartialEq, Eq)]
pub struct ClientFacts {
    /// The secret itself, to be typed.
    pub token: String,
    /// What opens the client of this computer with everything filled in.
    pub deep_link: String,
    /// The QR code that the client of a phone scans.
    pub qr: InlineImage,
}

impl fmt::Debug for ClientFacts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientFacts(…)")
    }
}

impl fmt::Debug for Facts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Facts({})", self.text().name)
    }
}

impl Facts {
    /// The texts of this mail.
    #[must_use]
    pub fn text(&self) -> &'static MailText {
        match self {
            Self::Invitation { purpose: Purpose::Onboarding, .. } => &builtin::INVITATION,
            Self::Invitation { purpose: Purpose::Device | Purpose::NetworkDevice, .. } => &builtin::DEVICE_ACTIVATION,
            Self::Invitation { purpose: Purpose::Factor, .. } => &builtin::FACTOR_INVITATION,
            Self::Onboarding => &builtin::ONBOARDING_MAIL,
            Self::DeviceAdded { .. } => &builtin::DEVICE_ADDED,
            Self::MfaCode { .. } => &builtin::MFA_CODE,
            Self::MfaEnabled { .. } => &builtin::MFA_ENABLED,
            Self::Unfinished { .. } => &builtin::ENROLLMENT_UNFINISHED,
            Self::Revoked { .. } => &builtin::ENROLLMENT_REVOKED,
            Self::Started { .. } => &builtin::ENROLLMENT_STARTED,
            Self::InitiatorCompleted { .. } => &builtin::INITIATOR_COMPLETED,
            Self::InitiatorLocked { .. } => &builtin::INITIATOR_LOCKED,
            Self::InitiatorReported { .. } => &builtin::INITIATOR_REPORTED,
            Self::Test { .. } => &builtin::TEST,
        }
    }

    /// Every mail with sample values, those of each purpose too.
    #[must_use]
    pub fn samples() -> Vec<Self> {
        let at = || "31 January 2026, 12:00 UTC".to_owned();
        let invitation = |purpose, front_end: FrontEnd| Self::Invitation {
            purpose,
            link: "https://vpn.example.com/enroll/enr_SAMPLE".to_owned(),
            report_link: "https://vpn.example.com/report/enr_SAMPLE".to_owned(),
            browser: front_end != FrontEnd::Desktop,
            client: front_end.has_client().then(|| ClientFacts {
                token: "enr_SAMPLE".to_owned(),
                deep_link: "defguard://addinstance?token=enr_SAMPLE&url=https%3A%2F%2Fvpn.example.com".to_owned(),
                qr: InlineImage::of(OutboxId::from_uuid(uuid::Uuid::nil()), Vec::new()),
            }),
            validity: "24 hours".to_owned(),
            expires: at(),
        };
        let missing = "Choose a password. Add your device.".to_owned();
        vec![
            invitation(Purpose::Onboarding, FrontEnd::Both),
            invitation(Purpose::Onboarding, FrontEnd::Desktop),
            invitation(Purpose::Device, FrontEnd::Browser),
            invitation(Purpose::Factor, FrontEnd::Browser),
            Self::Onboarding,
            Self::DeviceAdded { device: "Anna's laptop".to_owned(), at: at() },
            Self::MfaCode { code: "481516".to_owned(), validity: "10 minutes".to_owned(), expires: at() },
            Self::MfaEnabled { at: at() },
            Self::Unfinished { missing: missing.clone(), expires: Some(at()) },
            Self::Unfinished { missing, expires: None },
            Self::Revoked { at: at() },
            Self::Started { purpose: Purpose::Device, at: at() },
            Self::InitiatorCompleted { at: at() },
            Self::InitiatorLocked { at: at() },
            Self::InitiatorReported { at: at() },
            Self::Test { at: at() },
        ]
    }

    /// The QR code that the HTML ends with.
    const fn qr(&self) -> Option<&InlineImage> {
        match self {
            Self::Invitation { client: Some(ClientFacts { qr, .. }), .. } => Some(qr),
            _ => None,
        }
    }

    /// The values of the tags that are this mail's own. All others have none.
    fn values(&self) -> Vec<(&'static str, Value)> {
        let text = |text: &str| Value::from(text);
        // Marked as what may choose where a link leads: both begin with the instance's own address.
        let address = |text: &str| Value::from_safe_string(text.to_owned());
        let yes = |yes: bool| Value::from(if yes { "yes" } else { "" });
        match self {
            Self::Invitation { purpose, link, report_link, browser, client, validity, expires } => vec![
                ("purpose", text(purpose.as_str())),
                ("link", address(link)),
                ("report_link", address(report_link)),
                ("token", text(client.as_ref().map_or("", |client| &client.token))),
                ("deep_link", ClientLink::value(client.as_ref().map_or("", |client| &client.deep_link))),
                ("browser", yes(*browser)),
                ("client", yes(client.is_some())),
                ("validity", text(validity)),
                ("expires", text(expires)),
            ],
            Self::Onboarding => Vec::new(),
            Self::DeviceAdded { device, at } => vec![("device", text(device)), ("at", text(at))],
            Self::MfaCode { code, validity, expires } => {
                vec![("code", text(code)), ("validity", text(validity)), ("expires", text(expires))]
            }
            Self::Unfinished { missing, expires } => vec![
                ("missing", text(missing)),
                ("may_return", yes(expires.is_some())),
                ("expires", text(expires.as_deref().unwrap_or_default())),
            ],
            Self::Started { purpose, at } => vec![("purpose", text(purpose.as_str())), ("at", text(at))],
            Self::MfaEnabled { at }
            | Self::Revoked { at }
            | Self::InitiatorCompleted { at }
            | Self::InitiatorLocked { at }
            | Self::InitiatorReported { at }
            | Self::Test { at } => vec![("at", text(at))],
        }
    }
}

/// Everything a mail is made from.
#[derive(Debug, Clone)]
pub struct MailContext {
    /// The people and the instance it names.
    pub people: Tags,
    /// Whose instance it is; may be empty.
    pub organization: String,
    /// Whom to ask; may be empty.
    pub support_contact: String,
    /// What it says.
    pub facts: Facts,
}

/// A mail as it is sent. It may hold a secret such as an invitation's link, so `Debug` shows nothing.
pub struct RenderedMail {
    /// One line.
    pub subject: String,
    /// Plain text.
    pub text: String,
    /// A whole HTML document; it loads nothing from anywhere.
    pub html: String,
    /// What it shows.
    pub images: Vec<InlineImage>,
}

impl fmt::Debug for RenderedMail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RenderedMail(…)")
    }
}

impl MailContext {
    /// The mail, with an administrator's own subject and body where there are any. One that fails against all
    /// expectation is replaced by the built-in one; the reason comes along, to be logged.
    ///
    /// # Errors
    /// When a part that nobody edits does not render. A test renders every one of them.
    pub fn render(
        &self,
        subject: Option<&Subject>,
        body: Option<&Template>,
    ) -> Result<(RenderedMail, Option<RenderError>), RenderError> {
        let text = self.facts.text();
        let people = self.people.context();
        let (subject, subject_error) = match subject.map(|own| own.render_with(&people)) {
            Some(Ok(subject)) => (subject, None),
            Some(Err(error)) => (text.subject().render_with(&people)?, Some(error)),
            None => (text.subject().render_with(&people)?, None),
        };
        let (body, body_error) = body.unwrap_or_else(|| text.body()).render_part_or(text.body(), &people);
        // What nobody edits may say more than what an administrator writes.
        let values = self.values();
        let mut parts = vec![builtin::mail_header().render_part(&values)?, body];
        if let Some(facts) = text.facts() {
            parts.push(facts.render_part(&values)?);
        }
        let html = whole_html(&parts, self.facts.qr());
        let images = self.facts.qr().cloned().into_iter().collect();
        Ok((RenderedMail { subject, text: whole_text(&parts), html, images }, subject_error.or(body_error)))
    }

    /// The value of every tag there is.
    fn values(&self) -> Value {
        let nothing = TAGS.iter().map(|tag| (*tag, Value::from("")));
        let mut values: BTreeMap<&'static str, Value> = nothing.collect();
        values.extend(self.people.values());
        values.insert("organization", Value::from(self.organization.as_str()));
        values.insert("support_contact", Value::from(self.support_contact.as_str()));
        values.extend(self.facts.values());
        Value::from(values)
    }
}

fn whole_text(parts: &[Part]) -> String {
    let parts: Vec<&str> = parts.iter().map(|part| part.text.trim_end()).filter(|part| !part.is_empty()).collect();
    parts.join("\n\n") + "\n"
}

fn whole_html(parts: &[Part], qr: Option<&InlineImage>) -> String {
    let mut body: String = parts.iter().map(|part| part.html.as_str()).collect();
    body.extend(qr.map(builtin::code_image));
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"></head>\n<body>\n{}\n</body>\n</html>\n",
        body.trim_end()
    )
}
