//! Sealing again, after a rotation, what older keys have sealed.

use crate::domain::enrollment::{Enrollment, Held, Phase, Work};
use crate::domain::event::Event;
use crate::domain::location::Location;
use crate::domain::user::User;
use crate::id::UserId;
use crate::port::Scan;
use crate::record::{IndexName, KeyBook, Record, ResealList, Resealing, Row, Stored};
use crate::secret::{Binding, KeyRing, Sealed};
use crate::service::administrator::gateway::gateway_binding;
use crate::service::enrollee::mfa::totp_binding;
use crate::service::turn::{Draft, TURNS, Written};
use crate::service::{Answer, Failure, Service, round};
use crate::time::Span;
use crate::worker::SYSTEM;

/// Brings what is sealed (secrets of authenticator apps, private keys of gateways) under the key that is active now
/// (SYS-10). Nothing waits for it: a retired key, and a revoked one, still open what they sealed.
///
/// How far it is stands in the [`KeyBook`]: killed at any instant it goes on where it was, here or in another process.
#[derive(Debug, Clone)]
pub struct Resealer {
    service: Service,
}

/// Records of one run.
const BATCH: u32 = 64;

/// When a second pass begins: by then every process has the ring, and every session that began before the rotation is
/// over.
const SECOND_PASS_AFTER: Span = Span::hours(24);

impl Resealer {
    /// The resealer of a service.
    #[must_use]
    pub const fn new(service: Service) -> Self {
        Self { service }
    }

    /// Goes through one batch of records, and says how many steps it took; 0: there is nothing to do now. Call again
    /// until it says 0, and every now and then.
    ///
    /// After a rotation it passes twice over everybody who holds a sealed secret: at once, and a day later for what
    /// processes that had not got the key yet have sealed. One change per record, whose audit entry tells of it. Any
    /// number of resealers may run; one whose process has not got the key yet does nothing.
    ///
    /// # Errors
    /// When the store cannot be asked. A secret that cannot be opened is reported in the log and left as it is.
    pub fn run_once(&self) -> Answer<'_, usize> {
        round("resealer", self.try_run_once())
    }

    async fn try_run_once(&self) -> Result<usize, Failure> {
        let Some(book) = self.service.read::<KeyBook>(KeyBook::KEY.id).await? else { return Ok(0) };
        let Some(progress) = book.record.resealing.clone() else { return Ok(0) };
        let ring = self.service.ring();
        if self.service.now() < progress.due || ring.active() != progress.key {
            return Ok(0);
        }
        let (index, within) = list(progress.list);
        let scan = Scan { after: progress.after.clone(), ..Scan::all(index, within, BATCH) };
        let page = self.service.store().scan(&scan).await?;
        let mut done = progress.done;
        for row in &page.rows {
            let sealed = match progress.list {
                ResealList::Enrollments => self.reseal::<Enrollment>(&ring, row).await?,
                ResealList::Users => self.reseal::<User>(&ring, row).await?,
                ResealList::Locations => self.reseal::<Location>(&ring, row).await?,
            };
            done += u64::from(sealed);
        }
        let next = match page.next {
            Some(cursor) => Some(Resealing { after: Some(cursor), done, ..progress }),
            None => behind(Resealing { after: None, done, ..progress }),
        };
        if next.is_none() {
            tracing::info!(key = %ring.active(), done, "everything that was sealed under older keys is sealed again");
        }
        let mut draft = Draft::new(self.service.now());
        draft.ops.push(book.put(&KeyBook { resealing: next, ..book.record.clone() }));
        match self.service.write(draft).await? {
            // Where another was faster, it has noted its own progress, and goes on from there.
            Written::Applied | Written::Stale | Written::Taken(_) | Written::LeaseLost => Ok(page.rows.len().max(1)),
        }
    }

    /// Seals again what a record holds; says whether there was anything.
    async fn reseal<R: Holder>(&self, ring: &KeyRing, row: &Row) -> Result<bool, Failure> {
        let mut stored = match Stored::<R>::read(row) {
            Ok(stored) => stored,
            Err(error) => {
                tracing::error!(%error, row = %row.key, "a record cannot be read, and is not sealed again");
                return Ok(false);
            }
        };
        for _ in 0..TURNS {
            let mut next = stored.record.clone();
            let mut changed = false;
            for (sealed, place) in next.sealed() {
                changed |= self.reseal_one(ring, &place, sealed, row);
            }
            if !changed {
                return Ok(false);
            }
            let mut draft = Draft::new(self.service.now());
            draft.ops.push(stored.put(&next));
            let event = Event::SecretsResealed { key: ring.active() };
            self.service.audit(&mut draft, SYSTEM, stored.key(), stored.version, event);
            if let Written::Applied = self.service.write(draft).await? {
                return Ok(true);
            }
            match self.service.read::<R>(row.key.id).await? {
                Some(again) => stored = again,
                None => return Ok(false),
            }
        }
        // Left to the second pass: somebody works on it all the time.
        Ok(false)
    }

    fn reseal_one(&self, ring: &KeyRing, place: &Binding<'_>, sealed: &mut Sealed, row: &Row) -> bool {
        if sealed.key() == ring.active() {
            return false;
        }
        let again = ring.open(place, sealed).and_then(|plain| ring.seal(place, &plain, self.service.entropy()));
        match again {
            Ok(again) => {
                *sealed = again;
                true
            }
            Err(error) => {
                tracing::error!(%error, row = %row.key, "a sealed secret cannot be opened, and is not sealed again");
                false
            }
        }
    }
}

