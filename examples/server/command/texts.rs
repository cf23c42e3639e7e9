//! Texts from files.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use crate::Error;

/// The longest text that is read; the API takes less.
const LONGEST: u64 = 1024 * 1024;

/// The text of a file, or of standard input for `-`.
pub(crate) fn read(path: &Path) -> Result<String, Error> {
    let mut text = String::new();
    let result = if path == Path::new("-") {
        std::io::stdin().lock().take(LONGEST + 1).read_to_string(&mut text)
    } else {
        File::open(path).and_then(|file| file.take(LONGEST + 1).read_to_string(&mut text))
    };
    result.map_err(|error| format!("{} cannot be read: {error}", path.display()))?;
    if text.len() as u64 > LONGEST {
        return Err(format!("{} is longer than {LONGEST} bytes", path.display()).into());
    }
    Ok(text)
}
