//! Mail of [`enrollment_core`]: from a message to a MIME document.
//!
//! [`compose`] is pure. Sending it over SMTP comes with the worker that delivers queued mail; until then a host hands
//! the [`Message`] to a transport of [`lettre`] itself.

mod compose;

pub use compose::{ComposeError, Draft, compose};
pub use lettre::Message;
pub use lettre::message::Mailbox;
