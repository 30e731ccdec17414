//! Which local runtime stands for a container image.
//!
//! `sagemaker-scikit-learn:*` and `sagemaker-xgboost:*`, with or without a registry host before the name. The version
//! in the tag decides what the real images decide by it; the installed libraries are those of `requirements.txt`.

use crate::error::AwsError;

/// A framework we can run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framework {
    ScikitLearn,
    XGBoost,
}

/// An image, understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Image {
    pub(crate) framework: Framework,
    /// Major and minor of the tag, as `(1, 0)` of `1.0-1-cpu-py3`.
    pub(crate) version: (u32, u32),
}

impl Image {
    /// Reads an image URI.
    ///
    /// # Errors
    /// `ValidationException` for an image without a local runtime, naming those that have one.
    pub(crate) fn parse(uri: &str) -> Result<Self, AwsError> {
        let name = uri.rsplit('/').next().unwrap_or(uri);
        let (repository, tag) = name.split_once(':').unwrap_or((name, ""));
        let framework = match repository {
            "sagemaker-scikit-learn" => Framework::ScikitLearn,
            "sagemaker-xgboost" => Framework::XGBoost,
            _ => return Err(unknown(uri)),
        };
        let version = read_version(tag).ok_or_else(|| {
            AwsError::validation(format!(
                "The image {uri} has no version that can be understood; write one as {repository}:1.2-1"
            ))
        })?;
        Ok(Self { framework, version })
    }

    /// XGBoost images up to 1.2 pickle the booster; later ones save it in XGBoost's own format.
    pub(crate) fn pickles_model(self) -> bool {
        self.framework == Framework::XGBoost && self.version < (1, 3)
    }

    /// Word for the Python side.
    pub(crate) fn word(self) -> &'static str {
        match self.framework {
            Framework::ScikitLearn => "sklearn",
            Framework::XGBoost => "xgboost",
        }
    }

    /// `1.0`, for the Python side.
    pub(crate) fn version_text(self) -> String {
        format!("{}.{}", self.version.0, self.version.1)
    }
}

fn unknown(uri: &str) -> AwsError {
    AwsError::validation(format!(
        "The local cloud has no runtime for the image {uri}; it runs sagemaker-scikit-learn:* and sagemaker-xgboost:*, \
         with or without a registry before the name"
    ))
}

fn read_version(tag: &str) -> Option<(u32, u32)> {
    let head = tag.split('-').next()?;
    let mut numbers = head.split('.');
    let major = numbers.next()?.parse().ok()?;
    let minor = numbers.next().map_or(Some(0), |minor| minor.parse().ok())?;
    Some((major, minor))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_with_and_without_a_registry() {
        let image = Image::parse("registry.example/sagemaker-xgboost:1.0-1-cpu-py3").unwrap();
        assert_eq!((image.framework, image.version), (Framework::XGBoost, (1, 0)));
        assert!(image.pickles_model());
        assert!(Image::parse("sagemaker-xgboost:1.2-2").unwrap().pickles_model());
        assert!(!Image::parse("sagemaker-xgboost:1.3-1").unwrap().pickles_model());
        assert!(!Image::parse("sagemaker-xgboost:1.7-1").unwrap().pickles_model());
        assert_eq!(Image::parse("sagemaker-scikit-learn:0.23-1").unwrap().version_text(), "0.23");
    }

    #[test]
    fn others_are_refused_by_name() {
        let error = Image::parse("registry.example/pytorch-training:2.0").unwrap_err();
        assert!(error.message.contains("no runtime for the image registry.example/pytorch-training:2.0"));
        assert!(Image::parse("sagemaker-xgboost:latest").unwrap_err().message.contains("sagemaker-xgboost:1.2-1"));
    }
}
