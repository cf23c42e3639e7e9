//! Every page, rendered with every one of its samples.

use std::collections::BTreeSet;

use super::branding::Branding;
use super::engine::{Page, TEMPLATES, render};
use super::frame::Frame;
use super::problem::{Asker, ProblemPage};
use crate::problem::Problem;
use enrollment_core::domain::rejection::Rejection;
use enrollment_core::service::Failure;

type Render = Box<dyn Fn(&Frame) -> Result<String, minijinja::Error>>;

/// A page with one of its samples: its template, and what it renders to inside a frame.
pub(crate) struct Sample {
    template: &'static str,
    render: Render,
}

impl Sample {
    pub(crate) fn of<P: Page + 'static>(page: P) -> Self {
        Self { template: P::TEMPLATE, render: Box::new(move |frame| render(frame, &page)) }
    }
}

/// All samples. Each face adds a line.
fn samples() -> Vec<Sample> {
    let mut samples = problems();
    samples.extend(crate::wizard::samples());
    samples.extend(crate::admin_pages::samples());
    samples
}

fn problems() -> Vec<Sample> {
    let hostile = Rejection::InvalidField { field: "phone", reason: HOSTILE.to_owned() };
    let problems: [Problem; 4] = [
        Rejection::TokenExpired.into(),
        hostile.into(),
        Failure::Busy.into(),
        Problem::from_status(axum::http::StatusCode::INTERNAL_SERVER_ERROR),
    ];
    let pages = problems.into_iter().flat_map(|problem| {
        [Asker::Enrollee, Asker::Administrator].map(|asker| ProblemPage::new(problem.document(), asker))
    });
    pages.map(Sample::of).collect()
}

/// What somebody might call themselves.
pub(crate) const HOSTILE: &str = "<script>alert(1)</script>\"'><img src=x onerror=y>";

fn frames() -> [Frame; 3] {
    let branding = Branding {
        organization: "Example & Sons".to_owned(),
        product: "VPN".to_owned(),
        support_contact: "help@example.com".to_owned(),
    };
    let hostile =
        Branding { organization: HOSTILE.to_owned(), product: HOSTILE.to_owned(), support_contact: HOSTILE.to_owned() };
    [Frame::new(&Branding::default(), false), Frame::new(&branding, true), Frame::new(&hostile, false)]
}

/// SYS-5: no page fails, and none holds anything that its policy would have to stop.
#[test]
fn every_page_renders_with_every_sample() {
    for sample in samples() {
        for frame in frames() {
            let html = (sample.render)(&frame).map_err(|error| format!("{}: {error:#}", sample.template));
            // Slashes are escaped too, which is the same to a browser.
            let html = html.expect("a page").replace("&#x2f;", "/");
            let name = sample.template;
            assert_eq!(html.matches("<h1").count(), 1, "{name} has one heading: {html}");
            for needed in ["<html lang=\"en\">", "<title>", "<main id=\"main\">", "name=\"viewport\""] {
                assert!(html.contains(needed), "{name} lacks {needed}");
            }
            for forbidden in
                ["<script>", "<img src=x", "onerror=y>", " style=", " onclick=", "javascript:", "http-equiv"]
            {
                assert!(!html.contains(forbidden), "{name} has {forbidden}: {html}");
            }
            for link in html.split(" src=\"").skip(1).chain(html.split(" action=\"").skip(1)) {
                assert!(link.starts_with('/') && !link.starts_with("//"), "{name}: {link:.60}");
            }
            assert_eq!(html.contains("not encrypted"), frame.insecure, "{name}");
            assert_eq!(html.matches("<label").count(), html.matches("</label>").count(), "{name}");
        }
    }
}

#[test]
fn every_template_has_a_sample() {
    let shown: BTreeSet<&str> = samples().iter().map(|sample| sample.template).collect();
    let all = TEMPLATES.iter().copied().flatten().map(|(name, _)| *name);
    let pages: BTreeSet<&str> = all.filter(|name| !name.starts_with('_')).collect();
    assert_eq!(shown, pages);
}
