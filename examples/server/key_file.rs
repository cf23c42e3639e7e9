//! The file of the key ring: made at the first start, read again while running, replaced whole.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::path::{Path, PathBuf};

use enrollment::core::port::{Clock as _, Entropy as _, SystemClock, SystemEntropy};
use enrollment::core::secret::KeyRing;
use zeroize::Zeroizing;

use super::{Error, data};

/// Where the key ring lies.
#[derive(Debug, Clone)]
pub(crate) struct KeyFile(PathBuf);

impl KeyFile {
    pub(crate) fn new(path: &Path) -> Self {
        Self(path.to_owned())
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// The ring, if there is one. Nothing of the file's content is ever part of an error.
    pub(crate) fn read(&self) -> Result<Option<KeyRing>, Error> {
        let path = self.0.display();
        match read_private(&self.0) {
            Ok(text) => KeyRing::from_text(&text).map(Some).map_err(|error| format!("{path}: {error}").into()),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(format!("{path}: {error}").into()),
        }
    }

    /// The ring, made if there is none.
    pub(crate) fn read_or_make(&self) -> Result<KeyRing, Error> {
        match self.read()? {
            Some(ring) => Ok(ring),
            None => self.make(),
        }
    }

    fn make(&self) -> Result<KeyRing, Error> {
        let ring = KeyRing::generate(SystemClock.now(), &SystemEntropy);
        let draft = Draft::write(&self.0, &ring)?;
        // A link fails when the name exists: of two servers that start at once, one makes the ring and both read it.
        match fs::hard_link(&draft.0, &self.0) {
            Ok(()) => {
                sync_folder(&self.0)?;
                Ok(ring)
            }
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                self.read()?.ok_or_else(|| format!("{}: it was there and is gone", self.0.display()).into())
            }
            Err(error) => Err(format!("{}: {error}", self.0.display()).into()),
        }
    }

    /// Changes the ring, and puts it in place of the old one: whoever reads sees one or the other, also after a crash.
    /// Two who change it do so one after the other.
    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut KeyRing) -> Result<T, Error>) -> Result<T, Error> {
        // Where the path is a link, what it leads to is replaced.
        let path = fs::canonicalize(&self.0).map_err(|error| format!("{}: {error}", self.0.display()))?;
        let folder = File::open(folder_of(&path))?;
        // Held until the end of this call.
        folder.lock()?;
        let mut ring = Self(path.clone()).read()?.ok_or_else(|| format!("{}: there is no key ring", path.display()))?;
        let changed = change(&mut ring)?;
        let draft = Draft::write(&path, &ring)?;
        // Whoever serves must be able to read it, also when somebody else runs this command.
        let owner = fs::metadata(&path)?;
        chown(&draft.0, Some(owner.uid()), Some(owner.gid()))?;
        fs::rename(&draft.0, &path)?;
        folder.sync_all()?;
        Ok(changed)
    }
}

/// A ring on its way, beside the file it is to become. Gone when dropped, unless it was renamed.
struct Draft(PathBuf);

impl Draft {
    fn write(beside: &Path, ring: &KeyRing) -> Result<Self, Error> {
        let mut nonce = [0; 8];
        SystemEntropy.fill(&mut nonce);
        let draft = Self(beside.with_extension(format!("{:016x}.new", u64::from_le_bytes(nonce))));
        data::write_new_private(&draft.0, ring.to_text().as_bytes())
            .map_err(|error| format!("{}: {error}", draft.0.display()))?;
        Ok(draft)
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // After a rename there is nothing to remove.
        let _ = fs::remove_file(&self.0);
    }
}

/// The text of a file that nobody but its owner can read.
fn read_private(path: &Path) -> std::io::Result<Zeroizing<String>> {
    if fs::metadata(path)?.permissions().mode() & 0o077 != 0 {
        return Err(std::io::Error::other("others can read it; run chmod 600 on it"));
    }
    fs::read_to_string(path).map(Zeroizing::new)
}

fn sync_folder(path: &Path) -> std::io::Result<()> {
    File::open(folder_of(path))?.sync_all()
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."))
}
