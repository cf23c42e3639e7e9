//! The outbox: entries put in, leased, settled and pruned.

use enrollment_core::id::OutboxId;
use enrollment_core::port::{Channel, LeaseRef, LeaseRequest, Leased, OutboxEntry, Retained, Settlement, Stream};
use enrollment_core::record::Document;
use enrollment_core::time::Timestamp;
use serde::Serialize;
use serde::ser::Serializer;
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use sqlx::{AssertSqlSafe, Row as _};
use uuid::Uuid;

use crate::error::Failure;
use crate::schema;
use crate::sqlite::{field, lines};

/// An entry as [`enqueue_text`] takes it.
#[derive(Debug)]
pub(crate) struct Entry<'a>(pub(crate) &'a OutboxEntry);

impl Serialize for Entry<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let OutboxEntry { id, channel, stream, due, body } = self.0;
        let (key, order) = stream.as_ref().map(|stream| (&stream.key, stream.order)).unzip();
        (id, channel, key, order, due.micros(), body.layout, &body.json).serialize(serializer)
    }
}

/// Puts in the entries of list `$n`.
pub(crate) fn enqueue_text(n: usize) -> String {
    schema::insert("outbox", &["id", "channel", "stream", "stream_order", "due", "layout", "body"], n)
}

/// How and when a lease was settled.
#[derive(Debug)]
pub(crate) struct Settled<'a> {
    pub(crate) entry: OutboxId,
    pub(crate) how: &'a Settlement,
    pub(crate) now: Timestamp,
}

impl Serialize for Settled<'_> {
    /// Entry, end of the lease, when it is due again, tries that do not count, outcome, reason, end of the entry.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        type Columns<'a> =
            (Option<Timestamp>, Option<Timestamp>, u8, Option<&'static str>, Option<&'a str>, Option<Timestamp>);
        let (leased_until, due, untried, outcome, why, ended_at): Columns<'_> = match self.how {
            Settlement::Done => (None, None, 0, Some("done"), None, Some(self.now)),
            Settlement::Dead { why } => (None, None, 0, Some("dead"), Some(why), Some(self.now)),
            Settlement::Obsolete { why } => (None, None, 0, Some("obsolete"), Some(why), Some(self.now)),
            Settlement::Retry { at, why } => (None, Some(*at), 0, None, Some(why), None),
            Settlement::Release { at } => (None, Some(*at), 1, None, None, None),
            Settlement::Extend { until } => (Some(*until), None, 0, None, None, None),
        };
        let micros = |time: Option<Timestamp>| time.map(Timestamp::micros);
        (self.entry, micros(leased_until), micros(due), untried, outcome, why, micros(ended_at)).serialize(serializer)
    }
}

/// Settles the leases of list `$n`, whose lines are [`Settled`].
pub(crate) fn settle_text(n: usize) -> String {
    let [id, leased_until, due, untried, outcome, why, ended_at] = std::array::from_fn(field);
    let lines = lines(n);
    format!(
        "update outbox set leased_until = {leased_until}, due = coalesce({due}, due), tries = tries - ({untried}), \
         outcome = {outcome}, why = coalesce({why}, why), ended_at = {ended_at} from {lines} line \
         where outbox.id = {id};"
    )
}

/// Takes due entries for the caller, the longest due first.
pub(crate) async fn lease(conn: &mut SqliteConnection, request: &LeaseRequest) -> Result<Vec<Leased>, Failure> {
    let failed = |error| Failure::new("leasing entries", error);
    if request.channels.is_empty() || request.limit == 0 {
        return Ok(Vec::new());
    }
    let rows = sqlx::query(AssertSqlSafe(lease_text(&request.channels)))
        .bind(request.now.micros())
        .bind(request.limit)
        .bind(request.until.micros())
        .fetch_all(conn)
        .await
        .map_err(failed)?;
    let mut leased = Vec::with_capacity(rows.len());
    for row in &rows {
        let entry = read(row).map_err(failed)?.ok_or(Failure::corrupt("an outbox entry cannot be read"))?;
        leased.push(entry);
    }
    leased.sort_by_key(|leased| (leased.entry.due, leased.entry.id));
    Ok(leased)
}

/// `$1` is the present, `$2` the limit, `$3` the end of the leases.
///
/// Each channel is asked for its own first entries, which the index `outbox_open` has in order; so nothing is sorted
/// but what was found, and no other channel's backlog is read.
pub(crate) fn lease_text(channels: &[Channel]) -> String {
    let free = "outcome is null and due <= $1 and (leased_until is null or leased_until <= $1)";
    let in_turn = "stream is null or (\
         not exists (select 1 from outbox o where o.stream = e.stream and o.outcome is null \
           and (o.stream_order, o.id) < (e.stream_order, e.id)) \
         and not exists (select 1 from outbox o where o.stream = e.stream and o.leased_until > $1))";
    let found: Vec<String> = Channel::ALL
        .iter()
        .filter(|channel| channels.contains(channel))
        .map(|channel| {
            format!(
                "select id, due from (select id, due from outbox e where channel = '{channel}' and {free} \
                 and ({in_turn}) order by due, id limit $2)"
            )
        })
        .collect();
    format!(
        "update outbox set leased_until = $3, fence = fence + 1, tries = tries + 1 \
         where id in (select id from ({}) order by due, id limit $2) \
         returning id, channel, stream, stream_order, due, layout, body, fence, tries",
        found.join(" union all ")
    )
}

/// `None`: a value is out of its range.
fn read(row: &SqliteRow) -> Result<Option<Leased>, sqlx::Error> {
    let id: String = row.try_get(0)?;
    let channel: String = row.try_get(1)?;
    let stream: Option<String> = row.try_get(2)?;
    let order: Option<i64> = row.try_get(3)?;
    let due: i64 = row.try_get(4)?;
    let layout: i64 = row.try_get(5)?;
    let json: String = row.try_get(6)?;
    let fence: i64 = row.try_get(7)?;
    let tries: i64 = row.try_get(8)?;
    let decode = || {
        let id = OutboxId::from_uuid(Uuid::parse_str(&id).ok()?);
        let stream = match (stream, order) {
            (Some(key), Some(order)) => Some(Stream { key, order: u64::try_from(order).ok()? }),
            _ => None,
        };
        let body = Document { layout: u16::try_from(layout).ok()?, json };
        let due = Timestamp::from_micros(due);
        Some(Leased {
            lease: LeaseRef { entry: id, fence: u64::try_from(fence).ok()? },
            entry: OutboxEntry { id, channel: channel.parse().ok()?, stream, due, body },
            tries: u32::try_from(tries).ok()?,
        })
    };
    Ok(decode())
}

/// Removes what ended before an instant.
pub(crate) async fn prune(
    conn: &mut SqliteConnection,
    what: Retained,
    before: Timestamp,
    limit: u32,
) -> Result<u64, Failure> {
    let done = sqlx::query(prune_text(what)).bind(before.micros()).bind(limit).execute(conn).await;
    Ok(done.map_err(|error| Failure::new("pruning", error))?.rows_affected())
}

/// `$1` is the instant, `$2` the limit.
pub(crate) const fn prune_text(what: Retained) -> &'static str {
    match what {
        Retained::Changes => "delete from changes where id in (select id from changes where at < $1 limit $2)",
        Retained::Settled => {
            "delete from outbox where id in (select id from outbox \
             where outcome in ('done', 'obsolete') and ended_at < $1 limit $2)"
        }
        Retained::Dead => {
            "delete from outbox where id in (select id from outbox where outcome = 'dead' and ended_at < $1 limit $2)"
        }
    }
}
