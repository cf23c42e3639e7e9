use super::{MAILS, onboarding};
use crate::template::mail::{Facts, MailContext};
use crate::template::{Subject, Tags, Template};

/// Values that try to be markup, headers, links or tags.
fn hostile() -> Tags {
    let hostile = |tag: &str| format!("**{tag}** [x](https://evil.example) <b>`{{{{ username }}}}`\r\n\r\n# H\\");
    Tags {
        first_name: hostile("first_name"),
        last_name: hostile("last_name"),
        username: hostile("username"),
        admin_first_name: hostile("admin_first_name"),
        admin_last_name: hostile("admin_last_name"),
        admin_phone: hostile("admin_phone"),
        admin_email: hostile("admin_email"),
        instance_url: Tags::sample().instance_url,
        instance_version: hostile("instance_version"),
    }
}

#[test]
fn every_built_in_text_renders_with_samples_with_nothing_and_with_hostile_values() {
    for (name, tags) in [("samples", Tags::sample()), ("nothing", Tags::default()), ("hostile", hostile())] {
        let rendered = onboarding().render(&tags).expect("it renders");
        let all = format!("{}\n=== html\n{}\n=== text\n{}", rendered.markdown, rendered.html, rendered.text);
        insta::assert_snapshot!(format!("onboarding_{name}"), all);
    }
}

/// What a mail says, with values that try to be more than values where a person or a program chose them. Links, token
/// and times are this instance's own.
fn hostile_facts(facts: Facts) -> Facts {
    let text =
        || "**x** [x](https://evil.example) <b>`{{ username }}`\r\n\r\n# H\r\nBcc: evil@example.com\\".to_owned();
    match facts {
        Facts::DeviceAdded { at, .. } => Facts::DeviceAdded { device: text(), at },
        Facts::Unfinished { expires, .. } => Facts::Unfinished { missing: text(), expires },
        other => other,
    }
}

fn mail(facts: Facts, people: Tags, name: &str) -> MailContext {
    let about = |sample: &str| match name {
        "nothing" => String::new(),
        "hostile" => format!("{sample} **x** [x](https://evil.example)\r\nBcc: evil@example.com"),
        _ => sample.to_owned(),
    };
    let facts = if name == "hostile" { hostile_facts(facts) } else { facts };
    MailContext { people, organization: about("Example Tunnels"), support_contact: about("help@example.com"), facts }
}

/// MSG-5, MSG-6, MSG-7
#[test]
fn every_mail_renders_with_samples_with_nothing_and_with_hostile_values() {
    for (values, tags) in [("samples", Tags::sample()), ("nothing", Tags::default()), ("hostile", hostile())] {
        let mut all = String::new();
        for facts in Facts::samples() {
            let name = facts.text().name;
            let (mail, error) = mail(facts, tags.clone(), values).render(None, None).expect("it renders");
            assert!(error.is_none(), "{name}");
            assert!(mail.text.starts_with("This is an automated message"), "{name}: {}", mail.text);
            assert!(mail.text.contains("contact your administrators"), "{name}");
            assert!(!mail.subject.contains(['\r', '\n']) && !mail.subject.is_empty(), "{name}");
            assert!(!mail.html.contains("href=\"https://evil.example") && !mail.html.contains("<b>"), "{name}");
            assert!(!mail.text.contains("\nBcc:"), "{name}");
            let shown = mail.html.matches("<img src=\"cid:").count();
            assert_eq!((mail.html.matches("<img").count(), mail.images.len()), (shown, shown), "{name}");
            all += &format!("##### {name}\nSubject: {}\n\n{}\n=== html\n{}\n", mail.subject, mail.text, mail.html);
        }
        insta::assert_snapshot!(format!("mails_{values}"), all);
    }
}

/// MSG-7, INV-10: a machine has a name and no person's names.
#[test]
fn initiators_read_of_a_machine_by_its_name() {
    let machine =
        || Tags { username: "build-01".into(), first_name: String::new(), last_name: String::new(), ..Tags::sample() };
    let at = "31 January 2026, 12:00 UTC";
    for (facts, subject, said) in [
        (
            Facts::InitiatorCompleted { at: at.to_owned() },
            "build-01 completed their VPN enrollment",
            "build-01 completed the VPN enrollment that you started.",
        ),
        (
            Facts::InitiatorLocked { at: at.to_owned() },
            "The VPN enrollment of build-01 is locked",
            "The VPN enrollment that you started for build-01 is locked: too much was tried with it, most often wrong \
             codes. Find out what happened before you start another.",
        ),
        (
            Facts::InitiatorReported { at: at.to_owned() },
            "The VPN invitation of build-01 was reported",
            "Whoever got the VPN invitation that you started for build-01 said that it was not meant for them. It is \
             withdrawn. Check where it went before you start another.",
        ),
    ] {
        let (mail, error) = mail(facts, machine(), "samples").render(None, None).expect("it renders");
        assert!(error.is_none());
        assert_eq!(mail.subject, subject);
        assert!(mail.text.lines().any(|line| line == said), "{said}\n{}", mail.text);
        assert!(mail.html.contains("<strong>build-01</strong>") && mail.text.contains(at), "{}", mail.html);
    }
}

/// MSG-6: whatever an administrator writes, header, link and validity are there.
#[test]
fn an_own_text_replaces_subject_and_body_and_nothing_else() {
    let invitation = Facts::samples().remove(0);
    let own =
        Template::compile("[//]: # (\n<!-- {{ first_name }} ![x](https://x.example/x.png)\n~~~").expect("accepted");
    let subject = Subject::compile("For {{ first_name }}").expect("accepted");
    let (mail, _) = mail(invitation, Tags::sample(), "samples").render(Some(&subject), Some(&own)).expect("rendered");
    assert_eq!(mail.subject, "For Anna");
    assert!(!mail.text.contains("invites you"), "{}", mail.text);
    for part in
        ["automated message", "https://vpn.example.com/enroll/enr_SAMPLE", "24 hours", "31 January 2026, 12:00 UTC"]
    {
        assert!(mail.text.contains(part) && mail.html.contains(part), "{part}: {}", mail.text);
    }
}

#[test]
fn every_mail_has_texts_of_its_own_name() {
    let names: std::collections::BTreeSet<_> = MAILS.iter().map(|mail| mail.name).collect();
    assert_eq!(names.len(), MAILS.len());
    let rendered: std::collections::BTreeSet<_> = Facts::samples().iter().map(|facts| facts.text().name).collect();
    assert_eq!(rendered, names, "every one has a sample");
    assert!(!format!("{:?}", Facts::samples()).contains("enr_SAMPLE"));
}
