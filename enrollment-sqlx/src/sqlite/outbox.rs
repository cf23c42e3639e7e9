//! The outbox: entries put in, leased, settled and pruned.

use enrollment_core::port::{Channel, LeaseRequest, Leased, OutboxEntry, Retained};
use enrollment_core::time::Timestamp;
use serde::Serialize;
use serde::ser::Serializer;
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use sqlx::{AssertSqlSafe, Row as _};
use uuid::Uuid;

use super::errors::failed;
use super::lists::{document, field, lines};
use super::script::Place;
use crate::error::Failure;
use crate::outbox::{self, Changed, Settled, in_order};

/// An entry as [`enqueue_text`] takes it.
#[derive(Debug)]
pub(crate) struct Entry<'a> {
    pub(crate) entry: &'a OutboxEntry,
    /// Where its document lies in the script.
    pub(crate) body: Place,
}

impl Serialize for Entry<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { entry: OutboxEntry { id, channel, stream, due, body }, body: place } = self;
        let (key, order) = stream.as_ref().map(|stream| (&stream.key, stream.order)).unzip();
        (id, channel, key, order, due.micros(), body.layout, place.from, place.length).serialize(serializer)
    }
}

/// Puts in the entries of list `$n`.
pub(crate) fn enqueue_text(n: usize) -> String {
    let [id, channel, stream, order, due, layout] = std::array::from_fn(field);
    format!(
        "insert into outbox (id, channel, stream, stream_order, due, layout, body) \
         select {id}, {channel}, {stream}, {order}, {due}, {layout}, {} from {};",
        document(6),
        lines(n)
    )
}

/// A settlement as [`settle_text`] takes it.
#[derive(Debug)]
pub(crate) struct Ended<'a>(pub(crate) &'a Settled<'a>);

impl Serialize for Ended<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Changed { leased_until, due, untried, outcome, why, ended_at } = self.0.changed();
        (self.0.entry, leased_until, due, untried, outcome, why, ended_at).serialize(serializer)
    }
}

/// Settles the leases of list `$n`, whose lines are [`Ended`]s.
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
    let failed = failed("leasing entries");
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
    let leased: Result<_, Failure> = rows.iter().map(read).collect();
    Ok(in_order(leased?))
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

fn read(row: &SqliteRow) -> Result<Leased, Failure> {
    let failed = failed("reading a leased entry");
    let unreadable = Failure::corrupt("an outbox entry cannot be read");
    let id: String = row.try_get(0).map_err(failed)?;
    let entry = outbox::Entry {
        id: Uuid::parse_str(&id).map_err(|_| unreadable.clone())?,
        channel: row.try_get(1).map_err(failed)?,
        stream: row.try_get(2).map_err(failed)?,
        stream_order: row.try_get(3).map_err(failed)?,
        due: row.try_get(4).map_err(failed)?,
        layout: row.try_get(5).map_err(failed)?,
        body: row.try_get(6).map_err(failed)?,
        fence: row.try_get(7).map_err(failed)?,
        tries: row.try_get(8).map_err(failed)?,
    };
    entry.decode().ok_or(unreadable)
}

/// Removes what ended before an instant.
pub(crate) async fn prune(
    conn: &mut SqliteConnection,
    what: Retained,
    before: Timestamp,
    limit: u32,
) -> Result<u64, Failure> {
    let done = sqlx::query(prune_text(what)).bind(before.micros()).bind(limit).execute(conn).await;
    Ok(done.map_err(failed("pruning"))?.rows_affected())
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
