//! Randomness that a test can repeat.

use std::sync::{Mutex, PoisonError};

use enrollment_core::port::Entropy;
use sha2::{Digest, Sha256};

/// **For tests only: everybody who knows the seed knows every secret.** The same seed gives the same bytes in the same
/// order of calls; different seeds give unrelated bytes.
///
/// SHA-256 over seed and counter, one block for every 32 bytes begun.
#[derive(Debug)]
pub struct SeededEntropy {
    seed: u64,
    blocks: Mutex<u64>,
}

impl SeededEntropy {
    /// The bytes of `seed`, from the start.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self { seed, blocks: Mutex::new(0) }
    }
}

impl Entropy for SeededEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        let mut blocks = self.blocks.lock().unwrap_or_else(PoisonError::into_inner);
        for chunk in bytes.chunks_mut(32) {
            let mut hash = Sha256::new();
            hash.update(b"enrollment testkit entropy");
            hash.update(self.seed.to_le_bytes());
            hash.update(blocks.to_le_bytes());
            *blocks += 1;
            chunk.copy_from_slice(&hash.finalize()[..chunk.len()]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes<const N: usize>(entropy: &SeededEntropy) -> [u8; N] {
        let mut bytes = [0; N];
        entropy.fill(&mut bytes);
        bytes
    }

    #[test]
    fn the_same_seed_repeats_and_nothing_else_does() {
        let (one, same, other) = (SeededEntropy::new(1), SeededEntropy::new(1), SeededEntropy::new(2));
        let first: [u8; 80] = bytes(&one);
        assert_eq!(first, bytes(&same));
        assert_ne!(first, bytes(&other));
        assert_ne!(first, bytes(&one), "the next bytes are others");
        assert_ne!(first[..32], first[32..64], "every block is another");
        assert!(first[64..].iter().any(|byte| *byte != 0), "the last, partial block is filled");
    }
}
