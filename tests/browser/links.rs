//! Links that open nothing (TOK-7), and sessions that are over: what is wrong, and what to do next.

use crate::driver::{Browser, DESKTOP, Look};
use crate::stage::Stage;

fn says(browser: &Browser, heading: &str, text: &str) {
    assert_eq!(browser.heading(), heading);
    assert!(browser.text("main").contains(text), "{}", browser.text("main"));
}

#[test]
fn every_dead_link_says_what_it_is_and_what_to_do() {
    let stage = Stage::new("");
    let browser = stage.browser(Look { phone: true, ..DESKTOP });
    browser.open("/enroll");
    browser.judge("enroll-0-enter");
    browser.fill("#token", "enr_nonsense");
    browser.go_on();
    says(&browser, "This link is not valid", "ask your administrator");
    browser.judge("enroll-0-invalid");
    browser.go_on();
    assert_eq!(browser.path(), "/enroll");

    let link = stage.invite("gina", &[]);
    stage.command(&["invite", "gina"]);
    browser.open(&link);
    says(&browser, "There is a newer link", "Use that one");

    let link = stage.invite("hugo", &[]);
    browser.open(&link);
    browser.go_on();
    let other = stage.browser(DESKTOP);
    other.open(&link);
    other.go_on();
    browser.open("/enroll/profile");
    says(&browser, "Your link was opened elsewhere", "tell your administrator");
    other.open(&link.replace("/enroll/", "/report/"));
    other.judge("enroll-0-report");
    other.follow("main button");
    other.judge("enroll-0-reported");
    says(&other, "The invitation is withdrawn", "whoever sent it is told");
    other.open(&link);
    says(&other, "This invitation was withdrawn", "Ask your administrator");

    let stranger = stage.browser(DESKTOP);
    stranger.open("/enroll/profile");
    says(&stranger, "Please open your link again", "Open the link from your invitation again");
    stranger.open("/nothing/here");
    says(&stranger, "There is nothing here", "nothing at this address");
    stranger.judge("enroll-0-nothing");
}

/// TOK-2: what a person pastes may be the token or the whole link.
#[test]
fn a_pasted_link_begins() {
    let stage = Stage::new("");
    let link = stage.invite("ida", &[]);
    let ida = stage.browser(DESKTOP);
    ida.open("/enroll");
    ida.fill("#token", &format!("http://localhost:8080{link}"));
    ida.go_on();
    assert_eq!(ida.path(), "/enroll/profile");
}

/// INV-11: the page leads to the client, the visitor's platform first; looking at it begins nothing (TOK-4).
#[test]
fn a_link_leads_to_the_client_on_a_computer_and_on_a_phone() {
    let stage = Stage::new("");
    let downloads =
        ["windows", "macos", "linux", "ios", "android"].map(|name| format!("{name}=https://example.com/{name}"));
    let mut set = vec!["settings", "set", "--front-end", "desktop"];
    set.extend(downloads.iter().flat_map(|download| ["--download", download]));
    stage.command(&set);
    let link = stage.invite("jana", &[]);
    let jana = stage.browser(DESKTOP);
    jana.open(&link);
    assert!(jana.text(".downloads").starts_with("Linux (this device)\nWindows\nmacOS"), "{}", jana.text(".downloads"));
    let opens = jana.property("a[href^=\"defguard:\"]", "href");
    let token = link.strip_prefix("/enroll/").expect("a token");
    assert!(opens.starts_with(&format!("defguard://addinstance?token={token}&url=http%3A%2F%2Flocalhost")), "{opens}");
    jana.picture("desktop-0-client");
    jana.click("summary");
    assert!(jana.is_shown(".qr svg"));
    let phone = stage.browser(Look { phone: true, ..DESKTOP });
    phone.open(&link);
    phone.click("summary");
    phone.picture("phone-0-client");
    stage.command(&["settings", "set", "--front-end", "both", "--no-download", "ios", "--no-download", "macos"]);
    jana.reload();
    assert_eq!(jana.text("main button"), "Begin in the browser");
    jana.picture("desktop-0-client-or-browser");
    assert!(stage.command(&["pending"]).contains("not begun"));
    let (_, complaints) = jana.asked_and_complained();
    assert!(complaints.is_empty(), "{complaints:?}");
}
