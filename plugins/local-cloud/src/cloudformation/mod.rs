//! CloudFormation: stacks of SageMaker resources.

use std::sync::Arc;

use crate::{Config, OpenError, s3, sagemaker};

/// The stacks.
pub struct CloudFormation;

impl CloudFormation {
    /// Opens the stacks of the data folder.
    pub(crate) fn open(
        _config: &Config,
        _sagemaker: Arc<sagemaker::SageMaker>,
        _s3: Arc<s3::Store>,
    ) -> Result<Arc<Self>, OpenError> {
        Ok(Arc::new(Self))
    }

    /// Answers one action.
    pub(crate) async fn call(&self, action: &str, _params: &crate::params::Params) -> Result<String, crate::AwsError> {
        Err(crate::AwsError::unknown_operation("CloudFormation", action))
    }
}
