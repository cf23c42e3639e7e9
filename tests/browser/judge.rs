//! How a page looks to those who do not sit at our desk: pictures of it on a desk and on a phone, in the light and in the
//! dark, and what axe-core finds in each, which knows as much of WCAG 2.2 as a program can tell.

use std::path::Path;

use serde_json::Value;

use crate::driver::{Browser, Look};

/// The rules are asked of the page as it stands. Nothing is loaded for them, which our policy would refuse.
const RULES: &str = "
    const done = arguments[arguments.length - 1];
    const told = ({ id, impact, help, nodes }) =>
        `${impact}: ${id}: ${help}: ${nodes.map((node) => `${node.target} ${node.html}`).join(' | ')}`;
    const options = { preload: false, ...(ONLY ? { runOnly: [ONLY] } : {}) };
    axe.run(options).then((found) => done(found.violations.map(told)), (error) => done([String(error)]));
";

impl Browser {
    /// Keeps four pictures of the page, for people, and finds nothing in it that keeps anybody out.
    pub(crate) fn judge(&self, name: &str) {
        let axe = Path::new(env!("CARGO_TARGET_TMPDIR")).join("axe-core.js");
        let axe = std::fs::read_to_string(axe).expect("axe-core, which ./scripts/axe fetches");
        self.run(&format!("{axe}; arguments[arguments.length - 1]();"));
        for (phone, dark) in [(false, false), (false, true), (true, false), (true, true)] {
            self.wear(Look { phone, dark, ..self.look() });
            let look = format!("{name}-{}-{}", pick(phone, "phone", "desk"), pick(dark, "dark", "light"));
            self.picture(&look);
            // In the dark nothing is other than the colors, and those are the same on a phone.
            if dark && phone {
                continue;
            }
            let found = self.run(&RULES.replace("ONLY", pick(dark, "'color-contrast'", "null")));
            let found: Vec<_> = found.as_array().expect("a list").iter().filter_map(Value::as_str).collect();
            assert!(found.is_empty(), "{look} ({}):\n{}", self.path(), found.join("\n"));
        }
        self.wear(self.look());
    }
}

const fn pick<'a>(is: bool, yes: &'a str, no: &'a str) -> &'a str {
    if is { yes } else { no }
}
