//! Adding the device.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use enrollment_core::secret::SessionSecret;
use enrollment_core::service::Origin;
use enrollment_core::service::enrollee::{DeviceKey, DeviceRequest};
use serde::{Deserialize, Serialize};

use super::journey::{self, CONTINUE, DONE, Journey, Step};
use super::session::{elsewhere, page_of, stands};
use crate::client::Client;
use crate::extract::{CurrentSession, field};
use crate::page::{Field, Form, FormProblem, Page, answer, see_other};
use crate::problem::{Answer, PageStatus, Problem};
use crate::state::EnrollmentState;

#[derive(Debug, Clone, Serialize)]
pub(super) struct DevicePage {
    pub(super) journey: Journey,
    /// The one that was added: its name and key.
    pub(super) device: Option<(String, String)>,
    /// The server makes a key pair when asked.
    pub(super) server_made_keys: bool,
    /// Adding it is all there is to do.
    pub(super) completes: bool,
    pub(super) name: Field,
    pub(super) public_key: Field,
    /// Where the key comes from: `here`, `paste` or `server`.
    pub(super) way: String,
    pub(super) above: Option<String>,
}

impl Page for DevicePage {
    const TEMPLATE: &'static str = "device.html";
}

/// A name, and a public key that was pasted or made in the page. The private half never arrives here (REQ-8).
#[derive(Default, Deserialize)]
pub(super) struct DeviceForm {
    #[serde(default)]
    name: String,
    #[serde(default)]
    way: String,
    #[serde(default)]
    public_key: String,
    /// Of the pair that the page made.
    #[serde(default)]
    made_key: String,
}

/// `GET /enroll/device`
pub(super) async fn show(
    State(state): State<EnrollmentState>,
    Client(origin): Client,
    CurrentSession(session): CurrentSession,
) -> Answer<Response> {
    shown(&state, &session, origin, StatusCode::OK, |_| {}).await
}

async fn shown(
    state: &EnrollmentState,
    session: &SessionSecret,
    origin: Origin,
    status: impl Into<PageStatus> + Send,
    change: impl FnOnce(&mut DevicePage) + Send,
) -> Answer<Response> {
    let (stands, journey) = match page_of(state, session, origin, Step::Device).await? {
        Ok(page) => page,
        Err(elsewhere) => return Ok(elsewhere),
    };
    let mut page = DevicePage {
        journey,
        completes: !journey::has(&stands, Step::Finish),
        device: stands.device.map(|device| (device.name.into(), device.public_key.to_string())),
        server_made_keys: state.service().policy().server_made_keys,
        name: Field::default(),
        public_key: Field::default(),
        way: "paste".to_owned(),
        above: None,
    };
    change(&mut page);
    Ok(answer(state, status, &page))
}

/// `POST /enroll/device`
pub(super) async fn add(
    State(state): State<EnrollmentState>,
    Client(origin): Client,
    CurrentSession(session): CurrentSession,
    Form(form): Form<DeviceForm>,
) -> Answer<Response> {
    let added = match form.request() {
        Ok(request) => {
            let added = state.service().enrollee().set_device(&session, &request, origin).await;
            added.map(|_| ()).map_err(Problem::from)
        }
        Err(problem) => Err(problem),
    };
    let problem = match added {
        Ok(()) => {
            let path = match stands(&state, &session, origin).await {
                Ok(Some(stands)) => journey::next(&stands, Some(Step::Device)),
                Ok(None) => DONE,
                // The device is there: "nothing happened", which a read may say of itself, would be wrong here.
                Err(_) => CONTINUE,
            };
            return Ok(see_other(path));
        }
        Err(problem) => problem,
    };
    let status = problem.page_status();
    let above = ["addresses_exhausted", "no_location", "step_not_offered"];
    let beside =
        [("public_key_taken", "public_key"), ("public_key_needed", "public_key"), ("device_name_taken", "name")];
    let sorted = FormProblem::sort(problem, &beside, &above);
    let DeviceForm { name, way, public_key, made_key: _ } = form;
    let (name, public_key) = (Field::with(name), Field::with(public_key));
    let again = move |page: &mut DevicePage| {
        (page.name, page.public_key, page.way) = (name, public_key, way);
    };
    match sorted {
        FormProblem::Beside(field, text) => {
            let beside = move |page: &mut DevicePage| {
                again(page);
                let field = if field == "name" { &mut page.name } else { &mut page.public_key };
                *field = std::mem::take(field).refused(text);
            };
            shown(&state, &session, origin, status, beside).await
        }
        FormProblem::Above(text) => {
            let above = move |page: &mut DevicePage| {
                again(page);
                page.above = Some(text);
            };
            shown(&state, &session, origin, status, above).await
        }
        FormProblem::Elsewhere(problem) => elsewhere(problem),
    }
}

impl DeviceForm {
    fn request(&self) -> Answer<DeviceRequest> {
        let name = field("name", self.name.trim())?;
        let key = match self.way.as_str() {
            "server" => DeviceKey::MakeHere,
            "here" => DeviceKey::Given(field("public_key", &self.made_key).map_err(|_| {
                Problem::invalid_field(
                    "public_key",
                    "your browser could not make a key; paste one, or try another browser",
                )
            })?),
            _ => DeviceKey::Given(field("public_key", self.public_key.trim())?),
        };
        Ok(DeviceRequest { name, key })
    }
}
