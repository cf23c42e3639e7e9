//! Replacing a file so that every reader, and every power failure, finds the old content or the new one.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, IntoInnerError};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Bytes handed to the system at once.
const AT_ONCE: usize = 64 * 1024;

/// The exclusive right to change one file among all processes that ask for it, until dropped.
///
/// It is a lock on a file beside it: the file itself is replaced, and a lock on it would lock the old one.
#[derive(Debug)]
pub(crate) struct Exclusive {
    path: PathBuf,
    _lock: File,
}

impl Exclusive {
    /// Waits for the right to change the file at `path`, which need not exist. A symbolic link is followed, so that
    /// it is still one afterwards.
    pub(crate) fn acquire(path: &Path) -> io::Result<Self> {
        let path = match fs::canonicalize(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => last_link(path),
            found => found?,
        };
        let lock = private().create(true).write(true).truncate(false).open(beside(&path, "lock"))?;
        lock.lock()?;
        Ok(Self { path, _lock: lock })
    }

    /// The content; none when there is no file.
    pub(crate) fn read(&self) -> io::Result<Option<Vec<u8>>> {
        read(&self.path)
    }

    /// Replaces the content by what `write` writes. When this returns, the new content is on the disk, readable by its
    /// owner only.
    pub(crate) fn replace(&self, write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>) -> io::Result<()> {
        let new = beside(&self.path, "new");
        // Left by a process that died while it wrote: we hold the lock, so nobody writes it now.
        match fs::remove_file(&new) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = BufWriter::with_capacity(AT_ONCE, private().create_new(true).write(true).open(&new)?);
        write(&mut file)?;
        file.into_inner().map_err(IntoInnerError::into_error)?.sync_all()?;
        fs::rename(&new, &self.path)?;
        File::open(folder(&self.path))?.sync_all()
    }
}

/// Where the links at `path` lead, though nothing is there yet. Links in a circle are another error than this.
fn last_link(path: &Path) -> PathBuf {
    let mut path = path.to_owned();
    while let Ok(target) = fs::read_link(&path) {
        path = folder(&path).join(target);
    }
    path
}

/// The content of the file at `path`; none when there is no file.
pub(crate) fn read(path: &Path) -> io::Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        content => content.map(Some),
    }
}

fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.mode(0o600);
    options
}

/// `.wg0.conf.lock` for `wg0.conf`: hidden, and no name of an interface.
fn beside(path: &Path, suffix: &str) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    folder(path).join(format!(".{name}.{suffix}"))
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}
