//! Samples of every page, for the strict test.

use enrollment_core::domain::enrollment::Purpose;
use enrollment_core::domain::location::FactorKind;
use enrollment_core::domain::policy::Policy;
use enrollment_core::domain::requirement::Requirement;
use enrollment_core::domain::settings::{FrontEnd, Settings};
use enrollment_core::service::enrollee::{Contact, Person, SessionState, Whose};
use enrollment_core::time::Timestamp;

use super::client_way::{ClientWay, Download, Leads};
use super::device::DevicePage;
use super::finish::{ConfigView, DonePage, FinishPage};
use super::journey::{Journey, Step, next, plan};
use super::landing::{EnterPage, LandingPage};
use super::mfa::{CodesPage, EmailCodePage, FactorPage};
use super::password::PasswordPage;
use super::profile::ProfilePage;
use super::report::{ReportPage, ReportedPage};
use crate::page::{Field, HOSTILE, OfferView, Sample};

fn stands(purpose: Purpose, missing: &[Requirement], optional: &[Requirement], verified: bool) -> SessionState {
    SessionState {
        purpose,
        deadline: Timestamp::from_seconds(1_767_226_200),
        whose: Whose::Person(Person {
            username: "anna".parse().expect("a username"),
            first_name: "Anna".parse().expect("a name"),
            last_name: "Kowalska".parse().expect("a name"),
            email: Some("anna@example.com".parse().expect("an address")),
            phone: None,
            administrator: false,
        }),
        initiator: Some(Contact {
            name: HOSTILE.to_owned(),
            email: Some("max@example.com".parse().expect("an address")),
            phone: Some("+49 30 123456".parse().expect("a number")),
        }),
        missing: missing.to_vec(),
        optional: optional.to_vec(),
        factors: vec![FactorKind::Totp, FactorKind::Email],
        mfa_verified: verified,
        settings: Settings::defaults(&Policy::standard()),
        device: None,
        completed: false,
    }
}

fn journey(step: Step, optional: &[Requirement], verified: bool) -> Journey {
    let missing = [Requirement::Profile, Requirement::Password];
    Journey::new(
        &stands(Purpose::Onboarding, &missing, optional, verified),
        step,
        Timestamp::from_seconds(1_767_225_600),
    )
}

fn wrong() -> Field {
    Field::with(HOSTILE).refused(HOSTILE)
}

pub(crate) fn samples() -> Vec<Sample> {
    let mut samples = vec![
        Sample::of(EnterPage { nonce: "00".repeat(20), session_words: "10 minutes".to_owned() }),
        Sample::of(ReportPage {}),
        Sample::of(ReportedPage { withdrawn: true }),
        Sample::of(ReportedPage { withdrawn: false }),
    ];
    for purpose in ["onboarding", "device", "factor", "network_device"] {
        for (organization, front_end) in
            [("", FrontEnd::Browser), ("", FrontEnd::Both), ("", FrontEnd::Desktop), (HOSTILE, FrontEnd::Both)]
        {
            samples.push(Sample::of(LandingPage {
                purpose,
                organization: organization.to_owned(),
                expires: "2026-01-02T00:00:00Z".to_owned(),
                expires_words: "2 January 2026, 00:00 UTC".to_owned(),
                left_words: "23 hours".to_owned(),
                session_words: "10 minutes".to_owned(),
                token: "enr_x".to_owned(),
                nonce: "00".repeat(20),
                leads: Leads::new(front_end, client_way),
                command: (purpose == "network_device").then(|| HOSTILE.to_owned()),
            }));
        }
        for complete in [true, false] {
            samples.push(Sample::of(done(purpose, complete)));
        }
    }
    for (field, above) in [(Field::default(), None), (wrong(), Some(HOSTILE.to_owned()))] {
        samples.extend(steps(&field, above.as_ref()));
    }
    samples
}

fn client_way() -> ClientWay {
    let download = |label, here| Download { label, url: "https://example.com/client?a&b".to_owned(), here };
    ClientWay {
        downloads: vec![download("Linux", true), download("Windows", false)],
        deep_link: "defguard://addinstance?token=enr_x&url=https".to_owned(),
        qr_svg: Some("<svg></svg>".to_owned()),
    }
}

