//! The texts that are there before an administrator writes others; one folder for each language.

use std::sync::LazyLock;

use super::engine::Template;
use super::subject::Subject;
use crate::port::InlineImage;

/// The Markdown of the onboarding page, as an administrator finds it in the settings.
pub const ONBOARDING: &str = include_str!("en/onboarding.md");

/// The onboarding page, compiled.
#[must_use]
pub fn onboarding() -> &'static Template {
    static COMPILED: LazyLock<Template> =
        LazyLock::new(|| Template::compile(ONBOARDING).expect("a test compiles every built-in text"));
    &COMPILED
}

/// What every mail begins with, whoever wrote the rest (MSG-6).
pub(super) fn mail_header() -> &'static Template {
    static COMPILED: LazyLock<Template> = LazyLock::new(|| {
        Template::part(include_str!("en/mail/header.md")).expect("a test renders every part of a mail")
    });
    &COMPILED
}

/// The QR code at the end of an invitation's HTML. A text part shows no image, so its words are here and not in the
/// Markdown.
pub(super) fn code_image(image: &InlineImage) -> String {
    include_str!("en/mail/code.html").trim_end().replace("CONTENT_ID", image.id())
}

/// The built-in texts of one mail.
#[derive(Debug)]
pub struct MailText {
    /// The name under which administrators write a body of their own.
    pub name: &'static str,
    /// The name under which they write a subject of their own.
    pub subject_name: &'static str,
    /// The subject.
    pub subject_source: &'static str,
    /// The body.
    pub body_source: &'static str,
    compiled: LazyLock<Compiled>,
}

#[derive(Debug)]
struct Compiled {
    subject: Subject,
    body: Template,
    facts: Option<Template>,
}

impl MailText {
    /// The subject, compiled.
    #[must_use]
    pub fn subject(&self) -> &Subject {
        &self.compiled.subject
    }

    /// The body, compiled.
    #[must_use]
    pub fn body(&self) -> &Template {
        &self.compiled.body
    }

    /// What follows the body and nobody edits: links, deadlines, names of things.
    pub(super) fn facts(&self) -> Option<&Template> {
        self.compiled.facts.as_ref()
    }
}

fn compiled(subject: &str, body: &str, facts: Option<&str>) -> Compiled {
    Compiled {
        subject: Subject::compile(subject).expect("a test compiles every built-in subject"),
        body: Template::compile(body).expect("a test compiles every built-in text"),
        facts: facts.map(|facts| Template::part(facts).expect("a test renders every part of a mail")),
    }
}

macro_rules! mails {
    ($($(#[$doc:meta])* $id:ident = $name:literal, $subject:literal, $body:expr, $facts:expr;)*) => {
        $(
            $(#[$doc])*
            pub static $id: MailText = MailText {
                name: $name,
                subject_name: concat!($name, "_subject"),
                subject_source: $subject,
                body_source: $body,
                compiled: LazyLock::new(|| compiled($subject, $body, $facts)),
            };
        )*

        /// Every mail there is.
        pub static MAILS: &[&MailText] = &[$(&$id,)*];
    };
}

mails! {
    /// The invitation of a new user.
    INVITATION = "invitation", "Your invitation to the VPN",
        include_str!("en/mail/invitation.md"), Some(include_str!("en/mail/link.md"));
    /// The invitation to add a device.
    DEVICE_ACTIVATION = "device_activation", "Add a device to your VPN account",
        include_str!("en/mail/device_activation.md"), Some(include_str!("en/mail/link.md"));
    /// The invitation to set up a second factor.
    FACTOR_INVITATION = "factor_invitation", "Set up a second factor for your VPN account",
        include_str!("en/mail/factor_invitation.md"), Some(include_str!("en/mail/link.md"));
    /// The onboarding message; until an administrator writes one for mail, it is that of the page.
    ONBOARDING_MAIL = "onboarding_mail", "Welcome to the VPN",
        ONBOARDING, None;
    /// A device was added.
    DEVICE_ADDED = "device_added", "A device was added to your VPN account",
        include_str!("en/mail/device_added.md"), Some(include_str!("en/mail/device_added.facts.md"));
    /// A code to enter.
    MFA_CODE = "mfa_code", "Your code for the VPN",
        include_str!("en/mail/mfa_code.md"), Some(include_str!("en/mail/mfa_code.facts.md"));
    /// A second factor was set up.
    MFA_ENABLED = "mfa_enabled", "A second factor was set up for your VPN account",
        include_str!("en/mail/mfa_enabled.md"), Some(include_str!("en/mail/at.md"));
    /// An enrollment was not finished.
    ENROLLMENT_UNFINISHED = "enrollment_unfinished", "Your VPN enrollment is not finished",
        include_str!("en/mail/enrollment_unfinished.md"), Some(include_str!("en/mail/enrollment_unfinished.facts.md"));
    /// An invitation was withdrawn.
    ENROLLMENT_REVOKED = "enrollment_revoked", "Your invitation to the VPN was withdrawn",
        include_str!("en/mail/enrollment_revoked.md"), Some(include_str!("en/mail/at.md"));
    /// Somebody started an enrollment.
    ENROLLMENT_STARTED = "enrollment_started", "An enrollment was started for your VPN account",
        include_str!("en/mail/enrollment_started.md"), Some(include_str!("en/mail/enrollment_started.facts.md"));
    /// To the initiator: it completed.
    INITIATOR_COMPLETED = "initiator_completed", "{{ username }} completed their VPN enrollment",
        include_str!("en/mail/initiator_completed.md"), Some(include_str!("en/mail/at.md"));
    /// To the initiator: it is locked.
    INITIATOR_LOCKED = "initiator_locked", "The VPN enrollment of {{ username }} is locked",
        include_str!("en/mail/initiator_locked.md"), Some(include_str!("en/mail/at.md"));
    /// To the initiator: it was reported.
    INITIATOR_REPORTED = "initiator_reported", "The VPN invitation of {{ username }} was reported",
        include_str!("en/mail/initiator_reported.md"), Some(include_str!("en/mail/at.md"));
    /// Mail works.
    TEST = "test_mail", "Mail from the VPN works",
        include_str!("en/mail/test_mail.md"), Some(include_str!("en/mail/at.md"));
}

#[cfg(test)]
mod tests;
