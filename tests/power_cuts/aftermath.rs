//! What the server left, ten minutes later, when nothing is leased by the dead any more.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use enrollment::core::domain::attachment::{Attachment, PeerState};
use enrollment::core::domain::enrollment::Enrollment;
use enrollment::core::domain::mail::{Mail, MailState};
use enrollment::core::domain::user::User;
use enrollment::core::port::{Notifier, Scan};
use enrollment::core::record::{IndexName, Record, Stored};
use enrollment::core::service::{Principal, Service};
use enrollment::core::worker::{OutboxWorker, PeerWorker, Sealer};
use enrollment::smtp::{SmtpNotifier, SmtpOptions, Tls};
use enrollment::wireguard::WgQuickFile;

use crate::common;
use crate::database::Database;
use crate::later::Later;
use crate::person::Person;
use crate::relay::Relay;
use crate::server::command;

pub(crate) struct Aftermath<'a> {
    folder: PathBuf,
    database: &'a Database,
    relay: Relay,
}

impl<'a> Aftermath<'a> {
    pub(crate) fn of(folder: &Path, database: &'a Database, relay: Relay) -> Self {
        Self { folder: folder.to_owned(), database, relay }
    }

    pub(crate) fn assert_everything_is_as_promised(&self, people: &[Person]) {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        runtime.block_on(async {
            let service = self.finish_what_waits().await;
            self.assert_everybody_is_enrolled(&service, people).await;
            self.assert_the_gateway_knows_all_peers_and_no_other(&service, people).await;
            self.assert_no_mail_is_lost(&service).await;
        });
        // Every version of every user, enrollment and location has its entry, and the chain is whole.
        let (verified, _) = command(&self.folder, &["audit", "verify"]);
        assert!(verified.contains("are as they were sealed"), "{verified}");
    }

    /// The workers of the next process, after the leases of the killed have ended.
    async fn finish_what_waits(&self) -> Service {
        let mut options =
            SmtpOptions::new("127.0.0.1", Tls::DangerPlaintext, "vpn@sender.test".parse().expect("a mailbox"));
        options.port = self.relay.address.port();
        let notifier = Arc::new(SmtpNotifier::new(options).expect("options that work"));
        let store = self.database.open(&self.folder).await;
        let service = common::service(store, &self.folder.join("enrollment.key"), Arc::new(Later(10)));
        let service = service.channels(notifier.channels()).build().expect("the parts fit");
        let gateway = Arc::new(WgQuickFile::new(self.folder.join("wireguard")));
        let (peers, mail, sealer) = (
            PeerWorker::new(service.clone(), gateway),
            OutboxWorker::new(service.clone(), notifier),
            Sealer::new(service.clone()),
        );
        while peers.run_once().await.expect("the store answers") > 0 {}
        while mail.run_once().await.expect("the store answers") > 0 {}
        while sealer.run_once().await.expect("the store answers") > 0 {}
        service
    }

    async fn assert_everybody_is_enrolled(&self, service: &Service, people: &[Person]) {
        let users = all::<User>(service, IndexName::UsersByUsername, "").await;
        let enrolled: BTreeSet<_> =
            users.iter().filter(|user| user.is_enrolled()).map(|user| user.username.to_string()).collect();
        let promised: BTreeSet<_> = people.iter().map(|person| person.username.clone()).collect();
        assert_eq!(enrolled, promised);
        // Everybody but the Owner, who was invited at the first start and never came.
        assert_eq!(all::<Enrollment>(service, IndexName::EnrollmentsByCreated, "completed").await.len(), people.len());
        assert_eq!(all::<Enrollment>(service, IndexName::EnrollmentsByCreated, "open").await.len(), 1);
    }

    async fn assert_the_gateway_knows_all_peers_and_no_other(&self, service: &Service, people: &[Person]) {
        let locations = service.administrator().locations(&Principal::command_line()).await.expect("locations");
        let attachments =
            all::<Attachment>(service, IndexName::AttachmentsByLocation, locations[0].id.to_string()).await;
        assert!(attachments.iter().all(|attachment| attachment.state == PeerState::Applied));
        let kept: BTreeMap<_, _> = attachments.iter().map(|peer| (peer.public_key.to_string(), peer)).collect();
        let promised: BTreeSet<_> = people.iter().map(|person| person.public_key.clone()).collect();
        assert_eq!(kept.keys().cloned().collect::<BTreeSet<_>>(), promised);
        for person in people {
            let kept: Vec<_> = kept[&person.public_key].addresses.iter().map(ToString::to_string).collect();
            assert_eq!(kept, person.addresses, "{}", person.username);
        }
        let addresses: BTreeSet<_> = people.iter().flat_map(|person| &person.addresses).collect();
        assert_eq!(addresses.len(), 2 * people.len(), "no address twice");

        let files = std::fs::read_dir(self.folder.join("wireguard")).expect("the gateway's folder");
        let files = files
            .map(|file| file.expect("a file").path())
            .filter(|path| path.extension().is_some_and(|end| end == "conf"));
        let text: String = files.map(|path| std::fs::read_to_string(path).expect("text")).collect();
        let in_force: Vec<_> = text.lines().filter_map(|line| line.strip_prefix("PublicKey = ")).collect();
        assert_eq!(in_force.len(), people.len(), "no peer twice");
        assert_eq!(in_force.into_iter().map(str::to_owned).collect::<BTreeSet<_>>(), promised);
    }

    /// What was queued was taken, and what came twice came under one id. A mail about a dead link is not sent.
    async fn assert_no_mail_is_lost(&self, service: &Service) {
        let taken = self.relay.mails();
        let ids: BTreeSet<_> = taken.iter().map(|mail| header(mail, "Message-ID")).collect();
        let mut sent = 0;
        for standing in ["sent", "queue", "dead", "obsolete"] {
            for mail in all::<Mail>(service, IndexName::MailsByState, standing).await {
                match &mail.state {
                    MailState::Sent { .. } => {
                        assert!(ids.contains(mail.id.to_string().as_str()), "sent, and never taken: {mail:?}");
                        sent += 1;
                    }
                    MailState::Obsolete { .. } => {}
                    other => panic!("{other:?}: {mail:?}"),
                }
            }
        }
        assert!(sent > 0, "mails were sent");
        let recipients: BTreeSet<_> =
            taken.iter().map(|mail| (header(mail, "Message-ID"), header(mail, "To"))).collect();
        assert_eq!(recipients.len(), ids.len(), "one id, one recipient");
    }
}

/// The value of a header, without what says at which host an id was made.
fn header<'a>(mail: &'a str, name: &str) -> &'a str {
    let value = mail.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    let value = value.expect("every mail has it").trim_start_matches('<');
    if name == "Message-ID" { value.split('@').next().unwrap_or_default() } else { value }
}

async fn all<R: Record>(service: &Service, index: IndexName, within: impl Into<String>) -> Vec<R> {
    let mut scan = Scan::all(index, within, 1000);
    let mut all = Vec::new();
    loop {
        let page = service.store().scan(&scan).await.expect("a page");
        all.extend(page.rows.iter().map(|row| Stored::<R>::read(row).expect("a record").record));
        match page.next {
            Some(next) => scan.after = Some(next),
            None => return all,
        }
    }
}
