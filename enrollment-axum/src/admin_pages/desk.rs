//! Who reads a page, and what it shows around its content.

use axum::extract::FromRequestParts;
use axum::http::Method;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use enrollment_core::domain::role::Permission;
use enrollment_core::service::Principal;
use enrollment_core::service::sign_in::SignedIn;
use enrollment_core::time::Timestamp;
use serde::Serialize;

use super::session::OwnSignIn;
use super::users::role_words;
use crate::page::see_other;
use crate::problem::Problem;

/// Whoever asks for a page.
pub(super) struct Desk {
    pub(super) by: Principal,
    pub(super) me: Me,
}

/// A browser without a principal is led to the sign-in where it is ours, and refused where the host has another.
impl<S: Sync> FromRequestParts<S> for Desk {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Response> {
        match parts.extensions.get::<Principal>() {
            Some(by) => Ok(Self { by: *by, me: Me::new(by, parts.extensions.get::<SignedIn>()) }),
            None if parts.extensions.get::<OwnSignIn>().is_some() && parts.method == Method::GET => {
                Err(see_other("/admin/sign-in"))
            }
            None => Err(Problem::unauthorized().into_response()),
        }
    }
}

/// What every page shows of its reader, and which parts of the administration there are for them.
#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct Me {
    /// Their name; empty where a host signed them in.
    pub(super) username: String,
    /// The role, in words.
    pub(super) role: String,
    /// Whether they signed in here, and can sign out here.
    pub(super) own_sign_in: bool,
    pub(super) may: May,
}

/// The permission table, as far as pages show something by it.
#[derive(Debug, Clone, Copy, Default, Serialize)]
#[allow(clippy::struct_excessive_bools, reason = "a row of a table")]
pub(super) struct May {
    pub(super) read_users: bool,
    pub(super) manage_users: bool,
    pub(super) manage_administrators: bool,
    pub(super) start: bool,
    pub(super) send: bool,
    pub(super) revoke: bool,
    pub(super) read_locations: bool,
    pub(super) manage_locations: bool,
    pub(super) read_settings: bool,
    pub(super) manage_settings: bool,
}

impl Me {
    fn new(by: &Principal, signed_in: Option<&SignedIn>) -> Self {
        let may = |permission| by.demand(permission).is_ok();
        Self {
            username: signed_in.map(|signed_in| signed_in.account.username.clone()).unwrap_or_default(),
            role: by.role.map(role_words).unwrap_or_default(),
            own_sign_in: signed_in.is_some(),
            may: May {
                read_users: may(Permission::ReadUsers),
                manage_users: may(Permission::ManageUsers),
                manage_administrators: may(Permission::ManageAdministrators),
                start: may(Permission::StartEnrollment),
                send: may(Permission::SendEnrollment),
                revoke: may(Permission::RevokeEnrollment),
                read_locations: may(Permission::ReadLocations),
                manage_locations: may(Permission::ManageLocations),
                read_settings: may(Permission::ReadSettings),
                manage_settings: may(Permission::ManageSettings),
            },
        }
    }

    /// The first page there is for them.
    pub(super) const fn home(&self) -> &'static str {
        if self.may.read_users {
            "/admin/users"
        } else if self.may.read_settings {
            "/admin/settings"
        } else {
            "/admin/account"
        }
    }
}

/// An instant: for programs, and in words for people without JavaScript.
#[derive(Debug, Clone, Serialize)]
pub(super) struct When {
    pub(super) iso: String,
    pub(super) words: String,
}

impl From<Timestamp> for When {
    fn from(at: Timestamp) -> Self {
        // 2026-01-31T12:00:00Z, to the minute.
        let iso = at.to_string();
        let words = iso.get(..16).map_or_else(|| iso.clone(), |minute| format!("{} UTC", minute.replace('T', " ")));
        Self { iso, words }
    }
}

/// What a page says after something was done: by a word in its address, since the form led here by a redirect.
pub(super) fn done(word: Option<&str>) -> Option<&'static str> {
    Some(match word? {
        "disabled" => "Disabled. Their sessions and invitations are over, and their devices are taken out of force.",
        "enabled" => "Enabled. Their devices come back into force.",
        "role" => "The role was changed. They sign in anew.",
        "sent" => "The invitation is on its way by e-mail.",
        "deleted" => "The invitation is dead. The user stays, and can be invited again.",
        "saved" => "Saved.",
        "revived" => "The mail is queued again.",
        "ended" => "That session is over.",
        "password" => "Your password was changed. Your other sessions are over.",
        "signed_out" => "You are signed out.",
        _ => return None,
    })
}
