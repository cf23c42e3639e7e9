//! Randomness, passed in.

use std::fmt::Debug;

/// Where random bytes come from. Every secret of this library is made of them.
///
/// # Contract
/// An implementation for production fills the whole buffer from a cryptographically secure generator
/// (NIST SP 800-90A or the operating system's) or does not return: there is no error to swallow.
pub trait Entropy: Debug + Send + Sync + 'static {
    /// Fills `bytes` with random bytes.
    fn fill(&self, bytes: &mut [u8]);
}

/// The operating system's generator.
#[cfg(feature = "system")]
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemEntropy;

#[cfg(feature = "system")]
impl Entropy for SystemEntropy {
    #[allow(
        clippy::expect_used,
        clippy::disallowed_methods,
        reason = "a machine without randomness must not hand out secrets"
    )]
    fn fill(&self, bytes: &mut [u8]) {
        getrandom::fill(bytes).expect("the operating system has randomness");
    }
}
