//! Sessions of administrators: whom they make of their holder, and how they end.

use std::net::IpAddr;

use super::SignIn;
use super::account::AccountView;
use crate::domain::audit::Actor;
use crate::domain::event::Event;
use crate::domain::rejection::Rejection;
use crate::domain::sign_in::{AdminSession, Stage, USE_NOTED_EVERY};
use crate::domain::user::User;
use crate::id::AdminSessionId;
use crate::record::{IndexName, Stored};
use crate::secret::AdminSessionSecret;
use crate::service::turn::{Doer, Draft, TURNS, Written};
use crate::service::{Answer, Failure, Origin, Principal, operation};
use crate::time::Timestamp;

/// Whoever holds a session.
#[derive(Debug, Clone)]
pub struct SignedIn {
    /// What they are to every use case.
    pub principal: Principal,
    /// Which session.
    pub session: AdminSessionId,
    /// Whose.
    pub account: AccountView,
}

/// A session, as its user sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdminSessionView {
    /// Which one.
    pub id: AdminSessionId,
    /// When it began.
    pub began: Timestamp,
    /// When it was last used, up to a minute later.
    pub used: Timestamp,
    /// When it is over, unless it is used before.
    pub ends: Timestamp,
    /// Where it began.
    pub source: Option<IpAddr>,
}

impl SignIn<'_> {
    /// Whom a session makes of its holder.
    ///
    /// It is over 15 minutes after its last use and 8 hours after its sign-in, and at once when its user is disabled or
    /// erased, gets another role, or changes their password or their app (AUTH-4). Using it is written down at most once
    /// a minute.
    ///
    /// # Errors
    /// [`Rejection::NotSignedIn`], whatever the reason.
    pub fn authenticate<'a>(&'a self, session: &'a AdminSessionSecret, origin: Origin) -> Answer<'a, SignedIn> {
        operation("sign_in.authenticate", self.try_authenticate(session, origin))
    }

    async fn try_authenticate(&self, secret: &AdminSessionSecret, origin: Origin) -> Result<SignedIn, Failure> {
        for _ in 0..TURNS {
            let (session, user) = self.open_session(secret).await?;
            let now = self.service.now();
            if let Stage::Open { used } = session.record.stage
                && now.since(used) >= USE_NOTED_EVERY
            {
                let mut draft = Draft::new(now);
                let next = AdminSession { stage: Stage::Open { used: now }, ..session.record.clone() };
                draft.ops.extend([session.put(&next), user.check()]);
                match self.service.write(draft).await? {
                    Written::Applied => {}
                    Written::Stale | Written::Taken(_) | Written::LeaseLost => continue,
                }
            }
            let User { id, role, ref sign_ins, .. } = user.record;
            return Ok(SignedIn {
                principal: Principal {
                    actor: Actor::User(id),
                    role,
                    user: Some(id),
                    origin,
                    epoch: Some(sign_ins.epoch),
                },
                session: session.record.id,
                account: AccountView::from(&user.record),
            });
        }
        Err(Failure::Busy)
    }

    /// Ends a session, one that is half-way too. One that is over already is none.
    ///
    /// # Errors
    /// When the store cannot be asked.
    pub fn sign_out<'a>(&'a self, session: &'a AdminSessionSecret, origin: Origin) -> Answer<'a, ()> {
        operation("sign_in.sign_out", async move {
            match self.of_session(session, |_| true).await {
                Ok((session, user, _)) => self.end(&session, &user, origin).await,
                Err(Failure::Rejected(Rejection::NotSignedIn)) => Ok(()),
                Err(failure) => Err(failure),
            }
        })
    }

    /// The user's own sessions, the oldest first.
    ///
    /// # Errors
    /// [`Rejection::NotSignedIn`].
    pub fn sessions<'a>(&'a self, session: &'a AdminSessionSecret) -> Answer<'a, Vec<AdminSessionView>> {
        operation("sign_in.sessions", async move {
            let (_, user) = self.open_session(session).await?;
            let now = self.service.now();
            let all = self.sessions_of(&user.record).await?;
            Ok(all.iter().filter_map(|session| view(&session.record, &user.record, now)).collect())
        })
    }

    /// Ends another of the user's own sessions. One that is over already is none.
    ///
    /// # Errors
    /// [`Rejection::NotSignedIn`]; [`Rejection::NotFound`] for one that is not theirs.
    pub fn end_session<'a>(
        &'a self,
        session: &'a AdminSessionSecret,
        other: AdminSessionId,
        origin: Origin,
    ) -> Answer<'a, ()> {
        operation("sign_in.end_session", async move {
            let (_, user) = self.open_session(session).await?;
            let other = self.service.read::<AdminSession>(other.uuid()).await?;
            let other = other.filter(|other| other.record.user == user.record.id);
            self.end(&other.ok_or(Rejection::NotFound { what: "session" })?, &user, origin).await
        })
    }

    pub(super) async fn sessions_of(&self, user: &User) -> Result<Vec<Stored<AdminSession>>, Failure> {
        self.service.all(IndexName::AdminSessionsByUser, user.id.to_string()).await
    }

    async fn open_session(&self, secret: &AdminSessionSecret) -> Result<(Stored<AdminSession>, Stored<User>), Failure> {
        let (session, user, _) = self.of_session(secret, |stage| matches!(stage, Stage::Open { .. })).await?;
        Ok((session, user))
    }

    async fn end(&self, session: &Stored<AdminSession>, user: &Stored<User>, origin: Origin) -> Result<(), Failure> {
        let id = session.record.id;
        let mut session = Some(session.clone());
        for _ in 0..TURNS {
            let Some(present) = session else { return Ok(()) };
            let mut draft = Draft::new(self.service.now());
            draft.ops.push(present.delete());
            // Half-way, nobody was signed in.
            if let Stage::Open { .. } = present.record.stage {
                let doer = Doer { actor: Actor::User(user.record.id), origin };
                self.service.audit(&mut draft, doer, user.key(), user.version, Event::SignedOut);
            }
            if let Written::Applied = self.service.write(draft).await? {
                return Ok(());
            }
            // Its use was noted meanwhile, or it was ended.
            session = self.service.read(id.uuid()).await?;
        }
        Err(Failure::Busy)
    }
}

fn view(session: &AdminSession, user: &User, now: Timestamp) -> Option<AdminSessionView> {
    let Stage::Open { used } = session.stage else { return None };
    session.is_of(user, now).then(|| AdminSessionView {
        id: session.id,
        began: session.began,
        used,
        ends: session.ends(),
        source: session.source,
    })
}
