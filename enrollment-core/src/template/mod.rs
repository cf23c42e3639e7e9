//! Texts that administrators write and people read.
