//! The enrollee's pages, as a browser without JavaScript asks for them.

use axum::Router;
use axum::body::Body;
use axum::http::{Method, Request, StatusCode, header};
use enrollment_axum::HttpOptions;
use enrollment_core::domain::policy::Policy;
use enrollment_core::domain::role::Role;
use enrollment_core::port::StoreErrorKind;
use enrollment_testkit::fake::{Moment, Trouble};
use serde_json::{Value, json};

use crate::client::{Answer, request, send, with};
use crate::email_codes::mailed_code;
use crate::world::{PUBLIC_KEY, World, world, world_with, world_with_mail};

/// A browser: keeps its cookie, asks for HTML, follows nothing by itself.
struct Browser<'a> {
    face: &'a Router,
    cookie: Option<String>,
}

impl<'a> Browser<'a> {
    fn at(world: &'a World) -> Self {
        Self { face: &world.public, cookie: None }
    }

    async fn ask(&mut self, mut request: Request<Body>) -> Answer {
        request = with(request, "accept", "text/html,application/xhtml+xml,*/*;q=0.8");
        request = with(request, "sec-fetch-site", "same-origin");
        if let Some(cookie) = &self.cookie {
            request = with(request, "cookie", cookie);
        }
        let answer = send(self.face, request).await;
        if let Some(set) = answer.header("set-cookie") {
            self.cookie = set.split(';').next().map(str::to_owned);
        }
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        answer
    }

    async fn get(&mut self, path: &str) -> Answer {
        self.ask(request(Method::GET, path)).await
    }

    async fn post(&mut self, path: &str, form: &str) -> Answer {
        self.ask(post(path, form)).await
    }

    /// Opens a link and presses its button. Returns the form that was posted, too.
    async fn begin(&mut self, token: &str) -> (Answer, String) {
        let page = self.get(&format!("/enroll/{token}")).await.page();
        let form = format!("token={token}&nonce={}", hidden(&page, "nonce"));
        (self.post("/enroll/begin", &form).await, form)
    }
}

fn post(path: &str, form: &str) -> Request<Body> {
    let mut request = request(Method::POST, path);
    let media = "application/x-www-form-urlencoded".parse().expect("a header");
    request.headers_mut().insert(header::CONTENT_TYPE, media);
    *request.body_mut() = Body::from(form.to_owned());
    request
}

fn hidden<'a>(page: &'a str, name: &str) -> &'a str {
    let (_, rest) = page.split_once(&format!("name=\"{name}\" value=\"")).expect("the field");
    rest.split('"').next().expect("its value")
}

impl Answer {
    /// The HTML of a page.
    fn page(&self) -> String {
        assert_eq!(self.header("content-type"), Some("text/html; charset=utf-8"), "{} {}", self.status, self.text());
        // Slashes are escaped too, which is the same to a browser.
        self.text().replace("&#x2f;", "/")
    }

    fn leads_to(&self, path: &str) {
        assert_eq!((self.status, self.header("location")), (StatusCode::SEE_OTHER, Some(path)), "{}", self.text());
    }
}

/// REQ-1, REQ-2, REQ-5, REQ-7: every step is a form; each leads on; what is done stays done however often it is posted.
#[tokio::test]
async fn the_way_is_walked_by_forms_alone() {
    let world = world();
    let key = world.key(Role::Owner).await;
    world.location(&key, "office").await;
    let (_, token) = world.invite("alex").await;
    let mut browser = Browser::at(&world);
    let (begun, form) = browser.begin(&token).await;
    begun.leads_to("/enroll/profile");
    world.writes();
    browser.cookie = None;
    browser.post("/enroll/begin", &form).await.leads_to("/enroll/profile");
    assert_eq!(world.writes(), [""; 0], "the same begin again, without the cookie, is the same session");

    let wrong = browser.post("/enroll/profile", "phone=%3Cb%3Eno%20number").await;
    let page = wrong.page();
    assert_eq!(wrong.status, 400);
    assert!(page.contains("id=\"phone-error\"") && page.contains("value=\"&lt;b&gt;no number\""), "{page}");
    browser.post("/enroll/profile", "phone=%2B49+30+123456").await.leads_to("/enroll/password");
    assert!(browser.get("/enroll/profile").await.page().contains("+49 30 123456"));

    let short = browser.post("/enroll/password", "password=secret1&again=secret1").await;
    assert_eq!(short.status, 422);
    assert!(!short.page().contains("secret1") && short.page().contains("at least 8 characters"), "{}", short.page());
    let good = "password=a+long+enough+password&again=a+long+enough+password";
    for _ in 0..2 {
        browser.post("/enroll/password", good).await.leads_to("/enroll/second-factor");
    }
    assert!(browser.get("/enroll/second-factor").await.page().contains("Leave this out"));
    browser.get("/enroll/continue").await.leads_to("/enroll/second-factor");
    browser.post("/enroll/finish", "").await.page();
    let device = format!("name=laptop&way=paste&public_key={}", PUBLIC_KEY.replace('+', "%2B").replace('=', "%3D"));
    for _ in 0..2 {
        browser.post("/enroll/device", &device).await.leads_to("/enroll/finish");
    }
    browser.get("/enroll/done").await.leads_to("/enroll/continue");
    for _ in 0..2 {
        browser.post("/enroll/finish", "").await.leads_to("/enroll/done");
    }
    let done = browser.get("/enroll/done").await.page();
    assert!(done.contains("<mark>YOUR_PRIVATE_KEY</mark>") && done.contains("office.conf"), "{done}");
    for done in ["/enroll/profile", "/enroll/password", "/enroll/device", "/enroll/finish"] {
        browser.get(done).await.leads_to("/enroll/done");
    }
    browser.post("/enroll/password", good).await.leads_to("/enroll/done");
}

