//! The administrators' pages: a new instance from the first Owner's link to a colleague who connects, and how an
//! administrator is let in, kept waiting and shown out.

use crate::driver::{Browser, DESKTOP, Look};
use crate::journey::{PASSWORD, choose_a_password, kept_to_itself, set_up_an_app, up_to_the_device};
use crate::stage::{App, Stage, public_of, setting, strip};

/// The first Owner, enrolled by the link that the server leaves, and at the administration's door.
fn first_owner(stage: &Stage) -> (Browser, App) {
    let mut owner = stage.browser(DESKTOP);
    owner.open(&stage.owner_link());
    owner.go_on();
    assert_eq!(owner.text("dl.facts strong"), "owner");
    owner.go_on();
    choose_a_password(&owner);
    let app = set_up_an_app(&owner, &|_| ());
    owner.go_on();
    assert_eq!(owner.heading(), "You are in");
    owner.go_to(&stage.internal_site());
    (owner, app)
}

/// The first step of signing in, from the door.
fn give_password(browser: &Browser, username: &str) {
    browser.open("/admin");
    assert_eq!(browser.path(), "/admin/sign-in");
    browser.fill("#username", username);
    browser.fill("#password", PASSWORD);
    browser.go_on();
}

/// The second step, which leads inside.
fn give_code(browser: &Browser, code: &str) {
    assert_eq!(browser.path(), "/admin/sign-in/code");
    browser.fill("#code", code);
    browser.go_on();
    assert_eq!(browser.path(), "/admin/users");
}

fn tab(browser: &Browser, name: &str) {
    browser.follow(&format!(".tabs a[href='/admin/{name}']"));
}

/// Adds somebody, with as many clicks as the button gets. Returns the path of the link, which is there once.
fn add(owner: &Browser, username: &str, role: &str, press: impl Fn(&str)) -> String {
    tab(owner, "users");
    owner.follow(".heading a.button");
    owner.fill("#username", username);
    owner.click(&format!("#role option[value='{role}']"));
    press("main .actions button");
    assert_eq!(owner.heading(), format!("{username} is invited"));
    let link = owner.text("#link");
    assert_eq!(owner.scan(".qr"), link);
    Stage::path_of(&link)
}

/// The last steps, from the page of the device on.
fn finish(browser: &Browser) {
    browser.go_on();
    browser.go_on();
    assert_eq!(browser.heading(), "You are in");
}

/// The page of whoever is first in the list.
fn first_person(owner: &Browser) {
    tab(owner, "users");
    owner.follow("tbody tr:first-child a");
}

fn give_role(owner: &Browser, role: &str) {
    first_person(owner);
    owner.click(&format!("#role option[value='{role}']"));
    owner.follow("form[action$='/role'] button");
    assert!(owner.text(".notice").starts_with("The role was changed"));
}

/// ADM-11, AUTH-1, INV-2, REQ-7: with nothing but a browser, from the first link of a new server to colleagues who connect.
#[test]
fn an_owner_lets_colleagues_in_from_the_pages() {
    let stage = Stage::new("");
    let (owner, mut app) = first_owner(&stage);
    owner.open("/admin");
    owner.judge("admin-1-sign-in");
    give_password(&owner, "owner");
    owner.judge("admin-2-code");
    give_code(&owner, &app.code());
    owner.judge("admin-3-people");

    tab(&owner, "locations");
    owner.judge("admin-4-networks-none");
    owner.follow(".heading a.button");
    for (field, text) in [
        ("name", "Berlin"),
        ("endpoint", "vpn.example.com"),
        ("pools", "10.1.0.0/16, fd00:1::/64"),
        ("allowed_ips", "10.0.0.0/8"),
        ("dns", "10.1.0.1, example.com"),
    ] {
        owner.fill(&format!("#{field}"), text);
    }
    owner.go_on();
    assert!(owner.text("#endpoint-error").contains("port"), "{}", owner.text("#endpoint-error"));
    assert_eq!(owner.property("#pools", "value"), "10.1.0.0/16, fd00:1::/64", "nothing is typed twice");
    owner.judge("admin-5-network-wrong");
    owner.fill("#endpoint", "vpn.example.com:51820");
    owner.go_on();
    assert_eq!(owner.heading(), "Berlin is added");
    owner.judge("admin-6-network-key");
    owner.go_on();
    owner.judge("admin-7-networks");
    owner.follow("tbody a");
    owner.judge("admin-8-network");

    tab(&owner, "users");
    owner.follow(".heading a.button");
    owner.judge("admin-9-add");
    // Two clicks and one person, whose link is seen.
    let link = add(&owner, "anna", "", |button| owner.double_click(button));
    owner.judge("admin-10-link");
    tab(&owner, "pending");
    assert_eq!(owner.count("tbody tr"), 1);
    owner.judge("admin-11-invitations");
    tab(&owner, "users");
    assert_eq!(owner.count("tbody tr"), 2);
    owner.judge("admin-12-people");

    let anna = stage.browser(DESKTOP);
    up_to_the_device(&anna, &link, |_| ());
    anna.wait_for("[data-make]:not([hidden])");
    anna.fill("#name", "laptop");
    finish(&anna);
    anna.wait_for("[data-qr] svg");
    let file = anna.content("pre");
    assert_eq!(anna.scan("[data-qr]"), file);
    strip(&file);
    stage.gateway_with(&[&public_of(setting(&file, "PrivateKey"))]);

    let link = add(&owner, "ben", "", |button| owner.follow(button));
    let ben = stage.browser(Look { script: false, ..DESKTOP });
    up_to_the_device(&ben, &link, |_| ());
    let private = "yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=";
    ben.fill("#name", "laptop");
    ben.fill("#public_key", &public_of(private));
    finish(&ben);
    strip(&ben.content("pre").replace("YOUR_PRIVATE_KEY", private));

    first_person(&owner);
    assert_eq!((owner.heading().as_str(), owner.text("td .tag").as_str()), ("anna", "applied"));
    owner.judge("admin-13-person");
    for (number, page) in [(14, "mail"), (15, "settings")] {
        tab(&owner, page);
        owner.judge(&format!("admin-{number}-{page}"));
    }
    kept_to_itself(&stage, &owner);
}

