//! QR codes, read off the screen as a phone does.

use std::process::Command;

use crate::driver::Browser;

impl Browser {
    /// What the QR code in this part of the page says to whoever scans it.
    pub(crate) fn scan(&self, css: &str) -> String {
        let folder = tempfile::tempdir().expect("a folder");
        let picture = folder.path().join("code.png");
        std::fs::write(&picture, self.picture_of(css)).expect("the folder is writable");
        let read =
            Command::new("zbarimg").args(["--quiet", "--raw", "-Sdisable", "-Sqrcode.enable"]).arg(&picture).output();
        let read = read.expect("zbarimg (Debian package zbar-tools)");
        assert!(read.status.success(), "{css}: {}", String::from_utf8_lossy(&read.stderr));
        let text = String::from_utf8(read.stdout).expect("text");
        // It ends what it read with a line break of its own.
        text.strip_suffix('\n').expect("a line").to_owned()
    }
}
