//! Lists, page by page.

use enrollment_core::service::administrator::{Listing, PageRequest};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// One page of a list.
#[derive(Serialize, ToSchema)]
pub(super) struct List<T> {
    /// The items, in order.
    items: Vec<T>,
    /// The `cursor` of the next page; `null` on the last one.
    next: Option<String>,
}

/// Which page.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct PageQuery {
    /// At most this many items, 1 to 500. Default: 50.
    limit: Option<u32>,
    /// The `next` of the page before.
    cursor: Option<String>,
    /// How the username begins.
    pub(super) q: Option<String>,
}

impl PageQuery {
    pub(super) fn page(&self) -> PageRequest {
        PageRequest { cursor: self.cursor.clone(), limit: self.limit }
    }
}

impl<T> List<T> {
    /// A page of the core's, each item as it is shown.
    pub(super) fn of<V>(listing: Listing<V>, show: impl Fn(V) -> T) -> Self {
        let Listing { items, next } = listing;
        Self { items: items.into_iter().map(show).collect(), next }
    }

    /// Everything at once.
    pub(super) fn whole<V>(items: Vec<V>, show: impl Fn(V) -> T) -> Self {
        Self { items: items.into_iter().map(show).collect(), next: None }
    }

    pub(super) const fn page_of(items: Vec<T>, next: Option<String>) -> Self {
        Self { items, next }
    }
}
