//! SageMaker's steps: jobs, the model registry, endpoints.

mod endpoint_test;
mod evaluate;
mod job_step;
mod processing;
mod register_model;
mod score;
mod training;
mod transform;

pub(crate) use endpoint_test::TestEndpoint;
pub(crate) use evaluate::Evaluate;
pub(crate) use processing::Processing;
pub(crate) use register_model::RegisterModel;
pub(crate) use training::Training;
pub(crate) use transform::Transform;
