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
        memory: &mut Vec<Block>,
    ) -> Result<Self, argon2::Error> {
        let mut output = [0; OUTPUT];
        argon2id(password, &salt, &cost, &mut output, memory)?;
        let salt = phc::Salt::new(&salt).expect("PHC allows salts of 8 to 48 bytes");
        let hash = phc::Output::new(&output).expect("PHC allows hashes of 10 to 64 bytes");
        Ok(Self { cost, salt, hash })
    }

    /// Whether it is the hash of `password`, compared in constant time.
    pub(super) fn is_of(&self, password: &Password, memory: &mut Vec<Block>) -> Result<bool, argon2::Error> {
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
    memory: &mut Vec<Block>,
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
