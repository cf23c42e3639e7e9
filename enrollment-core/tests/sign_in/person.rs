//! People who sign in.

use std::sync::Arc;
use std::time::Duration;

use enrollment_core::domain::enrollment::Purpose;
use enrollment_core::domain::role::Role;
use enrollment_core::id::UserId;
use enrollment_core::port::{Clock, Entropy};
use enrollment_core::secret::{
    AdminSessionSecret, Argon2Params, BrowserSecret, HashingOptions, KeyRing, Password, RecoveryCode,
};
use enrollment_core::service::sign_in::{FactorAnswer, Opened, Proof, SignInRequest, SignInStep};
use enrollment_core::service::{Failure, Origin, Service, ServiceBuilder};

use super::bench::{Bench, CLI, PASSWORD, code};

/// An enrolled user, with what is in their head, on their phone and in their drawer.
pub(crate) struct Person {
    pub(crate) id: UserId,
    pub(crate) name: String,
    pub(crate) app: Vec<u8>,
    pub(crate) codes: Vec<String>,
}

impl Person {
    /// What the app shows now.
    pub(crate) fn code(&self, bench: &Bench) -> String {
        app_code(&self.app, bench)
    }

    /// The next recovery code.
    pub(crate) fn recovery(&self, nth: usize) -> RecoveryCode {
        RecoveryCode::parse(&self.codes[nth]).unwrap()
    }
}

pub(crate) fn app_code(secret: &[u8], bench: &Bench) -> String {
    let totp = totp_rs::Builder::new().with_secret(secret.to_vec()).with_skew(0).build().unwrap();
    totp.generate(u64::try_from(bench.clock.now().seconds()).unwrap()).to_string()
}

/// Enrolls somebody with password and app.
pub(crate) async fn with_app(bench: &Bench, name: &str, role: Role) -> Person {
    let (user, _) = bench.administrator(name, role).await;
    let issued = bench.start(user.id, Purpose::Onboarding).await.unwrap();
    let session = bench.begin(&issued.token).await.unwrap();
    bench.fill_in(&session).await;
    let enrollee = bench.service.enrollee();
    let offer = enrollee.offer_totp(&session, CLI.origin).await.unwrap();
    let app = data_encoding::BASE32_NOPAD.decode(offer.secret.as_bytes()).unwrap();
    let codes = enrollee.confirm_totp(&session, &app_code(&app, bench), CLI.origin).await.unwrap().codes.unwrap();
    enrollee.complete(&session, Origin::default()).await.unwrap();
    next_code(bench);
    let codes = codes.iter().map(|code| code.expose().to_owned()).collect();
    Person { id: user.id, name: name.to_owned(), app, codes }
}

/// Enrolls somebody with a password alone.
pub(crate) async fn with_password(bench: &Bench, name: &str, role: Role) -> Person {
    let (user, _) = bench.administrator(name, role).await;
    bench.enroll(user.id).await;
    Person { id: user.id, name: name.to_owned(), app: Vec::new(), codes: Vec::new() }
}

/// The app shows another code.
pub(crate) fn next_code(bench: &Bench) {
    bench.clock.advance(Duration::from_secs(30));
}

pub(crate) fn password(text: &str) -> Password {
    Password::parse(text.to_owned()).unwrap()
}

pub(crate) fn request(name: &str, text: &str) -> SignInRequest {
    SignInRequest { username: name.to_owned(), password: password(text), browser: None, recovery: None }
}

/// The same instance with another ring, and randomness of its own.
pub(crate) fn other_service(bench: &Bench, ring: &Arc<KeyRing>, entropy: Arc<dyn Entropy>) -> Service {
    let instance = bench.service.instance().clone();
    let cheap = HashingOptions::new(Argon2Params { m_kib: 64, t: 1, p: 1 }, 1 << 20);
    let builder =
        ServiceBuilder::new(Arc::clone(&bench.store), bench.clock.clone(), entropy, Arc::clone(ring), instance);
    builder.hashing(cheap).build().unwrap()
}

/// The first step with the right password.
pub(crate) async fn half_way(service: &Service, person: &Person) -> AdminSessionSecret {
    match service.sign_in().begin(&request(&person.name, PASSWORD), CLI.origin).await.unwrap() {
        SignInStep::Factor(secret) => secret,
        SignInStep::Done(_) => panic!("no factor was asked for"),
    }
}

/// Both steps.
pub(crate) async fn sign_in(bench: &Bench, person: &Person) -> Opened {
    let opened = if person.app.is_empty() {
        match bench.service.sign_in().begin(&request(&person.name, PASSWORD), CLI.origin).await.unwrap() {
            SignInStep::Done(opened) => opened,
            SignInStep::Factor(_) => panic!("a factor was asked for"),
        }
    } else {
        let half = half_way(&bench.service, person).await;
        bench.service.sign_in().answer(&half, &answer(&person.code(bench)), CLI.origin).await.unwrap()
    };
    next_code(bench);
    opened
}

pub(crate) fn answer(text: &str) -> FactorAnswer {
    FactorAnswer::parse(text).unwrap()
}

pub(crate) fn proof(bench: &Bench, person: &Person) -> Proof {
    let factor = (!person.app.is_empty()).then(|| answer(&person.code(bench)));
    Proof { password: password(PASSWORD), factor }
}

/// The code of a refused first step.
pub(crate) async fn refused(service: &Service, request: &SignInRequest) -> &'static str {
    code(service.sign_in().begin(request, CLI.origin).await.unwrap_err())
}

/// The code of a refused second step.
pub(crate) async fn answered(service: &Service, half: &AdminSessionSecret, text: &str) -> &'static str {
    code(service.sign_in().answer(half, &answer(text), CLI.origin).await.unwrap_err())
}

/// Whether a session opens anything.
pub(crate) async fn opens(service: &Service, session: &AdminSessionSecret) -> bool {
    match service.sign_in().authenticate(session, CLI.origin).await {
        Ok(_) => true,
        Err(Failure::Rejected(rejection)) => {
            assert_eq!(rejection.code(), "not_signed_in");
            false
        }
        Err(other) => panic!("{other}"),
    }
}

pub(crate) fn again(secret: &BrowserSecret) -> Option<BrowserSecret> {
    Some(BrowserSecret::parse(secret.expose()).unwrap())
}
