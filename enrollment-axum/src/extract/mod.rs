//! What handlers take from a request. Every refusal is a problem document.

mod body;
mod cross_site;
mod id;
mod query;
mod secret_text;
mod session;

pub(crate) use body::{Json, OptionalJson, within_time};
pub(crate) use cross_site::demand_same_site;
pub(crate) use id::PathId;
pub(crate) use query::Query;
pub(crate) use secret_text::SecretText;
pub(crate) use session::{CurrentSession, bearer};

use crate::problem::Problem;

/// Reads one field of a request.
pub(crate) fn field<T>(name: &'static str, text: &str) -> Result<T, Problem>
where
    T: std::str::FromStr,
    T::Err: std::fmt::Display,
{
    text.parse().map_err(|error| Problem::invalid_field(name, error))
}

/// Reads one field that need not be there.
pub(crate) fn optional<T>(name: &'static str, text: Option<&str>) -> Result<Option<T>, Problem>
where
    T: std::str::FromStr,
    T::Err: std::fmt::Display,
{
    text.map(|text| field(name, text)).transpose()
}

/// Reads every item of a list.
pub(crate) fn each<C, T>(name: &'static str, items: &[String]) -> Result<C, Problem>
where
    C: FromIterator<T>,
    T: std::str::FromStr,
    T::Err: std::fmt::Display,
{
    items.iter().map(|item| field(name, item)).collect()
}