/// TOK-4: no page of the wizard writes, whoever asks and however often.
#[tokio::test]
async fn no_page_changes_anything_by_being_looked_at() {
    let world = world();
    let key = world.key(Role::Owner).await;
    world.location(&key, "office").await;
    let (_, token) = world.invite("alex").await;
    let mut browser = Browser::at(&world);
    browser.begin(&token).await.0.leads_to("/enroll/profile");
    browser.post("/enroll/second-factor/app", "").await.leads_to("/enroll/second-factor");
    world.writes();
    let pages = [
        "",
        "/continue",
        "/profile",
        "/password",
        "/second-factor",
        "/second-factor/email",
        "/device",
        "/finish",
        "/done",
    ];
    for page in pages {
        for method in [Method::GET, Method::HEAD] {
            let answer = browser.ask(request(method, &format!("/enroll{page}"))).await;
            assert!(answer.status.is_success() || answer.status.is_redirection(), "{page}: {}", answer.status);
        }
    }
    assert_eq!(world.writes(), [""; 0]);
    assert!(browser.get("/enroll/second-factor").await.page().contains("otpauth:"), "the secret is shown again");
}

/// TOK-2, TOK-7: a mistyped token costs no read, and it is answered, to the byte, like one that never was.
#[tokio::test]
async fn a_stranger_hears_one_answer_at_the_pages_too() {
    let world = world();
    let (_, token) = world.invite("alex").await;
    let never = never_issued();
    let mut browser = Browser::at(&world);
    browser.get(&format!("/enroll/{token}")).await.page();
    let _ = world.store.take();
    let mistyped = browser.get("/enroll/enr_mistyped").await;
    assert!(world.store.take().is_empty(), "no read");
    let unknown = browser.get(&format!("/enroll/{never}")).await;
    for other in [
        unknown,
        browser.post("/enroll/begin", "token=enr_mistyped").await,
        browser.post("/enroll/begin", &format!("token={never}")).await,
        browser.post("/report/enr_mistyped", "").await,
    ] {
        assert_eq!((other.status, &other.text()), (mistyped.status, &mistyped.text()));
    }
    assert_eq!(mistyped.status, 404);
    assert!(mistyped.page().contains("This link is not valid"));
}

/// A token that is whole and was never issued.
fn never_issued() -> String {
    let ring = enrollment_core::secret::KeyRing::generate(
        enrollment_core::time::Timestamp::EPOCH,
        &enrollment_testkit::fake::SeededEntropy::new(99),
    );
    let seed = enrollment_core::secret::TokenSeed::new(&ring, &enrollment_testkit::fake::SeededEntropy::new(98));
    let id = enrollment_core::id::EnrollmentId::from_uuid(uuid::Uuid::nil());
    let token = ring.token(&seed, "onboarding", id, 1);
    token.expect("an active key").expose().to_owned()
}

/// SYS-5: what a page of another site posts is refused, with and without a cookie.
#[tokio::test]
async fn posts_of_other_sites_reach_no_page() {
    let world = world();
    let (_, token) = world.invite("alex").await;
    let mut browser = Browser::at(&world);
    browser.begin(&token).await.0.leads_to("/enroll/profile");
    let cookie = browser.cookie.expect("a cookie");
    let report = format!("/report/{token}");
    let forms = [
        "/enroll/begin",
        "/enroll/profile",
        "/enroll/password",
        "/enroll/second-factor/app",
        "/enroll/finish",
        &report,
    ];
    for path in forms {
        for (name, value) in [("sec-fetch-site", "cross-site"), ("origin", "https://evil.example")] {
            let form = with(with(post(path, "phone="), "cookie", &cookie), name, value);
            let refused = send(&world.public, with(form, "accept", "text/html")).await;
            assert_eq!(refused.status, 403, "{path}: {name}");
            assert!(refused.page().contains("another site"));
        }
    }
    assert_eq!(world.post("/inspect", &json!({ "token": token })).await.ok()["valid"], true);
}

