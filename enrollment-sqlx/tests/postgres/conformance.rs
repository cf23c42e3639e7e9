//! The store on PostgreSQL keeps every promise, through several handles on one database as several processes have.

use std::sync::Arc;

use async_trait::async_trait;
use enrollment_core::port::Store;
use enrollment_testkit::store::{BoxError, StoreFactory};

use crate::support::Place;

/// Every handle is a store of its own.
struct Handles;

#[async_trait]
impl StoreFactory for Handles {
    type Data = Place;

    async fn create(&self) -> Result<Self::Data, BoxError> {
        Ok(Place::new())
    }

    async fn open(&self, place: &Self::Data) -> Result<Arc<dyn Store>, BoxError> {
        Ok(Arc::new(place.try_open().await?))
    }
}

enrollment_testkit::store_conformance!(Handles);
