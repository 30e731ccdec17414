//! Between Declarative and Jenkins' JSON model, both ways, as the pipeline-model-converter does; and to YAML.

mod groovy;
mod json;

pub use groovy::to_jenkinsfile;
pub(crate) use json::model_json;
