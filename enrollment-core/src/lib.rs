//! The domain of enrollment: lifecycle, rules and guarantees, and the traits behind which the world lies.

pub mod domain;
pub mod id;
#[cfg(feature = "memory")]
pub mod memory;
pub mod port;
pub mod record;
pub mod secret;
pub mod service;
pub mod template;
pub mod time;
pub mod worker;
