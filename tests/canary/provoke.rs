//! Every secret sent to every wrong place.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use ureq::http::Method;

use crate::client::{ADMIN, Answer, Client, ENROLL};
use crate::journey::Journey;

/// A face, and what a client of it shows.
struct Sender<'a> {
    face: &'a Client,
    bearer: &'a str,
    answers: Vec<Answer>,
}

impl Sender<'_> {
    fn json(&mut self, method: Method, path: &str, body: &Value) {
        self.answers.push(self.face.json(method, path, self.bearer, body));
    }

    fn raw(&mut self, method: Method, path: &str, body: &str) {
        let bearer = format!("Bearer {}", self.bearer);
        let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
        self.answers.push(self.face.send(method, path, &headers, Some(body)));
    }

    fn with_header(&mut self, path: &str, name: &str, value: &str) {
        self.answers.push(self.face.send(Method::GET, path, &[(name, value)], None));
    }

    fn get(&mut self, path: &str) {
        self.answers.push(self.face.get(path, self.bearer));
    }
}

/// Sends one secret of each kind to places where it does not belong, in a session of a person and as an administrator.
/// Returns all answers.
pub(crate) fn send_secrets_astray(journey: &Journey, session: &str) -> Vec<Answer> {
    let mut public = Sender { face: &journey.public, bearer: session, answers: Vec::new() };
    let mut internal = Sender { face: &journey.internal, bearer: &journey.api_key, answers: Vec::new() };
    for (_, secret) in journey.secrets.one_of_each() {
        to_the_public_face(&mut public, &secret);
        to_the_clients_routes(&mut public, &secret);
        to_the_internal_face(&mut internal, &secret, &journey.alex);
    }
    public.answers.append(&mut internal.answers);
    public.answers
}

fn to_the_public_face(public: &mut Sender<'_>, secret: &str) {
    let encoded = utf8_percent_encode(secret, NON_ALPHANUMERIC).to_string();
    let api = |path: &str| format!("{ENROLL}{path}");
    for path in ["/inspect", "/sessions", "/session/mfa/totp/confirm", "/session/mfa/email/confirm", "/session/device"]
    {
        public.json(Method::POST, &api(path), &json!({ "token": [secret], "code": [secret], "name": [secret] }));
        public.json(Method::POST, &api(path), &json!({ secret: secret }));
        public.json(Method::POST, &api(path), &json!(secret));
        public.raw(Method::POST, &api(path), &format!("{{\"token\": \"{secret}"));
        public.raw(Method::POST, &api(path), secret);
    }
    public.json(Method::POST, &api("/inspect"), &json!({ "token": format!("{secret}0") }));
    let no_token = "enr_0000000000000000000000000000000000000";
    public.json(Method::POST, &api("/sessions"), &json!({ "token": no_token, "nonce": secret, "resume": secret }));
    public.json(Method::POST, &api("/session/mfa/totp/confirm"), &json!({ "code": secret }));
    public.json(Method::POST, &api("/session/mfa/email/confirm"), &json!({ "code": secret }));
    public.json(
        Method::POST,
        &api("/session/device"),
        &json!({ "name": "Tablet", "public_key": format!("{secret}!") }),
    );
    public.json(Method::POST, &api("/session/device"), &json!({ "name": "Tablet", "make_key": secret }));
    public.raw(Method::POST, &api("/session/mfa/totp/confirm"), &format!("{{\"code\": {secret}}}"));
    public.json(Method::PUT, &api("/session/password"), &json!({ "password": { secret: secret } }));
    public.json(Method::PUT, &api("/session/profile"), &json!({ "phone": format!("call {secret}") }));
    // Clients write this header in ASCII only.
    let ascii = if secret.is_ascii() { secret } else { &encoded };
    for (name, value) in [
        ("authorization", format!("Bearer {ascii}")),
        ("authorization", format!("Basic {ascii}")),
        ("authorization", ascii.to_owned()),
        ("cookie", format!("__Host-enrollment={secret}")),
        ("x-request-id", secret.to_owned()),
        ("x-forwarded-for", secret.to_owned()),
        ("origin", secret.to_owned()),
    ] {
        public.with_header(&api("/session"), name, &value);
    }
    for path in ["/", "/enroll/x/", "/api/enroll/v1/", "/api/enroll/v1/session/", "/health/", "/enroll?token="] {
        public.get(&format!("{path}{encoded}"));
    }
    public.raw(Method::DELETE, &format!("/enroll/{encoded}"), secret);
}

