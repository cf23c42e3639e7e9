//! Every way the domain says no.

use std::time::Duration;

use super::policy::OutOfBounds;
use super::requirement::Requirement;
use crate::secret::PasswordRejection;

/// A refusal with a stable code and a sentence that says what to do next. Nothing was changed, except that a wrong code
/// was counted.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Rejection {
    /// The token opens nothing, and never did.
    #[error("This link is not valid. Check that you copied all of it, or ask your administrator for a new one.")]
    InvalidToken,
    /// The token was valid once.
    #[error("This link has expired. Ask your administrator for a new one.")]
    TokenExpired,
    /// An administrator withdrew it, or its user was disabled.
    #[error("This invitation was withdrawn. Ask your administrator if you still need access.")]
    TokenRevoked,
    /// It did what it was for.
    #[error("This invitation has been used: the enrollment is complete. You can sign in.")]
    TokenCompleted,
    /// A newer one was sent.
    #[error("A newer link was sent to you. Use that one.")]
    TokenSuperseded,
    /// Too many wrong codes, or far too many changes.
    #[error("Too much was tried with this invitation, so it is locked. Ask your administrator for a new one.")]
    TokenLocked,
    /// The token opened as many sessions as it may.
    #[error("This link has been opened as often as it may. Ask your administrator for a new one.")]
    SessionsExhausted,
    /// The session secret opens nothing.
    #[error("You are not in an enrollment session. Open the link from your invitation again.")]
    InvalidSession,
    /// The session's time is over.
    #[error("The time for this session is over. Open the link from your invitation again.")]
    SessionExpired,
    /// Somebody else opened the link later.
    #[error(
        "The link was opened again elsewhere, which ended this session. If that was not you, tell your administrator."
    )]
    SessionSuperseded,
    /// Nothing more is to be done.
    #[error("This enrollment is already complete.")]
    AlreadyCompleted,
    /// Something must be done first.
    #[error("Some steps are still missing: {}", .0.iter().map(|r| r.help()).collect::<Vec<_>>().join(" "))]
    RequirementsMissing(Vec<Requirement>),
    /// The code is wrong, or was used before.
    #[error("This code is wrong or no longer valid. Take the latest one and try again; {left} more tries.")]
    WrongCode {
        /// Tries until the enrollment locks.
        left: u32,
    },
    /// There is no secret to verify.
    #[error("Start setting up this second factor first.")]
    MfaNotStarted,
    /// Codes by e-mail are no factor that would count here.
    #[error("Codes by e-mail cannot be used here. Set up another second factor, or ask your administrator.")]
    EmailCodesNotOffered,
    /// The code's time is over.
    #[error("This code is no longer valid. Ask for a new one.")]
    CodeExpired,
    /// As many codes were sent as one session allows.
    #[error(
        "No more codes are sent in this session. Take the latest one, or open the link from your invitation again when the session is over."
    )]
    CodesExhausted {
        /// Until the session is over; the next one may have codes sent again.
        retry_after: Duration,
    },
    /// There is no verified factor.
    #[error("Set up a second factor first.")]
    MfaNotVerified,
    /// The step is not part of this enrollment.
    #[error("This step is not part of this enrollment.")]
    StepNotOffered,
    /// The password breaks a rule.
    #[error(transparent)]
    Password(PasswordRejection),
    /// Too many passwords were submitted.
    #[error(
        "Too many passwords were tried in this session. Wait until it is over, then open the link from your invitation again."
    )]
    PasswordsExhausted,
    /// The key belongs to a device already.
    #[error("This public key is already in use. Make a new key pair for this device.")]
    PublicKeyTaken,
    /// The owner has a device of this name.
    #[error("There is already a device of this name. Choose another name.")]
    DeviceNameTaken,
    /// The device has a mobile key already.
    #[error("This device has another key for approving already. Remove the device and add it again.")]
    MobileKeyTaken,
    /// The polling token opens nothing, or no longer.
    #[error("This device is not known, or no longer. Enroll it again.")]
    InvalidPollingToken,
    /// No address is left.
    #[error("The network {location} has no free address. Ask your administrator.")]
    AddressesExhausted {
        /// The location's name.
        location: String,
    },
    /// The server makes no key pairs.
    #[error("Make a key pair on your device and send its public key.")]
    PublicKeyNeeded,
    /// A field's content does not fit.
    #[error("{field}: {reason}")]
    InvalidField {
        /// Which field.
        field: &'static str,
        /// What fits.
        reason: String,
    },
    /// A value lies outside the policy.
    #[error("{field}: {reason}")]
    OutOfRange {
        /// Which field.
        field: &'static str,
        /// The range.
        reason: OutOfBounds,
    },
    /// A password came with a user (INV-1).
    #[error("Users choose their own passwords. Leave the password out and start an enrollment instead.")]
    PasswordNotAccepted,
    /// The username belongs to somebody.
    #[error("This username is already in use.")]
    UsernameTaken,
    /// There is no such thing.
    #[error("There is no such {what}.")]
    NotFound {
        /// What.
        what: &'static str,
    },
    /// The user may do nothing.
    #[error("This user is disabled. Enable them first.")]
    UserDisabled,
    /// The user completed their onboarding.
    #[error("This user is already enrolled.")]
    AlreadyEnrolled,
    /// The user has not completed their onboarding.
    #[error("This user is not enrolled yet. Start an onboarding enrollment instead.")]
    NotEnrolled,
    /// The user has no password, or a factor already.
    #[error("This enrollment is for users with a password and without a second factor.")]
    FactorNotApplicable,
    /// There is no location to add a device to.
    #[error("There is no location this user can reach. Add one first.")]
    NoLocation,
    /// There is a location of this name.
    #[error("There is already a location of this name.")]
    LocationNameTaken,
    /// There is a machine of this name.
    #[error("There is already a machine of this name at this location. Choose another name.")]
    MachineNameTaken,
    /// The machine supplied its key.
    #[error("This machine is enrolled already. To give it another key, remove it and add it again.")]
    MachineEnrolled,
    /// Connecting here asks for a second factor.
    #[error(
        "Connecting to this location asks for a second factor, which no machine can give. Choose another location."
    )]
    LocationAsksForFactor,
    /// Machines would be left at a location that asks for a second factor.
    #[error(
        "There are machines at this location, and no machine can give a second factor. Remove them or leave the location as it is."
    )]
    MachinesPresent,
    /// What was asked for is for people, and this is a machine's.
    #[error(
        "This invitation is for a machine and not for a person. Run on the machine what came with it. A new one is issued where the machine is listed."
    )]
    ForMachine,
    /// The device goes with its machine.
    #[error("This device is a machine's. Remove the machine instead.")]
    MachineDevice,
    /// Mail is asked for and not configured.
    #[error("Sending mail is not configured. Choose manual delivery and hand the link over yourself.")]
    MailNotConfigured,
    /// Mail is asked for, and there is nowhere to send it.
    #[error("There is no e-mail address to send this to. Add one to the user, or choose another delivery.")]
    NoEmailAddress,
    /// The mail is on its way, or has ended well.
    #[error("Only a mail that could not be delivered can be sent again.")]
    MailNotDead,
    /// The device waits for its enrollment.
    #[error("This device belongs to an enrollment that is not complete. Revoke that enrollment instead.")]
    DeviceStaged,
    /// Nobody who may act showed who they are.
    #[error("This key is not valid. Ask an Owner for a new one.")]
    Unauthorized,
    /// A name, password or code is wrong, or belongs to nobody who may sign in.
    #[error("The name, the password or the code is not right, or this account cannot sign in here.")]
    SignInRefused,
    /// So much was wrong that nothing more is heard from browsers that are not known.
    #[error(
        "Too much was tried with this name, so that only a browser which you signed in with before is let in. Elsewhere, add one of your recovery codes."
    )]
    SignInStopped,
    /// There is no such session of an administrator, or it is over.
    #[error("You are not signed in, or no longer. Sign in again.")]
    NotSignedIn,
    /// The role does not allow it.
    #[error("Your role does not allow this.")]
    Forbidden,
    /// The user stands above the administrator.
    #[error("This user's role outranks yours.")]
    Outranked,
    /// Nobody could manage administrators any more.
    #[error("This is the last active Owner. Make somebody else an Owner first.")]
    LastOwner,
    /// A template does not compile.
    #[error("line {line}: {message}")]
    InvalidTemplate {
        /// Where, from 1.
        line: usize,
        /// What is wrong, and what may be meant.
        message: String,
    },
    /// Too many requests at once from this subject.
    #[error("Too many tries. Wait a moment and try again.")]
    TooMany {
        /// When to try again.
        retry_after: Duration,
    },
}

