//! Changing fields one by one, and knowing which.

/// The names of the fields that a patch changed, as the audit log lists them.
#[derive(Debug, Default)]
pub(super) struct Changed(pub(super) Vec<String>);

impl Changed {
    /// Puts `value` into the field, when one is given that is not there already.
    pub(super) fn set<T: PartialEq>(&mut self, field: &mut T, value: Option<T>, name: &str) {
        if let Some(value) = value
            && *field != value
        {
            *field = value;
            self.0.push(name.to_owned());
        }
    }

    /// Whether there is nothing to write.
    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
