//! Who asks.

use crate::{Config, OpenError};

/// Known access keys.
pub(crate) struct Credentials;

impl Credentials {
    pub(crate) fn open(_config: &Config) -> Result<Self, OpenError> {
        Ok(Self)
    }
}
