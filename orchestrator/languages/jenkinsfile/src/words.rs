//! Jenkins' own sentences, so that people and tools find what they know.

/// Post conditions in the order in which they run.
pub(crate) const CONDITIONS: [&str; 11] = [
    "always",
    "changed",
    "fixed",
    "regression",
    "aborted",
    "success",
    "unsuccessful",
    "unstable",
    "failure",
    "notBuilt",
    "cleanup",
];

/// Conditions of `when`, in the order in which Jenkins lists them.
pub(crate) const WHEN: [&str; 14] = [
    "allOf",
    "anyOf",
    "branch",
    "buildingTag",
    "changeRequest",
    "changelog",
    "changeset",
    "environment",
    "equals",
    "expression",
    "isRestartedRun",
    "not",
    "tag",
    "triggeredBy",
];

/// What a step that needs a node says without one.
pub(crate) const NO_NODE: &str = "Attempted to execute a step that requires a node context while ‘agent none’ was specified. Be sure to specify your own ‘node { ... }’ blocks when using ‘agent none’.";

pub(crate) fn list(names: &[&str]) -> String {
    format!("[{}]", names.join(", "))
}

macro_rules! sentences {
    ($($name:ident($($arg:ident),*) $text:literal;)*) => {
        $(
            pub(crate) fn $name($($arg: &str),*) -> String {
                format!($text)
            }
        )*
    };
}

