//! The hash of a password at rest.

use std::fmt;

use argon2::password_hash::phc;
use argon2::{ARGON2ID_IDENT, Algorithm, Argon2, Block, Params, Version};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

use super::password::Password;

/// Bytes of a new hash.
pub(super) const OUTPUT: usize = 32;
/// Bytes of a new salt.
pub(super) const SALT: usize = 16;

/// What one hash costs. Argon2id (RFC 9106), version 19, 32 bytes of output, 16 bytes of salt.
///
/// The default is the OWASP Password Storage Cheat Sheet's: 19 MiB, two passes, one lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Argon2Params {
    /// Memory in KiB.
    pub m_kib: u32,
    /// Passes over it.
    pub t: u32,
    /// Lanes.
    pub p: u32,
}

impl Default for Argon2Params {
    fn default() -> Self {
        Self { m_kib: 19_456, t: 2, p: 1 }
    }
}

impl Argon2Params {
    /// Whether each value is at most that of `limit`.
    pub(super) const fn within(&self, limit: &Self) -> bool {
        self.m_kib <= limit.m_kib && self.t <= limit.t && self.p <= limit.p
    }

    /// The same for the library; an error when Argon2 cannot work with them.
    pub(super) fn for_output(&self, bytes: usize) -> Result<Params, argon2::Error> {
        Params::new(self.m_kib, self.t, self.p, Some(bytes))
    }
}

/// A password's hash at rest: a PHC string of Argon2id, version 19. Its text is not shown in `Debug`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PasswordHash {
    cost: Argon2Params,
    salt: phc::Salt,
    hash: phc::Output,
}

/// The text is not a PHC string of Argon2id, version 19, with salt and hash.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an Argon2id hash in PHC format")]
pub struct InvalidPasswordHash;

impl PasswordHash {
    /// Reads a PHC string, as it comes from a record or from another system.
    ///
    /// # Errors
    /// When it is over 256 bytes, or not Argon2id of version 19 with salt and hash.
    pub fn parse(text: &str) -> Result<Self, InvalidPasswordHash> {
        if text.len() > 256 {
            return Err(InvalidPasswordHash);
        }
        let parsed = phc::PasswordHash::new(text).map_err(|_| InvalidPasswordHash)?;
        let params = Params::try_from(&parsed).map_err(|_| InvalidPasswordHash)?;
        let plain = params.keyid().is_empty() && params.data().is_empty();
        if parsed.algorithm != ARGON2ID_IDENT || parsed.version != Some(Version::V0x13.into()) || !plain {
            return Err(InvalidPasswordHash);
        }
        let cost = Argon2Params { m_kib: params.m_cost(), t: params.t_cost(), p: params.p_cost() };
        match (parsed.salt, parsed.hash) {
            (Some(salt), Some(hash)) => Ok(Self { cost, salt, hash }),
            _ => Err(InvalidPasswordHash),
        }
    }

    /// The PHC string, to be stored or handed over.
    #[must_use]
    pub fn expose(&self) -> String {
        let Self { cost, salt, hash } = self;
        format!("$argon2id$v=19$m={},t={},p={}${salt}${hash}", cost.m_kib, cost.t, cost.p)
    }

    pub(super) const fn cost(&self) -> &Argon2Params {
        &self.cost
    }

    /// Whether it was made at another cost than `today`, or is shorter than today's are.
    pub(super) fn is_weaker_or_other_than(&self, today: Argon2Params) -> bool {
        self.cost != today || self.hash.len() < OUTPUT || self.salt.len() < SALT
    }

    /// The hash of `password`. The memory must hold `cost.m_kib` blocks.
    pub(super) fn make(
        password: &Password,
        salt: [u8; SALT],
        cost: Argon2Params,
        memory: &mut [Block],
    ) -> Result<Self, argon2::Error> {
        let mut output = [0; OUTPUT];
        argon2id(password, &salt, &cost, &mut output, memory)?;
        let salt = phc::Salt::new(&salt).expect("PHC allows salts of 8 to 48 bytes");
        let hash = phc::Output::new(&output).expect("PHC allows hashes of 10 to 64 bytes");
        Ok(Self { cost, salt, hash })
    }

