//! Completing.

use super::state::device_of;
use super::step::Open;
use super::{DeviceConfig, Enrollee, SessionState};
use crate::domain::attachment::Attachment;
use crate::domain::command::{Command, Decision, Effect, Step};
use crate::domain::decide;
use crate::domain::enrollment::Enrollment;
use crate::domain::user::User;
use crate::record::TemplateText;
use crate::secret::{PrivateKey, SessionSecret};
use crate::service::circumstances::World;
use crate::service::effects::Added;
use crate::service::texts::ONBOARDING;
use crate::service::turn::{Draft, TURNS, Written};
use crate::service::{Answer, Failure, Origin, operation};
use crate::template::{Rendered, Tags};

/// A completed enrollment.
#[derive(Debug)]
pub struct Completion {
    /// Where the session stands.
    pub state: SessionState,
    /// The onboarding message.
    pub onboarding: Onboarding,
    /// One configuration per location, when a device was added.
    pub configs: Vec<DeviceConfig>,
    /// The private key of the device, when it was made here: shown to this session only, kept nowhere.
    pub private_key: Option<PrivateKey>,
    /// It was complete before.
    pub repeated: bool,
}

/// The onboarding message (MSG-1).
pub type Onboarding = Rendered;

impl Enrollee<'_> {
    /// Completes: every requirement is checked against the world as it is in that very change, and credentials,
    /// enrolled flag, device and audit are written together or not at all (REQ-5). Completing again changes nothing
    /// and says so.
    ///
    /// # Errors
    /// [`Rejection::RequirementsMissing`](crate::domain::rejection::Rejection::RequirementsMissing) names every unmet
    /// requirement; the session lives on.
    pub fn complete<'a>(&'a self, session: &'a SessionSecret, origin: Origin) -> Answer<'a, Completion> {
        operation("enrollee.complete", self.try_complete(session, origin))
    }

    async fn try_complete(&self, session: &SessionSecret, origin: Origin) -> Result<Completion, Failure> {
        const OPERATION: Option<&str> = Some("complete");
        for _ in 0..TURNS {
            let found = self.by_session(session.digest(), origin, OPERATION).await?;
            let open = self.open_found(found, origin, OPERATION, &[TemplateText::key(ONBOARDING)]).await?;
            let now = self.service.now();
            let circumstances = open.world.circumstances(self.service);
            let command = Command::Step { session: session.digest(), step: Step::Complete(circumstances) };
            match decide(&open.stored.record, command, now) {
                Err(rejection) => return Err(self.refuse(&open, "complete", rejection).await),
                Ok(Decision::Unchanged(_)) => return self.completed(session, &open).await,
                Ok(Decision::Changed(changed)) => {
                    let mut draft = Draft::new(now);
                    let Open { stored, world, doer } = &open;
                    let (user, event) = (written_user(&changed.effects), changed.event.clone());
                    let added = self.service.add_changed(&mut draft, *doer, stored, Some(world), *changed);
                    let Added { next, outcome, promoted } = added.await?;
                    if outcome.is_ok() {
                        draft.ops.extend(world.holds());
                    }
                    // The versions of the user count without gaps, too.
                    if user.is_some() {
                        self.service.audit(&mut draft, *doer, world.user.key(), world.user.version, event);
                    }
                    match self.service.write(draft).await? {
                        Written::Applied => {
                            outcome?;
                            let mut world = open.world;
                            if let Some(user) = user {
                                world.user.record = user;
                            }
                            let completion = self.completion(session, &next, &world, &promoted, false);
                            return completion.map_err(Failure::after_the_change);
                        }
                        Written::Stale | Written::Taken(_) | Written::LeaseLost => {}
                    }
                }
            }
        }
        Err(Failure::Busy)
    }

    /// What completing said, of an enrollment that is complete.
    pub(super) async fn completed(&self, session: &SessionSecret, open: &Open) -> Result<Completion, Failure> {
        let enrollment = &open.stored.record;
        let attachments = match device_of(enrollment) {
            Some(device) => self.service.attachments(device).await?,
            None => Vec::new(),
        };
        let attachments: Vec<_> = attachments.into_iter().map(|stored| stored.record).collect();
        self.completion(session, enrollment, &open.world, &attachments, true)
    }

    fn completion(
        &self,
        session: &SessionSecret,
        enrollment: &Enrollment,
        world: &World,
        attachments: &[Attachment],
        repeated: bool,
    ) -> Result<Completion, Failure> {
        Ok(Completion {
            state: self.state(enrollment, world)?,
            onboarding: self.service.onboarding(world),
            configs: Self::configs(world, attachments),
            private_key: self.made_here(session, enrollment, world)?,
            repeated,
        })
    }
}

fn written_user(effects: &[Effect]) -> Option<User> {
    effects.iter().find_map(|effect| match effect {
        Effect::WriteUser(user) => Some(User::clone(user)),
        _ => None,
    })
}

impl World {
    /// What a template may say of these people. A tag without a value is empty and holds nobody up (MSG-2).
    pub(crate) fn tags(&self, instance: &crate::service::Instance) -> Tags {
        let user = &self.user.record;
        let text = |value: Option<String>| value.unwrap_or_default();
        let initiator = self.initiator.as_ref();
        Tags {
            first_name: user.first_name.to_string(),
            last_name: user.last_name.to_string(),
            username: user.username.to_string(),
            admin_first_name: text(initiator.map(|admin| admin.first_name.to_string())),
            admin_last_name: text(initiator.map(|admin| admin.last_name.to_string())),
            admin_phone: text(initiator.and_then(|admin| admin.phone.as_ref()).map(ToString::to_string)),
            admin_email: text(initiator.and_then(|admin| admin.email.as_ref()).map(ToString::to_string)),
            instance_url: instance.url.clone(),
            instance_version: instance.version.clone(),
        }
    }
}
