//! Settings: what administrators choose inside the policy.

use std::collections::BTreeMap;

use super::patch::Changed;
use super::{Administrator, doer};
use crate::domain::contact::Email;
use crate::domain::download::{DownloadUrl, Platform};
use crate::domain::event::Event;
use crate::domain::rejection::Rejection;
use crate::domain::role::Permission;
use crate::domain::settings::{DeviceStep, FrontEnd, InvalidSetting, Settings};
use crate::domain::text::Label;
use crate::record::{Stored, Version, new_row};
use crate::service::turn::{Draft, INSTANCE, TURNS, Written};
use crate::service::{Answer, Failure, Principal, operation};
use crate::time::Span;

/// New values for some of the settings; `None` leaves one as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SettingsPatch {
    /// See [`Settings::organization`].
    pub organization: Option<Label>,
    /// See [`Settings::product`].
    pub product: Option<Label>,
    /// See [`Settings::support_contact`].
    pub support_contact: Option<Label>,
    /// See [`Settings::token_validity`].
    pub token_validity: Option<Span>,
    /// See [`Settings::session_validity`].
    pub session_validity: Option<Span>,
    /// See [`Settings::max_sessions`].
    pub max_sessions: Option<u32>,
    /// See [`Settings::device_step`].
    pub device_step: Option<DeviceStep>,
    /// See [`Settings::front_end`].
    pub front_end: Option<FrontEnd>,
    /// See [`Settings::downloads`]: those that change; `None` takes one away.
    pub downloads: BTreeMap<Platform, Option<DownloadUrl>>,
    /// See [`Settings::sender`]; `Some(None)` takes the address away.
    pub sender: Option<Option<Email>>,
    /// See [`Settings::help_desk_may_send`].
    pub help_desk_may_send: Option<bool>,
    /// See [`Settings::onboarding_mail`].
    pub onboarding_mail: Option<bool>,
}

impl Administrator<'_> {
    /// The settings in force.
    ///
    /// # Errors
    /// [`Rejection::Forbidden`].
    pub fn settings<'a>(&'a self, by: &'a Principal) -> Answer<'a, Settings> {
        operation("administrator.settings", async move {
            self.audited(by, "settings", INSTANCE, async {
                by.demand(Permission::ReadSettings)?;
                let row = self.service.store().get(&[Settings::KEY]).await?.pop().flatten();
                Ok(self.service.settings_of(row)?.0)
            })
            .await
        })
    }

    /// Changes some settings, all of them or none, and returns what is in force then. Enrollments and sessions that are
    /// under way keep the deadlines they were given. A patch that changes nothing writes nothing.
    ///
    /// # Errors
    /// [`Rejection::OutOfRange`] with the field and its range, when a value lies outside the policy: it is never
    /// clamped. [`Rejection::Forbidden`].
    pub fn change_settings<'a>(&'a self, by: &'a Principal, patch: SettingsPatch) -> Answer<'a, Settings> {
        operation("administrator.change_settings", self.try_change_settings(by, patch))
    }

    async fn try_change_settings(&self, by: &Principal, patch: SettingsPatch) -> Result<Settings, Failure> {
        self.audited(by, "change_settings", INSTANCE, async {
            by.demand(Permission::ManageSettings)?;
            for _ in 0..TURNS {
                let row = self.service.store().get(&[Settings::KEY]).await?.pop().flatten();
                let stored = row.as_ref().map(Stored::<Settings>::read).transpose()?;
                let mut next = match &stored {
                    Some(stored) => stored.record.clone(),
                    None => Settings::defaults(self.service.policy()),
                };
                let changed = patch.clone().apply(&mut next);
                if changed.is_empty() {
                    return Ok(next);
                }
                next.check(self.service.policy())
                    .map_err(|InvalidSetting { field, reason }| Rejection::OutOfRange { field, reason })?;
                let mut draft = Draft::new(self.service.now());
                draft.ops.push(stored.map_or_else(|| new_row(&next), |stored| stored.put(&next)));
                let event = Event::SettingsChanged { fields: changed.0 };
                self.service.audit(&mut draft, doer(by), Settings::KEY, Version::FIRST, event);
                match self.write(by, draft).await? {
                    Written::Applied => return Ok(next),
                    Written::Stale | Written::Taken(_) | Written::LeaseLost => {}
                }
            }
            Err(Failure::Busy)
        })
        .await
    }
}

impl SettingsPatch {
    fn apply(self, to: &mut Settings) -> Changed {
        // No `..`: a new field cannot be forgotten.
        let Self {
            organization,
            product,
            support_contact,
            token_validity,
            session_validity,
            max_sessions,
            device_step,
            front_end,
            downloads,
            sender,
            help_desk_may_send,
            onboarding_mail,
        } = self;
        let mut changed = Changed::default();
        changed.set(&mut to.organization, organization, "organization");
        changed.set(&mut to.product, product, "product");
        changed.set(&mut to.support_contact, support_contact, "support_contact");
        changed.set(&mut to.token_validity, token_validity, "token_validity");
        changed.set(&mut to.session_validity, session_validity, "session_validity");
        changed.set(&mut to.max_sessions, max_sessions, "max_sessions");
        changed.set(&mut to.device_step, device_step, "device_step");
        changed.set(&mut to.front_end, front_end, "front_end");
        let mut known = to.downloads.clone();
        for (platform, url) in downloads {
            match url {
                Some(url) => known.insert(platform, url),
                None => known.remove(&platform),
            };
        }
        changed.set(&mut to.downloads, Some(known), "downloads");
        changed.set(&mut to.sender, sender, "sender");
        changed.set(&mut to.help_desk_may_send, help_desk_may_send, "help_desk_may_send");
        changed.set(&mut to.onboarding_mail, onboarding_mail, "onboarding_mail");
        changed
    }
}
