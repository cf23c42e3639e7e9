//! Samples of every page, for the strict test.

use enrollment_core::time::Timestamp;

use super::account::{AccountPage, SessionRow};
use super::credentials::{AppPage, CodesPage};
use super::desk::{May, Me, When, done};
use super::form::Shown;
use super::invitation::{IssuedPage, ShownLink};
use super::locations::{KeyPage, LocationPage, LocationRow, LocationsPage};
use super::mail::{MailRow, MailsPage};
use super::pending::{PendingPage, PendingRow};
use super::person::{AttachmentRow, DeviceRow, UserPage};
use super::settings::SettingsPage;
use super::sign_in::{CodePage, SignInPage};
use super::users::{NewUserPage, UserRow, UsersPage};
use crate::page::{OfferView, Sample};
use crate::problem::Problem;

const HOSTILE: &str = "<script>alert(1)</script>\"'><img src=x onerror=y>";

fn text() -> String {
    HOSTILE.to_owned()
}

fn when() -> When {
    Timestamp::from_seconds(1_767_226_200).into()
}

/// An Owner, and a host's principal who may nothing.
fn readers() -> [Me; 2] {
    let may = May {
        read_users: true,
        manage_users: true,
        manage_administrators: true,
        start: true,
        send: true,
        revoke: true,
        read_locations: true,
        manage_locations: true,
        read_settings: true,
        manage_settings: true,
    };
    [Me { username: "olga".to_owned(), role: "owner".to_owned(), own_sign_in: true, may }, Me::default()]
}

