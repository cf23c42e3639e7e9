//! Words of an administrator's own for one invitation (MSG-6).

use super::templates::invalid;
use crate::domain::mail::{Delivery, Wording};
use crate::domain::rejection::Rejection;
use crate::domain::role::Permission;
use crate::service::Principal;
use crate::template::{Subject, Template};

/// Whether the principal may have a mail say this, and whether it renders for everybody: held to what a saved text is
/// held to (MSG-3).
///
/// Choosing the words is like changing a text for one mail: for whoever starts enrollments. Who only sends, sends what
/// others wrote (ADM-7).
pub(super) fn demand_wording(by: &Principal, wording: Option<&Wording>, delivery: Delivery) -> Result<(), Rejection> {
    // One that is empty is a choice as well: it takes away what others wrote.
    let Some(wording) = wording else { return Ok(()) };
    by.demand(Permission::StartEnrollment)?;
    wording.demand_mailed(delivery)?;
    // Two texts come in one request: the message says which of them it is about.
    if let Some(subject) = &wording.subject {
        Subject::compile(subject).map_err(|error| invalid(&error, format!("subject: {}", error.message())))?;
    }
    if let Some(body) = &wording.body {
        Template::compile(body).map_err(|error| invalid(&error, format!("body: {}", error.message())))?;
    }
    Ok(())
}
