//! The parameters of the query protocol: `Tags.member.1.Key=…`, form-encoded.

use std::collections::BTreeMap;

use crate::auth::decode;

/// Members of one list that are looked at; CloudFormation's own limits are far lower.
const MAX_MEMBERS: usize = 1000;

/// Decoded parameters by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Params(BTreeMap<String, String>);

impl Params {
    /// Parses a form-encoded body.
    pub(crate) fn parse(body: &str) -> Self {
        let pairs =
            body.split('&').filter(|pair| !pair.is_empty()).map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        let plain = |text: &str| decode(&text.replace('+', " "));
        Self(pairs.map(|(name, value)| (plain(name), plain(value))).collect())
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// A parameter with text in it.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.get(name).filter(|text| !text.is_empty())
    }

    pub(crate) fn flag(&self, name: &str) -> bool {
        self.get(name).is_some_and(|text| text.eq_ignore_ascii_case("true"))
    }

    /// The texts of `name.member.N`, in order.
    pub(crate) fn texts(&self, name: &str) -> Vec<String> {
        (1..=MAX_MEMBERS).map_while(|index| self.get(&format!("{name}.member.{index}"))).map(str::to_owned).collect()
    }

    /// The fields of each `name.member.N`, in order.
    pub(crate) fn members(&self, name: &str) -> Vec<Params> {
        let mut members = Vec::new();
        for index in 1..=MAX_MEMBERS {
            let beginning = format!("{name}.member.{index}.");
            let fields: BTreeMap<_, _> = self
                .0
                .range(beginning.clone()..)
                .take_while(|(key, _)| key.starts_with(&beginning))
                .map(|(key, value)| (key[beginning.len()..].to_owned(), value.clone()))
                .collect();
            if fields.is_empty() {
                break;
            }
            members.push(Params(fields));
        }
        members
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_come_in_order() {
        let params = Params::parse(
            "Action=X&Tags.member.1.Key=a+b&Tags.member.1.Value=1&Tags.member.2.Key=%C3%A9&Capabilities.member.1=C&Flag=true",
        );
        let keys: Vec<_> =
            params.members("Tags").iter().map(|tag| tag.get("Key").unwrap_or_default().to_owned()).collect();
        assert_eq!(keys, ["a b", "é"]);
        assert_eq!(params.texts("Capabilities"), ["C"]);
        assert!(params.flag("Flag") && !params.flag("Other"));
    }
}