const fn list(of: ResealList) -> (IndexName, &'static str) {
    match of {
        ResealList::Enrollments => (IndexName::EnrollmentsByCreated, "open"),
        ResealList::Users => (IndexName::UsersByUsername, ""),
        ResealList::Locations => (IndexName::LocationsByName, ""),
    }
}

/// What comes after the end of a list: the next one, the second pass, nothing.
fn behind(ended: Resealing) -> Option<Resealing> {
    let list = match ended.list {
        ResealList::Enrollments => ResealList::Users,
        ResealList::Users => ResealList::Locations,
        ResealList::Locations => {
            let second = ended.since.plus(SECOND_PASS_AFTER.duration());
            return (ended.due < second).then_some(Resealing { due: second, list: ResealList::Enrollments, ..ended });
        }
    };
    Some(Resealing { list, ..ended })
}

/// A record that holds sealed secrets. Each is taken apart whole, so that a new field must be thought of here.
trait Holder: Record + Clone + Send + Sync {
    /// Its secrets, each with the place it is sealed to.
    fn sealed(&mut self) -> Vec<(&mut Sealed, Binding<'static>)>;
}

impl Holder for Enrollment {
    fn sealed(&mut self) -> Vec<(&mut Sealed, Binding<'static>)> {
        // A machine's session has no secrets.
        let (Some(user), Phase::InSession(session)) = (self.subject.user(), &mut self.phase) else { return Vec::new() };
        let mut all = in_work(&mut session.work, user);
        if let Some(Held { by: _, serial: _, work }) = &mut session.held {
            all.extend(in_work(work, user));
        }
        all
    }
}

fn in_work(work: &mut Work, user: UserId) -> Vec<(&mut Sealed, Binding<'static>)> {
    let Work { profile: _, password: _, offered_totp, totp, email_code: _, email: _, recovery: _, device: _ } = work;
    let secrets = offered_totp.iter_mut().chain(totp.iter_mut().map(|factor| &mut factor.secret));
    secrets.map(|sealed| (sealed, totp_binding(user))).collect()
}

impl Holder for User {
    fn sealed(&mut self) -> Vec<(&mut Sealed, Binding<'static>)> {
        let place = totp_binding(self.id);
        self.credentials.totp.iter_mut().map(|factor| (&mut factor.secret, place)).collect()
    }
}

impl Holder for Location {
    fn sealed(&mut self) -> Vec<(&mut Sealed, Binding<'static>)> {
        let place = gateway_binding(self.id);
        self.private_key.iter_mut().map(|sealed| (sealed, place)).collect()
    }
}
