//! The administrator's changes.

use enrollment_core::domain::device::Device;
use enrollment_core::domain::enrollment::Purpose;
use enrollment_core::domain::location::MfaMode;
use enrollment_core::domain::role::Role;
use enrollment_core::domain::user::UserStatus;
use enrollment_core::id::{ApiKeyId, DeviceId, EnrollmentId, LocationId, UserId};
use enrollment_core::service::Failure;
use enrollment_core::service::administrator::{LocationPatch, NewApiKey, SettingsPatch, UserPatch};
use enrollment_core::time::Span;

use super::{Again, Request, answers};
use crate::stage::{ADMIN, HERE, Stage, location, start, user};

answers! {
    create_user => CreateUser;
    change_user => ChangeUser;
    disable_user => DisableUser;
    /// The token of a lost answer is dead: the invitation that is heard of is the only one.
    start => Start;
    rotate => Rotate;
    revoke => Revoke;
    remove_device => RemoveDevice;
    create_location => CreateLocation;
    change_location => ChangeLocation;
    change_settings => ChangeSettings;
    save_template => SaveTemplate;
    reset_template => ResetTemplate;
    /// Nobody knows the secret of the first; it stands in the list, to be revoked.
    create_api_key => CreateApiKey;
    revoke_api_key => RevokeApiKey;
}

macro_rules! requests {
    ($($name:ident, $ready:ty, $again:expr, |$on:ident| $prepare:expr, |$stage:ident, $with:ident| $send:expr;)*) => {$(
        struct $name;

        impl Request for $name {
            type Ready = $ready;
            const AGAIN: Again = $again;

            async fn prepare($on: &Stage) -> $ready {
                $prepare
            }

            async fn send($stage: &Stage, $with: &$ready) -> Result<String, Failure> {
                $send
            }
        }
    )*};
}

requests! {
    CreateUser, (), Again::Says("username_taken"), |_stage| (), |stage, _ready| {
        let (user, issued) = stage.service.administrator().create_user(&ADMIN, user("alex")).await?;
        Ok(format!("{} {}", user.username, issued.is_some()))
    };
    ChangeUser, UserId, Again::Same, |stage| stage.invite("alex").await.0, |stage, id| {
        let patch = UserPatch { first_name: Some("Sam".parse().expect("a name")), ..UserPatch::default() };
        let user = stage.service.administrator().change_user(&ADMIN, *id, patch).await?;
        Ok(user.first_name.to_string())
    };
    DisableUser, UserId, Again::Same, |stage| enrolled(stage).await.0, |stage, id| {
        let patch = UserPatch { status: Some(UserStatus::Disabled), ..UserPatch::default() };
        let user = stage.service.administrator().change_user(&ADMIN, *id, patch).await?;
        Ok(format!("{:?}", user.status))
    };
    Start, UserId, Again::InItsPlace, |stage| stage.invite("alex").await.0, |stage, id| {
        let issued = stage.service.administrator().start(&ADMIN, *id, start(Purpose::Onboarding)).await?;
        Ok(issued.token.expose().to_owned())
    };
    Rotate, EnrollmentId, Again::InItsPlace, |stage| stage.invite("alex").await.1.id, |stage, id| {
        Ok(stage.service.administrator().rotate(&ADMIN, *id).await?.token.expose().to_owned())
    };
    Revoke, EnrollmentId, Again::Same, |stage| in_session(stage).await, |stage, id| {
        stage.service.administrator().revoke(&ADMIN, *id).await?;
        Ok(String::new())
    };
    RemoveDevice, DeviceId, Again::Says("not_found"), |stage| enrolled(stage).await.1, |stage, id| {
        stage.service.administrator().remove_device(&ADMIN, *id).await?;
        Ok(String::new())
    };
    CreateLocation, (), Again::Says("location_name_taken"), |_stage| (), |stage, _ready| {
        let new = location("Berlin", MfaMode::Disabled);
        let created = stage.service.administrator().create_location(&ADMIN, new).await?;
        Ok(created.location.name.to_string())
    };
    ChangeLocation, LocationId, Again::Same, |stage| stage.location("Berlin", MfaMode::Disabled).await, |stage, id| {
        let patch = LocationPatch { mfa: Some(MfaMode::Internal), ..LocationPatch::default() };
        let changed = stage.service.administrator().change_location(&ADMIN, *id, patch).await?;
        Ok(format!("{:?}", changed.mfa))
    };
    ChangeSettings, (), Again::Same, |_stage| (), |stage, _ready| {
        let patch = SettingsPatch { session_validity: Some(Span::minutes(5)), ..SettingsPatch::default() };
        let settings = stage.service.administrator().change_settings(&ADMIN, patch).await?;
        Ok(format!("{}", settings.session_validity))
    };
    SaveTemplate, &'static str, Again::Same, |stage| template(stage).await, |stage, name| {
        let saved = stage.service.administrator().save_template(&ADMIN, name, "Welcome.").await?;
        Ok(saved.source)
    };
    ResetTemplate, &'static str, Again::Same, |stage| {
        let name = template(stage).await;
        stage.service.administrator().save_template(&ADMIN, name, "Welcome.").await.expect("saved");
        name
    }, |stage, name| {
        let reset = stage.service.administrator().reset_template(&ADMIN, name).await?;
        Ok(format!("{} {}", reset.is_own, reset.source))
    };
    CreateApiKey, (), Again::Another, |_stage| (), |stage, _ready| {
        let new = NewApiKey { name: "import".parse().expect("a label"), role: Role::UserManager, user: None };
        Ok(stage.service.administrator().create_api_key(&ADMIN, new).await?.1.expose().to_owned())
    };
    RevokeApiKey, ApiKeyId, Again::Same, |stage| {
        let new = NewApiKey { name: "import".parse().expect("a label"), role: Role::UserManager, user: None };
        stage.service.administrator().create_api_key(&ADMIN, new).await.expect("a key").0.id
    }, |stage, id| {
        stage.service.administrator().revoke_api_key(&ADMIN, *id).await?;
        Ok(String::new())
    };
}

/// Somebody who completed, with a device whose peer is in force.
async fn enrolled(stage: &Stage) -> (UserId, DeviceId) {
    stage.location("Berlin", MfaMode::Disabled).await;
    let (user, issued) = stage.invite("alex").await;
    let session = stage.begin(&issued.token, None, None).await.expect("begun");
    stage.everything(&session, 1).await;
    stage.service.enrollee().complete(&session, HERE).await.expect("completed");
    stage.work().await.expect("worked");
    let device = stage.tape.log().all::<Device>()[0].record.id;
    (user, device)
}

/// An enrollment under way, with a staged device.
async fn in_session(stage: &Stage) -> EnrollmentId {
    stage.location("Berlin", MfaMode::Disabled).await;
    let issued = stage.invite("alex").await.1;
    let session = stage.begin(&issued.token, None, None).await.expect("begun");
    stage.everything(&session, 1).await;
    issued.id
}

/// Any template there is.
async fn template(stage: &Stage) -> &'static str {
    stage.service.administrator().templates(&ADMIN).await.expect("templates")[0].name
}
