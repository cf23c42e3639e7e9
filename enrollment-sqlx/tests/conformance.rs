//! The store on SQLite keeps every promise: with one handle, and with several on one file as several processes have.

#![cfg(feature = "sqlite")]

use std::sync::{Arc, Mutex, PoisonError, Weak};

use async_trait::async_trait;
use enrollment_core::port::Store;
use enrollment_sqlx::{SqliteOptions, SqlxStore};
use enrollment_testkit::store::{BoxError, StoreFactory};
use tempfile::TempDir;

async fn open(folder: &TempDir) -> Result<Arc<SqlxStore>, BoxError> {
    Ok(Arc::new(SqlxStore::open_sqlite(folder.path().join("enrollment.db"), SqliteOptions::default()).await?))
}

/// Every handle is a store of its own.
struct Handles;

#[async_trait]
impl StoreFactory for Handles {
    type Data = TempDir;

    async fn create(&self) -> Result<Self::Data, BoxError> {
        Ok(tempfile::tempdir()?)
    }

    async fn open(&self, data: &Self::Data) -> Result<Arc<dyn Store>, BoxError> {
        Ok(open(data).await?)
    }
}

/// All who open share one handle as long as it lives.
struct OneHandle;

#[async_trait]
impl StoreFactory for OneHandle {
    type Data = (TempDir, Mutex<Weak<SqlxStore>>);

    async fn create(&self) -> Result<Self::Data, BoxError> {
        Ok((tempfile::tempdir()?, Mutex::default()))
    }

    async fn open(&self, (folder, handle): &Self::Data) -> Result<Arc<dyn Store>, BoxError> {
        let alive = handle.lock().unwrap_or_else(PoisonError::into_inner).upgrade();
        if let Some(store) = alive {
            return Ok(store);
        }
        let store = open(folder).await?;
        *handle.lock().unwrap_or_else(PoisonError::into_inner) = Arc::downgrade(&store);
        Ok(store)
    }
}

mod handles {
    enrollment_testkit::store_conformance!(super::Handles);
}

mod one_handle {
    enrollment_testkit::store_conformance!(super::OneHandle);
}
