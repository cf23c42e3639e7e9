//! The gateway in memory keeps every promise; broken ones are noticed.

use std::sync::Arc;

use async_trait::async_trait;
use enrollment_core::id::LocationId;
use enrollment_core::port::{Observation, PeerChange, PeerProvisioner};
use enrollment_testkit::broken::{BrokenProvisionerFactory, ProvisionerFault};
use enrollment_testkit::fake::{FakeProvisioner, Outage};
use enrollment_testkit::provisioner::{BoxError, CASES, ProvisionerFactory, judge, run_case};
use uuid::Uuid;

struct Fake(Option<Outage>);

const HERE: LocationId = LocationId::from_uuid(Uuid::nil());

#[async_trait]
impl ProvisionerFactory for Fake {
    type Gateway = Arc<FakeProvisioner>;

    async fn create(&self) -> Result<Self::Gateway, BoxError> {
        let fake = FakeProvisioner::new();
        fake.set_outage(HERE, self.0);
        Ok(Arc::new(fake))
    }

    async fn open(&self, gateway: &Self::Gateway) -> Result<Arc<dyn PeerProvisioner>, BoxError> {
        Ok(gateway.clone())
    }

    fn location(&self) -> LocationId {
        HERE
    }
}

mod fake {
    use super::Fake;
    enrollment_testkit::provisioner_conformance!(Fake(None));
}

mod fake_that_cannot_list {
    use super::{Fake, Outage};
    enrollment_testkit::provisioner_conformance!(Fake(Some(Outage::NotEnumerable)));
}

#[test]
fn every_broken_provisioner_fails_the_case_that_is_there_for_it() {
    let unnoticed: Vec<_> = ProvisionerFault::ALL
        .iter()
        .filter(|fault| run_case(BrokenProvisionerFactory(**fault), fault.caught_by()).is_ok())
        .collect();
    assert!(unnoticed.is_empty(), "passed the case that is there for them: {unnoticed:?}");
    let idle = CASES.iter().filter(|case| ProvisionerFault::ALL.iter().all(|fault| fault.caught_by() != case.name));
    assert_eq!(idle.count(), 0, "cases that no broken provisioner fails");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_tells_failed_from_passed() {
    let report = judge(BrokenProvisionerFactory(ProvisionerFault::AnswersNoChange)).await;
    assert_eq!(report.len(), CASES.len());
    let failed: Vec<_> = report.iter().filter(|(_, verdict)| verdict.is_err()).map(|(name, _)| *name).collect();
    assert_eq!(failed, ["no_change_is_no_error"]);
}

#[tokio::test]
async fn a_fake_gateway_fails_as_it_is_told() {
    let fake = FakeProvisioner::new();
    let key = "V4OvVC6GZaZZPGNrPRsuZn0tPiOIPlEAzsnJyTnZZFk=".parse().expect("a public key");
    let change = [PeerChange::Remove(key)];
    for (outage, retryable) in [(Outage::Unreachable, true), (Outage::Refuses, false), (Outage::AnswerLost, true)] {
        fake.set_outage(HERE, Some(outage));
        let answer = fake.apply(HERE, &change).await.remove(0);
        assert_eq!(answer.expect_err("an outage").is_retryable(), retryable, "{outage:?}");
        assert_eq!(fake.observe(HERE).await.is_err(), outage == Outage::Unreachable, "{outage:?}");
    }
    fake.set_outage(HERE, None);
    fake.apply(HERE, &change).await.remove(0).expect("no outage");
    assert_eq!(fake.asked(HERE).len(), 4, "every change asked for");
    assert_eq!(fake.observe(HERE).await.expect("no outage"), Observation::Peers(vec![]));
}
