//! Secrets: their types, how they are derived, kept and checked.
