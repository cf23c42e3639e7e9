//! No secret in a mail's record, the outbox, the audit log, an error or `Debug` (I12, TOK-3).

use enrollment_core::domain::enrollment::Purpose;
use enrollment_core::domain::mail::MailStanding;
use enrollment_core::port::{Channel, Clock, DeliveryErrorKind, LeaseRequest, Store};
use enrollment_core::record::{IndexName, RowKey};
use enrollment_core::service::administrator::PageRequest;
use enrollment_core::time::Span;
use enrollment_testkit::fake::Mishap;

use crate::bench::{Bench, CLI, HERE, mailed};
use crate::codes::latest_code;

#[tokio::test]
async fn neither_records_nor_outbox_nor_audit_nor_debug_hold_what_a_mail_says() {
    let bench = Bench::new();
    let alice = bench.user("alice").await;
    let issued = bench.start(&CLI, alice.id, mailed(Purpose::Onboarding)).await.unwrap();
    let session = bench.begin(&issued.token).await.unwrap();
    let asked = bench.service.enrollee().send_email_code(&session, HERE).await.unwrap();
    let now = bench.clock.now();
    let request = LeaseRequest { channels: Channel::ALL.to_vec(), now, until: now, limit: 100 };
    let mut seen = vec![format!("{issued:?}"), format!("{:?}", bench.memory.lease(&request).await.unwrap())];
    seen.push(format!("{asked:?} {:?}", bench.stored(issued.id).await));
    assert!(seen[1].contains("mail"), "the outbox has an entry");
    bench.relay.fail(Mishap::Fails(DeliveryErrorKind::Transient), 1);
    bench.send().await;
    seen.push(format!("{:?}", bench.admin().mails(&CLI, MailStanding::Queue, &PageRequest::default()).await.unwrap()));
    bench.send_after(Span::minutes(1)).await;
    let code = latest_code(&bench);
    let inbox = bench.inbox("alice@example.com");
    let sent = inbox.iter().find(|mail| mail.subject.contains("invitation")).unwrap();
    assert!(sent.text.contains(issued.token.expose()), "the secret is in the mail itself");
    for mail in bench.all_mails().await {
        let row = bench.memory.get(&[RowKey::new(enrollment_core::record::Kind::Mail, mail.id.uuid())]).await.unwrap();
        seen.push(format!("{row:?}"));
    }
    for index in IndexName::ALL {
        for within in ["", "open", "queue", "sent", "unsealed"] {
            let scan = enrollment_core::port::Scan::all(*index, within, 1000);
            seen.extend(bench.memory.scan(&scan).await.unwrap().rows.iter().map(|row| format!("{row:?}")));
        }
    }
    seen.push(format!("{:?}", bench.admin().enrollment(&CLI, issued.id).await.unwrap()));
    let secret = issued.token.expose()[4..].to_lowercase();
    assert!(
        seen.iter().any(|text| text.contains("MailSent") || text.contains("mail_sent")),
        "the audit log is looked at"
    );
    for text in seen {
        assert!(!text.to_lowercase().contains(&secret), "a secret in {text:.300}");
        let mut words = text.split(|c: char| !c.is_ascii_alphanumeric());
        assert!(!words.any(|word| word == code), "a code in {text:.300}");
        assert!(!text.contains("This is an automated message"), "a rendered text in {text:.300}");
    }
}
