//! What every command has: where data is, how to speak.

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};

use console::style;

use crate::args::Global;

/// The state shared by all commands.
pub struct Context {
    /// `--data-dir`, if given.
    data_dir: Option<PathBuf>,
    /// `--database`, if given.
    pub database: Option<String>,
    /// Print JSON, for programs.
    pub json: bool,
    /// Neither colours nor moving lines.
    pub plain: bool,
    /// Address of a running server, if given.
    pub server: Option<String>,
    /// Who acts.
    pub user: String,
}

impl Context {
    /// From the global arguments. `NO_COLOR`, `--plain` and a standard error that is no terminal all mean plain.
    pub fn new(global: &Global) -> Self {
        let plain = global.plain || std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        if plain {
            console::set_colors_enabled(false);
            console::set_colors_enabled_stderr(false);
        }
        Self {
            data_dir: global.data_dir.clone(),
            database: global.database.clone(),
            json: global.json,
            plain: plain || !std::io::stderr().is_terminal(),
            server: global.server.clone(),
            user: global.user.clone().unwrap_or_else(user_name),
        }
    }

    /// The data folder: `--data-dir`, `HALIOTIS_DATA_DIR`, or `haliotis` in the XDG data folder. Absolute, since jobs run
    /// elsewhere.
    pub fn data_dir(&self) -> PathBuf {
        let dir = self.data_dir.clone().unwrap_or_else(|| xdg_data().join("haliotis"));
        std::path::absolute(&dir).unwrap_or(dir)
    }

    /// A line for a person, on standard error: standard output belongs to results.
    pub fn say(&self, text: impl AsRef<str>) {
        let _ = writeln!(std::io::stderr(), "{}", text.as_ref());
    }

    /// A line that something went well.
    pub fn good(&self, text: impl AsRef<str>) {
        self.say(format!("{} {}", style("✓").green().for_stderr(), text.as_ref()));
    }

    /// A heading.
    pub fn heading(&self, text: impl AsRef<str>) {
        self.say(format!("\n{}", style(text.as_ref()).bold().for_stderr()));
    }

    /// A result, on standard output.
    pub fn print(&self, text: impl AsRef<str>) {
        let _ = writeln!(std::io::stdout(), "{}", text.as_ref());
    }

    /// A result as JSON, on standard output.
    pub fn print_json(&self, value: &impl serde::Serialize) {
        self.print(serde_json::to_string_pretty(value).unwrap_or_default());
    }
}

/// `$XDG_DATA_HOME`, or `~/.local/share`, or the current folder where there is no home.
fn xdg_data() -> PathBuf {
    let set = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    set("XDG_DATA_HOME")
        .or_else(|| set("HOME").map(|home| home.join(".local/share")))
        .unwrap_or_else(|| Path::new(".").to_owned())
}

fn user_name() -> String {
    ["HALIOTIS_USER", "USER", "LOGNAME"]
        .iter()
        .find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
        .unwrap_or_else(|| "developer".to_owned())
}
