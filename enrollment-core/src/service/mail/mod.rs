//! Mails: queued in the change that causes them, made when they are sent.

mod post;
mod prepare;
mod sources;

pub(crate) use post::{Post, encode};
pub(crate) use prepare::Prepared;
