//! What an administrator does. Every call is judged by the permission table and the outranking rule (ADM-7).

mod access;
mod api_keys;
mod audit;
mod change_location;
mod change_user;
mod devices;
mod enrollments;
mod erase;
pub(crate) mod gateway;
mod issue;
mod keys;
mod listing;
mod locations;
mod machines;
mod mails;
mod owner;
mod owners;
mod patch;
mod peers;
mod pending;
mod resend;
mod settings;
mod standing;
mod templates;
mod users;
mod wording;

pub use api_keys::{ApiKeyView, NewApiKey};
pub use audit::{AuditExport, AuditPage, AuditQuery};
pub use change_location::LocationPatch;
pub use change_user::UserPatch;
pub use devices::{AttachmentView, DeviceReport, PeerStatus};
pub use issue::{Issued, StartEnrollment};
pub use keys::{DeadLink, KeyReport, KeyView, Renewed};
pub use listing::{Listing, PageRequest};
pub use locations::{CreatedLocation, LocationView, NewLocation};
pub use machines::{CreatedMachine, MachineStage, MachineView, NewMachine};
pub use mails::{MailStatus, MailView};
pub use owner::{FirstOwner, OwnerLink};
pub use peers::{FailingPeer, LocationPeers, PeerCounts};
pub use pending::{EnrollmentFilter, EnrollmentView, Progress, Stage, Standing, SubjectView, WhoseView};
pub use resend::{Resent, ResentAll};
pub use settings::SettingsPatch;
pub use templates::TemplateView;
pub use users::{NewUser, UserView};

pub use super::Link;
use super::operation::concerns;
use super::turn::{Doer, INSTANCE};
use super::{Failure, Principal, Service};
pub use crate::domain::mail::{Delivery, Wording};
use crate::domain::rejection::Rejection;
use crate::id::EnrollmentId;
use crate::record::{Kind, RowKey, Version};

/// What an administrator does.
#[derive(Debug, Clone, Copy)]
pub struct Administrator<'a> {
    service: &'a Service,
}

impl<'a> Administrator<'a> {
    pub(crate) const fn new(service: &'a Service) -> Self {
        Self { service }
    }

    /// Does `work` for a principal. Whatever it refuses is written down, with the thing asked for as the subject
    /// (ADM-8).
    async fn audited<T>(
        &self,
        by: &Principal,
        operation: &'static str,
        about: RowKey,
        work: impl Future<Output = Result<T, Failure>> + Send,
    ) -> Result<T, Failure> {
        if about.kind == Kind::Enrollment {
            concerns(EnrollmentId::from_uuid(about.id));
        }
        match work.await {
            Err(Failure::Rejected(rejection)) => Err(self.refuse(by, operation, about, rejection).await),
            other => other,
        }
    }

    /// Writes a refusal down. Where there is no such thing, the subject is the instance: nobody fills the log by asking
    /// for what does not exist.
    async fn refuse(&self, by: &Principal, operation: &'static str, about: RowKey, rejection: Rejection) -> Failure {
        let rows = match self.service.store().get(&[about, INSTANCE]).await {
            Ok(rows) => rows,
            Err(error) => return error.into(),
        };
        let known = rows.into_iter().flatten().next();
        let (subject, version) = known.map_or((INSTANCE, Version(0)), |row| (row.key, row.version));
        self.service.refuse(doer(by), subject, version, operation, rejection).await
    }
}

const fn doer(by: &Principal) -> Doer {
    Doer { actor: by.actor, origin: by.origin }
}
