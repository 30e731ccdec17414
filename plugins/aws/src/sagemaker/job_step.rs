//! What all job steps do alike: look for the job of the key, create it if absent, follow, stop.

use haliotis_model::StepOutput;
use haliotis_plugin_api::{Started, StepContext, StepError};

use crate::error::is_present;
use crate::follow::{self, Job};
use crate::{Clients, clients, names};
use aws_sdk_sagemaker::error::{ProvideErrorMetadata, SdkError};

/// `start` of a job step. `create` is called only when no job of the key's name is there.
///
/// No handle: the name derives from the key, and a handle would cost a commit.
pub(crate) async fn start<F>(
    ctx: &StepContext,
    job: &dyn Job,
    create: impl FnOnce(std::sync::Arc<Clients>, String) -> F,
) -> Result<Started, StepError>
where
    F: Future<Output = Result<(), StepError>>,
{
    let clients = clients(&ctx.cloud).await?;
    follow::introduce(ctx, &clients).await?;
    let name = names::job(ctx);
    if job.look(&clients, &name).await?.is_some() {
        return Ok(Started::default());
    }
    create(std::sync::Arc::clone(&clients), name.clone()).await?;
    follow::announce(ctx, &clients, job, &name);
    Ok(Started::default())
}

/// `attach` of a job step.
pub(crate) async fn attach(ctx: &StepContext, job: &dyn Job) -> Result<StepOutput, StepError> {
    let clients = clients(&ctx.cloud).await?;
    let look = follow::follow(ctx, &clients, job).await?;
    Ok(follow::verdict(job.kind(), &names::job(ctx), look))
}

/// `cancel` of a job step.
pub(crate) async fn cancel(ctx: &StepContext, job: &dyn Job) -> Result<(), StepError> {
    let clients = clients(&ctx.cloud).await?;
    job.stop(&clients, &names::job(ctx)).await
}

/// The result of a create call: a job of that name that is there already was made by our own first call.
pub(crate) fn created<T, E>(result: Result<T, SdkError<E>>, clients: &Clients, what: &str) -> Result<(), StepError>
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    use crate::error::Told;
    match result {
        Err(error) if is_present(&error) => Ok(()),
        other => other.told(&clients.cloud, what).map(drop),
    }
}

/// The result of a stop call: a job that has ended cannot be stopped, which is as good.
pub(crate) fn stopped<T, E>(result: Result<T, SdkError<E>>, clients: &Clients, what: &str) -> Result<(), StepError>
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    use crate::error::Told;
    match result {
        Err(error) if matches!(error.code(), Some("ValidationException" | "ResourceNotFound")) => {
            tracing::debug!(code = error.code(), message = error.message(), "{what}: it has ended or never was");
            Ok(())
        }
        other => other.told(&clients.cloud, what).map(drop),
    }
}
