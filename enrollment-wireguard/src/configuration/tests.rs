use std::sync::LazyLock;

use proptest::prelude::*;

use super::*;

fn location() -> LocationId {
    LocationId::from_uuid(uuid::uuid!("0190b0f0-0000-7000-8000-0123456789ab"))
}

/// Made once: to see whether a key is safe is slow without optimization.
static KEYS: LazyLock<Vec<PublicKey>> = LazyLock::new(|| {
    let key = |number| PublicKey::from_bytes(std::array::from_fn(|index| if index == 0 { number } else { 9 }));
    (0..=255).map(|number| key(number).expect("not a point of low order")).collect()
});

fn key(number: u8) -> PublicKey {
    KEYS[usize::from(number)]
}

fn spec(number: u8, host: u8) -> PeerSpec {
    PeerSpec { public_key: key(number), addresses: vec![[10, 0, number, host].into()] }
}

/// Sections as people write them, with peers whose keys begin at `first`.
fn by_hand(first: u8) -> impl Strategy<Value = Vec<u8>> {
    let piece = (0_u8..7, any::<bool>(), 0_u8..20).prop_map(move |(kind, carriage_return, number)| {
        let text = match kind {
            0 => "# a comment \u{17c}\n".to_owned(),
            1 => "\n  \t\n".to_owned(),
            2 => "[interface]\nPrivateKey=x\n POSTUP = a = b # c\n".to_owned(),
            _ => format!("[PEER] # p\n publickey={}\nAllowedIps =10.9.0.0/16,fd00::1\nX=y\n", key(first + number)),
        };
        if carriage_return { text.replace('\n', "\r\n").into_bytes() } else { text.into_bytes() }
    });
    let comment = prop::collection::vec(128_u8..=255, 0..4).prop_map(|bytes| [b"#", &bytes[..]].concat());
    (prop::collection::vec(piece, 0..6), comment).prop_map(|(pieces, last)| [pieces.concat(), last].concat())
}

fn changes() -> impl Strategy<Value = Vec<(u8, Option<u8>)>> {
    prop::collection::vec((2_u8..12, prop::option::of(0_u8..3)), 0..12)
}

fn to_bytes(file: &Configuration<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    file.write_to(&mut bytes).expect("memory takes everything");
    bytes
}

fn change(file: &mut Configuration<'_>, changes: &[(u8, Option<u8>)]) {
    for (number, host) in changes {
        let change = match host {
            Some(host) => file.ensure(&spec(*number, *host)),
            None => file.remove(&key(*number)),
        };
        change.expect("these keys are ours");
    }
}

proptest! {
    #[test]
    fn what_is_outside_the_block_keeps_its_bytes(
        before in by_hand(100), after in by_hand(200), first in changes(), second in changes(),
    ) {
        let mut file = Configuration::parse(location(), &before).expect("understood");
        change(&mut file, &first);
        let mut written = to_bytes(&file);
        written.extend_from_slice(&after);

        let mut file = Configuration::parse(location(), &written).expect("understood");
        prop_assert_eq!(to_bytes(&file), &written[..], "taken apart and put together");
        change(&mut file, &second);
        let last = to_bytes(&file);
        prop_assert!(last.starts_with(&before) && last.ends_with(&after));

        let mut expected = HashMap::new();
        for (number, host) in first.iter().chain(&second) {
            match host {
                Some(host) => expected.insert(*number, *host),
                None => expected.remove(number),
            };
        }
        let file = Configuration::parse(location(), &last).expect("understood");
        let mut found: Vec<_> = file.ours.iter().flatten().map(|peer| peer.spec().expect("a key")).collect();
        let mut expected: Vec<_> = expected.into_iter().map(|(number, host)| spec(number, host)).collect();
        found.sort_by_key(|peer| peer.public_key);
        expected.sort_by_key(|peer| peer.public_key);
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn any_file_is_understood_or_refused(content in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(file) = Configuration::parse(location(), &content) {
            prop_assert!(to_bytes(&file).starts_with(&content));
        }
    }
}

/// Peers as we write them are read at a glance, and lines that follow one by one.
#[test]
fn what_was_added_by_hand_to_a_peer_of_ours_stays_with_it() {
    let (first, second) = (section(&spec(1, 1)), section(&spec(2, 1)));
    let added = "PresharedKey = x\n# why\n\n";
    let whole = format!("{BEGIN} {}\n{first}{added}{second}{END}\n", location());
    let mut file = Configuration::parse(location(), whole.as_bytes()).expect("understood");
    change(&mut file, &[(2, Some(7))]);
    let changed = whole.replace(&second, &section(&spec(2, 7)));
    assert_eq!(String::from_utf8(to_bytes(&file)).expect("text"), changed);
    change(&mut file, &[(1, None)]);
    assert_eq!(String::from_utf8(to_bytes(&file)).expect("text"), changed.replace(&format!("{first}{added}"), ""));
}

#[test]
fn what_is_wrong_with_a_peer_of_ours_is_said_with_its_line() {
    let refused = |second: &str| {
        let whole = format!("{BEGIN} {}\n{}{second}{END}\n", location(), section(&spec(1, 1)));
        let malformed = Configuration::parse(location(), whole.as_bytes()).err().expect("refused");
        (malformed.line, malformed.reason)
    };
    let twice = format!("the peer {} is already there, in line 2", key(1));
    assert_eq!(refused(&section(&spec(1, 2))), (6, twice));
    let (line, reason) = refused(&section(&spec(2, 1)).replace("/32", "/33"));
    assert!(line == 8 && reason.contains("10.0.2.1/33"), "{line} {reason}");
}
