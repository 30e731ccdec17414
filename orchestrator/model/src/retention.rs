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
    /// Days count from when a build was made, as in Jenkins; otherwise from its end, so that one which waited long for a
    /// person is not gone the moment it ends.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub days_from_creation: bool,
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
        self.builds.is_none() && self.days.is_none() && self.logs.is_all() && self.artifacts.is_all()
    }

    /// From the four texts of Jenkins' `LogRotator` (`daysToKeep`, `numToKeep`, `artifactDaysToKeep`,
    /// `artifactNumToKeep`). As there (`hudson/tasks/LogRotator.java`), an empty text, `-1` and whatever is no number mean:
    /// no limit; `0` is one, which leaves the builds that always stay; and days count from when a build was made.
    pub fn log_rotator(days: &str, builds: &str, artifact_days: &str, artifact_builds: &str) -> Retention {
        let limit = |text: &str| text.trim().parse::<u32>().ok();
        Retention {
            builds: limit(builds),
            days: limit(days),
            logs: Kept::default(),
            artifacts: Kept { builds: limit(artifact_builds), days: limit(artifact_days) },
            days_from_creation: true,
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
        assert_eq!(rotator, Retention { days: Some(30), artifacts, days_from_creation: true, ..Retention::default() });
        let text = serde_json::to_string(&rotator).unwrap();
        assert_eq!(text, r#"{"days":30,"artifacts":{"builds":5},"days_from_creation":true}"#);
        assert_eq!(serde_json::from_str::<Retention>(&text).unwrap(), rotator);
        assert!(Retention::log_rotator("-1", "x", "-7", "").keeps_all());
        assert_eq!(Retention::log_rotator("", "0", "", "").builds, Some(0), "nothing but what always stays");
        assert!(serde_json::from_str::<Retention>(r#"{"build": 3}"#).is_err(), "a misspelt limit is no limit");
    }
}