/// INV-11: where the invitation may lead to the client, its page leads there: by the downloads that there are, by a link
/// that opens it and by a code for a phone. Looking begins nothing (TOK-4).
#[tokio::test]
async fn a_page_leads_to_the_client_where_the_invitation_may_lead_there() {
    let world = world();
    let (id, token) = world.invite("anna").await;
    let key = world.key(Role::Owner).await;
    let deep_link = format!("defguard://addinstance?token={token}&url=");
    let landing = async |user_agent: &'static str| {
        let request = request(Method::GET, &format!("/enroll/{token}"));
        let answer = send(&world.public, with(request, "user-agent", user_agent)).await;
        answer.page().replace("&#x2f;", "/").replace("&amp;", "&")
    };
    let set = async |settings: Value| world.admin(Method::PATCH, "/settings", &key, &settings).await.ok();
    let place = |page: &str, part: &str| page.find(part).unwrap_or_else(|| panic!("{part} is not in {page}"));

    let both = landing("").await;
    assert!(place(&both, "Begin in the browser") < place(&both, &deep_link));
    assert!(place(&both, &deep_link) < place(&both, "QR code for the client of a phone"));
    assert!(both.contains("<svg") && !both.contains("Install it first"), "nothing is preset");

    set(json!({ "front_end": "desktop", "downloads": { "windows": "https://example.com/w", "android": "https://example.com/a" } })).await;
    let desktop = landing("Mozilla/5.0 (Linux; Android 15; Pixel 9)").await;
    assert!(place(&desktop, "\"https://example.com/a\"") < place(&desktop, "\"https://example.com/w\""));
    assert!(place(&desktop, "Android</a> <span class=\"muted\">(this device)") < place(&desktop, &deep_link));
    assert!(place(&desktop, &deep_link) < place(&desktop, "Begin in the browser"));
    let elsewhere = landing("Mozilla/5.0 (Windows NT 10.0; Win64; x64)").await;
    assert!(place(&elsewhere, "\"https://example.com/w\"") < place(&elsewhere, "\"https://example.com/a\""));

    set(json!({ "front_end": "browser" })).await;
    let browser = landing("").await;
    assert!(!browser.contains("defguard:") && !browser.contains("example.com/w") && !browser.contains("<svg"));
    assert_eq!(world.read(&format!("/enrollments/{id}"), &key).await["progress"]["stage"], "invited");
}

/// SYS-5: each page brings the one policy; only what is the same for good is cached.
#[tokio::test]
async fn pages_are_guarded_and_only_assets_are_cached() {
    let world = world();
    let page = Browser::at(&world).get("/enroll").await;
    let policy = page.header("content-security-policy").expect("a policy").to_owned();
    for part in [
        "default-src 'none'",
        "script-src 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
    ] {
        assert!(policy.contains(part), "{policy}");
    }
    assert!(!policy.contains("unsafe"));
    let html = page.page();
    let asset = |extension: &str| {
        let end = html.find(&format!(".{extension}\"")).expect("an asset") + extension.len() + 1;
        let start = html[..end].rfind('"').expect("a quote") + 1;
        html[start..end].to_owned()
    };
    for (extension, media) in
        [("css", "text/css; charset=utf-8"), ("js", "text/javascript; charset=utf-8"), ("svg", "image/svg+xml")]
    {
        let answer = send(&world.public, request(Method::GET, &asset(extension))).await;
        assert_eq!((answer.status.as_u16(), answer.header("content-type")), (200, Some(media)));
        assert_eq!(answer.header("cache-control"), Some("public, max-age=31536000, immutable"));
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    }
    let gone = send(&world.public, request(Method::GET, "/assets/style.0000000000000000.css")).await;
    assert_eq!((gone.status.as_u16(), gone.header("cache-control")), (404, Some("no-store")));
}

/// SYS-5: whoever chose plain http elsewhere reads on every page what that means, refusals included.
#[tokio::test]
async fn insecure_http_is_said_on_every_page() {
    let options = HttpOptions { insecure_http: true, rates: None, ..HttpOptions::default() };
    let insecure = world_with(options, "http://vpn.lan", Policy::standard());
    let (_, token) = insecure.invite("alex").await;
    let secure = world();
    for path in [
        "/enroll".to_owned(),
        format!("/enroll/{token}"),
        "/enroll/profile".into(),
        "/nothing".into(),
        format!("/report/{token}"),
    ] {
        assert!(Browser::at(&insecure).get(&path).await.page().contains("not encrypted"), "{path}");
        assert!(!Browser::at(&secure).get(&path).await.page().contains("not encrypted"), "{path}");
    }
}