/// What kind of refusal it is: what a protocol's status is chosen by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RejectionClass {
    /// A field's content does not fit.
    Invalid,
    /// Nobody who may ask has shown who they are.
    Unauthenticated,
    /// The caller may not.
    Forbidden,
    /// There is no such thing, and never was.
    NotFound,
    /// A token that was real and opens nothing any more.
    Gone,
    /// The state of things stands against it; another step changes that.
    Conflict,
    /// Understood, and not acceptable.
    Unacceptable,
    /// Too often; later it may succeed.
    TooMany,
}

impl Rejection {
    /// What kind of refusal it is.
    #[must_use]
    pub const fn class(&self) -> RejectionClass {
        use RejectionClass as Class;
        match self {
            Self::InvalidField { .. } => Class::Invalid,
            Self::Unauthorized
            | Self::SignInRefused
            | Self::NotSignedIn
            | Self::InvalidSession
            | Self::SessionExpired
            | Self::SessionSuperseded => Class::Unauthenticated,
            Self::Forbidden | Self::Outranked | Self::SignInStopped | Self::InvalidPollingToken => Class::Forbidden,
            Self::InvalidToken | Self::NotFound { .. } => Class::NotFound,
            Self::TokenExpired
            | Self::TokenRevoked
            | Self::TokenCompleted
            | Self::TokenSuperseded
            | Self::TokenLocked
            | Self::SessionsExhausted => Class::Gone,
            Self::AlreadyCompleted
            | Self::RequirementsMissing(_)
            | Self::MfaNotStarted
            | Self::MfaNotVerified
            | Self::EmailCodesNotOffered
            | Self::CodeExpired
            | Self::StepNotOffered
            | Self::PasswordsExhausted
            | Self::PublicKeyTaken
            | Self::DeviceNameTaken
            | Self::MobileKeyTaken
            | Self::AddressesExhausted { .. }
            | Self::UsernameTaken
            | Self::UserDisabled
            | Self::AlreadyEnrolled
            | Self::NotEnrolled
            | Self::FactorNotApplicable
            | Self::NoLocation
            | Self::LocationNameTaken
            | Self::MachineNameTaken
            | Self::MachineEnrolled
            | Self::LocationAsksForFactor
            | Self::MachinesPresent
            | Self::ForMachine
            | Self::MachineDevice
            | Self::MailNotConfigured
            | Self::NoEmailAddress
            | Self::MailNotDead
            | Self::DeviceStaged
            | Self::LastOwner => Class::Conflict,
            Self::WrongCode { .. }
            | Self::Password(_)
            | Self::PublicKeyNeeded
            | Self::OutOfRange { .. }
            | Self::PasswordNotAccepted
            | Self::InvalidTemplate { .. } => Class::Unacceptable,
            Self::CodesExhausted { .. } | Self::TooMany { .. } => Class::TooMany,
        }
    }

    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::InvalidToken => "invalid_token",
            Self::TokenExpired => "token_expired",
            Self::TokenRevoked => "token_revoked",
            Self::TokenCompleted => "token_completed",
            Self::TokenSuperseded => "token_superseded",
            Self::TokenLocked => "token_locked",
            Self::SessionsExhausted => "sessions_exhausted",
            Self::InvalidSession => "invalid_session",
            Self::SessionExpired => "session_expired",
            Self::SessionSuperseded => "session_superseded",
            Self::AlreadyCompleted => "already_completed",
            Self::RequirementsMissing(_) => "requirements_missing",
            Self::WrongCode { .. } => "wrong_code",
            Self::MfaNotStarted => "mfa_not_started",
            Self::EmailCodesNotOffered => "email_codes_not_offered",
            Self::CodeExpired => "code_expired",
            Self::CodesExhausted { .. } => "codes_exhausted",
            Self::MfaNotVerified => "mfa_not_verified",
            Self::StepNotOffered => "step_not_offered",
            Self::Password(reason) => reason.code(),
            Self::PasswordsExhausted => "passwords_exhausted",
            Self::PublicKeyTaken => "public_key_taken",
            Self::DeviceNameTaken => "device_name_taken",
            Self::MobileKeyTaken => "mobile_key_taken",
            Self::InvalidPollingToken => "invalid_polling_token",
            Self::AddressesExhausted { .. } => "addresses_exhausted",
            Self::PublicKeyNeeded => "public_key_needed",
            Self::InvalidField { .. } => "invalid_field",
            Self::OutOfRange { .. } => "out_of_range",
            Self::PasswordNotAccepted => "password_not_accepted",
            Self::UsernameTaken => "username_taken",
            Self::NotFound { .. } => "not_found",
            Self::UserDisabled => "user_disabled",
            Self::AlreadyEnrolled => "already_enrolled",
            Self::NotEnrolled => "not_enrolled",
            Self::FactorNotApplicable => "factor_not_applicable",
            Self::NoLocation => "no_location",
            Self::LocationNameTaken => "location_name_taken",
            Self::MachineNameTaken => "machine_name_taken",
            Self::MachineEnrolled => "machine_enrolled",
            Self::LocationAsksForFactor => "location_asks_for_factor",
            Self::MachinesPresent => "machines_present",
            Self::ForMachine => "for_machine",
            Self::MachineDevice => "machine_device",
            Self::MailNotConfigured => "mail_not_configured",
            Self::NoEmailAddress => "no_email_address",
            Self::MailNotDead => "mail_not_dead",
            Self::DeviceStaged => "device_staged",
            Self::Unauthorized => "unauthorized",
            Self::SignInRefused => "sign_in_refused",
            Self::SignInStopped => "sign_in_stopped",
            Self::NotSignedIn => "not_signed_in",
            Self::Forbidden => "forbidden",
            Self::Outranked => "outranked",
            Self::LastOwner => "last_owner",
            Self::InvalidTemplate { .. } => "invalid_template",
            Self::TooMany { .. } => "too_many_requests",
        }
    }
}
