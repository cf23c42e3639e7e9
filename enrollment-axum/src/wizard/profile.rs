//! Seeing and confirming one's own data.

use axum::response::Response;
use enrollment_core::domain::contact::Phone;
use enrollment_core::service::enrollee::SessionState;
use serde::{Deserialize, Serialize};

use super::journey::{Journey, Step};
use super::session::{Sorted, StepPage, Visit, onward};
use crate::extract::optional;
use crate::page::{Field, Form, Page};
use crate::problem::{Answer, Problem};

#[derive(Debug, Clone, Serialize)]
pub(super) struct ProfilePage {
    pub(super) journey: Journey,
    pub(super) username: String,
    pub(super) name: String,
    pub(super) email: Option<String>,
    pub(super) phone: Field,
    pub(super) above: Option<String>,
}

impl Page for ProfilePage {
    const TEMPLATE: &'static str = "profile.html";
}

#[derive(Default, Deserialize)]
pub(super) struct ProfileForm {
    #[serde(default)]
    phone: String,
}

impl StepPage for ProfilePage {
    const STEP: Step = Step::Profile;

    async fn make(_: &Visit, stands: SessionState, journey: Journey) -> Answer<Result<Self, Response>> {
        let user = stands.person()?.clone();
        Ok(Ok(Self {
            journey,
            username: user.username.to_string(),
            name: format!("{} {}", user.first_name, user.last_name).trim().to_owned(),
            email: user.email.map(Into::into),
            phone: Field::with(user.phone.map(String::from).unwrap_or_default()),
            above: None,
        }))
    }

    fn above(&mut self) -> &mut Option<String> {
        &mut self.above
    }

    fn field(&mut self, _: &str) -> &mut Field {
        &mut self.phone
    }
}

/// `GET /enroll/profile`
pub(super) async fn show(visit: Visit) -> Answer<Response> {
    visit.show::<ProfilePage>().await
}

/// `POST /enroll/profile`
pub(super) async fn confirm(visit: Visit, Form(form): Form<ProfileForm>) -> Answer<Response> {
    let typed = form.phone.trim();
    let phone: Result<Option<Phone>, Problem> = optional("phone", Some(typed).filter(|typed| !typed.is_empty()));
    let confirmed = match phone {
        Ok(phone) => {
            let confirmed = visit.state.service().enrollee().confirm_profile(&visit.session, phone, visit.origin).await;
            confirmed.map_err(Problem::from)
        }
        Err(problem) => Err(problem),
    };
    match confirmed {
        Ok(stands) => Ok(onward(&stands, Step::Profile)),
        Err(problem) => {
            let sorted = Sorted { beside: &[], above: &[] };
            visit.refuse::<ProfilePage>(problem, &sorted, |page| page.phone = Field::with(form.phone)).await
        }
    }
}
