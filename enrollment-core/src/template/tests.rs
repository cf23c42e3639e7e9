//! What is accepted, what is refused and how that is said.

use minijinja::ErrorKind;
use proptest::prelude::*;

use super::program::Program;
use super::tags::ClientLink;
use super::{Subject, TAGS, Tags, Template, TemplateErrorKind};

fn text(source: &str, tags: &Tags) -> String {
    Template::compile(source).expect("accepted").render(tags).expect("rendered").text.trim_end().to_owned()
}

#[test]
fn every_tag_renders_its_value_with_and_without_spaces() {
    for tag in TAGS {
        let tight = text(&format!("{{{{{tag}}}}}"), &Tags::sample());
        let spaced = text(&format!("{{{{ {tag} }}}}"), &Tags::sample());
        assert_eq!(tight, spaced);
        assert!(!tight.is_empty(), "{tag} has a sample");
    }
    assert_eq!(
        text("{{ defguard_url }} {{ defguard_version }}", &Tags::sample()),
        text("{{ instance_url }} {{ instance_version }}", &Tags::sample())
    );
}

#[test]
fn a_tag_without_a_value_renders_empty() {
    let source = TAGS.map(|tag| format!("[{{{{ {tag} }}}}]")).concat();
    assert_eq!(text(&source, &Tags::default()), "[]".repeat(TAGS.len()));
}

#[test]
fn conditions_and_filters_work_on_values() {
    let tags = Tags { first_name: "anna maria".into(), ..Tags::default() };
    for (source, expected) in [
        ("{{ first_name | upper }} {{ first_name|title }} {{ 'X' | lower }}", "ANNA MARIA Anna Maria x"),
        ("{{ last_name | default(\"there\") }}, {{ first_name | default('there') }}", "there, anna maria"),
        ("{{ (last_name or first_name) | title ~ '!' }}", "Anna Maria!"),
        (
            "{% if last_name %}a{% elif not (username or admin_email) and first_name != '' %}b{% else %}c{% endif %}",
            "b",
        ),
        ("{% if first_name == \"anna maria\" -%}   yes   {%- endif %}", "yes"),
        ("{# {{ nothing }} {% here %} #}shown", "shown"),
        ("{{ \"}}\" }} {{ '{% for %}' }} { one } %}", "}} {% for %} { one } %}"),
    ] {
        assert_eq!(text(source, &tags), expected, "{source}");
    }
}

/// Only we lead to the desktop client: no text of an administrator has the tag, and what is joined to it or made of it
/// leads nowhere.
#[test]
fn the_desktop_client_is_opened_by_our_own_link_alone() {
    let link = "defguard://addinstance?token=enr_x&url=https%3A%2F%2Fvpn.example.com";
    assert!(Template::compile("{{ deep_link }}").is_err());
    let own = Template::compile(&format!("[a]({link}) <{link}>")).expect("accepted");
    assert!(!own.render(&Tags::sample()).expect("rendered").html.contains("href"));
    let html = |source: &str| {
        let part = Template::part(source).expect("accepted");
        let values = std::collections::BTreeMap::from([("deep_link", ClientLink::value(link)), ("at", link.into())]);
        part.render_part(&values.into()).expect("rendered").html
    };
    assert_eq!(
        html("[a]({{ deep_link }})"),
        format!("<p><a href=\"{}\" rel=\"noopener noreferrer nofollow\">a</a></p>\n", link.replace('&', "&amp;"))
    );
    for nowhere in [
        "[a]({{ deep_link }}x)",
        "[a](x{{ deep_link }})",
        "[a]({{ deep_link }}{{ deep_link }})",
        "[a]({{ deep_link | upper }})",
        "[a]({{ deep_link | default('x') | lower }})",
        "[a]({{ deep_link ~ '' }})",
        "[a]({{ at }})",
    ] {
        assert!(!html(nowhere).contains("href"), "{nowhere}: {}", html(nowhere));
    }
}

#[test]
fn a_line_with_only_a_statement_leaves_nothing_and_no_other_line_loses_its_end() {
    for (source, expected) in [
        ("- a\n  {% if username %}\n- b\n{% endif %}\r\n- c", "- a\n- b\n- c"),
        ("- a\n   {% if username %}- b{% endif %}\n- c", "- a\n   - b\n- c"),
        ("a{% if username %} b{% endif %}\nc{# note #}\n{# note #}\nd", "a b\nc\nd"),
        ("{% if username %}\na\n{% else %} \nb\n{%- endif -%}\nc", "a\nc"),
    ] {
        let program = Program::admit(source, &TAGS).expect("accepted");
        assert_eq!(program.fill(Tags::sample().context()).expect("filled").text, expected, "{source:?}");
    }
}

