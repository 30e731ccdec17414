//! Between Declarative and Jenkins' JSON model, both ways, as the pipeline-model-converter does; and to YAML.

mod groovy;
mod json;
mod yaml;

pub use groovy::to_jenkinsfile;
pub(crate) use json::{literal_json, model_json};
pub(crate) use yaml::of as model_yaml;