/// The routes of Defguard's clients, by a cookie that opens the session and by one that is the secret.
fn to_the_clients_routes(public: &mut Sender<'_>, secret: &str) {
    let encoded = utf8_percent_encode(secret, NON_ALPHANUMERIC).to_string();
    let body = json!({
        "token": [secret], "name": [secret], "pubkey": secret, "method": secret, "code": [secret],
        "password": { secret: secret }, "auth_pub_key": secret, "device_pub_key": secret, secret: secret,
    });
    for cookie in [public.bearer, &encoded] {
        let cookie = format!("defguard_proxy={cookie}; Path=/api/v1");
        let headers = [("content-type", "application/json"), ("cookie", cookie.as_str())];
        for path in [
            "enrollment/start",
            "enrollment/create_device",
            "enrollment/network_info",
            "enrollment/register_mobile",
            "enrollment/register-mfa/code/start",
            "enrollment/register-mfa/code/finish",
            "enrollment/activate_user",
            "poll",
            &encoded,
        ] {
            let path = format!("/api/v1/{path}");
            for body in [&body.to_string(), secret, &format!("{{\"token\": \"{secret}")] {
                public.answers.push(public.face.send(Method::POST, &path, &headers, Some(body)));
            }
        }
    }
}

fn to_the_internal_face(internal: &mut Sender<'_>, secret: &str, user: &str) {
    let encoded = utf8_percent_encode(secret, NON_ALPHANUMERIC).to_string();
    let api = |path: &str| format!("{ADMIN}{path}");
    // The dash: a number out of range is named beside its bounds (INV-8).
    for query in ["/users?q=", "/users?cursor=", "/users?limit=-", "/enrollments?status=", "/audit?cursor=", "/users/"]
    {
        internal.get(&api(&format!("{query}{encoded}")));
    }
    internal.with_header(&api("/users"), "authorization", &format!("Bearer {encoded}"));
    internal.with_header(&api("/users"), "authorization", &encoded);
    for body in [
        json!({ "username": [secret] }),
        json!({ "username": "x", "role": secret }),
        json!({ "username": "x", "email": secret }),
        json!({ "username": "x", "password": secret }),
        json!({ "username": "x", "enrollment": { "validity": secret } }),
        json!({ "username": "x", "enrollment": { "purpose": secret, "delivery": secret } }),
        json!(secret),
    ] {
        internal.json(Method::POST, &api("/users"), &body);
    }
    internal.json(Method::POST, &api("/api-keys"), &json!({ "name": [secret], "role": secret }));
    internal.json(Method::POST, &api("/locations"), &json!({ "name": "x", "endpoint": [secret] }));
    internal.json(Method::POST, &api("/locations"), &json!({ "name": "x", "endpoint": "x", "keepalive": secret }));
    let location = json!({ "name": "x", "endpoint": "a.example:1", "pools": [secret], "allowed_ips": [secret] });
    internal.json(Method::POST, &api("/locations"), &location);
    internal.json(Method::PATCH, &api(&format!("/users/{user}")), &json!({ "status": secret, "password": secret }));
    internal.json(Method::PATCH, &api("/settings"), &json!({ "token_validity": secret, "front_end": secret }));
    internal.raw(Method::POST, &api("/users"), secret);
}
