//! Mails: from the change that causes one to the mailbox it reaches.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail the test")]

mod administration;
mod bench;
mod codes;
mod crashes;
mod invitations;
mod letters;
mod report;
mod resend;
mod secrecy;
mod together;
mod worker;
