//! The end of the way: completing, and what it says afterwards.

use axum::http::StatusCode;
use axum::response::Response;
use enrollment_core::domain::config::PRIVATE_KEY_PLACEHOLDER;
use enrollment_core::domain::enrollment::Purpose;
use enrollment_core::domain::requirement::Requirement;
use enrollment_core::secret::{PrivateKey, qr_svg};
use enrollment_core::service::enrollee::{Completion, DeviceConfig};
use enrollment_core::template::durations::at;
use serde::{Deserialize, Serialize};

use super::journey::{CONTINUE, DONE, Journey, Step};
use super::session::{Visit, elsewhere};
use crate::page::{Branding, Form, Page, answer, see_other};
use crate::problem::{Answer, PageStatus, Problem};

/// Everything is ready, or something is missing.
#[derive(Debug, Clone, Serialize)]
pub(super) struct FinishPage {
    pub(super) journey: Journey,
    /// What to do first, in sentences.
    pub(super) missing: Vec<&'static str>,
    pub(super) factor: bool,
    pub(super) device: Option<String>,
}

impl Page for FinishPage {
    const TEMPLATE: &'static str = "finish.html";
}

/// It is done.
#[derive(Debug, Clone, Serialize)]
pub(super) struct DonePage {
    /// `onboarding`, `device` or `factor`.
    pub(super) purpose: &'static str,
    /// The message of the administrators, sanitized.
    pub(super) onboarding: Option<String>,
    pub(super) device: Option<String>,
    /// The device's public key: the page finds the private one by it, if it made it.
    pub(super) public_key: Option<String>,
    pub(super) configs: Vec<ConfigView>,
    /// The files are whole.
    pub(super) complete: bool,
    /// Until when this page can be opened again (RFC 3339, and for people).
    pub(super) until: String,
    pub(super) until_words: String,
}

impl Page for DonePage {
    const TEMPLATE: &'static str = "done.html";
}

/// How to connect to one location.
#[derive(Debug, Clone, Serialize)]
pub(super) struct ConfigView {
    pub(super) location: String,
    /// A name that is a file name everywhere and an interface of wg-quick.
    pub(super) file_name: String,
    /// A wg-quick file, with one marked line to fill in where the private key is not known here.
    pub(super) file: String,
    pub(super) before_mark: String,
    pub(super) after_mark: Option<String>,
    /// The file as a QR code, when it is whole.
    pub(super) qr_svg: Option<String>,
}

impl ConfigView {
    pub(super) fn new(config: DeviceConfig, private_key: Option<&str>) -> Self {
        let DeviceConfig { location: _, number, name, client, addresses: _, mfa: _ } = config;
        let file = client.file(private_key);
        let (before, after) = match file.split_once(PRIVATE_KEY_PLACEHOLDER) {
            Some((before, after)) => (before.to_owned(), Some(after.to_owned())),
            None => (file.clone(), None),
        };
        Self {
            file_name: file_name(name.as_str(), number.get()),
            location: name.into(),
            // A file too long for a QR code is still a file.
            qr_svg: private_key.and_then(|_| qr_svg(&file).ok()),
            file,
            before_mark: before,
            after_mark: after,
        }
    }
}

/// The location's name as a file name: wg-quick makes an interface of it, which takes 15 characters of these.
fn file_name(name: &str, number: i64) -> String {
    let kept: String = name.chars().map(|c| if c == ' ' { '-' } else { c.to_ascii_lowercase() }).collect();
    let kept: String = kept.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').take(15).collect();
    match kept.trim_matches('-') {
        "" => format!("vpn-{}.conf", number % 1_000_000),
        kept => format!("{kept}.conf"),
    }
}

#[derive(Deserialize)]
pub(super) struct Pressed {}

/// `GET /enroll/finish`
pub(super) async fn show(visit: Visit) -> Answer<Response> {
    shown(&visit, StatusCode::OK).await
}

async fn shown(visit: &Visit, status: impl Into<PageStatus> + Send) -> Answer<Response> {
    let (stands, journey) = match visit.step(Step::Finish).await? {
        Ok(page) => page,
        Err(elsewhere) => return Ok(elsewhere),
    };
    let page = FinishPage {
        journey,
        missing: stands.missing.iter().copied().map(Requirement::help).collect(),
        factor: stands.mfa_verified,
        device: stands.device.map(|device| device.name.into()),
    };
    Ok(answer(&visit.state, status, &page))
}

/// `POST /enroll/finish`: completes, and leads to a page that tells the truth however often it is loaded.
pub(super) async fn complete(visit: Visit, Form(Pressed {}): Form<Pressed>) -> Answer<Response> {
    let problem = match visit.state.service().enrollee().complete(&visit.session, visit.origin).await {
        Ok(_) => return Ok(see_other(DONE)),
        Err(failure) => Problem::from(failure),
    };
    match &*problem.document().code {
        "requirements_missing" => shown(&visit, problem.page_status()).await,
        _ => elsewhere(problem),
    }
}

/// `GET /enroll/done`: how it ended, until the session's deadline.
pub(super) async fn done(Visit { state, session, origin }: Visit) -> Answer<Response> {
    let Some(completion) = state.service().enrollee().outcome(&session, origin).await? else {
        return Ok(see_other(CONTINUE));
    };
    let Completion { state: stands, onboarding, configs, private_key, repeated: _ } = completion;
    state.branding().seen(Branding::from(&stands.settings));
    let private_key = private_key.as_ref().map(PrivateKey::expose_base64);
    let private_key = private_key.as_deref().map(String::as_str);
    let page = DonePage {
        purpose: stands.purpose.as_str(),
        onboarding: (stands.purpose == Purpose::Onboarding).then_some(onboarding.html),
        public_key: stands.device.as_ref().map(|device| device.public_key.to_string()),
        device: stands.device.map(|device| device.name.into()),
        complete: private_key.is_some(),
        configs: configs.into_iter().map(|config| ConfigView::new(config, private_key)).collect(),
        until: stands.deadline.to_string(),
        until_words: at(stands.deadline),
    };
    Ok(answer(&state, StatusCode::OK, &page))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_name_is_one_everywhere() {
        for (name, file) in [
            ("office", "office.conf"),
            ("Head Office", "head-office.conf"),
            ("../../etc/passwd", "etcpasswd.conf"),
            ("日本", "vpn-7.conf"),
            ("a very long name of a location", "a-very-long-nam.conf"),
        ] {
            assert_eq!(file_name(name, 7), file, "{name}");
        }
    }
}
