//! Links the binary to a fixed address where it is built for the machine that builds it.
//!
//! It holds some 150,000 pointers to itself (tables of the AWS clients, most of them). Position-independent, each start
//! has to write them all: 700 page faults, 2 ms and 2 MB that no two processes share, and each `haliotis run` starts two.
//! At a fixed address they are in the file. Libraries, heap and stacks stay where chance puts them, as for any program
//! that Go builds; the address of our own code does not.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let target = |name: &str| std::env::var(format!("CARGO_CFG_TARGET_{name}")).unwrap_or_default();
    let native = std::env::var("HOST").is_ok_and(|host| std::env::var("TARGET").is_ok_and(|target| target == host));
    if native && target("OS") == "linux" && target("ENV") == "gnu" {
        println!("cargo:rustc-link-arg-bins=-no-pie");
    }
}