fn steps(field: &Field, above: Option<&String>) -> Vec<Sample> {
    let above = above.cloned();
    let mut samples = vec![
        Sample::of(ProfilePage {
            journey: journey(Step::Profile, &[], false),
            username: "anna".to_owned(),
            name: HOSTILE.to_owned(),
            email: Some("anna@example.com".to_owned()),
            phone: field.clone(),
            above: above.clone(),
        }),
        Sample::of(EmailCodePage {
            journey: journey(Step::Factor, &[], false),
            email: "anna@example.com".to_owned(),
            code: field.clone(),
            above: above.clone(),
        }),
        Sample::of(CodesPage {
            journey: journey(Step::Factor, &[], true),
            codes: vec!["ABCD-EFGH".to_owned(); 8],
            file: "ABCD-EFGH\n".to_owned(),
        }),
    ];
    for (optional, verified) in [(vec![Requirement::Mfa, Requirement::Device], false), (vec![], true)] {
        let journey = |step| journey(step, &optional, verified);
        samples.push(Sample::of(PasswordPage {
            journey: journey(Step::Password),
            username: "anna".to_owned(),
            min: 15,
            min_with_factor: verified.then_some(8),
            max: 256,
            too_short: verified,
            password: field.clone(),
            again: field.clone(),
            above: above.clone(),
        }));
        let offer = OfferView {
            secret: "ABCD EFGH".to_owned(),
            uri: "otpauth://totp/VPN:anna?secret=ABCDEFGH".to_owned(),
            qr_svg: "<svg></svg>".to_owned(),
        };
        for (offer, app, email) in [
            (Some(offer), true, Some("anna@example.com".to_owned())),
            (None, true, Some("anna@example.com".to_owned())),
            (None, false, None),
        ] {
            samples.push(Sample::of(FactorPage {
                journey: journey(Step::Factor),
                app,
                email,
                administrator: app && !verified,
                offer,
                recovery_codes: if verified { 1 } else { 8 },
                code: field.clone(),
                above: above.clone(),
            }));
        }
        for device in [None, Some((HOSTILE.to_owned(), "A".repeat(43) + "="))] {
            samples.push(Sample::of(DevicePage {
                journey: journey(Step::Device),
                device: device.clone(),
                server_made_keys: verified,
                completes: verified,
                name: field.clone(),
                public_key: field.clone(),
                way: "paste".to_owned(),
                above: above.clone(),
            }));
            samples.push(Sample::of(FinishPage {
                journey: journey(Step::Finish),
                missing: device.iter().map(|_| Requirement::Password.help()).collect(),
                factor: verified,
                device: device.map(|(name, _)| name),
            }));
        }
    }
    samples
}

fn done(purpose: &'static str, complete: bool) -> DonePage {
    let config = ConfigView {
        location: HOSTILE.to_owned(),
        file_name: "office.conf".to_owned(),
        file: "[Interface]\nPrivateKey = YOUR_PRIVATE_KEY\n".to_owned(),
        before_mark: "[Interface]\nPrivateKey = ".to_owned(),
        after_mark: (!complete).then(|| "\n".to_owned()),
        qr_svg: complete.then(|| "<svg></svg>".to_owned()),
    };
    DonePage {
        purpose,
        onboarding: complete.then(|| "<p>Hello</p>".to_owned()),
        device: Some(HOSTILE.to_owned()),
        public_key: Some("A".repeat(43) + "="),
        configs: vec![config],
        complete,
        until: "2026-01-01T00:10:00Z".to_owned(),
        until_words: "1 January 2026, 00:10 UTC".to_owned(),
    }
}

/// PWD-1: where a second factor is mandatory it comes before the password, whose length depends on it.
#[test]
fn a_mandatory_factor_comes_before_the_password_and_an_offered_one_after() {
    let order = |stands: &SessionState| plan(stands).iter().map(|planned| planned.step).collect::<Vec<_>>();
    let all = [Requirement::Profile, Requirement::Password, Requirement::Mfa, Requirement::Device];
    let mandatory = stands(Purpose::Onboarding, &all, &[], false);
    assert_eq!(order(&mandatory), [Step::Profile, Step::Factor, Step::Password, Step::Device, Step::Finish]);
    let offered = stands(Purpose::Onboarding, &all[..2], &all[2..], false);
    assert_eq!(order(&offered), [Step::Profile, Step::Password, Step::Factor, Step::Device, Step::Finish]);
    assert_eq!(order(&stands(Purpose::Device, &all[3..], &[], false)), [Step::Device]);
    assert_eq!(order(&stands(Purpose::Factor, &all[2..3], &[], false)), [Step::Factor, Step::Finish]);
}

/// REQ-2: what is missing is always led to, what is offered is passed, and nobody is led in a circle.
#[test]
fn the_way_passes_what_is_offered_once_and_ends_at_the_end() {
    let offered = [Requirement::Mfa, Requirement::Device];
    let begun = stands(Purpose::Onboarding, &[Requirement::Profile, Requirement::Password], &offered, false);
    assert_eq!(next(&begun, None), "/enroll/profile");
    assert_eq!(next(&begun, Some(Step::Password)), "/enroll/second-factor");
    assert_eq!(next(&begun, Some(Step::Device)), "/enroll/profile");
    let ready = stands(Purpose::Onboarding, &[], &offered, false);
    assert_eq!(next(&ready, Some(Step::Factor)), "/enroll/device");
    assert_eq!(next(&ready, Some(Step::Device)), "/enroll/finish");
    assert_eq!(next(&ready, Some(Step::Finish)), "/enroll/finish");
    let short = stands(Purpose::Onboarding, &[Requirement::PasswordLength], &offered, false);
    assert_eq!(next(&short, Some(Step::Password)), "/enroll/second-factor");
    assert_eq!(next(&short, Some(Step::Factor)), "/enroll/device");
    assert_eq!(next(&short, Some(Step::Device)), "/enroll/password");
}
