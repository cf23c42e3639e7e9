//! What the tests of this folder share.

use std::sync::atomic::{AtomicU64, Ordering};

use super::keyring::KeyRing;
use crate::port::Entropy;
use crate::time::Timestamp;

/// Repeatable bytes that look random: SplitMix64.
#[derive(Debug)]
pub(crate) struct Repeatable(AtomicU64);

impl Repeatable {
    pub(crate) fn new(seed: u64) -> Self {
        Self(AtomicU64::new(seed))
    }
}

impl Entropy for Repeatable {
    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            let mut z = self.0.fetch_add(0x9E37_79B9_7F4A_7C15, Ordering::Relaxed);
            z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            chunk.copy_from_slice(&(z ^ (z >> 31)).to_le_bytes()[..chunk.len()]);
        }
    }
}

/// A ring that is the same in every run: what was derived and sealed with it must stay valid for ever.
pub(crate) const RING: &str = "\
enrollment key ring 1
# an older key and today's
n4x24j98 retired 2026-01-31T12:00:00Z 000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f
x1w1mcxs active 2026-07-31T12:00:00Z 202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f
";

pub(crate) fn ring() -> KeyRing {
    KeyRing::from_text(RING).expect("the fixture is a key ring")
}

pub(crate) fn now() -> Timestamp {
    Timestamp::from_seconds(1_764_000_000)
}
