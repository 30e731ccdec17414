//! Our table of members against botocore's model of the service: every name we take is AWS', and so is what we require.

use crate::bed::python_env;

const SCRIPT: &str = r##"
import sys, botocore.session
model = botocore.session.get_session().get_service_model("sagemaker")
problems, count = [], 0
blocks, current = {}, None
for line in open(sys.argv[1]):
    line = line.rstrip("\n")
    if not line.strip() or line.startswith("#"): continue
    if line.startswith("  "): blocks[current].append(line.split()[:2])
    elif " = " in line: name, like = line.split(" = "); blocks[name] = blocks[like]
    else: current = line; blocks[current] = []
def visit(path, block, shape):
    global count
    for name, kind in blocks[block]:
        required, name = name.endswith("!"), name.rstrip("!")
        if name not in shape.members:
            # Newer than the pinned botocore.
            if (block, name) not in NEWER: problems.append(f"{path}: AWS has no member {name}")
            continue
        count += 1
        if (name in shape.required_members) and not required: problems.append(f"{path}.{name}: AWS requires it")
        inner = shape.members[name]
        kind = kind.strip("[")
        kind = kind.split("]")[0].split("(")[0]
        while inner.type_name == "list": inner = inner.member
        if kind in blocks and inner.type_name == "structure" and f"{path}.{name}".count(".") < 8: visit(f"{path}.{name}", kind, inner)
    missing = [m for m in shape.members if m not in [n.rstrip("!") for n, _ in blocks[block]]]
    if missing: problems.append(f"{path}: AWS also knows {missing}")
NEWER = {("DataSource", "DatasetSource"), ("PackageContainer", "IsCheckpoint"), ("PackageContainer", "BaseModel"), ("CreateEndpointConfig", "MetricsConfig"), ("StartPipelineExecution", "MlflowExperimentName")}
for block in blocks:
    if block in model.operation_names: visit(block, block, model.operation_model(block).input_shape)
print(count, "members compared")
print("\n".join(problems))
sys.exit(bool(problems))
"##;

#[tokio::test]
async fn our_members_are_those_of_aws() {
    let table = concat!(env!("CARGO_MANIFEST_DIR"), "/src/sagemaker/shapes.txt");
    let python = python_env().await;
    let output = tokio::process::Command::new(python.interpreter).args(["-c", SCRIPT, table]).output().await.unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    let compared: u32 = said.split(' ').next().unwrap().parse().unwrap();
    assert!(compared > 300, "{said}");
}
