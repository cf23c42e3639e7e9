//! What happened, as the audit log and the host hear it.

use serde::{Deserialize, Serialize};

use super::enrollment::Closure;
use super::sign_in::Means;
use crate::secret::{Digest, KeyId};

/// What happened to an enrollment, a user, a location or the instance. Carries no secret.
///
/// The audit chain covers an event as it is written. A field that comes later is left out where it is empty, or the
/// digests of old entries no longer fit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Event {
    /// An enrollment was issued.
    EnrollmentIssued,
    /// Its link was sent again.
    InvitationResent,
    /// Its token was replaced.
    EnrollmentRotated,
    /// A session began.
    SessionBegun,
    /// A new holder of the token took the session over.
    SessionTakenOver,
    /// The person confirmed their data.
    ProfileConfirmed,
    /// A password was chosen.
    PasswordChosen,
    /// The choices of an earlier holder came back to whoever proved their password.
    ChoicesReclaimed,
    /// A TOTP secret was shown.
    TotpOffered,
    /// A TOTP code was right.
    TotpConfirmed,
    /// A code by e-mail was asked for, and is on its way.
    EmailCodeRequested,
    /// A code that came by e-mail was right.
    EmailCodeConfirmed,
    /// A code was wrong.
    CodeWrong {
        /// Tries left.
        left: u32,
    },
    /// Recovery codes were replaced.
    RecoveryCodesReplaced,
    /// A device was staged.
    DeviceStaged,
    /// A completion was refused.
    CompletionRefused {
        /// Codes of what was missing.
        missing: Vec<String>,
    },
    /// An enrollment completed.
    EnrollmentCompleted,
    /// An enrollment ended without completion.
    EnrollmentClosed {
        /// Why.
        why: Closure,
    },
    /// Reservations were given back.
    ReservationsReleased,
    /// A user was added.
    UserCreated,
    /// A user was changed.
    UserChanged {
        /// Which fields.
        fields: Vec<String>,
    },
    /// A user was disabled.
    UserDisabled,
    /// A user was enabled.
    UserEnabled,
    /// A user was erased.
    UserErased,
    /// The mails and API keys of an erased user are gone, and so is where they came from as an administrator. Where the
    /// holders of their enrollments came from is removed in steps of its own, which may end later.
    ErasureCompleted,
    /// A device was removed.
    DeviceRemoved,
    /// A machine was added, with its addresses.
    MachineCreated,
    /// A machine was removed, and with it its device.
    MachineRemoved,
    /// A device got another token with which it asks for its configuration again; the one before is dead.
    PollingTokenIssued,
    /// A phone's key was registered, with which it approves.
    MobileKeyRegistered,
    /// A location was added.
    LocationCreated,
    /// A location was changed.
    LocationChanged {
        /// Which fields.
        fields: Vec<String>,
    },
    /// A gateway's private key was read.
    GatewayKeyRead,
    /// Settings were changed.
    SettingsChanged {
        /// Which fields.
        fields: Vec<String>,
    },
    /// A template was changed.
    TemplateChanged {
        /// Which one.
        name: String,
    },
    /// A template was set back to the built-in text.
    TemplateReset {
        /// Which one.
        name: String,
    },
    /// Somebody had the right password, and is asked for a second factor.
    PasswordVerified,
    /// A password was hashed again at today's cost, when its owner showed it.
    PasswordRehashed,
    /// Somebody signed in as an administrator.
    SignedIn {
        /// By which means, the last of them.
        by: Means,
    },
    /// A session of an administrator was ended by themself.
    SignedOut,
    /// Somebody changed their own password.
    PasswordChanged,
    /// Somebody replaced their own authenticator app, and with it their recovery codes.
    FactorReplaced,
    /// An API key was made.
    ApiKeyCreated,
    /// An API key was revoked.
    ApiKeyRevoked,
    /// A peer was put in force.
    PeerApplied,
    /// A peer was taken out of force.
    PeerRemoved,
    /// A peer that was in force no longer was, and is put there again.
    PeerLost,
    /// A peer that had been taken out was in force again, and is taken out once more.
    PeerReturned,
    /// A device that exists got its addresses at a location that its owner reaches now.
    DeviceAttached,
    /// A gateway has a peer in force that nobody intends. It may have been an erased user's, so that no more than a
    /// digest of its key is part of the log (SYS-9).
    StrayPeerFound {
        /// The digest of its key.
        key_digest: Digest,
        /// Whether it was one of ours once. Otherwise it is somebody else's.
        ours: bool,
    },
    /// Such a peer is no longer in force.
    StrayPeerGone {
        /// The digest of its key.
        key_digest: Digest,
    },
    /// A relay took a mail. Neither address nor answer is part of it: both can be erased from the mail alone.
    MailSent {
        /// Which letter.
        letter: String,
    },
    /// A mail cannot be delivered.
    MailDied {
        /// Which letter.
        letter: String,
    },
    /// A mail was no longer wanted.
    MailObsolete {
        /// Which letter.
        letter: String,
    },
    /// A mail that could not be delivered was queued again.
    MailRevived {
        /// Which letter.
        letter: String,
    },
    /// A mail was asked for to see whether mail works.
    TestMailQueued,
    /// A channel refuses this instance, and its queue waits.
    ChannelPaused {
        /// Which one.
        channel: String,
    },
    /// It takes messages again.
    ChannelResumed {
        /// Which one.
        channel: String,
    },
    /// A key of the ring came into use; those before it are retired.
    KeyActivated {
        /// Which one.
        key: KeyId,
    },
    /// A key of the ring was revoked: its tokens are dead.
    KeyRevoked {
        /// Which one.
        key: KeyId,
    },
    /// What was sealed under older keys was sealed again.
    SecretsResealed {
        /// Under which key.
        key: KeyId,
    },
    /// Something was refused.
    Refused {
        /// What was asked for.
        operation: String,
        /// The code of the refusal.
        code: String,
    },
    /// Refusals beyond the bound of what is written one by one.
    RefusalsCounted {
        /// How many.
        count: u64,
    },
    /// What had been kept long enough was removed.
    Pruned {
        /// Of which kind.
        kind: String,
        /// How many.
        count: u64,
    },
    /// The subject stands at this version. Written when the entry that told so was pruned; a verification takes it for
    /// nothing else, and wants a pruned front and no older entry about the same subject.
    VersionKept,
}

impl Event {
    /// Whether it tells of a change to its subject; otherwise the subject's version stayed as it was.
    #[must_use]
    pub const fn is_change(&self) -> bool {
        !matches!(
            self,
            Self::GatewayKeyRead
                | Self::PasswordVerified
                | Self::SignedOut
                | Self::StrayPeerFound { .. }
                | Self::StrayPeerGone { .. }
                | Self::Refused { .. }
                | Self::RefusalsCounted { .. }
                | Self::ErasureCompleted
                | Self::Pruned { .. }
                | Self::VersionKept
        )
    }

    /// Whether it tells at which version its subject stands.
    #[must_use]
    pub const fn tells_version(&self) -> bool {
        self.is_change() || matches!(self, Self::VersionKept)
    }
}