/// SYS-3: a person's browser gets every refusal as a page, in the words of the API, with the same status and headers.
#[tokio::test]
async fn refusals_are_pages_for_people_and_documents_for_programs() {
    let world = world();
    let (_, token) = world.invite("alex").await;
    let mut browser = Browser::at(&world);
    browser.begin(&token).await.0.leads_to("/enroll/profile");
    world.faults.trouble_commits(1, Trouble::Error(StoreErrorKind::Unavailable));
    let answer = browser.post("/enroll/profile", "").await;
    assert_eq!((answer.status.as_u16(), answer.header("retry-after")), (503, Some("2")));
    assert!(answer.page().contains("Nothing happened") && answer.page().contains("2 seconds"));
    world.faults.trouble_commits(10, Trouble::AnswerLost);
    let answer = browser.post("/enroll/profile", "").await;
    assert_eq!(answer.status, 504);
    assert!(answer.page().contains("href=\"/enroll/continue\""), "{}", answer.page());
    world.faults.revive();
    browser.post("/enroll/profile", "").await.leads_to("/enroll/password");
    world.clock.advance(std::time::Duration::from_secs(600));
    let over = browser.get("/enroll/password").await;
    assert_eq!(over.status, 401);
    assert!(over.page().contains("Your time is up"));
    assert_eq!(send(&world.public, request(Method::GET, "/enroll/password")).await.code(), "invalid_session");
    world.clock.advance(std::time::Duration::from_secs(24 * 3600));
    let expired = browser.get(&format!("/enroll/{token}")).await;
    assert_eq!(expired.status, 410);
    assert!(expired.page().contains("This link has expired") && expired.page().contains("Ask your administrator"));
    world.faults.die_at(1, Moment::Before);
    assert!(browser.get("/enroll").await.page().contains("cannot be reached"));
}

/// SYS-3: forms are bounded, and nothing that is no form is taken for one.
#[tokio::test]
async fn what_is_no_form_is_refused() {
    let world = world();
    let mut browser = Browser::at(&world);
    let huge = format!("token={}", "x".repeat(20_000));
    assert_eq!(browser.post("/enroll/begin", &huge).await.status, 413);
    assert_eq!(browser.post("/enroll/begin", "token=a&token=b").await.status, 400);
    assert_eq!(browser.post("/enroll/begin", "nonce=x").await.status, 400);
    let mut json = post("/enroll/begin", "{}");
    json.headers_mut().insert(header::CONTENT_TYPE, "application/json".parse().expect("a header"));
    assert_eq!(browser.ask(json).await.status, 400);
    assert_eq!(browser.ask(request(Method::DELETE, "/enroll/profile")).await.status, 405);
}

/// MFA-2, MFA-3: codes by e-mail, with a wrong one beside its field; recovery codes in the answer itself, and once.
#[tokio::test]
async fn codes_by_email_are_set_up_by_forms() {
    let world = world_with_mail();
    let (_, token) = world.invite("alex").await;
    let mut browser = Browser::at(&world);
    browser.begin(&token).await.0.leads_to("/enroll/profile");
    assert!(browser.get("/enroll/second-factor").await.page().contains("alex@example.com"));
    for _ in 0..2 {
        browser.post("/enroll/second-factor/email", "").await.leads_to("/enroll/second-factor/email");
    }
    world.send_mail().await;
    assert_eq!(world.relay.count(), 1, "a double click sends one");
    let code = mailed_code(&world);
    let wrong: String = code.chars().map(|digit| if digit == '9' { '8' } else { '9' }).collect();
    let refused = browser.post("/enroll/second-factor/email/confirm", &format!("code={wrong}")).await;
    assert_eq!(refused.status, 422);
    assert!(refused.page().contains("id=\"code-error\"") && !refused.page().contains(&wrong), "{}", refused.page());
    let right = format!("code={code}");
    let codes = browser.post("/enroll/second-factor/email/confirm", &right).await.page();
    assert!(
        codes.contains("Keep these recovery codes") && codes.contains("download=\"recovery-codes.txt\""),
        "{codes}"
    );
    browser.post("/enroll/second-factor/email/confirm", &right).await.leads_to("/enroll/second-factor");
    assert!(browser.get("/enroll/second-factor").await.page().contains("Make new recovery codes"));
}
