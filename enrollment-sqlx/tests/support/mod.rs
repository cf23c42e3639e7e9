//! What the tests that are about SQLite have in common.

#![allow(dead_code, unused_imports, reason = "each test file uses its part")]

mod rows;

use std::path::Path;

use enrollment_sqlx::{SqliteOptions, SqlxStore};
use sqlx::ConnectOptions;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};

pub(crate) use rows::{change, id, plain, put, user};

/// A store on the database in this folder.
pub(crate) async fn open(folder: &Path) -> SqlxStore {
    SqlxStore::open_sqlite(folder.join("enrollment.db"), SqliteOptions::default()).await.expect("a store")
}

/// A connection past the store, as an operator's tool would open.
pub(crate) async fn connect(folder: &Path) -> SqliteConnection {
    let options = SqliteConnectOptions::new().filename(folder.join("enrollment.db"));
    options.connect().await.expect("a connection")
}
