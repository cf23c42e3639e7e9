//! The enrollee's steps.

use enrollment_core::domain::enrollment::Purpose;
use enrollment_core::domain::location::MfaMode;
use enrollment_core::secret::{SessionSecret, Token};
use enrollment_core::service::Failure;
use enrollment_core::service::enrollee::DeviceConfig;

use super::{Again, Request, answers};
use crate::stage::{ADMIN, HERE, LONG, Stage, password, start};

answers! {
    begin_with_a_nonce => BeginWithNonce;
    begin_with_a_resumed_session => BeginResumed;
    /// Without a nonce nobody can tell a repetition from another holder: the session is taken over, with what was
    /// confirmed, and no second one lives.
    begin_with_nothing => BeginWithNothing;
    profile => Profile;
    password_chosen => ChoosePassword;
    totp_offered => OfferTotp;
    totp_confirmed => ConfirmTotp;
    /// Shown once: a lost answer is replaced by other codes.
    recovery_codes => RecoveryCodes;
    device_staged => StageDevice;
    device_of_a_device_enrollment => AddDevice;
    completed => Complete;
}

/// A begun session of somebody invited to an instance with one location.
async fn begun(stage: &Stage) -> SessionSecret {
    stage.begin(&invited(stage).await, None, None).await.expect("begun")
}

async fn invited(stage: &Stage) -> Token {
    stage.location("Berlin", MfaMode::Disabled).await;
    stage.invite("alex").await.1.token
}

fn addresses(configs: &[DeviceConfig]) -> String {
    format!("{:?}", configs.iter().map(|config| (&config.name, &config.addresses)).collect::<Vec<_>>())
}

struct BeginWithNonce;

impl Request for BeginWithNonce {
    type Ready = Token;
    const AGAIN: Again = Again::Same;

    async fn prepare(stage: &Stage) -> Token {
        invited(stage).await
    }

    async fn send(stage: &Stage, token: &Token) -> Result<String, Failure> {
        let session = stage.begin(token, Some("a-click-and-its-double"), None).await?;
        Ok(session.expose().to_owned())
    }
}

struct BeginResumed;

impl Request for BeginResumed {
    type Ready = (Token, SessionSecret);
    const AGAIN: Again = Again::Same;

    async fn prepare(stage: &Stage) -> (Token, SessionSecret) {
        let token = invited(stage).await;
        let session = stage.begin(&token, None, None).await.expect("begun");
        stage.everything(&session, 1).await;
        stage.clock.advance(std::time::Duration::from_secs(600));
        (token, session)
    }

    async fn send(stage: &Stage, (token, session): &(Token, SessionSecret)) -> Result<String, Failure> {
        Ok(stage.begin(token, None, Some(session)).await?.expose().to_owned())
    }
}

struct BeginWithNothing;

impl Request for BeginWithNothing {
    type Ready = Token;
    const AGAIN: Again = Again::InItsPlace;

    async fn prepare(stage: &Stage) -> Token {
        invited(stage).await
    }

    async fn send(stage: &Stage, token: &Token) -> Result<String, Failure> {
        Ok(stage.begin(token, None, None).await?.expose().to_owned())
    }
}

struct Profile;

impl Request for Profile {
    type Ready = SessionSecret;
    const AGAIN: Again = Again::Same;

    async fn prepare(stage: &Stage) -> SessionSecret {
        begun(stage).await
    }

    async fn send(stage: &Stage, session: &SessionSecret) -> Result<String, Failure> {
        let phone = Some("+49 30 123456".parse().expect("a number"));
        let state = stage.service.enrollee().confirm_profile(session, phone, HERE).await?;
        Ok(format!("{:?} {:?}", state.whose, state.missing))
    }
}

struct ChoosePassword;

impl Request for ChoosePassword {
    type Ready = SessionSecret;
    const AGAIN: Again = Again::Same;

    async fn prepare(stage: &Stage) -> SessionSecret {
        begun(stage).await
    }

    async fn send(stage: &Stage, session: &SessionSecret) -> Result<String, Failure> {
        let state = stage.service.enrollee().choose_password(session, password(LONG), HERE).await?;
        Ok(format!("{:?}", state.missing))
    }
}

