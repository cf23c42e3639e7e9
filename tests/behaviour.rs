//! `docs/behaviour.md` says what the system does and which tests prove it. Here it is held to that: every promise
//! stands there once, and every test it names exists where it says.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// Every promise of this release, every guarantee of a store, every invariant.
const IDS: &[&str] = &[
    "INV-1", "INV-2", "INV-3", "INV-4", "INV-5", "INV-6", "INV-7", "INV-8", "INV-9", "INV-11", "INV-10", "TOK-1",
    "TOK-2", "TOK-3", "TOK-4", "TOK-5", "TOK-6", "TOK-7", "TOK-8", "TOK-9", "TOK-10", "REQ-1", "REQ-2", "REQ-3",
    "REQ-4", "REQ-5", "REQ-6", "REQ-7", "REQ-8", "REQ-9", "REQ-10", "PWD-1", "PWD-2", "PWD-3", "MFA-1", "MFA-2",
    "MFA-3", "MFA-4", "MFA-5", "DEV-1", "DEV-2", "DEV-3", "DEV-4", "DEV-5", "DEV-7", "MSG-1", "MSG-2", "MSG-3",
    "MSG-4", "MSG-5", "MSG-6", "MSG-7", "MSG-8", "ADM-4", "ADM-5", "ADM-6", "ADM-7", "ADM-8", "ADM-11", "SYS-2",
    "SYS-3", "SYS-4", "SYS-5", "SYS-6", "SYS-7", "SYS-8", "SYS-9", "SYS-10", "AUTH-1", "AUTH-2", "AUTH-4", "G1", "G2",
    "G3", "G4", "G5", "G6", "G7", "G8", "G9", "G10", "I1", "I2", "I3", "I4", "I5", "I6", "I7", "I8", "I9", "I10",
    "I11", "I12", "I13",
];

/// One row of the page.
struct Row<'a> {
    id: &'a str,
    promise: &'a str,
    /// Files and the tests in them.
    tests: Vec<(&'a str, &'a str)>,
}

fn page() -> String {
    read("docs/behaviour.md")
}

/// A file that must be there; what is not there has no tests.
fn read(file: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    fs::read_to_string(&path).unwrap_or_default()
}

/// The rows of all tables of a page.
fn rows(page: &str) -> Vec<Row<'_>> {
    page.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| id ")).map(row).collect()
}

/// `| id | promise | `file`: `test`, `test`<br>`file`: `test` |`
fn row(line: &str) -> Row<'_> {
    let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
    let [id, promise, tests] = cells.try_into().expect("three cells");
    let mut named = Vec::new();
    for part in tests.split("<br>") {
        let mut quoted = part.split('`').skip(1).step_by(2);
        let file = quoted.next().expect("a file");
        let before = named.len();
        named.extend(quoted.map(|test| (file, test)));
        assert!(named.len() > before, "{id}: no test in {file}");
    }
    Row { id, promise, tests: named }
}

#[test]
fn every_promise_stands_on_the_page_once() {
    let page = page();
    let mut ids: Vec<&str> = rows(&page).iter().map(|row| row.id).collect();
    ids.sort_unstable();
    let mut expected = IDS.to_vec();
    expected.sort_unstable();
    assert_eq!(ids, expected);
    for row in rows(&page) {
        assert!(!row.promise.is_empty() && !row.tests.is_empty(), "{} is empty", row.id);
    }
}

#[test]
fn every_test_that_the_page_names_exists() {
    let page = page();
    let mut files: BTreeMap<&str, String> = BTreeMap::new();
    for row in rows(&page) {
        for (file, test) in row.tests {
            let source = files.entry(file).or_insert_with(|| read(file));
            assert!(has_test(source, test) || is_case(file, test), "{}: no test {test} in {file} that runs", row.id);
        }
    }
}

/// Whether a source has a test of this name that runs: a function with an attribute that makes it one, and none that has it
/// skipped or left out.
fn has_test(source: &str, name: &str) -> bool {
    let lines: Vec<&str> = source.lines().map(str::trim).collect();
    let is_it = |line: &str| {
        let line = line.strip_prefix("async ").unwrap_or(line);
        line.strip_prefix("fn ").and_then(|rest| rest.strip_prefix(name)).is_some_and(|rest| rest.starts_with('('))
    };
    (0..lines.len()).filter(|at| is_it(lines[*at])).any(|at| {
        let above: Vec<&&str> = lines[..at].iter().rev().take_while(|line| line.starts_with(['#', '/'])).collect();
        let has = |start: &str| above.iter().any(|line| line.starts_with(start));
        (has("#[test]") || has("#[tokio::test"))
            && !has("#[ignore")
            && !has("#[cfg")
            && !lines.iter().any(|line| line.starts_with("/*"))
    })
}

/// Whether it is a case of a suite for implementers: the suite's list names it, and our own implementations run the list.
fn is_case(file: &str, name: &str) -> bool {
    let Some(folder) = Path::new(file).parent().filter(|folder| folder.starts_with("enrollment-testkit/src")) else {
        return false;
    };
    let list = folder.join("cases.rs");
    read(file).contains(&format!("async fn {name}("))
        && read(&list.display().to_string()).lines().any(|line| line.trim() == name)
}

#[test]
fn what_is_no_test_or_is_not_run_proves_nothing() {
    let is = |above: &str, line: &str| has_test(&format!("{above}\n    {line} {{}}\n"), "it_holds");
    assert!(is("#[test]", "fn it_holds()") && is("/// INV-1\n#[tokio::test]", "async fn it_holds()"));
    assert!(
        is("#[tokio::test(start_paused = true)]", "async fn it_holds()") && is("#[test]", "fn it_holds(n in 0..9)")
    );
    for (above, line) in [
        ("", "fn it_holds()"),
        ("#[test]\n", "fn it_holds()"),
        ("#[test]", "// fn it_holds()"),
        ("// #[test]", "fn it_holds()"),
        ("#[test]\n#[ignore = \"slow\"]", "fn it_holds()"),
        ("#[cfg(any())]\n#[test]", "fn it_holds()"),
        ("#[test]", "fn it_holds_too()"),
        ("/*\n#[test]", "fn it_holds()"),
    ] {
        assert!(!is(above, line), "{above}\n{line}");
    }
}
