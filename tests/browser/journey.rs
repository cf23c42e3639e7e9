//! From an Owner's link to a colleague's device.

use crate::driver::{Browser, DESKTOP, Look};
use crate::stage::{App, Stage, public_of, setting, strip};

pub(crate) const PASSWORD: &str = "seven green umbrellas dance";

/// Lets somebody in up to the page of the device. Where a network asks for it, a second factor comes before the password.
pub(crate) fn up_to_the_device(browser: &Browser, link: &str, picture: impl Fn(&str)) -> App {
    browser.open(link);
    assert!(browser.text("main").contains("no time is running"));
    picture("1-landing");
    browser.go_on();
    assert_eq!(browser.path(), "/enroll/profile", "the token is not in the address any more");
    browser.fill("#phone", "+49 30 123456");
    picture("2-profile");
    browser.go_on();
    let app = set_up_an_app(browser, &picture);
    picture("6-password");
    choose_a_password(browser);
    assert_eq!(browser.path(), "/enroll/device");
    app
}

pub(crate) fn choose_a_password(browser: &Browser) {
    assert_eq!(browser.path(), "/enroll/password");
    browser.fill("#password", PASSWORD);
    browser.fill("#again", PASSWORD);
    browser.go_on();
}

/// MFA-1: what the QR code says is what the app is told.
pub(crate) fn set_up_an_app(browser: &Browser, picture: &impl Fn(&str)) -> App {
    assert_eq!(browser.path(), "/enroll/second-factor");
    picture("3-factor");
    browser.follow("form[action$='second-factor/app'] button");
    let secret: String = browser.content("#secret").split_whitespace().collect();
    picture("4-app");
    let uri = browser.scan(".qr");
    assert_eq!(uri, browser.attribute("a[href^='otpauth:']", "href"));
    assert!(uri.starts_with("otpauth://totp/") && uri.contains(&format!("secret={secret}")), "{uri}");
    browser.fill("#code", "12 34");
    browser.go_on();
    assert_eq!(browser.text(".error"), "Six digits.");
    let mut app = App::new(&uri);
    browser.fill("#code", &app.code());
    browser.go_on();
    assert_eq!(browser.heading(), "Keep these recovery codes");
    picture("5-codes");
    assert_eq!(browser.content(".codes").split_whitespace().count(), 8);
    browser.click("a[download]");
    assert_eq!(browser.downloaded("recovery-codes.txt").lines().filter(|line| !line.is_empty()).count(), 9);
    browser.go_on();
    app
}

/// SYS-5: nothing was asked of another host, and no page did what its policy forbids.
pub(crate) fn kept_to_itself(stage: &Stage, browser: &Browser) {
    let (asked, complaints) = browser.asked_and_complained();
    assert!(asked.len() > 5, "{asked:?}");
    let own = [stage.server.public, stage.server.internal].map(|face| format!("http://localhost:{}/", face.port()));
    assert!(asked.iter().all(|url| own.iter().any(|own| url.starts_with(own))), "{asked:?}");
    let serious: Vec<_> = complaints.iter().filter(|complaint| !complaint.contains("status of 4")).collect();
    assert!(serious.is_empty(), "{serious:?}");
}

/// ADM-11, REQ-7, REQ-8, DEV-3: Owner, network, colleague. The key is made in the page and never leaves it.
#[test]
fn a_colleague_gets_from_the_link_to_a_device_in_force() {
    let stage = Stage::new("");
    let owner = stage.browser(DESKTOP);
    owner.open(&Stage::path_of(&stage.command(&["owner-link"])));
    owner.go_on();
    owner.go_on();
    // Without a network there is no device to add, and a second factor may be left out.
    choose_a_password(&owner);
    assert_eq!(owner.path(), "/enroll/second-factor");
    owner.follow("main a[href$='finish']");
    owner.go_on();
    assert_eq!((owner.path(), owner.heading()), ("/enroll/done".to_owned(), "You are in".to_owned()));

    stage.add_network("office", "internal");
    stage.add_network("lab", "disabled");
    let name = ["--first-name", "Anna", "--last-name", "Kowalska", "--email", "anna@example.com"];
    let link = stage.invite("anna", &[name.as_slice(), &["--as", "owner"]].concat());
    let anna = stage.browser(DESKTOP);
    up_to_the_device(&anna, &link, |page| anna.judge(&format!("enroll-{page}")));
    anna.wait_for("[data-make]:not([hidden])");
    anna.fill("#name", "laptop");
    anna.judge("enroll-7-device");
    anna.go_on();
    assert_eq!(anna.path(), "/enroll/finish");
    anna.judge("enroll-8-finish");
    anna.go_on();
    assert_eq!(anna.path(), "/enroll/done");
    anna.wait_for("[data-qr] svg");
    anna.judge("enroll-9-done");

    assert_eq!(anna.text("[data-config] h3"), "lab");
    assert!(anna.is_shown("[data-qr]") && !anna.is_shown("[data-unfilled]"));
    anna.click("[data-config]:nth-of-type(2) a[download]");
    let file = anna.downloaded("office.conf");
    assert_eq!(anna.scan("[data-config]:nth-of-type(2) [data-qr]"), file);
    let public = public_of(setting(&file, "PrivateKey"));
    let stripped = strip(&file);
    assert!(stripped.contains("Endpoint = vpn.example.com:51820"), "{stripped}");
    stage.gateway_with(&[&public, setting(&file, "Address").split('/').next().expect("an address")]);
    kept_to_itself(&stage, &anna);
    anna.follow("[data-forget]");
    anna.wait_for("[data-unfilled]:not([hidden])");
    assert!(anna.content("pre").contains("YOUR_PRIVATE_KEY"));
    anna.open(&link);
    assert_eq!(anna.heading(), "You have done this already");
}

