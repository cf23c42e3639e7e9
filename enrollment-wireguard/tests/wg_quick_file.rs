//! What `WgQuickFile` promises, on real files.

use std::fs;
use std::net::IpAddr;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

use enrollment_core::domain::config::ClientConfig;
use enrollment_core::domain::device::PublicKey;
use enrollment_core::id::LocationId;
use enrollment_core::port::{Observation, PeerChange, PeerProvisioner, PeerSpec, ProvisionError};
use enrollment_wireguard::WgQuickFile;
use uuid::uuid;

const LOCATION: LocationId = LocationId::from_uuid(uuid!("0190b0f0-0000-7000-8000-0123456789ab"));
const OTHER: LocationId = LocationId::from_uuid(uuid!("0190b0f0-0000-7000-8000-ba9876543210"));

fn key(number: u8) -> PublicKey {
    let mut bytes = [9; 32];
    bytes[0] = number;
    PublicKey::from_bytes(bytes).expect("not a point of low order")
}

fn spec(number: u8) -> PeerSpec {
    let addresses: [IpAddr; 2] = [[10, 1, 0, number].into(), [0xfd00, 0, 0, 0, 0, 0, 0, u16::from(number)].into()];
    PeerSpec { public_key: key(number), addresses: addresses.into() }
}

fn ensure(number: u8) -> PeerChange {
    PeerChange::Ensure(spec(number))
}

async fn apply(gateway: &WgQuickFile, changes: &[PeerChange]) {
    for result in gateway.apply(LOCATION, changes).await {
        result.expect("applied");
    }
}

async fn refusal(gateway: &WgQuickFile, change: PeerChange) -> ProvisionError {
    gateway.apply(LOCATION, &[change]).await.remove(0).expect_err("refused")
}

async fn peers(gateway: &WgQuickFile) -> Vec<PeerSpec> {
    let observation = gateway.observe(LOCATION).await.expect("observed");
    let Observation::Peers(peers) = observation else { unreachable!("a file can be listed") };
    peers
}

fn in_folder() -> (tempfile::TempDir, WgQuickFile) {
    let folder = tempfile::tempdir().expect("a folder");
    let gateway = WgQuickFile::new(folder.path().join("wireguard"));
    (folder, gateway)
}

/// A gateway on a file that an administrator wrote.
fn on_file(content: &str) -> (tempfile::TempDir, WgQuickFile) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("wg0.conf");
    fs::write(&path, content).expect("written");
    let gateway = WgQuickFile::new(folder.path()).with_file(LOCATION, path);
    (folder, gateway)
}

fn content(gateway: &WgQuickFile) -> String {
    fs::read_to_string(gateway.path(LOCATION)).expect("the file")
}

fn inode(path: &Path) -> u64 {
    fs::metadata(path).expect("the file").ino()
}

#[tokio::test]
async fn what_is_ensured_is_observed_and_what_is_removed_is_not() {
    let (_folder, gateway) = in_folder();
    assert_eq!(peers(&gateway).await, []);
    apply(&gateway, &[ensure(3), ensure(4), PeerChange::Remove(key(5))]).await;
    assert_eq!(peers(&gateway).await, [spec(3), spec(4)]);
    let moved = PeerSpec { addresses: vec![[10, 1, 0, 99].into()], ..spec(3) };
    apply(&gateway, &[PeerChange::Ensure(moved.clone()), PeerChange::Remove(key(4)), ensure(6)]).await;
    assert_eq!(peers(&gateway).await, [moved, spec(6)]);
    assert_eq!(gateway.observe(OTHER).await.expect("observed"), Observation::Peers(Vec::new()));
}

#[tokio::test]
async fn a_change_that_already_holds_writes_nothing() {
    let (_folder, gateway) = in_folder();
    apply(&gateway, &[ensure(3), ensure(4)]).await;
    let before = inode(&gateway.path(LOCATION));
    apply(&gateway, &[ensure(4), ensure(3), PeerChange::Remove(key(7))]).await;
    assert_eq!(inode(&gateway.path(LOCATION)), before, "the file was replaced");
    apply(&gateway, &[ensure(5)]).await;
    assert_ne!(inode(&gateway.path(LOCATION)), before, "the test would notice a replaced file");
}

#[tokio::test]
async fn the_file_is_for_its_owner_only_and_named_as_wg_quick_wants_it() {
    let (_folder, gateway) = in_folder();
    apply(&gateway, &[ensure(3)]).await;
    let path = gateway.path(LOCATION);
    assert_eq!(path.file_name().and_then(|name| name.to_str()), Some("wg-0123456789ab.conf"));
    assert_eq!(fs::metadata(&path).expect("the file").permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::metadata(path.parent().expect("a folder")).expect("it").permissions().mode() & 0o777, 0o700);
}

