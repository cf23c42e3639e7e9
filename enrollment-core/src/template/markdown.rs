//! Markdown with placeholders becomes HTML, plain text and Markdown again.
//!
//! The parser sees one private-use character for each value, which Markdown treats as a letter. The values are put in
//! their place afterwards, in the events that hold text. So the structure of the result is that of the administrator's
//! text, whatever the values are.

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use ammonia::UrlRelative;
use pulldown_cmark::{Alignment, CodeBlockKind, Event, LinkType, Options, Parser, Tag, TagEnd, TextMergeStream};

use super::program::{Filled, Leads};
use super::writer;

/// How deep quotes, lists and emphasis can lie inside each other; what lies deeper is shown without them.
const MAX_DEPTH: usize = 16;

/// A parsed text with its values in place.
#[derive(Debug)]
pub(super) struct Document {
    events: Vec<Event<'static>>,
    /// One of its links opens the desktop client.
    leads_to_client: bool,
}

impl Document {
    /// Reads the Markdown and puts the values in place. Raw HTML is shown as it was typed; images become their
    /// description; links that lead elsewhere than allowed become their text.
    pub(super) fn parse(filled: &Filled) -> Self {
        let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH;
        let mut resolver = Resolver { filled, open: Vec::new(), events: Vec::new(), leads_to_client: false };
        for event in TextMergeStream::new(Parser::new_ext(&filled.text, options)) {
            resolver.take(event);
        }
        Self { events: resolver.events, leads_to_client: resolver.leads_to_client }
    }

    /// Sanitized HTML.
    pub(super) fn html(&self) -> String {
        let mut html = String::new();
        pulldown_cmark::html::push_html(&mut html, self.events.iter().cloned());
        let sanitizer = if self.leads_to_client { &SANITIZER_OF_CLIENT_LINKS } else { &SANITIZER };
        sanitizer.clean(&html).to_string()
    }

    /// Plain text.
    pub(super) fn text(&self) -> String {
        writer::plain(&self.events)
    }

    /// Markdown.
    pub(super) fn markdown(&self) -> String {
        writer::markdown(&self.events)
    }
}

struct Resolver<'a> {
    filled: &'a Filled,
    /// For every open element, whether it is shown.
    open: Vec<bool>,
    events: Vec<Event<'static>>,
    leads_to_client: bool,
}

impl Resolver<'_> {
    fn take(&mut self, event: Event<'_>) {
        match event {
            Event::Start(tag) => {
                let shown = if self.open.len() < MAX_DEPTH { self.tag(tag) } else { None };
                self.open.push(shown.is_some());
                self.events.extend(shown.map(Event::Start));
            }
            Event::End(end) => {
                if self.open.pop() == Some(true) {
                    let end = if end == TagEnd::HtmlBlock { TagEnd::Paragraph } else { end };
                    let end = if matches!(end, TagEnd::BlockQuote(_)) { TagEnd::BlockQuote(None) } else { end };
                    self.events.push(Event::End(end));
                }
            }
            Event::Text(text) | Event::InlineHtml(text) => self.text(&text),
            Event::Html(html) => {
                for line in html.lines() {
                    self.text(line);
                    self.events.push(Event::SoftBreak);
                }
            }
            Event::Code(code) => self.events.push(Event::Code(self.filled.resolve(&code).into())),
            Event::SoftBreak => self.events.push(Event::SoftBreak),
            Event::HardBreak => self.events.push(Event::HardBreak),
            Event::Rule => self.events.push(Event::Rule),
            // Footnotes, mathematics and task lists are not switched on.
            Event::InlineMath(_) | Event::DisplayMath(_) | Event::FootnoteReference(_) | Event::TaskListMarker(_) => {}
        }
    }

    fn text(&mut self, text: &str) {
        self.events.push(Event::Text(self.filled.resolve(text).into()));
    }

    /// The element to show, without anything but its kind and, for a link, where it leads.
    fn tag(&mut self, tag: Tag<'_>) -> Option<Tag<'static>> {
        Some(match tag {
            Tag::Paragraph | Tag::HtmlBlock => Tag::Paragraph,
            Tag::Heading { level, .. } => Tag::Heading { level, id: None, classes: Vec::new(), attrs: Vec::new() },
            Tag::BlockQuote(_) => Tag::BlockQuote(None),
            Tag::CodeBlock(_) => Tag::CodeBlock(CodeBlockKind::Indented),
            Tag::List(first) => Tag::List(first),
            Tag::Item => Tag::Item,
            Tag::Table(columns) => Tag::Table(vec![Alignment::None; columns.len()]),
            Tag::TableHead => Tag::TableHead,
            Tag::TableRow => Tag::TableRow,
            Tag::TableCell => Tag::TableCell,
            Tag::Emphasis => Tag::Emphasis,
            Tag::Strong => Tag::Strong,
            Tag::Strikethrough => Tag::Strikethrough,
            Tag::Link { link_type, dest_url, .. } => Tag::Link {
                link_type: LinkType::Inline,
                dest_url: self.destination(link_type, &dest_url)?.into(),
                title: "".into(),
                id: "".into(),
            },
            // An image would be fetched from somewhere; the rest is not switched on.
            _ => return None,
        })
    }

    fn destination(&mut self, kind: LinkType, written: &str) -> Option<String> {
        let Some(link) = client_link(self.filled, written) else { return destination(self.filled, kind, written) };
        self.leads_to_client = true;
        Some(link.to_owned())
    }
}

