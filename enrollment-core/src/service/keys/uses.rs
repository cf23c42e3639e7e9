//! Which records need which keys.

use std::collections::BTreeMap;
use std::fmt;

use crate::domain::enrollment::{Enrollment, Held, Phase, Session, Work};
use crate::domain::location::Location;
use crate::domain::sign_in::{AdminSession, OfferedTotp};
use crate::domain::token_opens;
use crate::domain::user::{Credentials, TotpFactor, User};
use crate::port::{Scan, Store};
use crate::record::{IndexName, Record, Seal, Stored};
use crate::secret::{KeyId, KeyedDigest, Sealed};
use crate::service::{Answer, Failure};
use crate::time::Timestamp;

/// How many records of each kind need one key: what is lost with it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct KeyUse {
    /// Invitations whose link still opens something.
    pub links: u64,
    /// Secrets of authenticator apps: of users, and of those who are setting one up.
    pub authenticators: u64,
    /// Recovery codes, and other codes that were handed out.
    pub codes: u64,
    /// Private keys of gateways that were made here.
    pub gateways: u64,
    /// Signed batches of the audit log.
    pub audit_batches: u64,
}

impl KeyUse {
    /// Whether nothing needs the key.
    #[must_use]
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// Secrets that are sealed under the key, and are sealed again after a rotation.
    #[must_use]
    pub const fn sealed(&self) -> u64 {
        self.authenticators + self.gateways
    }
}

impl fmt::Display for KeyUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [
            (self.links, "link of an invitation", "links of invitations"),
            (self.authenticators, "authenticator app", "authenticator apps"),
            (self.codes, "recovery code", "recovery codes"),
            (self.gateways, "private key of a gateway", "private keys of gateways"),
            (self.audit_batches, "proof of an audit batch", "proofs of audit batches"),
        ];
        let mut separator = "";
        for (count, one, many) in parts.into_iter().filter(|(count, ..)| *count > 0) {
            write!(f, "{separator}{count} {}", if count == 1 { one } else { many })?;
            separator = ", ";
        }
        if separator.is_empty() { f.write_str("nothing") } else { Ok(()) }
    }
}

/// What each key is needed for. A key that is not there is needed for nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeyUses(pub BTreeMap<KeyId, KeyUse>);

/// Records read at once.
const PAGE: u32 = 256;

/// Says what each key is needed for, by reading every record that names one: open enrollments, sessions of
/// administrators, users, locations and the seals of the audit log, 256 at a time. It takes as long as they are many, and memory for one page.
///
/// It is no snapshot. What moves from an enrollment to its user meanwhile is seen at least once; what is made
/// meanwhile may be missed. A record that cannot be read is reported in the log and needs nothing.
///
/// # Errors
/// When the store cannot be asked.
pub fn survey(store: &dyn Store, now: Timestamp) -> Answer<'_, KeyUses> {
    Box::pin(async move {
        let mut uses = KeyUses::default();
        // In the order in which a secret moves.
        each(store, IndexName::EnrollmentsByCreated, "open", |record| uses.enrollment(&record, now)).await?;
        each(store, IndexName::AdminSessionsByEnd, "", |record| uses.admin_session(&record, now)).await?;
        each(store, IndexName::UsersByUsername, "", |record| uses.user(&record)).await?;
        each(store, IndexName::LocationsByName, "", |record| uses.location(&record)).await?;
        each(store, IndexName::SealsByNumber, "", |record| uses.seal(&record)).await?;
        Ok(uses)
    })
}

async fn each<R: Record + Send>(
    store: &dyn Store,
    index: IndexName,
    within: &str,
    mut see: impl FnMut(R) + Send,
) -> Result<(), Failure> {
    let mut scan = Scan::all(index, within, PAGE);
    loop {
        let page = store.scan(&scan).await?;
        for row in &page.rows {
            match Stored::<R>::read(row) {
                Ok(stored) => see(stored.record),
                Err(error) => tracing::error!(%error, row = %row.key, "a record cannot be read: which keys it needs"),
            }
        }
        match page.next {
            Some(cursor) => scan.after = Some(cursor),
            None => return Ok(()),
        }
    }
}

/// Every record is taken apart whole, so that a new field must be thought of here.
impl KeyUses {
    fn of(&mut self, key: KeyId) -> &mut KeyUse {
        self.0.entry(key).or_default()
    }

    fn enrollment(&mut self, enrollment: &Enrollment, now: Timestamp) {
        if let Some(seed) = &enrollment.seed
            && token_opens(enrollment, now).is_ok()
        {
            self.of(seed.key).links += 1;
        }
        let Phase::InSession(session) = &enrollment.phase else { return };
        if now >= enrollment.ends() {
            return;
        }
        let Session { digest: _, serial: _, started: _, deadline: _, passwords: _, email_codes: _, work, held } =
            &**session;
        self.work(work, now);
        if let Some(Held { by: _, serial: _, work }) = held {
            self.work(work, now);
        }
    }

    fn work(&mut self, work: &Work, now: Timestamp) {
        let Work { profile: _, password: _, offered_totp, totp, email_code, email: _, recovery, device: _ } = work;
        self.authenticator(offered_totp.as_ref());
        self.authenticator(totp.as_ref().map(|TotpFactor { secret, last_step: _ }| secret));
        self.codes(recovery);
        // Its seed is of the same key.
        self.codes(email_code.as_ref().filter(|code| now < code.expires).map(|code| &code.digest));
    }

    fn user(&mut self, user: &User) {
        let Credentials { password: _, totp, email: _, recovery } = &user.credentials;
        self.authenticator(totp.as_ref().map(|TotpFactor { secret, last_step: _ }| secret));
        self.codes(recovery);
    }

    fn admin_session(&mut self, session: &AdminSession, now: Timestamp) {
        let offered = session.offered.as_ref().filter(|offered| now < offered.until);
        self.authenticator(offered.map(|OfferedTotp { secret, until: _, failures: _ }| secret));
    }

    fn location(&mut self, location: &Location) {
        if let Some(sealed) = &location.private_key {
            self.of(sealed.key()).gateways += 1;
        }
    }

    fn seal(&mut self, seal: &Seal) {
        self.of(seal.signature.key).audit_batches += 1;
    }

    fn authenticator(&mut self, sealed: Option<&Sealed>) {
        if let Some(sealed) = sealed {
            self.of(sealed.key()).authenticators += 1;
        }
    }

    fn codes<'a>(&mut self, digests: impl IntoIterator<Item = &'a KeyedDigest>) {
        for digest in digests {
            self.of(digest.key).codes += 1;
        }
    }
}
