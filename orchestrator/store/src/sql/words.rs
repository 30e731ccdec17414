//! Enumerations as the words that stand in columns. The words are for ever; a test compares them with those of JSON.

use haliotis_model::BuildStatus;

const STATUSES: [(BuildStatus, &str); 4] = [
    (BuildStatus::Queued, "queued"),
    (BuildStatus::Running, "running"),
    (BuildStatus::Waiting, "waiting"),
    (BuildStatus::Ended, "ended"),
];

/// The word of a state.
pub(crate) fn status(status: BuildStatus) -> &'static str {
    match status {
        BuildStatus::Queued => "queued",
        BuildStatus::Running => "running",
        BuildStatus::Waiting => "waiting",
        BuildStatus::Ended => "ended",
    }
}

/// The state of a word.
pub(crate) fn parse_status(word: &str) -> Option<BuildStatus> {
    STATUSES.iter().find(|(_, name)| *name == word).map(|(status, _)| *status)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_those_of_json_and_read_back() {
        for (value, word) in STATUSES {
            assert_eq!(status(value), word);
            assert_eq!(parse_status(word), Some(value));
            assert_eq!(serde_json::to_value(value).unwrap(), word);
        }
        assert_eq!(parse_status("lost"), None);
    }
}
