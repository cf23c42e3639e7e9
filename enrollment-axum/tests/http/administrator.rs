//! An administrator with a browser.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::body::Body;
use axum::http::{Method, StatusCode, header};
use enrollment_core::domain::enrollment::Purpose;
use enrollment_core::domain::role::Role;
use enrollment_core::port::Clock;
use enrollment_core::secret::Password;
use enrollment_core::service::Origin;
use enrollment_core::service::administrator::{Delivery, NewUser, StartEnrollment};
use enrollment_core::service::enrollee::BeginRequest;

use crate::client::{Answer, request, send, with};
use crate::world::{World, operator};

pub(crate) const PASSWORD: &str = "correct horse battery staple";

/// An enrolled administrator, and the secret of their app.
pub(crate) struct Administrator {
    pub(crate) name: String,
    app: Vec<u8>,
}

impl Administrator {
    /// Enrolls one, with password and app.
    pub(crate) async fn enroll(world: &World, name: &str, role: Role) -> Self {
        let start = StartEnrollment {
            purpose: Purpose::Onboarding,
            delivery: Delivery::Manual,
            email: None,
            validity: None,
            wording: None,
        };
        let new = NewUser {
            username: name.parse().expect("a username"),
            first_name: "Alex".parse().expect("a name"),
            last_name: "Doe".parse().expect("a name"),
            email: Some(format!("{name}@example.com").parse().expect("an address")),
            phone: None,
            groups: std::collections::BTreeSet::new(),
            role: Some(role),
            enrollment: Some(start),
        };
        let (_, issued) = world.service.administrator().create_user(&operator(), new).await.expect("a user");
        let token = issued.expect("an enrollment").token;
        let enrollee = world.service.enrollee();
        let origin = Origin::default();
        let begin = BeginRequest { token, nonce: None, resume: None };
        let session = enrollee.begin(&begin, origin).await.expect("a session").session;
        enrollee.confirm_profile(&session, None, origin).await.expect("confirmed");
        let password = Password::parse(PASSWORD.to_owned()).expect("a password");
        enrollee.choose_password(&session, password, origin).await.expect("chosen");
        let offer = enrollee.offer_totp(&session, origin).await.expect("an offer");
        let app = data_encoding::BASE32_NOPAD.decode(offer.secret.as_bytes()).expect("Base32");
        let administrator = Self { name: name.to_owned(), app };
        enrollee.confirm_totp(&session, &administrator.code(world), origin).await.expect("confirmed");
        enrollee.complete(&session, origin).await.expect("complete");
        world.clock.advance(Duration::from_secs(30));
        administrator
    }

    /// What the app shows now.
    pub(crate) fn code(&self, world: &World) -> String {
        let totp = totp_rs::Builder::new().with_secret(self.app.clone()).with_skew(0).build().expect("a secret");
        totp.generate(u64::try_from(world.clock.now().seconds()).expect("after 1970")).to_string()
    }
}

/// A browser: it keeps cookies and follows no redirect by itself.
pub(crate) struct Browser<'a> {
    world: &'a World,
    pub(crate) cookies: BTreeMap<String, String>,
}

impl<'a> Browser<'a> {
    pub(crate) const fn new(world: &'a World) -> Self {
        Self { world, cookies: BTreeMap::new() }
    }

    pub(crate) async fn get(&mut self, path: &str) -> Answer {
        self.ask(Method::GET, path, None, "none").await
    }

    pub(crate) async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Answer {
        self.ask(Method::POST, path, Some(fields), "same-origin").await
    }

    pub(crate) async fn ask(
        &mut self,
        method: Method,
        path: &str,
        fields: Option<&[(&str, &str)]>,
        site: &str,
    ) -> Answer {
        let mut asked = with(request(method, path), "accept", "text/html,*/*;q=0.8");
        asked = with(asked, "sec-fetch-site", site);
        if let Some(fields) = fields {
            asked = with(asked, "content-type", "application/x-www-form-urlencoded");
            let pairs: Vec<_> = fields.iter().map(|(name, value)| format!("{name}={}", encoded(value))).collect();
            *asked.body_mut() = Body::from(pairs.join("&"));
        }
        let cookies: Vec<_> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        if !cookies.is_empty() {
            asked = with(asked, "cookie", &cookies.join("; "));
        }
        let answer = send(&self.world.internal, asked).await;
        for line in answer.headers.get_all(header::SET_COOKIE) {
            let line = line.to_str().expect("text");
            let (name, rest) = line.split_once('=').expect("a cookie");
            let value = rest.split(';').next().unwrap_or_default();
            if value.is_empty() {
                self.cookies.remove(name);
            } else {
                for attribute in ["Path=/", "HttpOnly", "SameSite=Strict", "Secure"] {
                    assert!(line.contains(attribute), "{name} lacks {attribute}");
                }
                assert!(name.starts_with("__Host-"), "{name}");
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        answer
    }

    /// The first step.
    pub(crate) async fn password(&mut self, name: &str, password: &str) -> Answer {
        self.post("/admin/sign-in", &[("username", name), ("password", password)]).await
    }

    /// Both steps.
    pub(crate) async fn sign_in(&mut self, who: &Administrator) {
        assert_eq!(location(&self.password(&who.name, PASSWORD).await), "/admin/sign-in/code");
        let answer = self.post("/admin/sign-in/code", &[("code", &who.code(self.world))]).await;
        assert_eq!(location(&answer), "/admin", "{}", answer.text());
        self.world.clock.advance(Duration::from_secs(30));
    }
}

/// A value as forms send it.
pub(crate) fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

/// Where a redirect leads.
pub(crate) fn location(answer: &Answer) -> String {
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.text());
    answer.header("location").expect("a location").to_owned()
}

/// A page that was shown, with its slashes as people see them.
pub(crate) fn page(answer: &Answer, status: StatusCode) -> String {
    assert_eq!(answer.status, status, "{}", answer.text());
    assert_eq!(answer.header("content-type"), Some("text/html; charset=utf-8"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let policy = answer.header("content-security-policy").expect("a policy");
    assert!(policy.contains("default-src 'none'") && policy.contains("form-action 'self'"), "{policy}");
    answer.text().replace("&#x2f;", "/")
}
