//! A person with an invitation.

use enrollment::core::port::{Clock as _, SystemClock};
use serde_json::{Value, json};

use crate::client::{Answer, Client, ENROLL, text};
use crate::relay::Relay;
use crate::secrets::Secrets;

/// Somebody in a session of their own, who notes every secret they are shown.
pub(crate) struct Enrollee<'a> {
    face: &'a Client,
    secrets: &'a mut Secrets,
    pub(crate) session: String,
}

impl<'a> Enrollee<'a> {
    /// Begins, without a nonce.
    pub(crate) fn begin(face: &'a Client, token: &str, secrets: &'a mut Secrets) -> Self {
        let begun = face.post(&format!("{ENROLL}/sessions"), "", &json!({ "token": token })).ok();
        Self::hold(face, text(&begun, "session_token").to_owned(), secrets)
    }

    /// Goes on in a session that was begun.
    pub(crate) fn hold(face: &'a Client, session: String, secrets: &'a mut Secrets) -> Self {
        secrets.token("session", &session);
        Self { face, secrets, session }
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> Answer {
        self.face.post(&format!("{ENROLL}/session{path}"), &self.session, body)
    }

    /// Confirms the profile.
    pub(crate) fn confirm_profile(&self) -> Value {
        self.face.put(&format!("{ENROLL}/session/profile"), &self.session, &json!({})).ok()
    }

    /// Chooses a password.
    pub(crate) fn choose_password(&mut self, password: &str) -> Value {
        self.secrets.text("password", password);
        let path = format!("{ENROLL}/session/password");
        self.face.put(&path, &self.session, &json!({ "password": password })).ok()
    }

    /// Sets up an authenticator app: a wrong code, then the right one, then new recovery codes for the first ones.
    pub(crate) fn set_up_totp(&mut self) -> Value {
        let secret = self.offer_totp();
        assert_eq!(self.offer_totp(), secret, "asking again gives the same secret");
        let (right, wrong) = codes(&secret);
        self.secrets.code(&right);
        self.secrets.code(&wrong);
        let refused = self.post("/mfa/totp/confirm", &json!({ "code": wrong }));
        assert_eq!(refused.refused(422, "wrong_code")["left"], 9);
        let verified = self.post("/mfa/totp/confirm", &json!({ "code": right })).ok();
        let first = self.note_recovery_codes("replaced recovery code", &verified);
        let replaced = self.post("/mfa/recovery-codes", &json!({})).ok();
        let second = self.note_recovery_codes("recovery code", &replaced);
        assert!(first.iter().all(|code| !second.contains(code)), "all codes are new");
        replaced
    }

    /// Sets up codes by e-mail beside the app: a wrong code, then the one that comes.
    pub(crate) fn set_up_email_codes(&mut self, relay: &Relay) {
        let sent = self.post("/mfa/email", &json!({})).ok();
        assert_eq!(sent["mfa_methods"], json!(["totp", "email"]));
        let right = relay.code();
        let wrong: String = right.chars().map(|digit| if digit == '3' { '7' } else { '3' }).collect();
        self.secrets.code(&right);
        self.secrets.code(&wrong);
        self.post("/mfa/email/confirm", &json!({ "code": wrong })).refused(422, "wrong_code");
        let verified = self.post("/mfa/email/confirm", &json!({ "code": right })).ok();
        assert_eq!((&verified["already_verified"], &verified["recovery_codes"]), (&json!(false), &Value::Null));
    }

    /// Asks for the secret of an authenticator app.
    pub(crate) fn offer_totp(&mut self) -> String {
        let offer = self.post("/mfa/totp", &json!({})).ok();
        let secret = text(&offer, "secret");
        assert!(text(&offer, "otpauth_uri").contains(secret));
        self.secrets.totp("TOTP secret", secret);
        secret.to_owned()
    }

    fn note_recovery_codes(&mut self, kind: &'static str, answer: &Value) -> Vec<String> {
        let codes: Vec<String> = serde_json::from_value(answer["recovery_codes"].clone()).expect("codes");
        assert_eq!(codes.len(), 8);
        codes.iter().for_each(|code| self.secrets.recovery_code(kind, code));
        codes
    }

    /// Adds a device with this public key.
    pub(crate) fn add_device(&self, name: &str, public_key: &str) -> Value {
        self.post("/device", &json!({ "name": name, "public_key": public_key })).ok()
    }

    /// Completes.
    pub(crate) fn complete(&self) -> Answer {
        self.post("/complete", &json!({}))
    }
}

/// The code that follows the one of the moment: taken already, and not used up by whoever has just shown that one.
pub(crate) fn next_code(secret: &str) -> String {
    let (totp, now) = app(secret);
    totp.generate(now + 30).to_string()
}

/// An authenticator app that has a secret in Base32, and the time it goes by.
fn app(secret: &str) -> (totp_rs::Totp, u64) {
    let secret = data_encoding::BASE32_NOPAD.decode(secret.as_bytes()).expect("Base32");
    let totp = totp_rs::Builder::new().with_secret(secret).with_skew(0).build().expect("a secret of 160 bits");
    (totp, u64::try_from(SystemClock.now().seconds()).expect("after 1970"))
}

/// The code of the moment for a secret in Base32, and one that is wrong for minutes around it.
pub(crate) fn codes(secret: &str) -> (String, String) {
    let (totp, now) = app(secret);
    let near: Vec<String> = (0..10).map(|step| totp.generate(now + 30 * step - 150).to_string()).collect();
    let wrong = (0..).map(|number| format!("{:06}", 271_828 + number)).find(|code| !near.contains(code));
    (totp.generate(now).to_string(), wrong.expect("one of a million"))
}
