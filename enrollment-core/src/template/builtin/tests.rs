use super::onboarding;
use crate::template::Tags;

/// Values that try to be markup, headers, links or tags.
fn hostile() -> Tags {
    let hostile = |tag: &str| format!("**{tag}** [x](https://evil.example) <b>`{{{{ username }}}}`\r\n\r\n# H\\");
    Tags {
        first_name: hostile("first_name"),
        last_name: hostile("last_name"),
        username: hostile("username"),
        admin_first_name: hostile("admin_first_name"),
        admin_last_name: hostile("admin_last_name"),
        admin_phone: hostile("admin_phone"),
        admin_email: hostile("admin_email"),
        instance_url: Tags::sample().instance_url,
        instance_version: hostile("instance_version"),
    }
}

#[test]
fn every_built_in_text_renders_with_samples_with_nothing_and_with_hostile_values() {
    for (name, tags) in [("samples", Tags::sample()), ("nothing", Tags::default()), ("hostile", hostile())] {
        let rendered = onboarding().render(&tags).expect("it renders");
        let all = format!("{}\n=== html\n{}\n=== text\n{}", rendered.markdown, rendered.html, rendered.text);
        insta::assert_snapshot!(format!("onboarding_{name}"), all);
    }
}
