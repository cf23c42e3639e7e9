//! The reference store keeps every promise.

use std::sync::Arc;

use async_trait::async_trait;
use enrollment_core::memory::MemoryStore;
use enrollment_core::port::Store;
use enrollment_testkit::store::{BoxError, StoreFactory};

struct Memory;

#[async_trait]
impl StoreFactory for Memory {
    type Data = Arc<MemoryStore>;

    async fn create(&self) -> Result<Self::Data, BoxError> {
        Ok(Arc::default())
    }

    async fn open(&self, data: &Self::Data) -> Result<Arc<dyn Store>, BoxError> {
        Ok(data.clone())
    }
}

enrollment_testkit::store_conformance!(Memory);