    /// Whether it is the hash of `password`, compared in constant time.
    pub(super) fn is_of(&self, password: &Password, memory: &mut [Block]) -> Result<bool, argon2::Error> {
        let mut output = [0; phc::Output::MAX_LENGTH];
        let output = &mut output[..self.hash.len()];
        argon2id(password, &self.salt, &self.cost, output, memory)?;
        Ok(bool::from(self.hash.as_bytes().ct_eq(output)))
    }
}

fn argon2id(
    password: &Password,
    salt: &[u8],
    cost: &Argon2Params,
    output: &mut [u8],
    memory: &mut [Block],
) -> Result<(), argon2::Error> {
    Argon2::new(Algorithm::Argon2id, Version::V0x13, cost.for_output(output.len())?).hash_password_into_with_memory(
        password.expose().as_bytes(),
        salt,
        output,
        memory,
    )
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash(…)")
    }
}

impl TryFrom<String> for PasswordHash {
    type Error = InvalidPasswordHash;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

impl From<PasswordHash> for String {
    fn from(hash: PasswordHash) -> Self {
        hash.expose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From the reference implementation's own tests (phc-winner-argon2, `src/test.c`): "password" and "somesalt".
    const REFERENCE: &str = "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4";

    fn password(text: &str) -> Password {
        Password::parse(text.to_owned()).expect("a password")
    }

    #[test]
    fn the_reference_implementations_hash_is_verified() {
        let hash = PasswordHash::parse(REFERENCE).expect("a hash");
        let mut memory = vec![Block::new(); 256];
        assert_eq!(hash.is_of(&password("password"), &mut memory), Ok(true));
        assert_eq!(hash.is_of(&password("Password"), &mut memory), Ok(false));
        assert_eq!(hash.expose(), REFERENCE);
    }

    /// PWD-3
    #[test]
    fn the_default_cost_is_19_mib_and_two_passes() {
        assert_eq!(Argon2Params::default(), Argon2Params { m_kib: 19 * 1024, t: 2, p: 1 });
    }

    #[test]
    fn a_hash_reads_back_what_it_wrote() {
        let cost = Argon2Params { m_kib: 64, t: 1, p: 2 };
        let hash = PasswordHash::make(&password("pässwörd"), [7; 16], cost, &mut vec![Block::new(); 64]).expect("made");
        let json = serde_json::to_string(&hash).expect("JSON");
        assert!(json.starts_with("\"$argon2id$v=19$m=64,t=1,p=2$BwcHBwcHBwcHBwcHBwcHBw$"), "{json}");
        assert_eq!(serde_json::from_str::<PasswordHash>(&json).ok(), Some(hash));
    }

    #[test]
    fn anything_else_is_refused_when_read() {
        for bad in [
            "",
            "password",
            &REFERENCE.replace("argon2id", "argon2i"),
            &REFERENCE.replace("v=19", "v=16"),
            &REFERENCE.replace("v=19$", ""),
            &REFERENCE.replace("m=256", "m=4"),
            &REFERENCE.replace("t=2", "t=0"),
            &REFERENCE.replace("p=1", "p=1,data=AAAA"),
            &REFERENCE.replace("p=1", "p=99999999999"),
            &REFERENCE.replace("$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4", ""),
            &format!("{REFERENCE}$more"),
            &format!("{REFERENCE}{}", "A".repeat(256)),
        ] {
            assert_eq!(PasswordHash::parse(bad).err(), Some(InvalidPasswordHash), "{bad}");
        }
    }

    #[test]
    fn another_cost_or_a_shorter_hash_calls_for_rehashing() {
        let today = Argon2Params { m_kib: 256, t: 2, p: 1 };
        let long_salt = REFERENCE.replace("c29tZXNhbHQ", "BwcHBwcHBwcHBwcHBwcHBw");
        let other = |text: &str| PasswordHash::parse(text).expect("a hash").is_weaker_or_other_than(today);
        assert!(!other(&long_salt));
        assert!(other(REFERENCE), "a salt of 8 bytes");
        for (from, to) in [("m=256", "m=512"), ("m=256", "m=128"), ("t=2", "t=3"), ("p=1", "p=2")] {
            assert!(other(&long_salt.replace(from, to)), "{to}");
        }
        assert!(other(&long_salt.replace("nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4", "nf65EOgLrQMR/uIPnA4rEg")));
    }
}
