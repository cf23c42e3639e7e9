//! Texts of an administrator's own.

use enrollment_core::domain::event::Event;
use enrollment_core::domain::rejection::Rejection;
use enrollment_core::domain::role::Role;
use enrollment_core::template::builtin;

use super::bed::{Bed, owner, refusal, refused, somebody};

const NAME: &str = "onboarding";

/// MSG-1
#[tokio::test]
async fn an_own_onboarding_text_replaces_the_built_in_one_until_it_is_reset() {
    let bed = Bed::new();
    let administrator = bed.service.administrator();
    let in_force = async || administrator.template(&owner(), NAME).await.expect("a text");
    assert_eq!((in_force().await.source.as_str(), in_force().await.is_own), (builtin::ONBOARDING, false));

    for source in ["# Hello {{ first_name }}", "# Hello {{ first_name }}", "# Hi"] {
        let saved = administrator.save_template(&owner(), NAME, source).await.expect("saved");
        assert_eq!((saved.source.as_str(), saved.is_own), (source, true));
        assert_eq!(in_force().await, saved);
        let texts = administrator.templates(&owner()).await.expect("texts");
        assert_eq!(texts.into_iter().filter(|text| text.is_own).collect::<Vec<_>>(), [saved]);
    }
    for _ in 0..2 {
        assert!(!administrator.reset_template(&owner(), NAME).await.expect("reset").is_own);
        assert_eq!(in_force().await.source, builtin::ONBOARDING);
    }
    let changed = Event::TemplateChanged { name: NAME.to_owned() };
    let reset = Event::TemplateReset { name: NAME.to_owned() };
    assert_eq!(bed.events().await, [changed.clone(), changed, reset], "what changed nothing was not written");
}

/// MSG-3
#[tokio::test]
async fn a_text_that_could_fail_is_refused_when_it_is_saved_and_the_one_in_force_stays() {
    let bed = Bed::new();
    let administrator = bed.service.administrator();
    administrator.save_template(&owner(), NAME, "Good").await.expect("saved");
    let rejection = refused(administrator.save_template(&owner(), NAME, "Hello\n{{ frist_name }}").await);
    let Rejection::InvalidTemplate { line, message } = &rejection else { panic!("{rejection:?}") };
    assert_eq!(*line, 2);
    assert!(message.ends_with("did you mean `first_name`?") && !message.contains("line"), "{message}");
    for source in ["{% for x in y %}", "{{ first_name"] {
        let rejection = refused(administrator.save_template(&owner(), NAME, source).await);
        assert_eq!(rejection.code(), "invalid_template", "{source}");
    }
    assert_eq!(administrator.template(&owner(), NAME).await.expect("a text").source, "Good");
    assert_eq!(bed.events().await[1..], vec![refusal("save_template", "invalid_template"); 3]);
}

/// MSG-2, MSG-4
#[tokio::test]
async fn a_preview_shows_tags_with_samples_and_writes_nothing() {
    let bed = Bed::new();
    let administrator = bed.service.administrator();
    let source = "{{first_name}} {{ first_name }} {{ defguard_url }} {{ instance_url }}<script>x()</script>";
    let preview = administrator.preview_template(&owner(), NAME, source).await.expect("a preview");
    assert!(preview.text.contains("Anna Anna https://vpn.example.org https://vpn.example.org"), "{}", preview.text);
    assert!(!preview.html.contains("<script"), "{}", preview.html);
    let bad = administrator.preview_template(&owner(), NAME, "{{ nobody }}").await;
    assert_eq!(refused(bad).code(), "invalid_template");
    assert!(bed.entries().await.is_empty());
    assert!(!administrator.template(&owner(), NAME).await.expect("a text").is_own);
}

#[tokio::test]
async fn only_texts_that_exist_are_written_and_only_by_those_who_may() {
    let bed = Bed::new();
    let administrator = bed.service.administrator();
    for result in [
        administrator.save_template(&owner(), "other", "x").await,
        administrator.reset_template(&owner(), "other").await,
        administrator.template(&owner(), "other").await,
    ] {
        assert_eq!(refused(result).code(), "not_found");
    }
    let reader = somebody(Role::ApplicationManager);
    administrator.templates(&reader).await.expect("texts");
    assert_eq!(refused(administrator.save_template(&reader, NAME, "x").await), Rejection::Forbidden);
    assert_eq!(refused(administrator.reset_template(&reader, NAME).await), Rejection::Forbidden);
    let preview = administrator.preview_template(&somebody(Role::HelpDesk), NAME, "x").await;
    assert_eq!(refused(preview), Rejection::Forbidden);
    assert_eq!(bed.events().await[3..].len(), 3, "every refusal is audited");
}
