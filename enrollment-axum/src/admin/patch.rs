//! Members of a PATCH: absent, `null` and a value are three things.

use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};

use crate::problem::Problem;

/// For `#[serde(default, deserialize_with = "given")]`: `None` when absent, `Some(None)` for `null`.
pub(super) fn given<'de, D, T>(deserializer: D) -> Result<Option<Option<T>>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    Option::<T>::deserialize(deserializer).map(Some)
}

/// Refuses a member that cannot be changed, rather than leave its sender to believe that it was.
pub(super) fn demand_absent(name: &'static str, member: Option<IgnoredAny>) -> Result<(), Problem> {
    match member {
        None => Ok(()),
        Some(IgnoredAny) => Err(Problem::invalid_field(name, "cannot be changed")),
    }
}