/// REQ-7, REQ-8: without JavaScript a public key is pasted, and the file has one marked line.
#[test]
fn without_javascript_a_public_key_is_pasted() {
    let stage = Stage::new("");
    stage.add_network("office", "internal");
    let link = stage.invite("ben", &[]);
    let ben = stage.browser(Look { script: false, phone: true, ..DESKTOP });
    up_to_the_device(&ben, &link, |page| ben.picture(&format!("plain-{page}")));
    assert!(!ben.is_shown("[data-make]"));
    ben.fill("#name", "phone");
    ben.fill("#public_key", "not a key");
    ben.go_on();
    assert_eq!(
        (ben.path(), ben.property("#public_key", "value")),
        ("/enroll/device".to_owned(), "not a key".to_owned())
    );
    assert!(ben.has("#public_key-error") && ben.property("#name", "value") == "phone");
    ben.picture("plain-7-device");
    let private = "yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=";
    let public = public_of(private);
    ben.fill("#public_key", &public);
    ben.go_on();
    ben.go_on();
    assert_eq!(ben.path(), "/enroll/done");
    ben.picture("plain-9-done");
    ben.click("a[download]");
    let file = ben.downloaded("office.conf");
    assert_eq!(file.matches("YOUR_PRIVATE_KEY").count(), 1);
    strip(&file.replace("YOUR_PRIVATE_KEY", private));
    assert!(!ben.is_shown("[data-qr]"), "there is nothing whole to scan");
    stage.gateway_with(&[&public]);
    kept_to_itself(&stage, &ben);
}

/// REQ-8: where the policy allows it the server makes the pair: whole file and QR code, also without JavaScript.
#[test]
fn the_server_makes_the_key_where_its_policy_allows_it() {
    let stage = Stage::new("[policy]\nserver_made_keys = true\n");
    stage.add_network("office", "disabled");
    let link = stage.invite("cleo", &[]);
    let cleo = stage.browser(Look { script: false, dark: true, phone: false });
    cleo.open(&link);
    cleo.picture("dark-1-landing");
    cleo.go_on();
    cleo.go_on();
    cleo.fill("#password", "too short");
    cleo.fill("#again", "too short");
    cleo.go_on();
    // Long enough only beside a second factor, which is offered.
    assert_eq!(cleo.path(), "/enroll/second-factor");
    cleo.picture("dark-3-factor");
    cleo.open("/enroll/password");
    assert!(cleo.text("[role=alert]").contains("too short to stand alone"));
    cleo.fill("#password", "one thing");
    cleo.fill("#again", "another thing");
    cleo.go_on();
    assert!(cleo.text(".error").contains("not the same") && cleo.property("#password", "value").is_empty());
    cleo.picture("dark-6-password");
    cleo.fill("#password", PASSWORD);
    cleo.fill("#again", PASSWORD);
    cleo.go_on();
    cleo.follow("main a[href$='device']");
    cleo.fill("#name", "tablet");
    cleo.click("#way-server");
    cleo.picture("dark-7-device");
    cleo.go_on();
    cleo.go_on();
    assert_eq!(cleo.path(), "/enroll/done");
    assert!(cleo.is_shown(".qr svg"));
    cleo.picture("dark-9-done");
    let file = cleo.content("pre");
    assert_eq!(cleo.scan(".qr"), file);
    strip(&file);
    stage.gateway_with(&[&public_of(setting(&file, "PrivateKey"))]);
    cleo.reload();
    assert_eq!(cleo.content("pre"), file, "the answer survives a reload");
}
