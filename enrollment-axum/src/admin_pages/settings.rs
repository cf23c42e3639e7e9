//! Settings.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use enrollment_core::domain::download::Platform;
use enrollment_core::domain::settings::Settings;
use enrollment_core::service::administrator::SettingsPatch;
use serde::Serialize;

use super::desk::{Desk, Me, done};
use super::form::{Posted, Shown};
use super::sign_in::DoneQuery;
use crate::extract::{Query, field, optional};
use crate::page::{Page, answer, see_other};
use crate::problem::{Answer, Problem};
use crate::state::EnrollmentState;
use crate::words::{DEVICE_STEPS, FRONT_ENDS};

/// The settings in force.
#[derive(Debug, Clone, Serialize)]
pub(super) struct SettingsPage {
    pub(super) me: Me,
    pub(super) form: Shown,
    pub(super) device_step: String,
    pub(super) front_end: String,
    pub(super) help_desk_may_send: bool,
    pub(super) onboarding_mail: bool,
    pub(super) done: Option<&'static str>,
}

impl Page for SettingsPage {
    const TEMPLATE: &'static str = "settings.html";
}

/// The form's fields of text, beside those of the downloads.
const FIELDS: &[&str] =
    &["organization", "product", "support_contact", "token_validity", "session_validity", "max_sessions", "sender"];

/// All of the form's fields of text.
pub(super) fn fields() -> Vec<&'static str> {
    FIELDS.iter().copied().chain(Platform::ALL.map(download_field)).collect()
}

const fn download_field(platform: Platform) -> &'static str {
    match platform {
        Platform::Windows => "download_windows",
        Platform::Macos => "download_macos",
        Platform::Linux => "download_linux",
        Platform::Ios => "download_ios",
        Platform::Android => "download_android",
    }
}

/// `GET /admin/settings`
pub(super) async fn show(
    State(state): State<EnrollmentState>,
    desk: Desk,
    Query(DoneQuery { done: word }): Query<DoneQuery>,
) -> Answer<Response> {
    let settings = state.service().administrator().settings(&desk.by).await?;
    state.branding().seen((&settings).into());
    let page = SettingsPage {
        me: desk.me,
        form: form(&settings),
        device_step: DEVICE_STEPS.word(settings.device_step).to_owned(),
        front_end: FRONT_ENDS.word(settings.front_end).to_owned(),
        help_desk_may_send: settings.help_desk_may_send,
        onboarding_mail: settings.onboarding_mail,
        done: done(word.as_deref()),
    };
    Ok(answer(&state, StatusCode::OK, &page))
}

fn form(settings: &Settings) -> Shown {
    let downloads = Platform::ALL.map(|platform| {
        let url = settings.downloads.get(&platform);
        (download_field(platform), url.map_or("", |url| url.as_str()))
    });
    let others = [
        ("organization", settings.organization.as_str()),
        ("product", settings.product.as_str()),
        ("support_contact", settings.support_contact.as_str()),
        ("token_validity", &settings.token_validity.to_string()),
        ("session_validity", &settings.session_validity.to_string()),
        ("max_sessions", &settings.max_sessions.to_string()),
        ("sender", settings.sender.as_ref().map_or("", |sender| sender.as_str())),
    ];
    Shown::of(&[&others[..], &downloads].concat())
}

/// `POST /admin/settings`
pub(super) async fn change(State(state): State<EnrollmentState>, desk: Desk, posted: Posted) -> Answer<Response> {
    let changed: Result<_, Problem> = async {
        let patch = read(&posted)?;
        Ok(state.service().administrator().change_settings(&desk.by, patch).await?)
    }
    .await;
    let problem = match changed {
        Ok(settings) => {
            state.branding().seen((&settings).into());
            return Ok(see_other("/admin/settings?done=saved"));
        }
        Err(problem) => problem,
    };
    let status = problem.page_status();
    let page = SettingsPage {
        me: desk.me,
        form: Shown::typed(&fields(), &posted).refused(problem, &[])?,
        device_step: posted.get("device_step").to_owned(),
        front_end: posted.get("front_end").to_owned(),
        help_desk_may_send: posted.ticked("help_desk_may_send"),
        onboarding_mail: posted.ticked("onboarding_mail"),
        done: None,
    };
    Ok(answer(&state, status, &page))
}

fn read(posted: &Posted) -> Result<SettingsPatch, Problem> {
    let downloads = Platform::ALL.into_iter().map(|platform| {
        let name = download_field(platform);
        Ok((platform, optional(name, posted.given(name))?))
    });
    Ok(SettingsPatch {
        organization: Some(field("organization", posted.get("organization").trim())?),
        product: Some(field("product", posted.get("product").trim())?),
        support_contact: Some(field("support_contact", posted.get("support_contact").trim())?),
        token_validity: Some(field("token_validity", posted.get("token_validity").trim())?),
        session_validity: Some(field("session_validity", posted.get("session_validity").trim())?),
        max_sessions: Some(field("max_sessions", posted.get("max_sessions").trim())?),
        device_step: Some(DEVICE_STEPS.read("device_step", posted.get("device_step"))?),
        front_end: Some(FRONT_ENDS.read("front_end", posted.get("front_end"))?),
        downloads: downloads.collect::<Result<_, Problem>>()?,
        sender: Some(optional("sender", posted.given("sender"))?),
        help_desk_may_send: Some(posted.ticked("help_desk_may_send")),
        onboarding_mail: Some(posted.ticked("onboarding_mail")),
    })
}

#[cfg(test)]
mod tests {
    use enrollment_core::domain::policy::Policy;

    use super::*;

    /// Also the download for each platform there is.
    #[test]
    fn every_field_has_its_place_on_the_page() {
        let page = include_str!("templates/settings.html");
        for name in fields() {
            assert!(page.contains(&format!("f.input(\"{name}\", ")), "{name}");
            assert!(page.contains(&format!("page.form.{name},")), "{name}");
        }
        let shown = form(&Settings::defaults(&Policy::default()));
        let shown = serde_json::to_value(&shown).expect("a form");
        assert!(fields().iter().all(|name| shown.get(name).is_some()), "{shown}");
    }
}
