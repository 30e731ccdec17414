//! What a script generates.

use serde::Serialize;

/// A kind of item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ItemKind {
    /// `folder`
    Folder,
    /// `pipelineJob`
    Pipeline,
    /// `job`, `freeStyleJob`
    Freestyle,
    /// `multibranchPipelineJob`
    Multibranch,
    /// `organizationFolder`
    OrganizationFolder,
    /// `listView`
    ListView,
    /// `nestedView`
    NestedView,
}

impl ItemKind {
    /// Whether it is a view and no item of Jenkins' tree.
    pub const fn is_view(self) -> bool {
        matches!(self, Self::ListView | Self::NestedView)
    }
}

/// One generated item.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Item {
    /// Its full name, folders by `/`, without a leading one.
    pub name: String,
    /// What it is.
    pub kind: ItemKind,
    /// What it says, for people and for whoever registers it.
    pub summary: Summary,
    /// What was accepted and has no effect: `configure`, plug-ins' methods that are not translated.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// Jenkins' config.xml.
    pub config: String,
}

/// The parts of an item that Haliotis acts on.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Summary {
    /// Its description.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Where its definition or its sources come from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
    /// Path of the Jenkinsfile in the repository.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub script_path: Option<String>,
    /// The Jenkinsfile itself, of `cps`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub script: Option<String>,
    /// Parameters in their order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub parameters: Vec<Parameter>,
    /// Triggers as `kind: specification`, such as `scm: * * * * *`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub triggers: Vec<String>,
    /// The word that starts it by URL.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// No build starts.
    pub disabled: bool,
    /// Builds may overlap.
    pub concurrent: bool,
}

/// A Git repository.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Source {
    /// URL; nothing where the script left it out.
    pub url: String,
    /// Branch specifications.
    pub branches: Vec<String>,
    /// Id of the credential.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credential: Option<String>,
}

/// A parameter of a job.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Parameter {
    /// Its name.
    pub name: String,
    /// Simple name of Jenkins' class without `ParameterDefinition`: `String`, `Boolean`, `Credentials`.
    pub kind: String,
    /// Its default, as text.
    pub default: String,
    /// For people.
    pub description: String,
}
