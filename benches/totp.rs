//! Checking a one-time code, against the three HMAC-SHA-1 that it cannot do without.

mod support;

use std::hint::black_box;

use enrollment::core::port::SystemEntropy;
use enrollment::core::secret::TotpSecret;
use enrollment::core::time::Timestamp;
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;

/// The code of RFC 4226, section 5.3, before it is written in decimal digits.
fn code(secret: &[u8], step: u64) -> u32 {
    let mut mac = Hmac::<Sha1>::new_from_slice(secret).expect("keys of every length");
    mac.update(&step.to_be_bytes());
    let digest = mac.finalize().into_bytes();
    let at = usize::from(digest[19] & 15);
    let word = u32::from_be_bytes([digest[at], digest[at + 1], digest[at + 2], digest[at + 3]]);
    (word & 0x7fff_ffff) % 1_000_000
}

fn main() {
    let mut criterion = support::criterion();
    let now = Timestamp::from_seconds(1_764_000_000);
    let secret = TotpSecret::random(&SystemEntropy);
    let step = 1_764_000_000 / 30;
    let right = code(secret.expose_bytes(), step);
    let text = format!("{right:06}");
    assert_eq!(secret.matched_step(&text, now), Some(step), "the yardstick computes the same code");
    support::pair(
        criterion.benchmark_group("totp_match"),
        |b| b.iter(|| secret.matched_step(black_box(&text), now)),
        |b| {
            b.iter(|| [step - 1, step, step + 1].map(|step| code(black_box(secret.expose_bytes()), step) == right));
        },
    );
    criterion.final_summary();
}
