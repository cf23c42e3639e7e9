//! The outbox: entries leased, settled and pruned.

use enrollment_core::port::{Channel, LeaseRef, LeaseRequest, Leased, Retained, SettleOutcome, Settlement, StoreError};
use enrollment_core::time::Timestamp;
use sqlx::Row as _;
use sqlx::postgres::PgRow;

use super::commit::BEGIN;
use super::errors::{Patience, Trouble, failed, unknown};
use super::lent::roll_back;
use super::schema::Schema;
use super::script::Script;
use super::{Postgres, write};
use crate::error::Failure;
use crate::outbox::{self, Changed, in_order};

/// Takes due entries for the caller, the longest due first.
///
/// Those who lease wait for each other, until the leases of the one before are committed. Otherwise two of them could
/// each see the stream of the other as free: one sees entry 1 not yet ended and leases nothing, then entry 2, while the
/// other still sees, and leases, entry 1.
pub(super) async fn lease(db: &Postgres, request: &LeaseRequest) -> Result<Vec<Leased>, StoreError> {
    if request.channels.is_empty() || request.limit == 0 {
        return Ok(Vec::new());
    }
    let mut patience = Patience::new("leasing entries");
    loop {
        match attempt(db, request, &patience).await {
            Ok(leased) => return Ok(in_order(leased)),
            Err(trouble) => patience.with(trouble)?,
        }
    }
}

/// The first half of the number of the lock under which entries are leased, `leas` in ASCII. The second half stands for
/// the schema.
const LEASING: i32 = 0x6c65_6173;

async fn attempt(db: &Postgres, request: &LeaseRequest, patience: &Patience) -> Result<Vec<Leased>, Trouble> {
    let mut lent = db.lend(patience).await?;
    let one_at_a_time = format!("; select pg_advisory_xact_lock({LEASING}, {})", db.schema.number());
    let mut transaction = lent.begin(format!("{BEGIN}{one_at_a_time}")).await?;
    let taken = lease_script(&db.schema, request).query().fetch_all(&mut *transaction).await;
    let leased =
        taken.map_err(Trouble::Before).and_then(|rows| Ok(rows.iter().map(read).collect::<Result<Vec<_>, _>>()?));
    let made = match leased {
        Ok(leased) if !leased.is_empty() => transaction.commit().await.map(|()| leased).map_err(Trouble::Committing),
        none_or_trouble => {
            roll_back(transaction).await;
            none_or_trouble
        }
    };
    match &made {
        Ok(_) => lent.give_back(),
        Err(trouble) => lent.give_back_after(trouble),
    }
    made
}

/// Each channel is asked for its own first entries, which the index `outbox_open` has in order; so nothing is sorted
/// but what was found, and no other channel's backlog is read. Entries that are being settled at this moment are passed
/// over.
pub(super) fn lease_script(schema: &Schema, request: &LeaseRequest) -> Script {
    let mut script = Script::default();
    let (now, limit) = (script.bind(request.now.micros()), script.bind(i64::from(request.limit)));
    let until = script.bind(request.until.micros());
    let outbox = schema.at("outbox");
    let free = format!("outcome is null and due <= {now} and (leased_until is null or leased_until <= {now})");
    let in_turn = format!(
        "stream is null or (\
         not exists (select 1 from {outbox} o where o.stream = e.stream and o.outcome is null \
           and (o.stream_order, o.id) < (e.stream_order, e.id)) \
         and not exists (select 1 from {outbox} o where o.stream = e.stream and o.leased_until > {now}))"
    );
    let channels = || Channel::ALL.iter().filter(|channel| request.channels.contains(channel));
    let first: Vec<_> = channels()
        .map(|channel| {
            format!(
                "of_{channel} as materialized (select id, due from {outbox} e where channel = '{channel}' and {free} \
                 and ({in_turn}) order by due, id limit {limit} for update of e skip locked)"
            )
        })
        .collect();
    let found: Vec<_> = channels().map(|channel| format!("select id, due from of_{channel}")).collect();
    script.push(&format!(
        "with {} update {outbox} set leased_until = {until}, fence = fence + 1, tries = tries + 1 \
         where id = any(array(select id from ({}) found order by due, id limit {limit})) \
         returning id, channel, stream, stream_order, due, layout, body, fence, tries",
        first.join(", "),
        found.join(" union all ")
    ));
    script
}

fn read(row: &PgRow) -> Result<Leased, Failure> {
    let failed = failed("reading a leased entry");
    let entry = outbox::Entry {
        id: row.try_get(0).map_err(failed)?,
        channel: row.try_get(1).map_err(failed)?,
        stream: row.try_get(2).map_err(failed)?,
        stream_order: row.try_get(3).map_err(failed)?,
        due: row.try_get(4).map_err(failed)?,
        layout: row.try_get::<i32, _>(5).map_err(failed)?.into(),
        body: row.try_get(6).map_err(failed)?,
        fence: row.try_get(7).map_err(failed)?,
        tries: row.try_get(8).map_err(failed)?,
    };
    entry.decode().ok_or(Failure::corrupt("an outbox entry cannot be read"))
}

/// Ends or extends a lease.
pub(super) async fn settle(
    db: &Postgres,
    lease: &LeaseRef,
    how: &Settlement,
    now: Timestamp,
) -> Result<SettleOutcome, StoreError> {
    let Some(script) = settle_script(&db.schema, lease, how, now) else { return Ok(SettleOutcome::LeaseLost) };
    Ok(if execute(db, script, "settling a lease").await? == 1 {
        SettleOutcome::Settled
    } else {
        SettleOutcome::LeaseLost
    })
}

/// `None`: no lease ever had this fence.
pub(super) fn settle_script(schema: &Schema, lease: &LeaseRef, how: &Settlement, now: Timestamp) -> Option<Script> {
    let fence = i64::try_from(lease.fence).ok()?;
    let mut script = Script::default();
    let text = write::settle(schema, &mut script, &[lease.entry.uuid()], &Changed::by(how, now));
    let fence = script.bind(fence);
    script.push(&format!("{text} and fence = {fence} and leased_until is not null"));
    Some(script)
}

/// Removes what ended before an instant. Those who prune at the same time take different things.
pub(super) async fn prune(db: &Postgres, what: Retained, before: Timestamp, limit: u32) -> Result<u64, StoreError> {
    execute(db, prune_script(&db.schema, what, before, limit), "pruning").await
}

pub(super) fn prune_script(schema: &Schema, what: Retained, before: Timestamp, limit: u32) -> Script {
    let (table, of_sort) = match what {
        Retained::Changes => ("changes", "at <"),
        Retained::Settled => ("outbox", "outcome in ('done', 'obsolete') and outcome is not null and ended_at <"),
        Retained::Dead => ("outbox", "outcome = 'dead' and outcome is not null and ended_at <"),
    };
    let table = schema.at(table);
    let mut script = Script::default();
    let (before, limit) = (script.bind(before.micros()), script.bind(i64::from(limit)));
    script.push(&format!(
        "delete from {table} where id = any(array(\
         select id from {table} where {of_sort} {before} limit {limit} for update skip locked))"
    ));
    script
}

/// Runs a statement that is a transaction of its own: once it was sent, it may have taken effect.
async fn execute(db: &Postgres, script: Script, during: &'static str) -> Result<u64, StoreError> {
    let mut lent = db.lend(&Patience::new(during)).await?;
    match script.query().execute(lent.connection()).await {
        Ok(done) => {
            lent.give_back();
            Ok(done.rows_affected())
        }
        Err(error) => Err(unknown(during)(error).into()),
    }
}
