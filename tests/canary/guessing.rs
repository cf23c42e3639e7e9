//! Whoever has the database, and not the key ring, cannot try short codes (TOK-3, MFA-3).

use std::collections::{BTreeSet, HashSet};
use std::fs;

use data_encoding::{BASE64, HEXLOWER};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};

use crate::journey::Journey;
use crate::leaks::files;

/// TOK-3: of no code is there anything in the database that a thief could compare a guess with.
#[test]
fn nobody_can_guess_codes_with_the_database_alone() {
    let journey = Journey::whole();
    let mut bytes = Vec::new();
    for file in files(&journey.data()) {
        if file.file_name().is_some_and(|name| name.to_string_lossy().starts_with("enrollment.db")) {
            bytes.extend(fs::read(file).expect("our own file"));
        }
    }
    let recovery = ["recovery code", "replaced recovery code"].map(|kind| journey.secrets.of_kind(kind));
    let mut codes: BTreeSet<String> = recovery.into_iter().flatten().flat_map(looks).collect();
    assert_eq!(codes.len(), 2 * 16 * 3);
    codes.extend(journey.secrets.codes().map(str::to_owned));

    let dump = Dump::of(&bytes);
    assert_eq!(dump.hit_of(codes.iter().map(String::as_str)), None);
    let all = (0..1_000_000).map(|code| format!("{code:06}"));
    assert_eq!(all.into_iter().find(|code| dump.holds(&Sha256::digest(code))), None);

    // The attack itself works: with any of these in the database it would have succeeded.
    let is_plain = |word: &&Vec<u8>| word.iter().all(u8::is_ascii_alphanumeric);
    let salt = dump.words.iter().find(is_plain).expect("words").clone();
    let code = codes.first().expect("codes").as_str();
    let part = &bytes[..bytes.len().min(1 << 16)];
    let salted = Sha256::digest([salt.as_slice(), code.as_bytes()].concat());
    for careless in [Sha256::digest(code), salted, keyed(&salt, code)] {
        for written in [careless.to_vec(), HEXLOWER.encode(&careless).into(), BASE64.encode(&careless).into()] {
            let planted = Dump::of(&[part, b"\"".as_slice(), &written, b"\"", &salt, b"\""].concat());
            assert_eq!(planted.hit_of([code]).as_deref(), Some(code));
        }
    }
}

/// A recovery code as it might be hashed: as shown, without dashes, in lower case.
fn looks(code: &str) -> [String; 3] {
    let bare = code.replace('-', "");
    [code.to_owned(), bare.to_lowercase(), bare]
}

fn keyed(key: &[u8], code: &str) -> sha2::digest::Output<Sha256> {
    let mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of every length");
    mac.chain_update(code).finalize().into_bytes()
}

/// A stolen database, made ready for guessing.
struct Dump {
    /// Everything that could be a salt or a key: words, and what they are in hex or Base64.
    words: BTreeSet<Vec<u8>>,
    /// The first eight bytes of everything that could be a digest.
    heads: HashSet<[u8; 8]>,
}

impl Dump {
    fn of(bytes: &[u8]) -> Self {
        let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/=-_".contains(byte);
        let texts: BTreeSet<&[u8]> = bytes.split(|byte| !is_word(byte)).filter(|word| word.len() >= 4).collect();
        let mut heads: HashSet<[u8; 8]> = bytes.windows(8).filter_map(|window| window.try_into().ok()).collect();
        let mut words = BTreeSet::new();
        for text in texts {
            let decoded = [HEXLOWER.decode(text), BASE64.decode(text)].into_iter().flatten();
            for bytes in decoded {
                heads.extend(bytes.first_chunk::<8>());
                words.insert(bytes);
            }
            words.insert(text.to_owned());
        }
        Self { words, heads }
    }

    fn holds(&self, digest: &[u8]) -> bool {
        digest.first_chunk::<8>().is_some_and(|head| self.heads.contains(head))
    }

    /// The first of these codes of which there is a digest: plain, salted with any word, or keyed with it.
    fn hit_of<'a>(&self, codes: impl IntoIterator<Item = &'a str>) -> Option<String> {
        let known = |code: &&str| {
            let code = code.as_bytes();
            self.holds(&Sha256::digest(code))
                || self.words.iter().any(|word| {
                    self.holds(&Sha256::digest([word, code].concat()))
                        || self.holds(&Sha256::digest([code, word].concat()))
                        || self.holds(&keyed(word, std::str::from_utf8(code).expect("text")))
                })
        };
        codes.into_iter().find(known).map(str::to_owned)
    }
}
