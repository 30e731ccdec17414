//! The templates are data inside the binary: a new file among them makes it be built again.

fn main() {
    println!("cargo:rerun-if-changed=abalone-model-build");
    println!("cargo:rerun-if-changed=abalone-model-deploy");
}