struct OfferTotp;

impl Request for OfferTotp {
    type Ready = SessionSecret;
    const AGAIN: Again = Again::Same;

    async fn prepare(stage: &Stage) -> SessionSecret {
        begun(stage).await
    }

    async fn send(stage: &Stage, session: &SessionSecret) -> Result<String, Failure> {
        // Which one it is depends on whose randomness came first; that it is the one on offer is shown by its code.
        let offer = stage.service.enrollee().offer_totp(session, HERE).await?;
        let first = stage.service.enrollee().offer_totp(session, HERE).await?;
        Ok(format!("the one on offer: {}", *offer.secret == *first.secret))
    }
}

struct ConfirmTotp;

impl Request for ConfirmTotp {
    type Ready = (SessionSecret, String);
    const AGAIN: Again = Again::Same;

    async fn prepare(stage: &Stage) -> (SessionSecret, String) {
        let session = begun(stage).await;
        let offer = stage.service.enrollee().offer_totp(&session, HERE).await.expect("an offer");
        let code = stage.code(&offer.secret);
        (session, code)
    }

    async fn send(stage: &Stage, (session, code): &(SessionSecret, String)) -> Result<String, Failure> {
        // The codes themselves are shown once; whoever missed them has them replaced.
        let codes = stage.service.enrollee().confirm_totp(session, code, HERE).await?;
        Ok(format!("{} {:?}", codes.state.mfa_verified, codes.state.missing))
    }
}

struct RecoveryCodes;

impl Request for RecoveryCodes {
    type Ready = SessionSecret;
    const AGAIN: Again = Again::InItsPlace;

    async fn prepare(stage: &Stage) -> SessionSecret {
        let (session, code) = ConfirmTotp::prepare(stage).await;
        stage.service.enrollee().confirm_totp(&session, &code, HERE).await.expect("verified");
        session
    }

    async fn send(stage: &Stage, session: &SessionSecret) -> Result<String, Failure> {
        let codes = stage.service.enrollee().replace_recovery_codes(session, HERE).await?.codes;
        let codes: Vec<String> = codes.into_iter().flatten().map(|code| code.expose().to_owned()).collect();
        Ok(codes.join(" "))
    }
}

struct StageDevice;

impl Request for StageDevice {
    type Ready = SessionSecret;
    const AGAIN: Again = Again::Same;

    async fn prepare(stage: &Stage) -> SessionSecret {
        begun(stage).await
    }

    async fn send(stage: &Stage, session: &SessionSecret) -> Result<String, Failure> {
        let added = stage.device(session, "Laptop", 1).await?;
        Ok(format!("{} {}", added.device.name, added.configs.len()))
    }
}

struct AddDevice;

impl Request for AddDevice {
    type Ready = SessionSecret;
    const AGAIN: Again = Again::Same;

    async fn prepare(stage: &Stage) -> SessionSecret {
        stage.location("Berlin", MfaMode::Disabled).await;
        let (user, issued) = stage.invite("alex").await;
        let session = stage.begin(&issued.token, None, None).await.expect("begun");
        stage.everything(&session, 1).await;
        stage.service.enrollee().complete(&session, HERE).await.expect("completed");
        let issued = stage.service.administrator().start(&ADMIN, user, start(Purpose::Device)).await.expect("started");
        stage.begin(&issued.token, None, None).await.expect("begun")
    }

    async fn send(stage: &Stage, session: &SessionSecret) -> Result<String, Failure> {
        let added = stage.device(session, "Phone", 2).await?;
        Ok(format!("{} {}", added.device.name, added.configs.len()))
    }
}

struct Complete;

impl Request for Complete {
    type Ready = SessionSecret;
    const AGAIN: Again = Again::Same;

    async fn prepare(stage: &Stage) -> SessionSecret {
        let session = begun(stage).await;
        stage.everything(&session, 1).await;
        session
    }

    async fn send(stage: &Stage, session: &SessionSecret) -> Result<String, Failure> {
        let completion = stage.service.enrollee().complete(session, HERE).await?;
        Ok(format!("{} {}", completion.state.completed, addresses(&completion.configs)))
    }
}
