//! Parsed Markdown as lines: plain text for the text part of a mail, and Markdown for clients that render it.

use pulldown_cmark::{Event, HeadingLevel, Tag, TagEnd};

/// Plain text: links as `text (url)`, everything that is shown and nothing that is not.
pub(super) fn plain(events: &[Event<'_>]) -> String {
    write(events, Form::Plain)
}

/// CommonMark with tables and strikethrough, in which every character of a text stands for itself.
pub(super) fn markdown(events: &[Event<'_>]) -> String {
    write(events, Form::Markdown)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Plain,
    Markdown,
}

fn write(events: &[Event<'_>], form: Form) -> String {
    let mut writer = Writer::new(form);
    for (index, event) in events.iter().enumerate() {
        writer.event(event, events.get(index + 1));
    }
    let mut out = writer.out;
    out.truncate(out.trim_end().len());
    if !out.is_empty() {
        out.push('\n');
    }
    out
}

struct Writer {
    form: Form,
    out: String,
    /// What each line begins with, one entry for each open quote and list item.
    prefixes: Vec<String>,
    /// The number of the next item for each open list; none where there are no numbers.
    lists: Vec<Option<u64>>,
    /// Where each open inline element began, in `out`.
    inline: Vec<usize>,
    /// Where each open link leads.
    links: Vec<String>,
    /// Where the text of the open heading began.
    heading: usize,
    /// Code block whose text is collected.
    code: Option<String>,
    cells: usize,
    in_table: bool,
    in_heading: bool,
    /// Nothing but the prefix stands on the current line.
    line_start: bool,
    /// The next block follows its container's marker on the same line.
    after_marker: bool,
    /// A block has just ended: what follows is another, even where the parser does not announce one.
    after_block: bool,
}

impl Writer {
    const fn new(form: Form) -> Self {
        Self {
            form,
            out: String::new(),
            prefixes: Vec::new(),
            lists: Vec::new(),
            inline: Vec::new(),
            links: Vec::new(),
            heading: 0,
            code: None,
            cells: 0,
            in_table: false,
            in_heading: false,
            line_start: true,
            after_marker: true,
            after_block: false,
        }
    }

    fn event(&mut self, event: &Event<'_>, next: Option<&Event<'_>>) {
        if self.after_block && is_inline(event) {
            self.block(true);
        }
        match event {
            Event::Start(tag) => self.start(tag, matches!(next, Some(Event::Start(Tag::Paragraph)))),
            Event::End(end) => self.end(end),
            Event::Text(text) => match &mut self.code {
                Some(code) => code.push_str(text),
                None => self.text(text),
            },
            Event::Code(code) => self.code_span(code),
            Event::SoftBreak => self.soft_break(),
            Event::HardBreak if self.form == Form::Markdown && !self.line_start && !self.on_one_line() => {
                self.out.push('\\');
                self.line();
            }
            Event::HardBreak => self.soft_break(),
            Event::Rule => {
                self.block(true);
                // Dashes after the dash of an item would be one rule.
                self.raw(if self.form == Form::Markdown { "***" } else { "---" });
            }
            _ => {}
        }
    }

    fn start(&mut self, tag: &Tag<'_>, loose: bool) {
        let markdown = self.form == Form::Markdown;
        match tag {
            Tag::Paragraph => self.block(true),
            Tag::Heading { level, .. } => {
                self.block(true);
                if markdown {
                    self.raw(&"#".repeat(*level as usize));
                    self.raw(" ");
                }
                self.heading = self.out.len();
                self.in_heading = true;
            }
            Tag::BlockQuote(_) => {
                self.block(true);
                self.raw("> ");
                self.prefixes.push("> ".into());
                self.enter();
            }
            Tag::CodeBlock(_) => {
                self.block(true);
                self.code = Some(String::new());
            }
            Tag::List(first) => {
                self.block(self.lists.is_empty());
                self.after_marker = true;
                self.lists.push(*first);
            }
            Tag::Item => {
                self.block(loose);
                let marker = match self.lists.last_mut() {
                    Some(Some(number)) => {
                        let marker = format!("{number}. ");
                        *number = number.saturating_add(1);
                        marker
                    }
                    _ => "- ".into(),
                };
                self.raw(&marker);
                self.prefixes.push(" ".repeat(marker.len()));
                self.enter();
            }
            Tag::Table(_) => {
                self.block(true);
                self.after_marker = true;
                self.in_table = true;
            }
            Tag::TableHead | Tag::TableRow => {
                self.block(false);
                self.cells = 0;
            }
            Tag::TableCell => {
                match (markdown, self.cells) {
                    (true, 0) => self.raw("| "),
                    (false, 0) => {}
                    _ => self.raw(" | "),
                }
                self.cells += 1;
            }
            Tag::Emphasis => self.open("*"),
            Tag::Strong => self.open("**"),
            Tag::Strikethrough => self.open("~~"),
            Tag::Link { dest_url, .. } => {
                self.links.push(dest_url.to_string());
                // An exclamation mark before it would make it an image.
                if markdown && self.out.ends_with('!') {
                    self.out.insert(self.out.len() - 1, '\\');
                }
                self.open("[");
            }
            _ => {}
        }
    }

    fn end(&mut self, end: &TagEnd) {
        self.after_block = matches!(
            end,
            TagEnd::Paragraph
                | TagEnd::Heading(_)
                | TagEnd::BlockQuote(_)
                | TagEnd::CodeBlock
                | TagEnd::List(_)
                | TagEnd::Table
        );
        match end {
            TagEnd::Heading(level) => self.end_heading(*level),
            TagEnd::BlockQuote(_) | TagEnd::Item => {
                self.prefixes.pop();
                self.after_marker = false;
            }
            TagEnd::CodeBlock => self.end_code(),
            TagEnd::List(_) => {
                self.lists.pop();
            }
            TagEnd::Table => self.in_table = false,
            TagEnd::TableHead => self.end_table_head(),
            TagEnd::TableRow if self.form == Form::Markdown => self.raw(" |"),
            TagEnd::Emphasis => self.close("*"),
            TagEnd::Strong => self.close("**"),
            TagEnd::Strikethrough => self.close("~~"),
            TagEnd::Link => self.end_link(),
            _ => {}
        }
    }

    fn end_heading(&mut self, level: HeadingLevel) {
        self.in_heading = false;
        if self.form == Form::Plain && self.out.len() > self.heading {
            let line = if level == HeadingLevel::H1 { "=" } else { "-" };
            let underline = line.repeat(self.out[self.heading..].chars().count());
            self.line();
            self.raw(&underline);
        }
    }

    fn end_table_head(&mut self) {
        if self.form == Form::Markdown {
            self.raw(" |");
            self.line();
            let columns = "| --- ".repeat(self.cells);
            self.raw(&columns);
            self.raw("|");
        }
    }

    fn end_code(&mut self) {
        let code = self.code.take().unwrap_or_default();
        let fence = "`".repeat(longest_run(&code, '`').max(2) + 1);
        if self.form == Form::Markdown {
            self.raw(&fence);
            self.line();
        }
        for (index, line) in code.trim_end_matches('\n').split('\n').enumerate() {
            if index > 0 {
                self.line();
            }
            if self.form == Form::Plain {
                self.raw("    ");
            }
            self.raw(line);
        }
        if self.form == Form::Markdown {
            self.line();
            self.raw(&fence);
        }
    }

    fn end_link(&mut self) {
        let url = self.links.pop().unwrap_or_default();
        let begin = self.inline.pop().unwrap_or_default();
        match self.form {
            Form::Markdown => {
                let url = url.replace('|', "%7C");
                self.raw(&format!("](<{url}>)"));
            }
            Form::Plain => {
                let shown = self.out.get(begin..).unwrap_or_default();
                if shown != url && format!("mailto:{shown}") != url {
                    self.raw(&format!(" ({url})"));
                }
            }
        }
    }

    /// Opens an inline element.
    fn open(&mut self, mark: &str) {
        if self.form == Form::Markdown {
            self.raw(mark);
        }
        self.inline.push(self.out.len());
    }

    /// Closes an inline element, or takes it back when nothing is in it: Markdown has no empty ones.
    fn close(&mut self, mark: &str) {
        let begin = self.inline.pop().unwrap_or_default();
        if self.form == Form::Plain {
            return;
        }
        if self.out.len() == begin {
            self.out.truncate(begin - mark.len());
        } else {
            self.raw(mark);
        }
    }

    fn code_span(&mut self, code: &str) {
        // In a table a bar or a backslash would end the cell before the code is seen.
        let as_text = self.form == Form::Plain || self.in_table && code.contains(['|', '\\']);
        if as_text || code.trim().is_empty() {
            self.text(code);
        } else {
            let ticks = "`".repeat(longest_run(code, '`') + 1);
            let space = if code.starts_with(['`', ' ']) || code.ends_with(['`', ' ']) { " " } else { "" };
            self.raw(&format!("{ticks}{space}{code}{space}{ticks}"));
        }
    }

    fn text(&mut self, text: &str) {
        for (index, line) in text.split('\n').enumerate() {
            if index > 0 {
                self.soft_break();
            }
            let line = if self.line_start { line.trim_start() } else { line };
            match self.form {
                Form::Plain => self.raw(line),
                Form::Markdown => self.escaped(line),
            }
        }
    }

    fn escaped(&mut self, text: &str) {
        // "1." and "1)" begin a list where they begin a line.
        let digits = text.find(|c: char| !c.is_ascii_digit()).filter(|digits| self.line_start && *digits > 0);
        let mut escaped = String::with_capacity(text.len());
        for (offset, character) in text.char_indices() {
            let first = offset == 0 && self.line_start;
            if r"\`*_[]<&#~|".contains(character)
                || first && ">+-=:".contains(character)
                || digits == Some(offset) && ".)".contains(character)
            {
                escaped.push('\\');
            }
            escaped.push(character);
        }
        self.raw(&escaped);
    }

    fn soft_break(&mut self) {
        if self.on_one_line() {
            self.raw(" ");
        } else if !self.line_start {
            self.line();
        }
    }

    /// Whether a line break would end what is being written.
    const fn on_one_line(&self) -> bool {
        self.in_table || self.in_heading
    }

    /// What follows is inside the container whose marker was just written.
    const fn enter(&mut self) {
        self.line_start = true;
        self.after_marker = true;
    }

    /// Begins a block, after an empty line if `apart`.
    fn block(&mut self, apart: bool) {
        self.after_block = false;
        if self.after_marker {
            self.after_marker = false;
            return;
        }
        self.line();
        if apart {
            self.line();
        }
    }

    fn line(&mut self) {
        self.out.truncate(self.out.trim_end_matches(' ').len());
        self.out.push('\n');
        for prefix in &self.prefixes {
            self.out.push_str(prefix);
        }
        self.line_start = true;
    }

    fn raw(&mut self, text: &str) {
        if !text.is_empty() {
            self.out.push_str(text);
            self.line_start = false;
            self.after_marker = false;
        }
    }
}

const fn is_inline(event: &Event<'_>) -> bool {
    matches!(
        event,
        Event::Text(_)
            | Event::Code(_)
            | Event::Start(Tag::Emphasis | Tag::Strong | Tag::Strikethrough | Tag::Link { .. })
    )
}

fn longest_run(text: &str, of: char) -> usize {
    text.split(|character| character != of).map(str::len).max().unwrap_or(0)
}
