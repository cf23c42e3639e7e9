//! Adding the device.

use axum::response::Response;
use enrollment_core::service::enrollee::{DeviceKey, DeviceRequest, SessionState};
use serde::{Deserialize, Serialize};

use super::journey::{self, CONTINUE, DONE, Journey, Step};
use super::session::{Sorted, StepPage, Visit};
use crate::extract::field;
use crate::page::{Field, Form, Page, see_other};
use crate::problem::{Answer, Problem};

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

impl StepPage for DevicePage {
    const STEP: Step = Step::Device;

    async fn make(visit: &Visit, stands: SessionState, journey: Journey) -> Answer<Result<Self, Response>> {
        Ok(Ok(Self {
            journey,
            completes: !journey::has(&stands, Step::Finish),
            device: stands.device.map(|device| (device.name.into(), device.public_key.to_string())),
            server_made_keys: visit.state.service().policy().server_made_keys,
            name: Field::default(),
            public_key: Field::default(),
            way: "paste".to_owned(),
            above: None,
        }))
    }

    fn above(&mut self) -> &mut Option<String> {
        &mut self.above
    }

    fn field(&mut self, name: &str) -> &mut Field {
        if name == "name" { &mut self.name } else { &mut self.public_key }
    }
}

/// `GET /enroll/device`
pub(super) async fn show(visit: Visit) -> Answer<Response> {
    visit.show::<DevicePage>().await
}

/// `POST /enroll/device`
pub(super) async fn add(visit: Visit, Form(form): Form<DeviceForm>) -> Answer<Response> {
    let added = match form.request() {
        Ok(request) => {
            let added = visit.state.service().enrollee().set_device(&visit.session, &request, visit.origin).await;
            added.map(|_| ()).map_err(Problem::from)
        }
        Err(problem) => Err(problem),
    };
    let problem = match added {
        Ok(()) => {
            let path = match visit.stands().await {
                Ok(Some(stands)) => journey::next(&stands, Some(Step::Device)),
                Ok(None) => DONE,
                // The device is there: "nothing happened", which a read may say of itself, would be wrong here.
                Err(_) => CONTINUE,
            };
            return Ok(see_other(path));
        }
        Err(problem) => problem,
    };
    let sorted = Sorted {
        beside: &[
            ("public_key_taken", "public_key"),
            ("public_key_needed", "public_key"),
            ("device_name_taken", "name"),
        ],
        above: &["addresses_exhausted", "no_location", "step_not_offered"],
    };
    let DeviceForm { name, way, public_key, made_key: _ } = form;
    let typed = |page: &mut DevicePage| {
        (page.name, page.public_key, page.way) = (Field::with(name), Field::with(public_key), way);
    };
    visit.refuse(problem, &sorted, typed).await
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