const WRITTEN_BY_HAND: &str = "# gateway\r\n[interface]\n  PRIVATEKEY=abc= # mine\n\tPostUp = echo \"#\" [x]\n\n\
    [Peer]\npublickey=AwkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQk=\nAllowedIPs = 10.9.0.0/16,10.1.0.3 , fd00::3/128";

#[tokio::test]
async fn what_others_wrote_keeps_its_bytes() {
    let (_folder, gateway) = on_file(WRITTEN_BY_HAND);
    apply(&gateway, &[ensure(4), ensure(5)]).await;
    let with_block = content(&gateway);
    assert!(with_block.starts_with(WRITTEN_BY_HAND));
    let after = "\n# after\n[Peer]\nPublicKey = CAkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQk=\nPresharedKey = x=\n";
    fs::write(gateway.path(LOCATION), format!("{with_block}{after}")).expect("written");
    apply(&gateway, &[PeerChange::Remove(key(4)), ensure(6)]).await;
    assert!(content(&gateway).starts_with(WRITTEN_BY_HAND) && content(&gateway).ends_with(after));
    let foreign = PeerSpec { public_key: key(8), addresses: Vec::new() };
    assert_eq!(peers(&gateway).await, [spec(5), spec(6), spec(3), foreign]);
}

#[tokio::test]
async fn a_peer_outside_the_block_is_reported_and_never_touched() {
    let (_folder, gateway) = on_file(WRITTEN_BY_HAND);
    for change in [ensure(3), PeerChange::Remove(key(3))] {
        let error = refusal(&gateway, change).await;
        assert!(!error.is_retryable());
        assert!(error.to_string().contains("wg0.conf") && error.to_string().contains("line 6"), "{error}");
    }
    let thief = PeerSpec { public_key: key(4), addresses: spec(3).addresses };
    let error = refusal(&gateway, PeerChange::Ensure(thief)).await;
    assert!(!error.is_retryable() && error.to_string().contains("10.1.0.3"), "{error}");
    assert_eq!(content(&gateway), WRITTEN_BY_HAND);
    let (_folder, gateway) = on_file(&WRITTEN_BY_HAND.replace("10.9.0.0/16,", ""));
    apply(&gateway, &[ensure(3)]).await;
    assert_eq!(content(&gateway), WRITTEN_BY_HAND.replace("10.9.0.0/16,", ""), "it already holds");
}

#[tokio::test]
async fn one_refused_change_does_not_stop_the_others() {
    let (_folder, gateway) = on_file(WRITTEN_BY_HAND);
    let results = gateway.apply(LOCATION, &[ensure(4), ensure(3), ensure(5)]).await;
    assert_eq!(results.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false, true]);
    assert_eq!(peers(&gateway).await, [spec(4), spec(5), spec(3)]);
}

#[tokio::test]
async fn a_file_that_cannot_be_understood_is_named_and_left_alone() {
    let block = |id: LocationId, inside: &str| format!("# BEGIN enrollment {id}\n{inside}# END enrollment\n");
    let peer = "[Peer]\nPublicKey = AwkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQk=\n";
    for (text, line) in [
        ("Address = 10.0.0.1\n".to_owned(), 1),
        ("[Interface]\nwhat is this\n".into(), 2),
        ("[Interface]\n\n[Pear]\n".into(), 3),
        ("[Peer]\nAllowedIPs = 10.0.0.1/32\n".into(), 1),
        ("[Peer]\nPublicKey = abc\n".into(), 2),
        (format!("{peer}AllowedIPs = 10.0.0.0/33\n"), 3),
        (format!("# BEGIN enrollment {LOCATION}\n{peer}"), 3),
        ("# END enrollment\n".into(), 1),
        (block(OTHER, peer), 1),
        (block(LOCATION, peer) + &block(LOCATION, ""), 5),
        (block(LOCATION, "[Interface]\n"), 2),
        (block(LOCATION, peer) + "PresharedKey = x\n", 5),
        (block(LOCATION, &format!("{peer}{peer}")), 4),
        (block(LOCATION, peer) + peer, 5),
    ] {
        let (_folder, gateway) = on_file(&text);
        let errors = [refusal(&gateway, ensure(9)).await, gateway.observe(LOCATION).await.expect_err("refused")];
        for error in errors {
            assert!(!error.is_retryable());
            assert!(error.to_string().contains(&format!("wg0.conf, line {line}: ")), "{text:?}: {error}");
        }
        assert_eq!(content(&gateway), text);
    }
}

