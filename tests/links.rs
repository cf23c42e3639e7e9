//! The documentation holds together: every page is in the table of contents, and every link leads somewhere.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Component, Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every page of a folder and those below.
fn pages(folder: &Path, found: &mut BTreeSet<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            pages(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "md") {
            found.insert(path);
        }
    }
}

fn documentation() -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    pages(&root().join("docs"), &mut found);
    for page in ["README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"] {
        found.insert(root().join(page));
    }
    found
}

/// The targets of a page's links. What stands in code is none.
fn links(page: &str) -> Vec<String> {
    let mut links = Vec::new();
    for event in pulldown_cmark::Parser::new_ext(page, pulldown_cmark::Options::all()) {
        if let pulldown_cmark::Event::Start(
            pulldown_cmark::Tag::Link { dest_url, .. } | pulldown_cmark::Tag::Image { dest_url, .. },
        ) = event
        {
            links.push(dest_url.to_string());
        }
    }
    links
}

/// The anchors of a page, made of its headings as GitHub makes them.
fn anchors(page: &str) -> BTreeSet<String> {
    let mut in_code = false;
    let mut found = BTreeSet::new();
    for line in page.lines() {
        in_code ^= line.starts_with("```");
        if let Some(heading) = line.strip_prefix('#').filter(|_| !in_code) {
            let kept = |c: &char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_');
            let text: String = heading.trim_start_matches('#').trim().to_lowercase().chars().filter(kept).collect();
            found.insert(text.replace(' ', "-"));
        }
    }
    found
}

/// A path without `..`.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                plain.pop();
            }
            part => plain.push(part),
        }
    }
    plain
}

/// What is wrong with the links of a page that stands at `path`.
fn broken(path: &Path, page: &str) -> Vec<String> {
    let folder = path.parent().expect("a page is in a folder");
    let leads_nowhere = |link: &String| {
        if link.contains("://") || link.starts_with("mailto:") {
            return false;
        }
        let (file, anchor) = link.split_once('#').map_or((link.as_str(), None), |(file, anchor)| (file, Some(anchor)));
        let target = if file.is_empty() { path.to_owned() } else { plain(&folder.join(file)) };
        let there = match anchor {
            Some(anchor) if file.is_empty() => anchors(page).contains(anchor),
            Some(anchor) => fs::read_to_string(&target).is_ok_and(|page| anchors(&page).contains(anchor)),
            None => target.exists(),
        };
        !there || !target.starts_with(root())
    };
    links(page).into_iter().filter(leads_nowhere).collect()
}

#[test]
fn every_link_leads_somewhere() {
    let mut looked_at = 0;
    for path in documentation() {
        let page = fs::read_to_string(&path).expect("a page");
        let broken = broken(&path, &page);
        assert!(broken.is_empty(), "{}: {broken:?}", path.display());
        looked_at += links(&page).len();
    }
    assert!(looked_at > 50, "{looked_at}");
}

#[test]
fn a_link_that_leads_nowhere_is_found() {
    let path = root().join("docs/page.md");
    let page =
        "# Here it is\n[a](nowhere.md) [b](#here-it-is) [c](#gone) [d](../README.md#gone) [e](https://example.com)";
    assert_eq!(broken(&path, page), ["nowhere.md", "#gone", "../README.md#gone"]);
}

#[test]
fn every_page_is_in_the_table_of_contents() {
    let docs = root().join("docs");
    let contents = fs::read_to_string(docs.join("SUMMARY.md")).expect("a table of contents");
    let listed: BTreeSet<PathBuf> = links(&contents).iter().map(|link| docs.join(link)).collect();
    let mut all = BTreeSet::new();
    pages(&docs, &mut all);
    all.remove(&docs.join("SUMMARY.md"));
    let missing: Vec<_> = all.difference(&listed).collect();
    assert!(missing.is_empty(), "not in docs/SUMMARY.md: {missing:?}");
}
