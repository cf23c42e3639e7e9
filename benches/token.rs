//! Tokens, against one HKDF or one SHA-256 of the same bytes.

mod support;

use std::hint::black_box;

use criterion::Criterion;
use enrollment::core::id::EnrollmentId;
use enrollment::core::port::SystemEntropy;
use enrollment::core::secret::{KeyRing, Token, TokenSeed};
use enrollment::core::time::Timestamp;
use hkdf::Hkdf;
use sha2::{Digest, Sha256};

/// Deriving a token from the ring, against one extract and one expand with inputs and output as long. The library
/// derives the subkey for tokens first, so it makes two of each, and writes text with a checksum.
fn derive(criterion: &mut Criterion, ring: &KeyRing, seed: &TokenSeed, enrollment: EnrollmentId) {
    let (key, salt, info) = ([7_u8; 32], [7_u8; 16], [7_u8; 54]);
    support::pair(
        criterion.benchmark_group("token_derive"),
        |b| b.iter(|| ring.token(black_box(seed), "onboarding", enrollment, 1).expect("the active key")),
        |b| {
            b.iter(|| {
                let mut output = [0; 20];
                let derived = Hkdf::<Sha256>::new(Some(black_box(salt.as_slice())), &key).expand(&info, &mut output);
                derived.expect("20 bytes");
                output
            });
        },
    );
}

/// From the text in a request to the digest it is looked up by, against that digest alone.
fn parse(criterion: &mut Criterion, text: &str) {
    support::pair(
        criterion.benchmark_group("token_parse"),
        |b| b.iter(|| Token::parse(black_box(text)).expect("a token").digest()),
        |b| b.iter(|| Sha256::digest(black_box(text).as_bytes())),
    );
}

/// Refusing a mistyped token, which no look-up follows, against the digest that a look-up would take.
fn refuse(criterion: &mut Criterion, text: &str) {
    let last = if text.ends_with('0') { '2' } else { '0' };
    let mistyped = format!("{}{last}", &text[..text.len() - 1]);
    support::pair(
        criterion.benchmark_group("token_refuse"),
        |b| b.iter(|| Token::parse(black_box(&mistyped)).expect_err("mistyped")),
        |b| b.iter(|| Sha256::digest(black_box(&mistyped).as_bytes())),
    );
}

fn main() {
    let mut criterion = support::criterion();
    let now = Timestamp::from_seconds(1_764_000_000);
    let ring = KeyRing::generate(now, &SystemEntropy);
    let seed = TokenSeed::new(&ring, &SystemEntropy);
    let enrollment = EnrollmentId::new(now, &SystemEntropy);
    let token = ring.token(&seed, "onboarding", enrollment, 1).expect("the active key");
    derive(&mut criterion, &ring, &seed, enrollment);
    parse(&mut criterion, token.expose());
    refuse(&mut criterion, token.expose());
    criterion.final_summary();
}
