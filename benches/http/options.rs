//! What is measured.

use std::path::PathBuf;

/// How much of everything.
pub(crate) struct Options {
    /// The reference server.
    pub(crate) server: PathBuf,
    /// The address of a PostgreSQL database; a SQLite file without one.
    pub(crate) database: Option<String>,
    /// Begins at each number of requests in flight.
    pub(crate) begins: usize,
    /// Completions at each number of requests in flight.
    pub(crate) completions: usize,
    /// Devices in the end.
    pub(crate) devices: usize,
}

impl Options {
    /// From the command line: `--database URL`, `--begins N`, `--completions N`, `--devices N`. Anything else is
    /// ignored, since Cargo adds words of its own.
    pub(crate) fn read() -> Self {
        let arguments: Vec<String> = std::env::args().collect();
        let given = |name: &str| {
            let at = arguments.iter().position(|argument| argument == name)?;
            arguments.get(at + 1).cloned()
        };
        let number = |name, usual| given(name).and_then(|text| text.parse().ok()).unwrap_or(usual);
        let beside = std::env::current_exe().ok().and_then(|path| Some(path.parent()?.join("server")));
        Self {
            server: given("--server").map(PathBuf::from).or(beside).unwrap_or_else(|| PathBuf::from("server")),
            database: given("--database"),
            begins: number("--begins", 5_000),
            completions: number("--completions", 500),
            devices: number("--devices", 100_000),
        }
    }
}
