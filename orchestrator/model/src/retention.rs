//! How long builds, their logs and their artifacts are kept.

use serde::{Deserialize, Serialize};

/// What is kept of a pipeline's builds. A part that says nothing keeps everything; of two limits the stricter counts.
///
/// Jenkins' `logRotator` has `builds`, `days` and the two of artifacts; see [`Retention::log_rotator`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Retention {
    /// The newest builds; older ones go with their logs and artifacts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub builds: Option<u32>,
    /// Builds that ended less than so many days ago.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub days: Option<u32>,
    /// Logs of so many builds; the builds themselves stay.
    #[serde(default, skip_serializing_if = "Kept::is_all")]
    pub logs: Kept,
    /// Artifacts of so many builds; the builds themselves stay.
    #[serde(default, skip_serializing_if = "Kept::is_all")]
    pub artifacts: Kept,
}

/// A limit by count and by age.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kept {
    /// Of the newest builds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub builds: Option<u32>,
    /// Of builds that ended less than so many days ago.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub days: Option<u32>,
}

impl Kept {
    /// No limit.
    pub fn is_all(&self) -> bool {
        self.builds.is_none() && self.days.is_none()
    }
}

impl Retention {
    /// No limit at all.
    pub fn keeps_all(&self) -> bool {
        *self == Retention::default()
    }

    /// From the four texts of Jenkins' `LogRotator` (`daysToKeep`, `numToKeep`, `artifactDaysToKeep`,
    /// `artifactNumToKeep`). As there, an empty text, `-1`, `0` and whatever is no number mean: no limit.
    pub fn log_rotator(days: &str, builds: &str, artifact_days: &str, artifact_builds: &str) -> Retention {
        let limit = |text: &str| text.trim().parse::<u32>().ok().filter(|limit| *limit > 0);
        Retention {
            builds: limit(builds),
            days: limit(days),
            logs: Kept::default(),
            artifacts: Kept { builds: limit(artifact_builds), days: limit(artifact_days) },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_rotator_and_json() {
        let rotator = Retention::log_rotator("30", "-1", "", " 5 ");
        let artifacts = Kept { builds: Some(5), days: None };
        assert_eq!(rotator, Retention { days: Some(30), artifacts, ..Retention::default() });
        let text = serde_json::to_string(&rotator).unwrap();
        assert_eq!(text, r#"{"days":30,"artifacts":{"builds":5}}"#);
        assert_eq!(serde_json::from_str::<Retention>(&text).unwrap(), rotator);
        assert!(Retention::log_rotator("0", "x", "-1", "").keeps_all());
        assert!(serde_json::from_str::<Retention>(r#"{"build": 3}"#).is_err(), "a misspelt limit is no limit");
    }
}
