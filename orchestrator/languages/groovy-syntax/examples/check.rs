//! Parses files, or the cases of a file divided by lines of `====`, and says of each whether it is Groovy.

#![expect(clippy::print_stdout, clippy::disallowed_methods, reason = "an example reads files and prints")]

fn main() {
    let mut cases = false;
    for path in std::env::args().skip(1) {
        if path == "--cases" {
            cases = true;
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        let parts: Vec<&str> = if cases { text.split("\n====\n").collect() } else { vec![&text] };
        for part in parts {
            let shown = if cases { part.replace('\n', "\\n") } else { path.clone() };
            match haliotis_groovy_syntax::parse(part, "x.groovy") {
                Ok(_) => println!("OK    | {shown}"),
                Err(errors) => {
                    let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
                    println!("FAIL  | {shown} | {errors:?}");
                }
            }
        }
    }
}