#[test]
fn what_is_refused_says_where_and_what_was_probably_meant() {
    let refused = [
        "Hello\n\n  {{ frist_name }}",
        "{{ nonsense }}",
        "{{ FirstName }}",
        "{% if username %}{% if first_name == 'Bob' %}{{ adminemail }}{% endif %}{% endif %}",
        "{{ first_name | upcase }}",
        "{{ first_name | uper }}",
        "{% if first_name == 'Bob' %}{{ first_name | default }}{% endif %}",
        "{{ first_name | default() }}",
        "{{ first_name | upper(1) }}",
        "{% for i in range(100000000) %}x{% endfor %}",
        "{% include 'secret' %}",
        "{% iff first_name %}{% endif %}",
        "{% set a = 'x' %}",
        "{{ range(10) }}",
        "{{ first_name.__class__ }}",
        "{{ first_name[0] }}",
        "{{ 7 * 'x' }}",
        "{{ first_name('x') }}",
        "{{ ('a')('b') }}",
        "{{ self.x() }}",
        "{{ debug() }}",
        "a\nb {{ first_name",
        "{{ 'open }}",
        "{# open",
        "{{ }}",
        "{% %}",
        "{{ first_name last_name }}",
        "one\n{% if first_name %}\nnever closed",
        "{% endif %}",
        "{{ first_name | }}",
        "bell \u{7}",
        "reserved \u{F0000}",
    ];
    let said: Vec<String> = refused
        .iter()
        .map(|source| {
            let error = Template::compile(source).expect_err(source);
            format!("{source:?}\n    {} {error}", error.kind().code())
        })
        .collect();
    insta::assert_snapshot!(said.join("\n"));
}

#[test]
fn an_unknown_tag_is_found_at_its_line_and_column() {
    let error = Template::compile("żółw\n ąę {{ frist_name }}").expect_err("refused");
    assert_eq!(error.kind(), TemplateErrorKind::UnknownTag);
    assert_eq!((error.line(), error.column()), (Some(2), Some(8)));
    assert_eq!(error.suggestion(), Some("first_name"));
}

#[test]
fn the_length_and_the_growth_of_a_text_are_bounded() {
    let kind = |source: &str| Template::compile(source).map_err(|error| error.kind()).err();
    assert_eq!(kind(&"x".repeat(Template::MAX_SOURCE)), None);
    assert_eq!(kind(&"x".repeat(Template::MAX_SOURCE + 1)), Some(TemplateErrorKind::TooLong));
    assert_eq!(kind(&"{{ username }} ".repeat(101)), Some(TemplateErrorKind::TooLong), "too many values");
    assert_eq!(kind(&"-\n".repeat(Template::MAX_SOURCE / 2)), Some(TemplateErrorKind::TooLong), "too much HTML");
}

#[test]
fn deep_nesting_is_refused_or_flattened_and_never_overflows_the_stack() {
    for source in ["> ".repeat(30_000), "*_".repeat(10_000), "- ".repeat(30_000), "[".repeat(60_000)] {
        let _: Result<_, _> = Template::compile(&source);
    }
    let brackets = format!("{{{{ {}username{} }}}}", "(".repeat(10_000), ")".repeat(10_000));
    assert_eq!(Template::compile(&brackets).expect_err("refused").kind(), TemplateErrorKind::Syntax);
    let ifs = format!("{}{}", "{%if username%}".repeat(2_000), "{%endif%}".repeat(2_000));
    assert_eq!(Template::compile(&ifs).expect_err("refused").kind(), TemplateErrorKind::Syntax);
}

#[test]
fn fuel_ends_a_loop_even_if_the_gate_let_it_through() {
    let digits = "['a','a','a','a','a','a','a','a','a','a']";
    let body = format!("{{% for x in {digits} %}}").repeat(8) + &"{% endfor %}".repeat(8);
    let error = Program::unchecked(body).expect("read").fill(Tags::sample().context()).expect_err("stopped");
    assert_eq!(error.kind(), ErrorKind::OutOfFuel);
}

