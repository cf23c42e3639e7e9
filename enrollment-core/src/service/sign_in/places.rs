//! Where an answer comes from, and what was wrong from there before.

use super::SignIn;
use super::begin::SignInRequest;
use crate::domain::sign_in::{Means, Place, PlaceBy};
use crate::domain::user::User;
use crate::domain::username::Username;
use crate::id::{PlaceId, UserId};
use crate::port::Op;
use crate::record::{Guard, Kind, Row, RowKey, Stored, UniqueKey, UniqueName, new_row};
use crate::secret::{Named, RecoveryCode};
use crate::service::Failure;
use crate::service::enrollee::mfa::recovery_binding;
use crate::time::Timestamp;

/// As much of a name is looked at as a username can have.
const NAME_CHARS: usize = 100;

/// What one look found: whose name it is, and the place that answers count for.
pub(super) struct Found {
    pub(super) user: Option<Stored<User>>,
    pub(super) counted: Counted,
    /// What a wrong answer is counted upon: that the user is not erased at this instant. For nobody it is another row that
    /// stands, held as it was read: whoever measures the time finds the same work.
    pub(super) stands: Op,
}

/// A place with its row, if there is one already.
pub(super) struct Counted {
    pub(super) place: Place,
    stored: Option<Stored<Place>>,
    /// Beside a place of the user's own: that of the strangers, which a sign-in resets.
    pub(super) strangers: Option<Stored<Place>>,
}

impl Counted {
    /// A place without a row.
    pub(super) const fn new(place: Place) -> Self {
        Self { place, stored: None, strangers: None }
    }

    /// The step that writes the place as it becomes.
    pub(super) fn put(&self, next: &Place) -> Op {
        match &self.stored {
            Some(stored) => stored.put(next),
            None => new_row(next),
        }
    }
}

impl From<Stored<Place>> for Counted {
    fn from(stored: Stored<Place>) -> Self {
        Self { place: stored.record.clone(), stored: Some(stored), strangers: None }
    }
}

impl SignIn<'_> {
    /// Reads user and place. The same two reads of as many rows, whoever it is and whether there is such a one.
    pub(super) async fn look(&self, request: &SignInRequest, now: Timestamp) -> Result<Found, Failure> {
        let username = request.username.parse::<Username>().ok();
        // No username is a question mark.
        let name = username.as_ref().map_or("?", Username::as_str);
        let user = self.service.find::<User>(&UniqueKey::new(UniqueName::Username, name)).await?;
        let named = match &user {
            Some(user) => Named::user(user.record.id),
            None => {
                let typed = username.map_or_else(|| bounded(&request.username), |name| name.as_str().to_owned());
                self.service.ring().nobody(&typed)
            }
        };
        let strangers = named.strangers();
        let browser = request.browser.as_ref().map_or(strangers, |secret| named.browser(secret));
        let recovery =
            request.recovery.as_ref().map_or(strangers, |code| self.service.ring().recovery_place(named, code));
        let [strangers_key, browser_key, recovery_key] =
            [strangers, browser, recovery].map(|id| RowKey::new(Kind::Place, id.uuid()));
        // Only an instance that never had an Owner lacks the guard of their set, and few changes touch it.
        let keys = [strangers_key, browser_key, recovery_key, Guard::Owners.key()];
        let mut rows = self.service.store().get(&keys).await?;
        let guard = rows.pop().flatten();
        let [strangers_row, browser_row, recovery_row] = places(rows)?;
        let nobody = Op::Check { key: Guard::Owners.key(), version: guard.map(|row| row.version) };
        let stands = user.as_ref().map_or(nobody, Stored::check);

        let known = |place: &Stored<Place>, by| place.record.by == by && place.record.is_known(Means::Password, now);
        if let Some(place) = browser_row.filter(|place| known(place, PlaceBy::Browser)) {
            let counted = Counted { strangers: strangers_row, ..place.into() };
            return Ok(Found { user, counted, stands });
        }
        let of = user.as_ref().map(|user| user.record.id);
        let new = |id: PlaceId, by| Counted::new(Place { name: named.name(), ..Place::new(id, of, by, now) });
        let shown = match (&user, &request.recovery) {
            (Some(user), Some(code)) => self.recovery_code(&user.record, code)?.is_some(),
            _ => false,
        };
        let counted = match (recovery_row, strangers_row) {
            (None, strangers) if shown => Counted { strangers, ..new(recovery, PlaceBy::Recovery) },
            (Some(place), strangers) if shown && known(&place, PlaceBy::Recovery) => {
                Counted { strangers, ..place.into() }
            }
            (_, Some(place)) if place.record.name == named.name() => place.into(),
            // Of names that nobody has and that share the row, it counts for the one tried last.
            (_, stored) => Counted { stored, ..new(strangers, PlaceBy::Nothing) },
        };
        Ok(Found { user, counted, stands })
    }

    /// The place with that of the strangers beside it, where it is one of the user's own.
    pub(super) async fn beside_strangers(&self, user: UserId, counted: Counted) -> Result<Counted, Failure> {
        if counted.place.by == PlaceBy::Nothing {
            return Ok(counted);
        }
        let strangers = self.service.read::<Place>(Named::user(user).strangers().uuid()).await?;
        Ok(Counted { strangers, ..counted })
    }

    /// Which of a user's recovery codes this is.
    pub(super) fn recovery_code(&self, user: &User, code: &RecoveryCode) -> Result<Option<usize>, Failure> {
        let (ring, binding) = (self.service.ring(), recovery_binding(user.id));
        let mut which = None;
        for (at, digest) in user.credentials.recovery.iter().enumerate() {
            if self.service.keyed(ring.verify_recovery_code(&binding, digest, code))? {
                which = Some(at);
            }
        }
        Ok(which)
    }
}

fn places(rows: Vec<Option<Row>>) -> Result<[Option<Stored<Place>>; 3], Failure> {
    let read = |row: Option<Row>| row.as_ref().map(Stored::read).transpose();
    let read: Vec<_> = rows.into_iter().map(read).collect::<Result<_, _>>()?;
    read.try_into().map_err(|_| Failure::Broken("a store gave another number of rows than was asked for".into()))
}

fn bounded(typed: &str) -> String {
    typed.chars().take(NAME_CHARS).collect()
}
