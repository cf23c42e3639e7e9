//! Every secret of a run, in every form in which it could leak, and the search for them.

use std::collections::{BTreeSet, HashMap};

use data_encoding::{BASE32_NOPAD, BASE64, BASE64_NOPAD, BASE64URL_NOPAD, Encoding, HEXLOWER, HEXUPPER, Specification};
use percent_encoding::{NON_ALPHANUMERIC, percent_encode};

/// The search looks a place up by this many bytes; nothing shorter can be searched for this way.
const HEAD: usize = 8;

/// The secrets of a run.
#[derive(Default)]
pub(crate) struct Secrets {
    texts: Vec<(&'static str, String)>,
    /// Codes of few digits, which stand somewhere by chance and are searched for as words.
    codes: BTreeSet<String>,
    forms: HashMap<[u8; HEAD], BTreeSet<(Vec<u8>, &'static str)>>,
}

impl Secrets {
    /// A secret that is a text: a token, a password.
    pub(crate) fn text(&mut self, kind: &'static str, text: &str) {
        self.texts.push((kind, text.to_owned()));
        let bare = text.split_once('_').map_or(text, |(_, bare)| bare).replace('-', "");
        for text in [text, &bare] {
            self.form(kind, text.to_lowercase());
            self.form(kind, text.to_uppercase());
            self.bytes(kind, text.as_bytes());
            let json = serde_json::Value::from(text).to_string();
            self.form(kind, json.trim_matches('"'));
        }
        // Something that was cut off is a leak too.
        if bare.is_ascii() && bare.len() >= 16 {
            self.form(kind, &bare[..12]);
            self.form(kind, &bare[bare.len() - 12..]);
        }
    }

    /// A token with prefix and checksum; its random bytes are searched for too.
    pub(crate) fn token(&mut self, kind: &'static str, token: &str) {
        self.text(kind, token);
        let (_, characters) = token.split_once('_').expect("a prefix");
        let bytes = crockford().decode(characters.as_bytes()).expect("Crockford's Base32");
        self.bytes(kind, &bytes[..20]);
    }

    /// A recovery code.
    pub(crate) fn recovery_code(&mut self, kind: &'static str, code: &str) {
        self.text(kind, code);
        let bytes = crockford().decode(code.replace('-', "").as_bytes()).expect("Crockford's Base32");
        self.bytes(kind, &bytes);
    }

    /// A TOTP secret in Base32.
    pub(crate) fn totp(&mut self, kind: &'static str, base32: &str) {
        self.text(kind, base32);
        self.bytes(kind, &BASE32_NOPAD.decode(base32.as_bytes()).expect("Base32"));
    }

    /// A WireGuard private key in Base64.
    pub(crate) fn private_key(&mut self, kind: &'static str, base64: &str) {
        self.text(kind, base64);
        self.bytes(kind, &BASE64.decode(base64.as_bytes()).expect("Base64"));
    }

    /// The keys of a key ring's file.
    pub(crate) fn key_ring(&mut self, kind: &'static str, file: &str) {
        let keys: Vec<&str> = file
            .split_whitespace()
            .filter(|word| word.len() == 64 && HEXLOWER.decode(word.as_bytes()).is_ok())
            .collect();
        assert!(!keys.is_empty(), "a ring has keys");
        for key in keys {
            self.text(kind, key);
            self.bytes(kind, &HEXLOWER.decode(key.as_bytes()).expect("just decoded"));
        }
    }

    /// A code of six digits.
    pub(crate) fn code(&mut self, code: &str) {
        self.codes.insert(code.to_owned());
    }

    /// One text of every kind, with its kind; codes among them.
    pub(crate) fn one_of_each(&self) -> Vec<(&'static str, String)> {
        let mut seen = BTreeSet::new();
        let texts = self.texts.iter().filter(|(kind, _)| seen.insert(*kind)).cloned();
        texts.chain(self.codes.first().map(|code| ("code", code.clone()))).collect()
    }

    /// All texts of a kind.
    pub(crate) fn of_kind<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a str> {
        self.texts.iter().filter(move |(of, _)| *of == kind).map(|(_, text)| text.as_str())
    }

    /// All codes of six digits.
    pub(crate) fn codes(&self) -> impl Iterator<Item = &str> {
        self.codes.iter().map(String::as_str)
    }

    /// The kinds of all secrets that stand in `place` in whatever form.
    pub(crate) fn found_in(&self, place: &[u8]) -> BTreeSet<&'static str> {
        let mut found = BTreeSet::new();
        for (at, head) in place.windows(HEAD).enumerate() {
            let head: [u8; HEAD] = head.try_into().expect("as long as a window");
            if let Some(forms) = self.forms.get(&head) {
                let here = forms.iter().filter(|(form, _)| place[at..].starts_with(form));
                found.extend(here.map(|(_, kind)| *kind));
            }
        }
        let words = place.split(|byte| !byte.is_ascii_alphanumeric()).filter(|word| word.len() == 6);
        let mut words = words.filter_map(|word| std::str::from_utf8(word).ok());
        if words.any(|word| self.codes.contains(word)) {
            found.insert("code");
        }
        found
    }

    fn bytes(&mut self, kind: &'static str, bytes: &[u8]) {
        self.form(kind, bytes);
        self.form(kind, HEXLOWER.encode(bytes));
        self.form(kind, HEXUPPER.encode(bytes));
        self.form(kind, BASE32_NOPAD.encode(bytes));
        self.form(kind, percent_encode(bytes, NON_ALPHANUMERIC).to_string());
        let numbers: Vec<String> = bytes.iter().map(u8::to_string).collect();
        self.form(kind, numbers.join(", "));
        self.form(kind, numbers.join(","));
        // Base64 has three looks, by where in a longer text the secret stands.
        for skipped in 0..3 {
            let whole = &bytes[skipped..];
            let whole = &whole[..whole.len() / 3 * 3];
            self.form(kind, BASE64_NOPAD.encode(whole));
            self.form(kind, BASE64URL_NOPAD.encode(whole));
        }
    }

    fn form(&mut self, kind: &'static str, form: impl AsRef<[u8]>) {
        let form = form.as_ref();
        let head = form.first_chunk::<HEAD>();
        assert!(head.is_some(), "{kind}: too short to be searched for");
        self.forms.entry(*head.expect("just looked")).or_default().insert((form.to_owned(), kind));
    }
}

fn crockford() -> Encoding {
    let mut specification = Specification::new();
    specification.symbols.push_str("0123456789ABCDEFGHJKMNPQRSTVWXYZ");
    specification.encoding().expect("32 different symbols")
}

/// The search finds what is there, in each form, and nothing else.
#[test]
fn the_search_finds_planted_secrets() {
    const TOKEN: &str = "enr_0123456789ABCDEFGHJKMNPQRSTVWXYZ43210";
    const PASSWORD: &str = "Kan\u{e4}rie \"7\" im Schacht";
    let mut secrets = Secrets::default();
    secrets.token("token", TOKEN);
    secrets.text("password", PASSWORD);
    secrets.code("493028");
    let payload = crockford().decode(&TOKEN.as_bytes()[4..]).expect("Crockford's Base32");
    let leaks = [
        ("token", format!("GET /enroll/{TOKEN} HTTP/1.1").into_bytes()),
        ("token", TOKEN.to_lowercase().into()),
        ("token", format!("cut off: {}\u{2026}", &TOKEN[..16]).into()),
        ("token", HEXLOWER.encode(TOKEN.as_bytes()).into()),
        ("token", BASE64.encode(format!("Bearer {TOKEN}").as_bytes()).into()),
        ("token", BASE64.encode(format!("Bearer: {TOKEN}").as_bytes()).into()),
        ("token", BASE64.encode(format!("Bearer:: {TOKEN}").as_bytes()).into()),
        ("token", format!("{:?}", TOKEN.as_bytes()).into()),
        ("token", payload[..20].to_vec()),
        ("token", format!("{:?}", &payload[..20]).into()),
        ("password", format!("{{\"password\":{}}}", serde_json::json!(PASSWORD)).into()),
        ("password", b"?p=Kan%C3%A4rie%20%227%22%20im%20Schacht&".to_vec()),
        ("code", b"{\"code\":\"493028\"}".to_vec()),
        ("code", b"code=493028".to_vec()),
    ];
    for (kind, leak) in leaks {
        assert_eq!(secrets.found_in(&leak), BTreeSet::from([kind]), "{}", String::from_utf8_lossy(&leak));
    }
    for harmless in ["enr_", "a4930281", "0123456", "Kanarie", "1764"] {
        assert!(secrets.found_in(harmless.as_bytes()).is_empty(), "{harmless}");
    }
}
