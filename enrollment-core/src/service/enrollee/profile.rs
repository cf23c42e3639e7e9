//! Confirming one's own data.

use super::step::Open;
use super::{Enrollee, SessionState};
use crate::domain::command::Step;
use crate::domain::contact::Phone;
use crate::domain::enrollment::Profile;
use crate::secret::SessionSecret;
use crate::service::{Answer, Origin, operation};

impl Enrollee<'_> {
    /// Confirms the user's data; `phone` corrects the number on file, `None` leaves it.
    ///
    /// # Errors
    /// When the session is not the one in force, or the step is not part of the enrollment.
    pub fn confirm_profile<'a>(
        &'a self,
        session: &'a SessionSecret,
        phone: Option<Phone>,
        origin: Origin,
    ) -> Answer<'a, SessionState> {
        operation("enrollee.confirm_profile", async move {
            let make = |_: &Open, _| Ok(Step::ConfirmProfile(Profile { phone: phone.clone() }));
            let stepped = self.step(session, origin, "profile", make).await?;
            self.state(&stepped.enrollment, &stepped.world)
        })
    }
}