/// The link that opens the desktop client, where it is the whole of what was written.
fn client_link<'a>(filled: &'a Filled, written: &str) -> Option<&'a str> {
    let mut characters = written.chars();
    let value = filled.value(characters.next()?)?;
    (value.leads == Leads::Client && characters.next().is_none()).then_some(value.text.as_str())
}

/// Where a link leads, when it may lead there: `http`, `https` or `mailto`, and to a host that the administrator wrote
/// or that is this instance. A person's data only ever fills in what comes after, percent-encoded (RFC 3986).
fn destination(filled: &Filled, kind: LinkType, written: &str) -> Option<String> {
    let mut rest = written;
    let mut url = String::new();
    let first = rest.chars().next().and_then(|character| filled.value(character));
    if let Some(value) = first.filter(|value| value.leads == Leads::Instance) {
        rest = rest.trim_start_matches(|character| filled.value(character).is_some_and(|it| std::ptr::eq(it, value)));
        if !(rest.is_empty() || rest.starts_with(['/', '?', '#'])) {
            return None;
        }
        value.text.chars().for_each(|character| push_url(&mut url, character));
    } else if kind == LinkType::Email {
        url.push_str("mailto:");
    }
    for character in rest.chars() {
        match filled.value(character) {
            None => push_url(&mut url, character),
            Some(value) if is_mail(&url) => value.text.chars().for_each(|it| push_component(&mut url, it, "@")),
            Some(value) if names_host(&url) => value.text.chars().for_each(|it| push_component(&mut url, it, "")),
            Some(_) => return None,
        }
    }
    (is_mail(&url) || after_scheme(&url).is_some()).then_some(url)
}

fn is_mail(url: &str) -> bool {
    url.get(..7).is_some_and(|scheme| scheme.eq_ignore_ascii_case("mailto:"))
}

fn after_scheme(url: &str) -> Option<&str> {
    let (scheme, rest) = url.split_once("://")?;
    (scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https")).then_some(rest)
}

/// Whether the URL so far says which host it leads to, so that nothing after can change it.
fn names_host(url: &str) -> bool {
    after_scheme(url).is_some_and(|rest| rest.find(['/', '?', '#']).is_some_and(|end| end > 0))
}

/// A character of a URL: RFC 3986 allows it, or it is percent-encoded.
fn push_url(url: &mut String, character: char) {
    push_component(url, character, ":/?#[]@!$&'()*+,;=%");
}

fn push_component(url: &mut String, character: char, allowed: &str) {
    if character.is_ascii_alphanumeric() || "-._~".contains(character) || allowed.contains(character) {
        url.push(character);
    } else {
        for byte in character.encode_utf8(&mut [0; 4]).bytes() {
            url.push_str(&format!("%{byte:02X}"));
        }
    }
}

/// The second lock on the door: what [`Resolver`] lets through is already less than this allows.
static SANITIZER: LazyLock<ammonia::Builder<'static>> = LazyLock::new(|| sanitizer(&["http", "https", "mailto"]));

/// The same for a text with a link to the desktop client, which no administrator's is.
static SANITIZER_OF_CLIENT_LINKS: LazyLock<ammonia::Builder<'static>> =
    LazyLock::new(|| sanitizer(&["http", "https", "mailto", "defguard"]));

fn sanitizer(schemes: &[&'static str]) -> ammonia::Builder<'static> {
    let mut sanitizer = ammonia::Builder::empty();
    sanitizer
        .tags(HashSet::from([
            "p",
            "h1",
            "h2",
            "h3",
            "h4",
            "h5",
            "h6",
            "em",
            "strong",
            "del",
            "code",
            "pre",
            "blockquote",
            "ul",
            "ol",
            "li",
            "a",
            "table",
            "thead",
            "tbody",
            "tr",
            "th",
            "td",
            "hr",
            "br",
        ]))
        .tag_attributes(HashMap::from([("a", HashSet::from(["href"])), ("ol", HashSet::from(["start"]))]))
        .url_schemes(schemes.iter().copied().collect())
        .url_relative(UrlRelative::Deny)
        .link_rel(Some("noopener noreferrer nofollow"));
    sanitizer
}
