//! The audit log: reading, exporting, verifying.

use axum::Json as Answered;
use axum::body::Body;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use enrollment_core::domain::audit::{Actor, AuditEntry};
use enrollment_core::port::Cursor;
use enrollment_core::record::{KeyValue, Seal};
use enrollment_core::service::administrator::{AuditExport, AuditQuery};
use enrollment_core::service::{AuditReport, Failure, Principal, Service};
use futures_util::stream;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::auth::By;
use super::list::List;
use crate::extract::Query;
use crate::problem::{Answer, Problem};
use crate::state::EnrollmentState;

/// One entry.
#[derive(Serialize, ToSchema)]
pub(super) struct EntryDto {
    /// Which one.
    id: Uuid,
    /// When (RFC 3339, UTC).
    #[schema(format = DateTime)]
    at: String,
    /// Who: `kind` is `user`, `api_key`, `enrollee`, `visitor` (signing in), `command_line` or `system`.
    #[schema(value_type = Object)]
    actor: Actor,
    /// Upon what: the kind of record.
    subject_kind: &'static str,
    /// Upon which.
    subject: Uuid,
    /// The subject's version after it.
    subject_version: u64,
    /// What: `action` and what belongs to it.
    #[schema(value_type = Object)]
    event: enrollment_core::domain::event::Event,
    /// The address of the client.
    source: Option<String>,
    /// Its place in the chain, once it is sealed.
    number: Option<i64>,
}

/// Which entries.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct EntriesQuery {
    /// At most this many, 1 to 1000. Default: 100.
    limit: Option<u32>,
    /// The `next` of the page before.
    cursor: Option<String>,
    /// Only those about the record with this id.
    subject: Option<Uuid>,
}

/// What a verification found.
#[derive(Serialize, ToSchema)]
pub(super) struct ReportDto {
    /// Whether the log is what it was.
    ok: bool,
    /// How many entries are as they were sealed, from the first one that is kept.
    entries: u64,
    /// How many before them were pruned.
    pruned: u64,
    /// The chain's digest up to the last of them; kept elsewhere, it shows later whether the log was rolled back.
    chain: String,
    /// How many entries wait for their seal.
    unsealed: u64,
    /// The first thing that is wrong.
    problem: Option<String>,
}

/// The audit log, newest first.
#[utoipa::path(get, path = "/audit", operation_id = "list_audit", tag = "audit", params(EntriesQuery), responses((status = 200, body = List<EntryDto>)))]
pub(super) async fn list(
    State(state): State<EnrollmentState>,
    By(by): By,
    Query(EntriesQuery { limit, cursor, subject }): Query<EntriesQuery>,
) -> Answer<Answered<List<EntryDto>>> {
    let after = cursor.as_deref().map(read_cursor).transpose()?;
    let query = AuditQuery { subject, after, limit: limit.unwrap_or(100) };
    let page = state.service().administrator().audit_entries(&by, query).await?;
    let items = page.entries.into_iter().map(EntryDto::from).collect();
    Ok(Answered(List::page_of(items, page.next.as_ref().and_then(write_cursor))))
}

/// The sealed log in the order of its chain, one JSON document per line: `{"entry": …}`, and `{"seal": …}` after the
/// last entry that it signs. First of all comes `{"origin": …}`, where the chain begins, if its front was pruned.
#[utoipa::path(get, path = "/audit/export", operation_id = "export_audit", tag = "audit", responses((status = 200, body = String, content_type = NDJSON)))]
pub(super) async fn export(State(state): State<EnrollmentState>, By(by): By) -> Answer<Response> {
    // Read before the answer begins: whoever may not read it hears so.
    let first = stretch(state.service(), &by, 0).await?;
    let lines = stream::try_unfold(Some(first), move |stretch_read| {
        let service = state.service().clone();
        async move {
            let Some((lines, next)) = stretch_read else { return Ok::<_, Failure>(None) };
            let following = match next {
                Some(after) => Some(stretch(&service, &by, after).await?),
                None => None,
            };
            Ok(Some((lines, following)))
        }
    });
    Ok(([(header::CONTENT_TYPE, NDJSON)], Body::from_stream(lines)).into_response())
}

/// Verifies the whole log.
#[utoipa::path(post, path = "/audit/verify", operation_id = "verify_audit", tag = "audit", responses((status = 200, body = ReportDto)))]
pub(super) async fn verify(State(state): State<EnrollmentState>, By(by): By) -> Answer<Answered<ReportDto>> {
    let report = state.service().administrator().verify_audit(&by).await?;
    let AuditReport { entries, pruned, chain, unsealed, problem } = report;
    Ok(Answered(ReportDto {
        ok: problem.is_none(),
        entries,
        pruned,
        chain: chain.to_string(),
        unsealed,
        problem: problem.map(|problem| problem.to_string()),
    }))
}

const NDJSON: &str = "application/x-ndjson";
/// Entries read at once for an export.
const STRETCH: u32 = 500;

/// A stretch of the log as lines, and after which number the next one starts.
async fn stretch(service: &Service, by: &Principal, after: i64) -> Result<(String, Option<i64>), Failure> {
    let AuditExport { entries, seals, origin, next } = service.administrator().export_audit(by, after, STRETCH).await?;
    let mut seals = seals.iter().peekable();
    let mut lines = String::new();
    if let Some(origin) = origin.as_ref().filter(|_| after == 0) {
        lines.push_str(&line(&Line::Origin(origin))?);
    }
    for entry in &entries {
        lines.push_str(&line(&Line::Entry(entry))?);
        let number = entry.sealed.map(|link| link.number);
        while let Some(seal) = seals.next_if(|seal| Some(seal.last) <= number) {
            lines.push_str(&line(&Line::Seal(seal))?);
        }
    }
    Ok((lines, next))
}

/// One line of an export: the records as they are kept, so that whoever has the public keys can verify them.
#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Line<'a> {
    Origin(&'a Seal),
    Entry(&'a AuditEntry),
    Seal(&'a Seal),
}

fn line(line: &Line<'_>) -> Result<String, Failure> {
    let json = serde_json::to_string(line).map_err(|error| Failure::Broken(error.into()))?;
    Ok(json + "\n")
}

/// A place in the list as text: both of the log's lists count in integers.
fn write_cursor(cursor: &Cursor) -> Option<String> {
    match &cursor.at {
        KeyValue::Int(at) => Some(format!("{at}.{}", cursor.id.simple())),
        _ => None,
    }
}

fn read_cursor(text: &str) -> Result<Cursor, Problem> {
    let parts = text.split_once('.').and_then(|(at, id)| Some((at.parse().ok()?, Uuid::parse_str(id).ok()?)));
    let (at, id) = parts.ok_or_else(|| Problem::invalid_field("cursor", "not a cursor of this list"))?;
    Ok(Cursor { at: KeyValue::Int(at), id })
}

impl From<AuditEntry> for EntryDto {
    fn from(entry: AuditEntry) -> Self {
        // The digest is for the chain; the export has it.
        let AuditEntry { id, at, actor, subject, subject_version, event, details_digest: _, details, sealed } = entry;
        Self {
            id: id.uuid(),
            at: at.to_string(),
            actor,
            subject_kind: subject.kind.as_str(),
            subject: subject.id,
            subject_version: subject_version.0,
            event,
            source: details.and_then(|details| details.source).map(|source| source.to_string()),
            number: sealed.map(|link| link.number),
        }
    }
}