/// AUTH-1, AUTH-4: whoever loses the role, is disabled or signs out is out at the next click, and the way back shows nothing
/// of the inside.
#[test]
fn an_administrator_is_out_at_the_next_click() {
    let stage = Stage::new("");
    let (owner, mut app) = first_owner(&stage);
    give_password(&owner, "owner");
    give_code(&owner, &app.code());
    let link = add(&owner, "mara", "user_manager", |button| owner.follow(button));
    let mut mara = stage.browser(Look { script: false, ..DESKTOP });
    mara.open(&link);
    mara.go_on();
    mara.go_on();
    choose_a_password(&mara);
    mara.follow("main a[href$='finish']");
    mara.go_on();
    mara.go_to(&stage.internal_site());

    let inside = || {
        give_password(&mara, "mara");
        assert_eq!(mara.path(), "/admin/users", "the password stands alone");
    };
    inside();
    assert!(mara.has(".tabs a[href='/admin/pending']") && !mara.has(".tabs a[href='/admin/settings']"));
    give_role(&owner, "");
    tab(&mara, "pending");
    assert_eq!(mara.path(), "/admin/sign-in");
    give_role(&owner, "user_manager");
    inside();
    mara.follow(".who button");
    assert_eq!(mara.text(".notice"), "You are signed out.");
    inside();
    first_person(&owner);
    owner.follow("form[action$='/status'] button");
    assert!(owner.text(".notice").starts_with("Disabled."));
    owner.judge("admin-16-disabled");
    mara.follow("tbody a");
    assert_eq!(mara.path(), "/admin/sign-in");
    give_password(&mara, "mara");
    assert!(mara.text(".notice").contains("is not right"), "{}", mara.text(".notice"));

    owner.follow(".who a");
    owner.follow(".who button");
    owner.judge("admin-17-signed-out");
    owner.back();
    // The browser has kept the page, which finds out that it is over.
    owner.wait_for("#username");
    assert!(owner.heading() == "Sign in" && !owner.has(".tabs"), "{}", owner.heading());
}

/// AUTH-1, AUTH-2, MFA-1: another app by its QR code, and a clear page for whoever answers wrong too often.
#[test]
fn an_administrator_changes_the_app_and_wrong_codes_slow_down() {
    let stage = Stage::new("");
    let (owner, mut app) = first_owner(&stage);
    let codes = owner.downloaded("recovery-codes.txt");
    let recovery = codes.lines().find(|line| line.len() == 19).expect("a recovery code");
    give_password(&owner, "owner");
    give_code(&owner, &app.code());
    owner.follow(".who a");
    owner.judge("admin-18-account");
    let prove = |password: &str| {
        owner.fill("#a-password", password);
        owner.fill("#a-code", recovery);
        owner.follow("form[action$='/account/app'] button");
    };
    prove("not this one");
    assert!(owner.text("#a-error").contains("is not right"), "{}", owner.text("#a-error"));
    owner.judge("admin-19-account-wrong");
    prove(PASSWORD);
    owner.judge("admin-20-app");
    let uri = owner.scan(".qr");
    assert_eq!(uri, owner.attribute("a[href^='otpauth:']", "href"));
    let mut app = App::new(&uri);
    owner.fill("#code", &app.code());
    owner.go_on();
    assert_eq!(owner.count(".codes li"), 8);
    owner.judge("admin-21-codes");
    owner.go_on();
    owner.follow(".who button");

    give_password(&owner, "owner");
    for _ in 0..3 {
        owner.fill("#code", recovery);
        owner.go_on();
        assert_eq!(owner.text("#code-error"), "This is not right, or was used before.");
        assert!(owner.attribute("#code", "aria-describedby").contains("code-error"));
    }
    owner.judge("admin-22-wrong-code");
    owner.fill("#code", recovery);
    owner.go_on();
    let said = owner.text(".notice");
    assert!(said.starts_with("Too many wrong answers. Try again in ") && said.ends_with(" seconds."), "{said}");
    owner.judge("admin-23-wait");
}
