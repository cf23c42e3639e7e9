//! Settings.

use enrollment_core::domain::download::{DownloadUrl, Platform};
use enrollment_core::domain::event::Event;
use enrollment_core::domain::policy::Policy;
use enrollment_core::domain::rejection::Rejection;
use enrollment_core::domain::role::Role;
use enrollment_core::domain::settings::{FrontEnd, Settings};
use enrollment_core::record::Version;
use enrollment_core::service::administrator::SettingsPatch;
use enrollment_core::time::Span;

use super::bed::{Bed, owner, refusal, refused, somebody};

/// INV-11
#[tokio::test]
async fn front_end_and_sender_are_chosen_and_audited_by_name() {
    let bed = Bed::new();
    let administrator = bed.service.administrator();
    let defaults = administrator.settings(&owner()).await.expect("settings");
    assert_eq!(defaults, Settings::defaults(&Policy::standard()));
    assert_eq!((defaults.front_end, defaults.sender.is_none()), (FrontEnd::Both, true));

    let sender = "vpn@example.org".parse().expect("an address");
    let patch = SettingsPatch {
        front_end: Some(FrontEnd::Browser),
        sender: Some(Some(sender)),
        max_sessions: Some(defaults.max_sessions),
        ..SettingsPatch::default()
    };
    let changed = administrator.change_settings(&owner(), patch.clone()).await.expect("changed");
    assert_eq!(changed, administrator.settings(&owner()).await.expect("settings"));
    assert_eq!(changed.sender.as_ref().map(|sender| sender.as_str()), Some("vpn@example.org"));

    administrator.change_settings(&owner(), patch).await.expect("the same again");
    let gone = SettingsPatch { sender: Some(None), ..SettingsPatch::default() };
    assert_eq!(administrator.change_settings(&owner(), gone).await.expect("changed").sender, None);
    let event = |fields: &[&str]| Event::SettingsChanged { fields: fields.iter().map(|&f| f.to_owned()).collect() };
    assert_eq!(bed.events().await, [event(&["front_end", "sender"]), event(&["sender"])]);
    assert_eq!(bed.version(Settings::KEY).await, Some(Version(2)), "the same again wrote nothing");
}

/// INV-11: where people get the client, platform by platform.
#[tokio::test]
async fn downloads_are_chosen_and_taken_away_one_by_one() {
    let bed = Bed::new();
    let administrator = bed.service.administrator();
    let url = |text: &str| text.parse::<DownloadUrl>().expect("a URL");
    let change = async |downloads: &[(Platform, Option<DownloadUrl>)]| {
        let downloads = downloads.iter().cloned().collect();
        let patch = SettingsPatch { downloads, ..SettingsPatch::default() };
        administrator.change_settings(&owner(), patch).await.expect("changed").downloads
    };
    assert!(change(&[]).await.is_empty(), "nothing is preset");
    let (first, second) = (url("https://example.com/1"), url("https://example.com/2"));
    change(&[(Platform::Linux, Some(first.clone())), (Platform::Ios, Some(first.clone()))]).await;
    change(&[(Platform::Linux, Some(first))]).await;
    let left = change(&[(Platform::Linux, Some(second.clone())), (Platform::Ios, None)]).await;
    assert_eq!(left, [(Platform::Linux, second)].into());
    assert_eq!(administrator.settings(&owner()).await.expect("settings").downloads, left);
    assert_eq!(bed.version(Settings::KEY).await, Some(Version(2)), "the same again wrote nothing");
    let event = Event::SettingsChanged { fields: vec!["downloads".to_owned()] };
    assert_eq!(bed.events().await, [event.clone(), event]);
}

/// A value outside the policy is never clamped.
#[tokio::test]
async fn a_setting_outside_the_policy_is_refused_with_its_range_and_nothing_is_changed() {
    let bed = Bed::new();
    let patch = SettingsPatch {
        front_end: Some(FrontEnd::Desktop),
        session_validity: Some(Span::hours(2)),
        ..SettingsPatch::default()
    };
    let rejection = refused(bed.service.administrator().change_settings(&owner(), patch).await);
    assert_eq!(rejection.to_string(), "session_validity: 2h is outside the allowed range from 2m to 1h");
    assert_eq!(bed.version(Settings::KEY).await, None);
    assert_eq!(bed.events().await, [refusal("change_settings", "out_of_range")]);
}

/// ADM-7, ADM-8
#[tokio::test]
async fn whoever_may_only_read_settings_changes_none() {
    let bed = Bed::new();
    let administrator = bed.service.administrator();
    let reader = somebody(Role::ApplicationManager);
    administrator.settings(&reader).await.expect("settings");
    let changed = administrator.change_settings(&reader, SettingsPatch::default()).await;
    assert_eq!(refused(changed), Rejection::Forbidden);
    assert_eq!(refused(administrator.settings(&somebody(Role::HelpDesk)).await), Rejection::Forbidden);
    assert_eq!(bed.events().await, [refusal("change_settings", "forbidden"), refusal("settings", "forbidden")]);
}
