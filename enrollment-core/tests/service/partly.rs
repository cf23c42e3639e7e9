//! What is made of several changes and does not get through all of them.

use std::sync::Arc;

use enrollment_core::domain::location::MfaMode;
use enrollment_testkit::fake::{RacedStore, Trouble};

use crate::stage::{HERE, LONG, Stage, password, word};

/// More often than any use case reads again before it gives up.
const MANY: usize = 64;

/// SYS-3: "busy" says that nothing happened, and does so as long as that is true; from then on the outcome is not known,
/// and the same call again tells it.
#[tokio::test]
async fn an_activation_that_gets_stuck_says_nothing_happened_only_when_nothing_did() {
    let mut heard = Vec::new();
    for calls in 0.. {
        let stage = Stage::new();
        stage.location("Berlin", MfaMode::Disabled).await;
        let session = stage.begin(&stage.invite("alex").await.1.token, None, None).await.expect("begun");
        stage.device(&session, "Laptop", 1).await.expect("the device");
        let before = stage.tape.log().rows.clone();
        let faulty = Arc::clone(&stage.store);
        // From this call on others are always faster.
        let others = async move { faulty.trouble_commits(MANY, Trouble::Stale) };
        let raced = Arc::new(RacedStore::after(stage.store.clone(), calls, others));
        let service = stage.through(raced);
        let activated = service.enrollee().activate(&session, password(LONG), None, HERE).await;
        let nothing = before == stage.tape.log().rows;
        heard.push(match activated.as_ref().map_err(word) {
            Err("busy") if nothing => "busy",
            Err("unknown") if !nothing => "unknown",
            Ok(_) => "done",
            other => panic!("after {calls} calls: {other:?}"),
        });
        if heard.last() == Some(&"done") {
            break;
        }
        stage.store.revive();
        let again =
            stage.service.enrollee().activate(&session, password(LONG), None, HERE).await.expect("the same again");
        assert!(again.state.completed);
    }
    let many = |what| heard.iter().filter(|heard| **heard == what).count();
    assert!(many("busy") > 1 && many("unknown") > 2, "{heard:?}");
}