/// Fields as they were typed, and the same with something wrong with each.
fn forms(names: &[&'static str]) -> Vec<Shown> {
    let typed: Vec<_> = names.iter().map(|name| (*name, HOSTILE)).collect();
    let wrong = names.iter().map(|name| {
        let refused = Shown::of(&typed).refused(Problem::invalid_field(*name, HOSTILE), &[]);
        refused.unwrap_or_default()
    });
    let above = Shown::of(&typed).refused(Problem::invalid_field("elsewhere", HOSTILE), &[]).unwrap_or_default();
    wrong.chain([above, Shown::of(&typed)]).collect()
}

fn user(disabled: bool, enrolled: bool) -> UserRow {
    UserRow {
        id: "0192".to_owned(),
        username: text(),
        name: if disabled { String::new() } else { text() },
        email: if enrolled { text() } else { String::new() },
        phone: text(),
        groups: vec![text()],
        role: text(),
        disabled,
        enrolled: enrolled.then(when),
        factors: vec!["totp"],
    }
}

/// Every page with every sample.
pub(crate) fn samples() -> Vec<Sample> {
    let mut all = Vec::new();
    for form in forms(&["username", "password", "recovery"]) {
        for (wait, guessed_at) in [(None, false), (Some("30 seconds".to_owned()), true)] {
            all.push(Sample::of(SignInPage { form: form.clone(), wait, guessed_at, done: done(Some("signed_out")) }));
        }
    }
    all.extend(
        forms(&["code"]).into_iter().map(|form| Sample::of(CodePage { form, wait: Some("1 minute".to_owned()) })),
    );
    for me in readers() {
        all.extend(people(&me));
        all.extend(networks(&me));
        all.extend(account(&me));
        all.extend(rest(&me));
    }
    all
}

fn people(me: &Me) -> Vec<Sample> {
    let mut all = Vec::new();
    for users in [vec![], vec![user(false, false), user(true, false), user(false, true)]] {
        let next = Some(text()).filter(|_| !users.is_empty());
        let (search, further) = (text(), users.is_empty());
        all.push(Sample::of(UsersPage { me: me.clone(), users, search, next, further, done: done(Some("saved")) }));
    }
    let roles = vec![("owner", "Owner".to_owned())];
    for form in forms(&["username", "first_name", "last_name", "email", "phone", "groups"]) {
        let (me, roles, delivery, role) = (me.clone(), roles.clone(), "manual".to_owned(), "owner".to_owned());
        all.push(Sample::of(NewUserPage { me, form, roles, can_mail: true, delivery, role }));
    }
    let at = AttachmentRow { location: text(), addresses: vec![text()], status: "failed", failure: Some(text()) };
    let devices = vec![
        DeviceRow { name: text(), added: when(), status: "failed", at: vec![at.clone(), at] },
        DeviceRow { name: text(), added: when(), status: "removed", at: vec![] },
    ];
    for (user, devices) in [(user(false, true), devices), (user(true, false), vec![]), (user(false, false), vec![])] {
        let (me, roles) = (me.clone(), roles.clone());
        all.push(Sample::of(UserPage { me, user, role: "owner", roles, devices, can_mail: true, done: None }));
    }
    let shown =
        ShownLink { url: text(), token: text(), deep_link: Some(text()), qr_svg: Some("<svg></svg>".to_owned()) };
    for shown in [None, Some(shown)] {
        let (me, user_id, mailed) = (me.clone(), "0192".to_owned(), shown.is_none());
        all.push(Sample::of(IssuedPage {
            me,
            user_id,
            name: text(),
            purpose: "device",
            expires: when(),
            mailed,
            shown,
        }));
    }
    let row = |expired: bool| PendingRow {
        id: "0192".to_owned(),
        user_id: (!expired).then(|| "0192".to_owned()),
        username: text(),
        name: text(),
        email: text(),
        purpose: "onboarding",
        expires: when(),
        expired,
        progress: text(),
        delivery: text(),
        mail_failed: expired,
        refusal: expired.then(text),
        takeovers: u32::from(expired),
        sent_before: expired,
    };
    for rows in [vec![], vec![row(false), row(true)]] {
        let (me, search, next, further) = (me.clone(), text(), Some(text()), rows.is_empty());
        all.push(Sample::of(PendingPage { me, rows, search, next, further, can_mail: true, done: None }));
    }
    all
}

fn networks(me: &Me) -> Vec<Sample> {
    let row = |mfa, groups| LocationRow {
        id: "0192".to_owned(),
        name: text(),
        endpoint: text(),
        pools: vec![text()],
        mfa,
        groups,
    };
    let rows = vec![row("internal", vec![]), row("external", vec![text()]), row("disabled", vec![])];
    let list = |locations| Sample::of(LocationsPage { me: me.clone(), locations, done: None });
    let mut all = vec![list(rows), list(vec![])];
    let names = &["name", "endpoint", "public_key", "pools", "allowed_ips", "dns", "keepalive", "mtu", "groups"];
    for form in forms(names) {
        for id in [None, Some("0192".to_owned())] {
            let (me, form, mfa) = (me.clone(), form.clone(), "internal".to_owned());
            all.push(Sample::of(LocationPage { me, id, form, mfa, public_key: text(), done: None }));
        }
    }
    all.push(Sample::of(KeyPage { me: me.clone(), name: text(), section: text() }));
    all
}

fn account(me: &Me) -> Vec<Sample> {
    let row = |this| SessionRow { id: "0192".to_owned(), began: when(), used: when(), source: text(), this };
    let password = forms(&["password", "code", "new_password", "again"]);
    let other = forms(&["password", "code"]);
    let pages =
        password.into_iter().zip(other.into_iter().cycle()).zip([(true, 0), (false, 1), (true, 8)].into_iter().cycle());
    let mut all: Vec<_> = pages
        .map(|((password, other), (factor, recovery_codes))| {
            Sample::of(AccountPage {
                me: me.clone(),
                name: text(),
                totp: factor,
                factor,
                recovery_codes,
                sessions: vec![row(true), row(false)],
                password,
                app: other.clone(),
                codes: other,
                done: done(Some("password")),
            })
        })
        .collect();
    for form in forms(&["code"]) {
        let (uri, qr_svg) = ("otpauth://totp/x".to_owned(), "<svg></svg>".to_owned());
        for app in [None, Some(OfferView { secret: text(), uri, qr_svg })] {
            all.push(Sample::of(AppPage { me: me.clone(), app, form: form.clone() }));
        }
    }
    for with_app in [true, false] {
        all.push(Sample::of(CodesPage { me: me.clone(), codes: vec![text()], with_app }));
    }
    all
}

fn rest(me: &Me) -> Vec<Sample> {
    let row = || MailRow { id: "0192".to_owned(), letter: text(), to: text(), at: when(), why: text() };
    let mut all = Vec::new();
    for (configured, paused, rows) in [(false, None, vec![]), (true, Some(text()), vec![row(), row()])] {
        let (dead, queue, sent) = (rows.clone(), rows.clone(), rows);
        all.push(Sample::of(MailsPage { me: me.clone(), configured, paused, dead, queue, sent, done: None }));
    }
    for form in forms(&super::settings::fields()) {
        all.push(Sample::of(SettingsPage {
            me: me.clone(),
            form,
            device_step: "optional".to_owned(),
            front_end: "both".to_owned(),
            help_desk_may_send: true,
            onboarding_mail: false,
            done: done(Some("saved")),
        }));
    }
    all
}
