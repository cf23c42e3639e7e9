//! Double clicks, reloads, going back, two tabs (TOK-5, REQ-5): nothing is lost and nothing lies.

use crate::driver::{DESKTOP, Look};
use crate::journey::up_to_the_device;
use crate::stage::Stage;

/// TOK-5: whoever presses twice is one holder, also without JavaScript to hold them back.
#[test]
fn a_double_click_and_a_second_tab_fence_nobody() {
    let stage = Stage::new("");
    let link = stage.invite("dora", &[]);
    let dora = stage.browser(Look { script: false, ..DESKTOP });
    dora.open(&link);
    dora.double_click("main button");
    dora.wait_for("#phone");
    let first = dora.new_tab();
    dora.open(&link);
    dora.go_on();
    assert_eq!(dora.path(), "/enroll/profile");
    dora.go_on();
    dora.to_tab(&first);
    dora.go_on();
    assert_eq!(dora.path(), "/enroll/password", "the first tab goes on where the second one is");
}

/// REQ-5: loading again, going back and finishing twice lead to the same end, with nothing secret in the history.
#[test]
fn reloading_and_going_back_change_nothing() {
    let stage = Stage::new("");
    stage.add_network("office", "internal");
    let link = stage.invite("emil", &[]);
    let emil = stage.browser(DESKTOP);
    up_to_the_device(&emil, &link, |_| ());
    emil.reload();
    emil.wait_for("[data-make]:not([hidden])");
    emil.fill("#name", "laptop");
    emil.go_on();
    emil.back();
    assert_eq!(emil.path(), "/enroll/device");
    emil.open("/enroll/continue");
    assert_eq!(emil.path(), "/enroll/finish");
    let finish = emil.new_tab();
    emil.open("/enroll/finish");
    emil.go_on();
    assert_eq!(emil.heading(), "You are in");
    assert!(emil.content("pre").contains("YOUR_PRIVATE_KEY"), "the key is in the tab that made it");
    emil.to_tab(&finish);
    emil.go_on();
    assert_eq!(emil.heading(), "You are in", "finishing again tells the same");
    emil.wait_for("[data-qr] svg");
    let file = emil.content("pre");
    emil.reload();
    emil.wait_for("[data-qr] svg");
    assert_eq!(emil.content("pre"), file);
    emil.back();
    // The page comes from the history, and finds out at once that it is none any more.
    emil.wait_for("[data-configs]");
    for posted in ["/enroll/begin", "/enroll/second-factor/app/confirm", "/enroll/second-factor/codes"] {
        emil.open(posted);
        assert!(emil.path() == "/enroll" || emil.path() == "/enroll/done", "{posted}: {}", emil.path());
    }
}

/// MFA-3: recovery codes that were not seen, because their page was loaded again, are replaced.
#[test]
fn lost_recovery_codes_are_replaced() {
    let stage = Stage::new("");
    stage.add_network("office", "internal");
    let link = stage.invite("fritz", &[]);
    let fritz = stage.browser(DESKTOP);
    up_to_the_device(&fritz, &link, |_| ());
    fritz.open("/enroll/second-factor");
    assert_eq!(fritz.heading(), "Your second factor is set up");
    fritz.follow("form[action$='codes'] button");
    assert_eq!(fritz.content(".codes").split_whitespace().count(), 8);
}
