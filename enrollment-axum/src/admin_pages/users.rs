//! People: the list, and adding one.

use std::collections::BTreeSet;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use enrollment_core::domain::enrollment::Purpose;
use enrollment_core::domain::group::GroupName;
use enrollment_core::domain::role::Role;
use enrollment_core::domain::user::UserStatus;
use enrollment_core::service::administrator::{Listing, NewUser, PageRequest, StartEnrollment, UserView};
use serde::{Deserialize, Serialize};

use super::desk::{Desk, Me, When, done};
use super::form::{Posted, Shown};
use super::invitation::issued_page;
use crate::extract::{Query, each, field, optional};
use crate::page::{Page, answer, see_other};
use crate::problem::{Answer, PageStatus, Problem};
use crate::state::EnrollmentState;
use crate::words::DELIVERIES;

/// The list.
#[derive(Debug, Clone, Serialize)]
pub(super) struct UsersPage {
    pub(super) me: Me,
    pub(super) users: Vec<UserRow>,
    /// How the usernames begin.
    pub(super) search: String,
    pub(super) next: Option<String>,
    /// Not the first page.
    pub(super) further: bool,
    pub(super) done: Option<&'static str>,
}

impl Page for UsersPage {
    const TEMPLATE: &'static str = "users.html";
}

/// One of them.
#[derive(Debug, Clone, Serialize)]
pub(super) struct UserRow {
    pub(super) id: String,
    pub(super) username: String,
    pub(super) name: String,
    pub(super) email: String,
    pub(super) phone: String,
    pub(super) groups: Vec<String>,
    pub(super) role: String,
    pub(super) disabled: bool,
    pub(super) enrolled: Option<When>,
    pub(super) factors: Vec<&'static str>,
}

impl From<UserView> for UserRow {
    fn from(user: UserView) -> Self {
        Self {
            id: user.id.to_string(),
            username: user.username.to_string(),
            name: format!("{} {}", user.first_name, user.last_name).trim().to_owned(),
            email: user.email.map(String::from).unwrap_or_default(),
            phone: user.phone.map(String::from).unwrap_or_default(),
            groups: user.groups.into_iter().map(Into::into).collect(),
            role: user.role.map(role_words).unwrap_or_default(),
            disabled: user.status == UserStatus::Disabled,
            enrolled: user.enrolled.map(When::from),
            factors: user.factors.into_iter().map(|factor| factor.as_str()).collect(),
        }
    }
}

/// A role as people write it.
pub(super) fn role_words(role: Role) -> String {
    let words = role.as_str().replace('_', " ");
    let mut letters = words.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

/// A person to add.
#[derive(Debug, Clone, Serialize)]
pub(super) struct NewUserPage {
    pub(super) me: Me,
    pub(super) form: Shown,
    pub(super) roles: Vec<(&'static str, String)>,
    pub(super) can_mail: bool,
    pub(super) delivery: String,
    pub(super) role: String,
}

impl Page for NewUserPage {
    const TEMPLATE: &'static str = "user_new.html";
}

/// Which page of a list, and what was done before it.
#[derive(Deserialize)]
pub(super) struct ListQuery {
    pub(super) q: Option<String>,
    pub(super) cursor: Option<String>,
    pub(super) done: Option<String>,
}

impl ListQuery {
    /// What was searched for, if anything.
    pub(super) fn search(&self) -> Option<&str> {
        self.q.as_deref().map(str::trim).filter(|text| !text.is_empty())
    }

    pub(super) fn page(&self) -> PageRequest {
        PageRequest { cursor: self.cursor.clone(), limit: None }
    }
}

/// `GET /admin/users`
pub(super) async fn list(
    State(state): State<EnrollmentState>,
    desk: Desk,
    Query(query): Query<ListQuery>,
) -> Answer<Response> {
    let Listing { items, next } =
        state.service().administrator().users(&desk.by, query.search(), &query.page()).await?;
    let page = UsersPage {
        me: desk.me,
        users: items.into_iter().map(UserRow::from).collect(),
        search: query.search().unwrap_or_default().to_owned(),
        next,
        further: query.cursor.is_some(),
        done: done(query.done.as_deref()),
    };
    Ok(answer(&state, StatusCode::OK, &page))
}

const FIELDS: &[&str] = &["username", "first_name", "last_name", "email", "phone", "groups"];

/// `GET /admin/users/new`
pub(super) async fn new(State(state): State<EnrollmentState>, desk: Desk) -> Response {
    let delivery = if state.service().can_mail() { "email" } else { "manual" };
    shown(&state, StatusCode::OK, desk, Shown::empty(FIELDS), delivery, "")
}

fn shown(
    state: &EnrollmentState,
    status: impl Into<PageStatus>,
    desk: Desk,
    form: Shown,
    delivery: &str,
    role: &str,
) -> Response {
    let page = NewUserPage {
        me: desk.me,
        form,
        roles: Role::ALL.into_iter().map(|role| (role.as_str(), role_words(role))).collect(),
        can_mail: state.service().can_mail(),
        delivery: delivery.to_owned(),
        role: role.to_owned(),
    };
    answer(state, status, &page)
}

/// `POST /admin/users`: adds a person and invites them, both or neither.
pub(super) async fn add(State(state): State<EnrollmentState>, desk: Desk, posted: Posted) -> Answer<Response> {
    let added: Result<_, Problem> = async {
        let new = read(&posted)?;
        Ok(state.service().administrator().create_user(&desk.by, new).await?)
    }
    .await;
    match added {
        Ok((user, Some(issued))) => issued_page(&state, desk.me, &user, &issued).await,
        Ok((user, None)) => Ok(see_other(&format!("/admin/users/{}", user.id))),
        Err(problem) => {
            let status = problem.page_status();
            let beside = [("username_taken", "username"), ("no_email_address", "email")];
            let form = Shown::typed(FIELDS, &posted).refused(problem, &beside)?;
            Ok(shown(&state, status, desk, form, posted.get("delivery"), posted.get("role")))
        }
    }
}

fn read(posted: &Posted) -> Result<NewUser, Problem> {
    let enrollment = match posted.given("delivery") {
        Some("none") | None => None,
        Some(delivery) => Some(StartEnrollment {
            purpose: Purpose::Onboarding,
            delivery: DELIVERIES.read("delivery", delivery)?,
            email: None,
            validity: None,
            wording: None,
        }),
    };
    Ok(NewUser {
        username: field("username", posted.get("username").trim())?,
        first_name: field("first_name", posted.get("first_name").trim())?,
        last_name: field("last_name", posted.get("last_name").trim())?,
        email: optional("email", posted.given("email"))?,
        phone: optional("phone", posted.given("phone"))?,
        groups: each::<BTreeSet<GroupName>, _>("groups", &posted.list("groups"))?,
        role: optional("role", posted.given("role"))?,
        enrollment,
    })
}
