//! What an administrator does. Every call is judged by the permission table and the outranking rule (ADM-7).

use super::Service;

/// What an administrator does.
#[derive(Debug, Clone, Copy)]
pub struct Administrator<'a> {
    #[allow(dead_code)]
    service: &'a Service,
}

impl<'a> Administrator<'a> {
    pub(crate) const fn new(service: &'a Service) -> Self {
        Self { service }
    }
}
