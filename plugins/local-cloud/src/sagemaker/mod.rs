//! SageMaker: jobs, registry, models, endpoints.

use std::sync::Arc;

use axum::http::{HeaderMap, Response};
use bytes::Bytes;
use haliotis_model::Value;

use crate::{AwsError, Config, OpenError, s3};

/// Jobs, registry, endpoints.
pub struct SageMaker;

impl SageMaker {
    /// Opens the state below the data folder and takes up interrupted work.
    ///
    /// # Errors
    /// When the folder cannot be used.
    pub async fn open(_config: &Config, _s3: Arc<s3::Store>) -> Result<Arc<Self>, OpenError> {
        Ok(Arc::new(Self))
    }

    /// Carries out one operation of the JSON 1.1 protocol, as `CreateTrainingJob`.
    ///
    /// # Errors
    /// What AWS would answer.
    pub async fn call(self: &Arc<Self>, operation: &str, _input: Value) -> Result<Value, AwsError> {
        Err(AwsError::unknown_operation("SageMaker", operation))
    }

    /// InvokeEndpoint of the runtime.
    ///
    /// # Errors
    /// What AWS would answer.
    pub async fn invoke(
        self: &Arc<Self>,
        endpoint: &str,
        _headers: &HeaderMap,
        _body: Bytes,
    ) -> Result<Response<Bytes>, AwsError> {
        Err(AwsError::validation(format!("Endpoint {endpoint} of account 000000000000 not found.")))
    }
}
