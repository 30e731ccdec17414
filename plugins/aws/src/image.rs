//! Which image a job runs.

use haliotis_plugin_api::StepError;

use crate::Clients;

/// An image as the cloud takes it.
///
/// The local cloud maps short names as `sagemaker-xgboost:1.7-1` to its runtimes. AWS wants the full registry URI; the
/// account ids of AWS' own registries differ per region and are not carried here, so a short name is an error there.
pub(crate) fn resolved(clients: &Clients, image: &str) -> Result<String, StepError> {
    let full = image.split_once('/').is_some_and(|(host, _)| host.contains('.'));
    if full || clients.is_local() {
        return Ok(image.to_owned());
    }
    let region = &clients.cloud.region;
    Err(StepError::Usage(format!(
        "the image `{image}` is a short name, which only the local cloud knows; for AWS give the full URI, as \
         ACCOUNT.dkr.ecr.{region}.amazonaws.com/{image} (the account is in AWS' list \"Docker registry paths\" for {region})"
    )))
}

#[cfg(test)]
mod tests {
    use haliotis_plugin_api::CloudSettings;

    use super::*;
    use crate::clients;

    #[tokio::test]
    async fn short_names_are_local() {
        let full = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/sagemaker-xgboost:1.7-1";
        let mut cloud = CloudSettings { region: "eu-west-1".to_owned(), ..CloudSettings::default() };
        let aws = clients(&cloud).await.unwrap();
        assert_eq!(resolved(&aws, full).unwrap(), full);
        let error = resolved(&aws, "sagemaker-xgboost:1.7-1").unwrap_err().to_string();
        assert!(error.contains("ACCOUNT.dkr.ecr.eu-west-1.amazonaws.com/sagemaker-xgboost:1.7-1"), "{error}");
        cloud.endpoint_url = Some("http://127.0.0.1:9".to_owned());
        let local = clients(&cloud).await.unwrap();
        assert_eq!(resolved(&local, "sagemaker-xgboost:1.7-1").unwrap(), "sagemaker-xgboost:1.7-1");
    }
}
