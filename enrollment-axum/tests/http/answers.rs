//! What every answer has.
