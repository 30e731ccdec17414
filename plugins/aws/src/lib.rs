//! Steps that talk to AWS, or to the local cloud, which speaks the same protocols: one file per step, one client set-up.
//!
//! Local or AWS is a matter of [`haliotis_plugin_api::CloudSettings`] alone: no step branches on it, but for what only
//! one of the two has (job logs by HTTP, buckets made on demand, image names without a registry).
//!
//! **Idempotence.** A remote thing's name, or a token inside it, derives from the step key (`names`), so `start` looks
//! before it makes, and `attach` needs nothing that a restart could lose. The log position and the like are kept in the
//! attempt's scratch folder; losing them costs repeated log lines, no more.

mod arguments;
mod clients;
mod cloudformation;
mod codebuild;
mod error;
mod follow;
mod image;
mod jenkins;
mod job_log;
mod names;
pub mod registry;
mod roles;
mod sagemaker;
mod signed;
mod storage;
pub mod traffic;
mod uploads;

pub use clients::{Clients, clients};
use haliotis_plugin_api::StepRunner;
pub use names::{job as job_name, tag_value};
pub use roles::{Role, Taken, assume_role};

/// All AWS steps, by name.
pub const STEPS: &[&dyn StepRunner] = &[
    &jenkins::Call,
    &cloudformation::Deploy,
    &codebuild::Start,
    &sagemaker::Evaluate,
    &sagemaker::Processing,
    &sagemaker::RegisterModel,
    &sagemaker::TestEndpoint,
    &sagemaker::Training,
    &sagemaker::Transform,
];

/// All AWS steps, by name.
pub fn steps() -> Vec<&'static dyn StepRunner> {
    STEPS.to_vec()
}

#[cfg(test)]
mod tests {
    use super::STEPS;

    #[test]
    fn the_list_is_sorted_and_documented() {
        assert!(STEPS.is_sorted_by_key(|step| step.schema().name));
        for step in STEPS {
            let schema = step.schema();
            assert!(schema.cloud && schema.doc.ends_with('.') && !schema.example.is_empty(), "{}", schema.name);
            for argument in &schema.arguments {
                assert!(argument.doc.ends_with('.'), "{}: {}", schema.name, argument.name);
            }
        }
    }
}
