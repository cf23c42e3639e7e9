use enrollment_core::domain::enrollment::Purpose;
use enrollment_core::domain::role::Role;
use enrollment_core::port::{Channel, Clock, LeaseRequest, Scan};
use enrollment_core::record::{IndexName, Kind, RowKey};
use enrollment_core::service::administrator::{EnrollmentFilter, NewApiKey, PageRequest};
use enrollment_core::time::Span;

use crate::bench::{Bench, CLI, PASSWORD};

/// The part of a secret's text that is its own.
fn body(text: &str) -> String {
    text[4..].to_owned()
}

/// Every row that a list shows, and everything that waits in the outbox.
pub(crate) async fn everything_stored(bench: &Bench) -> Vec<String> {
    let mut stored = Vec::new();
    for index in IndexName::ALL {
        for within in ["", "open", "closed", "completed", "unsealed"] {
            for row in bench.store.scan(&Scan::all(*index, within, 1000)).await.unwrap().rows {
                stored.push(format!("{row:?}"));
            }
        }
    }
    let (now, channels) = (bench.clock.now(), Channel::ALL.to_vec());
    let request = LeaseRequest { channels, now, until: now.plus(Span::hours(1).duration()), limit: 100 };
    stored.push(format!("{:?}", bench.store.lease(&request).await.unwrap()));
    stored
}

/// TOK-3, INV-2.
#[tokio::test]
async fn no_view_no_debug_text_no_row_and_no_audit_entry_carries_a_secret() {
    let bench = Bench::new();
    let (admin, _) = bench.administrator("admin", Role::Administrator).await;
    let new = NewApiKey { name: "script".parse().unwrap(), role: Role::HelpDesk, user: Some(admin.id) };
    let (key, key_secret) = bench.admin().create_api_key(&CLI, new).await.unwrap();
    let alice = bench.user("alice").await;
    let issued = bench.start(alice.id, Purpose::Onboarding).await.unwrap();
    let session = bench.begin(&issued.token).await.unwrap();
    bench.fill_in(&session).await;
    let rotated = bench.admin().rotate(&CLI, issued.id).await.unwrap();

    let mut seen = vec![
        format!("{issued:?} {rotated:?} {key:?} {key_secret:?} {session:?}"),
        format!("{:?}", bench.admin().user(&CLI, alice.id).await.unwrap()),
        format!("{:?}", bench.admin().enrollment(&CLI, issued.id).await.unwrap()),
        format!("{:?}", bench.admin().users(&CLI, None, &PageRequest::default()).await.unwrap()),
        format!(
            "{:?}",
            bench.admin().enrollments(&CLI, &EnrollmentFilter::default(), &PageRequest::default()).await.unwrap()
        ),
        format!("{:?}", bench.admin().api_keys(&CLI).await.unwrap()),
        format!("{:?}", bench.admin().start(&CLI, alice.id, crate::bench::manual(Purpose::Device)).await),
    ];
    seen.extend(everything_stored(&bench).await);
    let enrollment = RowKey::new(Kind::Enrollment, issued.id.uuid());
    let row = bench.store.get(&[enrollment]).await.unwrap().pop().unwrap().unwrap();
    assert!(seen.contains(&format!("{row:?}")), "the scans reach the enrollment");

    let secrets = [
        body(issued.token.expose()),
        body(rotated.token.expose()),
        body(session.expose()),
        body(key_secret.expose()),
        PASSWORD.to_owned(),
    ];
    for text in &seen {
        for secret in &secrets {
            assert!(!text.to_lowercase().contains(&secret.to_lowercase()), "a secret in {text:.200}");
        }
    }
}
