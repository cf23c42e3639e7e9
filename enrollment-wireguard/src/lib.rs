//! Puts the peers of [`enrollment_core`] in force on a WireGuard gateway.
//!
//! [`WgQuickFile`] keeps them in configuration files of wg-quick, one for each location. It needs no rights on the
//! network; the gateway takes over what the file says without interrupting running tunnels by
//!
//! ```sh
//! wg syncconf wg0 <(wg-quick strip ./data/wireguard/wg-0123456789ab.conf)
//! ```
//!
//! which a `systemd.path` unit with `PathChanged=` can run whenever the file changes. Put the `[Interface]` section of
//! the gateway, with its `PrivateKey`, into the file first: `wg syncconf` clears what the file does not name.
//!
//! Unix only, as wg-quick is.

mod configuration;
mod file;
mod replace;

pub use file::WgQuickFile;
