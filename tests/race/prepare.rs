//! What the race starts from, and what it must have come to.

use std::collections::BTreeSet;
use std::path::Path;

use enrollment::core::domain::attachment::Attachment;
use enrollment::core::domain::audit::AuditEntry;
use enrollment::core::domain::enrollment::{Enrollment, Purpose};
use enrollment::core::domain::event::Event;
use enrollment::core::domain::group::Access;
use enrollment::core::domain::location::{MfaMode, Ownership};
use enrollment::core::domain::user::User;
use enrollment::core::port::{Channel, LeaseRequest, Scan};
use enrollment::core::record::{IndexName, Record, Stored};
use enrollment::core::secret::{Password, Token};
use enrollment::core::service::administrator::{Delivery, Issued, NewLocation, NewUser, StartEnrollment};
use enrollment::core::service::enrollee::{BeginRequest, DeviceKey, DeviceRequest};
use enrollment::core::service::{Principal, Service};
use enrollment::core::time::Span;
use tokio::task::JoinSet;

use super::ORIGIN;

const BY: Principal = Principal::command_line();
const TASKS: usize = 16;

/// A database with enrollments, and the service on it.
pub(crate) struct Prepared {
    service: Service,
    count: usize,
}

/// `count` enrollments that nobody has begun; their tokens lie in `folder/secrets`.
pub(crate) async fn invited(folder: &Path, count: usize) -> Service {
    let service = super::service(folder).await;
    let tokens =
        in_parallel(&service, count, |service, nth| async move { invite(&service, nth).await.expose().to_owned() });
    write_secrets(folder, &tokens.await);
    service
}

/// `count` sessions in which everything is done but completing; their secrets lie in `folder/secrets`.
pub(crate) async fn ready_to_complete(folder: &Path, count: usize) -> Prepared {
    let service = super::service(folder).await;
    service.administrator().create_location(&BY, location()).await.expect("a location");
    let sessions = in_parallel(&service, count, |service, nth| async move { prepare(&service, nth).await });
    write_secrets(folder, &sessions.await);
    Prepared { service, count }
}

fn write_secrets(folder: &Path, secrets: &[String]) {
    std::fs::write(folder.join("secrets"), secrets.join("\n")).expect("the folder is writable");
}

async fn in_parallel<F>(service: &Service, count: usize, work: impl Fn(Service, usize) -> F) -> Vec<String>
where
    F: Future<Output = String> + Send + 'static,
{
    let mut tasks = JoinSet::new();
    let mut made = Vec::new();
    for nth in 0..count {
        if tasks.len() == TASKS {
            made.extend(tasks.join_next().await.map(|secret| secret.expect("a task")));
        }
        tasks.spawn(work(service.clone(), nth));
    }
    made.extend(tasks.join_all().await);
    made
}

fn location() -> NewLocation {
    NewLocation {
        name: "office".parse().expect("a name"),
        endpoint: "vpn.example.test:51820".parse().expect("an endpoint"),
        public_key: None,
        pools: vec!["10.64.0.0/16".parse().expect("a pool")],
        allowed_ips: vec!["10.64.0.0/16".parse().expect("a network")],
        dns: Vec::new(),
        keepalive: 25,
        mtu: None,
        mfa: MfaMode::Disabled,
        factors: None,
        access: Access::Everyone,
        ownership: Ownership::Shared,
    }
}

async fn invite(service: &Service, nth: usize) -> Token {
    let start = StartEnrollment {
        purpose: Purpose::Onboarding,
        delivery: Delivery::Manual,
        email: None,
        validity: None,
        wording: None,
    };
    let user = NewUser {
        username: format!("user{nth}").parse().expect("a username"),
        first_name: "A".parse().expect("a name"),
        last_name: "B".parse().expect("a name"),
        email: None,
        phone: None,
        groups: BTreeSet::new(),
        role: None,
        enrollment: Some(start),
    };
    let (_, issued) = service.administrator().create_user(&BY, user).await.expect("a user");
    let Issued { token, .. } = issued.expect("an invitation");
    token
}

async fn prepare(service: &Service, nth: usize) -> String {
    let enrollee = service.enrollee();
    let request = BeginRequest { token: invite(service, nth).await, nonce: None, resume: None };
    let session = enrollee.begin(&request, ORIGIN).await.expect("a session").session;
    enrollee.confirm_profile(&session, None, ORIGIN).await.expect("the profile");
    let password = Password::parse("a long passphrase nobody has".to_owned()).expect("a password");
    enrollee.choose_password(&session, password, ORIGIN).await.expect("the password");
    let mut key = [7; 32];
    key[..8].copy_from_slice(&(nth as u64 + 1_000).to_le_bytes());
    let device = DeviceRequest {
        name: "laptop".parse().expect("a name"),
        key: DeviceKey::Given(enrollment::core::domain::device::PublicKey::from_bytes(key).expect("a key")),
    };
    enrollee.set_device(&session, &device, ORIGIN).await.expect("the device");
    session.expose().to_owned()
}

impl Prepared {
    /// Every user enrolled by one change, every device intended once, no address twice, one entry of the audit log for
    /// each completion.
    pub(crate) async fn assert_everything_happened_once(&self) {
        let users = self.all::<User>(IndexName::UsersByUsername, "").await;
        assert_eq!(users.len(), self.count);
        assert!(users.iter().all(|user| user.record.is_enrolled() && user.version.0 == 2), "users changed once");
        assert_eq!(self.all::<Enrollment>(IndexName::EnrollmentsByCreated, "completed").await.len(), self.count);
        assert!(self.all::<Enrollment>(IndexName::EnrollmentsByCreated, "open").await.is_empty());

        let location = self.service.administrator().locations(&BY).await.expect("locations").remove(0);
        let attachments = self.all::<Attachment>(IndexName::AttachmentsByLocation, location.id.to_string()).await;
        let addresses: BTreeSet<_> = attachments.iter().flat_map(|stored| stored.record.addresses.clone()).collect();
        assert_eq!((attachments.len(), addresses.len()), (self.count, self.count), "no address twice");

        let entries = self.all::<AuditEntry>(IndexName::AuditByTime, "").await;
        let completed = entries.iter().filter(|entry| entry.record.event == Event::EnrollmentCompleted);
        // One about the enrollment, one about its user.
        assert_eq!(completed.count(), 2 * self.count);
        assert_eq!(self.queued_peers().await, self.count, "each intention is queued once");
    }

    async fn queued_peers(&self) -> usize {
        let now = self.service.now();
        let until = now.plus(Span::minutes(1).duration());
        let request = LeaseRequest { channels: vec![Channel::Peer], now, until, limit: 1000 };
        let mut queued = 0;
        loop {
            let leased = self.service.store().lease(&request).await.expect("leases");
            if leased.is_empty() {
                return queued;
            }
            queued += leased.len();
        }
    }

    async fn all<R: Record>(&self, index: IndexName, within: impl Into<String>) -> Vec<Stored<R>> {
        let mut scan = Scan::all(index, within, 1000);
        let mut all = Vec::new();
        loop {
            let page = self.service.store().scan(&scan).await.expect("a page");
            all.extend(page.rows.iter().map(|row| Stored::read(row).expect("a record")));
            match page.next {
                Some(next) => scan.after = Some(next),
                None => return all,
            }
        }
    }
}