#[tokio::test]
async fn an_unsafe_key_of_somebody_else_is_named_when_observed_and_stops_no_change() {
    let (_folder, gateway) = on_file("[Peer]\nPublicKey = AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n");
    apply(&gateway, &[ensure(3)]).await;
    let error = gateway.observe(LOCATION).await.expect_err("refused");
    assert!(error.to_string().contains("wg0.conf, line 1: "), "{error}");
}

#[tokio::test]
async fn what_a_killed_process_left_behind_does_no_harm() {
    let (folder, gateway) = on_file(WRITTEN_BY_HAND);
    let leftover = folder.path().join(".wg0.conf.new");
    fs::write(&leftover, "[Peer]\nhalf a pe").expect("written");
    apply(&gateway, &[ensure(4)]).await;
    assert_eq!(peers(&gateway).await, [spec(4), spec(3)]);
    assert!(!leftover.exists());
}

#[tokio::test]
async fn a_link_to_the_file_stays_a_link() {
    let (folder, gateway) = on_file(WRITTEN_BY_HAND);
    let link = folder.path().join("link.conf");
    symlink(gateway.path(LOCATION), &link).expect("linked");
    apply(&WgQuickFile::new(folder.path()).with_file(LOCATION, &link), &[ensure(4)]).await;
    assert!(fs::symlink_metadata(&link).expect("the link").is_symlink());
    assert_eq!(peers(&gateway).await, [spec(4), spec(3)]);
}

#[tokio::test]
async fn a_link_to_a_file_that_is_not_there_yet_stays_a_link() {
    let (folder, _) = in_folder();
    let [link, next, file] = ["wg0.conf", "next.conf", "state.conf"].map(|name| folder.path().join(name));
    symlink("next.conf", &link).expect("linked");
    symlink(&file, &next).expect("linked");
    apply(&WgQuickFile::new(folder.path()).with_file(LOCATION, &link), &[ensure(4)]).await;
    assert!(fs::symlink_metadata(&link).expect("the link").is_symlink());
    assert_eq!(peers(&WgQuickFile::new(folder.path()).with_file(LOCATION, &file)).await, [spec(4)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_provisioners_on_one_file_lose_nothing_of_each_other() {
    let (folder, _) = in_folder();
    let tasks: Vec<_> = (2..42)
        .map(|number| {
            let gateway = WgQuickFile::new(folder.path());
            tokio::spawn(async move { apply(&gateway, &[ensure(number)]).await })
        })
        .collect();
    for task in tasks {
        task.await.expect("applied");
    }
    let mut found = peers(&WgQuickFile::new(folder.path())).await;
    found.sort_by_key(|peer| peer.public_key);
    assert_eq!(found, (2..42).map(spec).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_is_a_passing_error() {
    let (folder, _) = in_folder();
    let file = folder.path().join("file");
    fs::write(&file, "").expect("written");
    let gateway = WgQuickFile::new(file.join("wireguard"));
    assert!(refusal(&gateway, ensure(3)).await.is_retryable());
}

/// `wg-quick strip` of the file; needs the package wireguard-tools, as the gateway does.
fn strip(path: &Path) -> String {
    let output = Command::new("wg-quick").arg("strip").arg(path).output().expect("wg-quick is installed");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

#[tokio::test]
async fn wg_quick_accepts_the_file() {
    let (_folder, gateway) = in_folder();
    apply(&gateway, &[ensure(3), ensure(4)]).await;
    let stripped = strip(&gateway.path(LOCATION));
    assert_eq!(stripped.matches("[Peer]").count(), 2);
    assert!(stripped.contains("AllowedIPs = 10.1.0.3/32, fd00::3/128\n"), "{stripped}");
}

#[test]
fn wg_quick_accepts_the_configuration_of_a_client() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = ClientConfig {
        addresses: spec(3).addresses,
        dns: vec!["10.1.0.1".into()],
        mtu: Some(1380),
        peer_public_key: key(2),
        allowed_ips: vec!["0.0.0.0/0".parse().expect("network"), "::/0".parse().expect("network")],
        endpoint: "[2001:db8::1]:51820".into(),
        keepalive: 25,
    };
    let path = folder.path().join("client.conf");
    fs::write(&path, config.file(None)).expect("written");
    let stripped = strip(&path);
    assert!(stripped.contains("PrivateKey = YOUR_PRIVATE_KEY\n"), "{stripped}");
    assert!(!stripped.contains("Address"), "wg-quick takes the address for itself: {stripped}");
}
