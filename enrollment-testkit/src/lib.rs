//! What makes an implementation of a port trustworthy: conformance suites with a named case for every guarantee,
//! broken implementations that prove the suites, and fakes for the tests of those who build on the ports.
//!
//! For tests only. Nothing here belongs into a running service.
//!
//! * [`store`]: the suite of [`Store`](enrollment_core::port::Store); [`store_conformance!`] makes it a list of tests.
//! * [`provisioner`]: the suite of [`PeerProvisioner`](enrollment_core::port::PeerProvisioner);
//!   [`provisioner_conformance!`] does the same.
//! * [`notifier`]: the suite of [`Notifier`](enrollment_core::port::Notifier), and [`notifier_conformance!`].
//! * [`broken`]: stores, provisioners and notifiers that must fail.
//! * [`fake`]: a clock that is moved by hand, entropy from a seed, a gateway and mailboxes in memory, and stores that
//!   fail, die or write down what they are asked.

pub mod broken;
pub mod fake;
pub mod notifier;
pub mod provisioner;
pub mod store;
mod verdict;
