//! The services around SageMaker that its pipelines and events reach: queues, functions, rules.

use std::sync::Arc;

use crate::events::Events;
use crate::lambda::Lambda;
use crate::sqs::Sqs;
use crate::{Config, OpenError};

/// The open services.
#[derive(Clone)]
pub(crate) struct Neighbours {
    pub(crate) sqs: Arc<Sqs>,
    pub(crate) lambda: Arc<Lambda>,
    pub(crate) events: Arc<Events>,
}

impl Neighbours {
    /// Opens their state below the data folder, and takes up what was to be delivered.
    pub(crate) fn open(config: &Config) -> Result<Self, OpenError> {
        let sqs = Arc::new(Sqs::open(config)?);
        let lambda = Arc::new(Lambda::open(config)?);
        let events = Events::open(config, Arc::clone(&sqs), Arc::clone(&lambda))?;
        Ok(Self { sqs, lambda, events })
    }

    /// Lets go of everything without stopping any process.
    pub(crate) fn close(&self) {
        self.events.close();
    }
}