#[test]
fn a_text_that_fails_all_the_same_is_replaced_and_the_reason_named() {
    let good = Template::compile("Hello {{ first_name }}").expect("accepted");
    let broken = Template::unchecked("{{ first_name() }}");
    let (rendered, reason) = broken.render_or(&good, &Tags::sample());
    assert_eq!(rendered.text, "Hello Anna\n");
    assert!(reason.is_some());
    let (rendered, reason) = good.render_or(&broken, &Tags::sample());
    assert_eq!(rendered.text, "Hello Anna\n");
    assert!(reason.is_none());
}

#[test]
fn a_subject_is_one_short_line() {
    let subject = Subject::compile("  Welcome,\t{{ first_name }}! ").expect("accepted");
    let of = |name: &str| subject.render(&Tags { first_name: name.into(), ..Tags::default() }).expect("rendered");
    assert_eq!(of("Anna"), "Welcome, Anna!");
    assert_eq!(of("A\r\nBcc: evil@example.com\0"), "Welcome, A Bcc: evil@example.com!");
    assert_eq!(of("**A** <b>"), "Welcome, **A** <b>!");
    assert!(of(&"ż".repeat(1000)).len() <= Subject::MAX_OUTPUT);
    for (source, kind) in [
        ("a\nb", TemplateErrorKind::NotAllowed),
        ("", TemplateErrorKind::Empty),
        ("{{ first_name }}", TemplateErrorKind::Empty),
        ("{{ frist_name }} x", TemplateErrorKind::UnknownTag),
        (&"x".repeat(1025), TemplateErrorKind::TooLong),
    ] {
        assert_eq!(Subject::compile(source).expect_err("refused").kind(), kind, "{source}");
    }
}

/// Pieces of the language, right and wrong, in any order.
fn source() -> impl Strategy<Value = String> {
    let pieces = prop::sample::select(vec![
        "{{",
        "}}",
        "{%",
        "%}",
        "{#",
        "#}",
        "{{ ",
        " }}",
        "{% if ",
        "{% elif ",
        "{% else %}",
        "{% endif %}",
        " %}",
        "-",
        "+",
        "(",
        ")",
        "|",
        "~",
        "==",
        "!=",
        " and ",
        " or ",
        " not ",
        " in ",
        " is ",
        " if ",
        " else ",
        "first_name",
        "username",
        "instance_url",
        "default",
        "upper",
        "default('a')",
        "|title",
        "'a'",
        "\"b\"",
        "'\\'",
        "'\\x'",
        "1",
        ".",
        ",",
        "[",
        "]",
        "{",
        "}",
        "=",
        "true",
        "none",
        "loop",
        "self",
        "super()",
        "raw",
        " ",
        "\n",
        "text",
        "{{ username }}",
        "{% if username %}",
        "{{ username|default(last_name) }}",
        "é",
        "\u{a0}",
        "_",
    ]);
    // Among them what the engine itself would only refuse on the branch it runs.
    let expression = prop::sample::select(vec![
        "first_name",
        "username",
        "'a'",
        "('')",
        "(",
        ")",
        "~",
        "==",
        "!=",
        " and ",
        " or ",
        " not ",
        "|default('a')",
        "|upper",
        "|title",
        "'Bob'",
        " in ",
        " if username",
        "|default",
        "|nope",
        "|upper('a')",
        "username('a')",
        "username/2",
        "username[5]",
        "username.x",
        "'a'()",
    ]);
    let expression = prop::collection::vec(expression, 1..4).prop_map(|pieces| pieces.concat());
    prop_oneof![
        prop::collection::vec(pieces, 1..14).prop_map(|pieces| pieces.concat()),
        (expression.clone(), expression)
            .prop_map(|(one, other)| format!("{{% if first_name == 'Bob' and {one} %}}{{{{ {other} }}}}{{% endif %}}")),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2048))]

    #[test]
    fn an_accepted_text_renders_whatever_the_values_are(source in source(), name in ".{0,12}", url in ".{0,12}") {
        if let Ok(template) = Template::compile(&source) {
            for first_name in [name.as_str(), "", "a", "b", "Bob"] {
                let tags = Tags {
                    first_name: first_name.into(),
                    username: name.clone(),
                    instance_url: url.clone(),
                    ..Tags::default()
                };
                prop_assert!(template.render(&tags).is_ok(), "{source:?}");
            }
        }
    }
}