sentences! {
    agent_in_parallel(stage) "\"agent\" is not allowed in stage \"{stage}\" as it contains parallel stages";
    bad_pod(why) "The yaml of agent \"kubernetes\" is no Pod: {why}";
    bare_dollar(source) "{source} cannot be used as a value directly. Did you mean \"{source}\"?";
    big_integer() "BigIntegers cannot be used as constants in Declarative. The maximum value for an integer is 9,223,372,036,854,775,807 and the minimum value for an integer is -9,223,372,036,854,775,808.";
    blocked_step(step, why) "Invalid step \"{step}\" used - not allowed in this context - {why}";
    both_yamls() "Only one of \"yaml\" and \"yamlFile\" is allowed for agent \"kubernetes\"";
    closure_argument() "Method call arguments";
    code_without_block(what) "{what} step without a block";
    dockerfile_separator() "Dockerfile filename cannot contain directory separators.";
    duplicate_axis(name) "Duplicate axis name: \"{name}\"";
    duplicate_axis_value(value) "Duplicate axis value: \"{value}\"";
    duplicate_branch(name) "Duplicate parallel branch name: \"{name}\"";
    duplicate_condition(name) "Duplicate build condition name: \"{name}\"";
    duplicate_named(name) "Duplicate named parameter '{name}' found";
    duplicate_option(name) "Duplicate option name: \"{name}\"";
    duplicate_stage(name) "Duplicate stage name: \"{name}\"";
    duplicate_trigger(name) "Duplicate trigger name: \"{name}\"";
    duplicate_variable(name) "Duplicate environment variable name: \"{name}\"";
    empty_section(name) "{name} can not be empty";
    empty_when() "Empty when closure, remove the property or add some content.";
    environment_concatenation() "Environment variable values to be concatenated together must be single or double quoted.";
    environment_operation() "Environment variable values can only be joined together with ‘+’s.";
    environment_value() "Environment variable values must either be single quoted, double quoted, or function calls.";
    expected_agent() "Expected an agent";
    expected_block() "Expected a block";
    expected_block_for(section) "Expected a block for {section}";
    expected_boolean(name) "Expected a boolean with {name}";
    expected_closure() "Expected closure or failFast";
    expected_library(found) "Expected a \"lib(...)\" but got {found}";
    expected_literal(found) "Expected string literal but got {found}";
    expected_map_method() "Expected to find ‘someKey \"someValue\"’";
    expected_pairs() "Expected name=value pairs";
    expected_stage() "Expected a stage";
    expected_stage_name() "Expected a stage name but did not find any";
    expected_step() "Expected a step";
    expected_string() "Expected string literal";
    expected_symbol() "Expected a symbol";
    expected_tool() "Expected to find ‘someTool \"someVersion\"’";
    expected_when() "Expected a when condition";
    function_arguments() "Internal function call parameters must be strings.";
    invalid_agent() "Only \"agent none\", \"agent any\" or \"agent {{...}}\" are allowed.";
    invalid_agent_parameter(key, agent, valid) "Invalid config option \"{key}\" for agent type \"{agent}\". Valid config options are {valid}";
    invalid_agent_type(agent, valid) "Invalid agent type \"{agent}\" specified. Must be one of {valid}";
    invalid_environment_identifier(text) "\"{text}\" is not a valid environment expression. Use \"key = value\" pairs with valid Java/shell keys.";
    invalid_identifier(name) "\"{name}\" is not a valid identifier and cannot be used for an environment variable. Identifiers must start with a letter or underscore and can contain only letters, numbers or underscores.";
    invalid_input_field(name) "Not a valid field for input: \"{name}\"";
    invalid_parameter(name, nearest) "Invalid parameter \"{name}\", did you mean \"{nearest}\"?";
    invalid_parameter_type(wanted, name, value, got) "Expecting \"{wanted}\" for parameter \"{name}\" but got \"{value}\" of type {got} instead";
    invalid_section(text) "Not a valid section definition: \"{text}\". Some extra configuration is required.";
    invalid_section_type(kind, name, valid) "Invalid {kind} type \"{name}\". Valid {kind} types: {valid}";
    invalid_stage_section(text) "Not a valid stage section definition: \"{text}\". Some extra configuration is required.";
    invalid_unnamed_type(wanted, value, got) "Expecting \"{wanted}\" but got \"{value}\" of type {got} instead";
    missing_agent_parameter(agent, name) "Missing required parameter for agent type \"{agent}\": {name}";
    missing_input_message() "No message specified for input";
    missing_parameter(name) "Missing required parameter: \"{name}\"";
    missing_section(name) "Missing required section \"{name}\"";
    mixed_arguments() "Cannot mix named and unnamed arguments";
    multiple(name) "Multiple occurrences of the {name} section";
    must_be_named(step) "Arguments to \"{step}\" must be explicitly named.";
    nested_parallel() "Parallel stages or branches can only be included in a top-level stage.";
    nested_when_arguments(name) "No additional arguments are allowed for children when condition \"{name}\".";
    nested_when_count(name, count) "Nested when condition \"{name}\" requires exactly {count} child condition(s).";
    nested_when_empty(name) "Nested when condition \"{name}\" requires at least one child condition.";
    nested_when_refused(name) "No children when conditions are allowed for when condition \"{name}\".";
    no_agent_argument() "No argument for agent";
    no_argument(kind, name) "No argument for {kind} \"{name}\"";
    no_axes() "No axes specified";
    no_blocks(section) "{section} definitions cannot have blocks";
    no_excludes() "No excludes specified";
    no_kubernetes() "agent \"kubernetes\" is checked, and this server has no Kubernetes launcher yet: a build fails when it comes to this agent";
    no_maps(section) "{section} cannot be defined as maps";
    no_stages() "No stages specified";
    no_steps() "No steps specified for branch";
    no_tools() "No tools specified";
    no_variables() "No variables specified for environment";
    not_single() "Step does not take a single required parameter - use named parameters instead";
    nothing_in_stage(stage) "Expected one of \"steps\", \"stages\", or \"parallel\" for stage \"{stage}\"";
    object_method_call() "Method calls on objects not allowed outside \"script\" blocks.";
    one_agent() "Only one agent type is allowed per agent section";
    pipeline_not_at_top() "pipeline block must be at the top-level, not within another block.";
    several_in_stage(stage) "Only one of \"matrix\", \"parallel\", \"stages\", or \"steps\" allowed for stage \"{stage}\"";
    stage_without_block() "Stage does not have a block";
    step_without_block(step) "Expected a block with the \"{step}\" step";
    too_many_arguments(kind, name) "Too many arguments for {kind} key \"{name}\"";
    tools_in_parallel(stage) "\"tools\" is not allowed in stage \"{stage}\" as it contains parallel stages";
    undefined_section(name) "Undefined section \"{name}\"";
    unknown_condition(name, valid) "Invalid condition \"{name}\" - valid conditions are {valid}";
    unknown_stage_section(name) "Unknown stage section \"{name}\". Starting with version 0.5, steps in a stage must be in a ‘steps’ block.";
    unknown_when(name, valid) "Unknown conditional {name}. Valid conditionals are: {valid}";
    wrong_count(name, wanted, got) "\"{name}\" should have {wanted} arguments but has {got} arguments instead.";
}

/// Something stands in `post` that is no condition.
pub(crate) fn invalid_condition() -> String {
    format!(
        "The ‘post’ section can only contain build condition names with code blocks. Valid condition names are {}",
        list(&CONDITIONS)
    )
}

/// A section of an early version.
pub(crate) fn renamed(name: &str) -> String {
    match name {
        "properties" => {
            "The ‘properties’ section has been renamed as of version 0.8. Use ‘options’ instead.".to_owned()
        }
        "jobProperties" => {
            "The ‘jobProperties’ section has been renamed as of version 0.7. Use ‘properties’ instead.".to_owned()
        }
        "notifications" => {
            "The ‘notifications’ section has been removed as of version 0.6. Use ‘post’ for all post-build actions."
                .to_owned()
        }
        "postBuild" => {
            "The ‘postBuild’ section has been renamed as of version 0.6. Use ‘post’ for all post-build actions."
                .to_owned()
        }
        _ => format!("The '{name}' section has been removed as of version 0.8. Use 'options' instead."),
    }
}
