//! The onboarding page, against its engine, its Markdown parser and its sanitizer one after the other.
//!
//! Both start from an accepted text. The library writes three forms (Markdown, HTML and plain text) and lets no value
//! be read as markup; the yardstick has its template compiled beforehand, writes HTML only, and trusts its values.

mod support;

use std::collections::BTreeMap;
use std::hint::black_box;

use enrollment::core::template::{Tags, builtin};
use minijinja::{Environment, Value};
use pulldown_cmark::{Options, Parser, html};

fn main() {
    let mut criterion = support::criterion();
    let template = builtin::onboarding();
    let tags = Tags::sample();

    let mut environment = Environment::new();
    environment.add_template("page", builtin::ONBOARDING).expect("the built-in text");
    let page = environment.get_template("page").expect("added above");
    let values = Value::from(BTreeMap::from([
        ("first_name", tags.first_name.clone()),
        ("last_name", tags.last_name.clone()),
        ("username", tags.username.clone()),
        ("admin_first_name", tags.admin_first_name.clone()),
        ("admin_last_name", tags.admin_last_name.clone()),
        ("admin_phone", tags.admin_phone.clone()),
        ("admin_email", tags.admin_email.clone()),
        ("instance_url", tags.instance_url.clone()),
        ("instance_version", tags.instance_version.clone()),
    ]));
    let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH;

    support::pair(
        criterion.benchmark_group("template_render"),
        |b| b.iter(|| template.render(black_box(&tags)).expect("an accepted text")),
        |b| {
            b.iter(|| {
                let markdown = page.render(black_box(values.clone())).expect("every tag has a value");
                let mut page = String::new();
                html::push_html(&mut page, Parser::new_ext(&markdown, options));
                ammonia::clean(&page)
            });
        },
    );
    criterion.final_summary();
}
