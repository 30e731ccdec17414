//! What administrators may ask of the process: to be quiet, to end, to begin anew, to run a plain script.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use haliotis_engine::now;
use haliotis_groovy::plain::{Ended, PlainHost, evaluate_on};
use haliotis_server::{EdgeError, Ending, Process};
use tokio::sync::{Notify, Semaphore, watch};

use crate::app::App;

/// Whoever asked for the end gets their answer before it.
const ANSWER_FIRST: Duration = Duration::from_millis(200);
/// Scripts at once; each takes a core until its fuel is used up, some seconds at most.
const SCRIPTS: usize = 1;
/// What a script printed beyond this is cut off: 4 MiB.
const OUTPUT_MAX: usize = 4 << 20;

/// Whether triggers hold what they see. As in Jenkins it ends with the process: after a restart nothing is held.
pub struct Quiet(watch::Sender<bool>);

impl Default for Quiet {
    fn default() -> Self {
        Self(watch::Sender::new(false))
    }
}

impl Quiet {
    /// Whether it is quiet.
    pub fn now(&self) -> bool {
        *self.0.borrow()
    }

    /// Returns when no trigger has to hold back; at once, mostly.
    pub async fn over(&self) {
        let mut quiet = self.0.subscribe();
        let _ = quiet.wait_for(|quiet| !quiet).await;
    }
}

/// The process of a served app.
pub struct Served {
    app: Arc<App>,
    wish: Mutex<Option<Ending>>,
    asked: Notify,
    scripts: Semaphore,
}

impl Served {
    /// Of this app.
    pub fn new(app: Arc<App>) -> Self {
        Self { app, wish: Mutex::new(None), asked: Notify::new(), scripts: Semaphore::new(SCRIPTS) }
    }

    /// Waits until somebody asks for an end.
    pub async fn wished(&self) -> Ending {
        loop {
            let asked = self.asked.notified();
            let wish = *self.wish.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(ending) = wish {
                tokio::time::sleep(ANSWER_FIRST).await;
                return ending;
            }
            asked.await;
        }
    }
}

#[async_trait]
impl Process for Served {
    fn set_quiet(&self, quiet: bool) {
        self.app.quiet.0.send_replace(quiet);
    }

    fn end(&self, how: Ending) {
        *self.wish.lock().unwrap_or_else(PoisonError::into_inner) = Some(how);
        self.asked.notify_waiters();
    }

    async fn script(&self, groovy: String) -> Result<String, EdgeError> {
        let Ok(_turn) = self.scripts.try_acquire() else {
            return Err(EdgeError::Unavailable("another script is running; try again when it has ended".to_owned()));
        };
        let (at, seed) = (now().0, haliotis_access::random().map_or(1, |bytes| u64::from_be_bytes(first(&bytes))));
        let ran = std::thread::Builder::new().name("script".to_owned()).stack_size(haliotis_engine::STACK_BYTES);
        let (told, answer) = tokio::sync::oneshot::channel();
        let spawned = ran.spawn(move || drop(told.send(console(&groovy, at, seed))));
        spawned.map_err(|error| EdgeError::Unavailable(format!("no thread for the script: {error}")))?;
        answer.await.map_err(|_| EdgeError::Unavailable("the script was cut off".to_owned()))
    }
}

fn first(bytes: &[u8; 32]) -> [u8; 8] {
    let mut eight = [0; 8];
    eight.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
    eight
}

/// Runs a script as Jenkins' console does: what it printed, then `Result: ` with its value, or the exception.
fn console(groovy: &str, at: i64, seed: u64) -> String {
    let printed = Rc::new(RefCell::new(String::new()));
    let into = Rc::clone(&printed);
    let print: Rc<dyn Fn(&str)> = Rc::new(move |text: &str| {
        let mut all = into.borrow_mut();
        if all.len() < OUTPUT_MAX {
            all.push_str(text);
        }
    });
    let ended = evaluate_on(groovy, "Script1.groovy", "Script1", Rc::new(PlainHost::at(print, at, seed)));
    let mut output = printed.take();
    match ended {
        Ended::Value(value) if value == "null" => {}
        Ended::Value(value) => output.push_str(&format!("Result: {value}\n")),
        Ended::Threw { trace, .. } => output.push_str(&trace),
        Ended::Invalid(problems) => output.push_str(&format!("{}\n", problems.join("\n"))),
        Ended::Fatal(text) => output.push_str(&format!("{text}\n")),
    }
    output
}

#[cfg(test)]
mod tests {
    use super::console;

    #[test]
    fn a_script_prints_and_has_a_result() {
        assert_eq!(console("println 'a'\nprint(\")]}.\")", 0, 1), "a\n)]}.");
        assert_eq!(console("[1, 2].sum()", 0, 1), "Result: 3\n");
        assert!(console("throw new IllegalStateException('no')", 0, 1).contains("IllegalStateException: no"));
        assert!(console("def (", 0, 1).contains("@ line 1, column"));
    }

    #[test]
    fn a_script_reaches_nothing_outside() {
        for hostile in [
            "new File('/etc/passwd').text",
            "'id'.execute().text",
            "System.getenv('HOME')",
            "Runtime.getRuntime().exec('id')",
            "new URL('http://127.0.0.1/').text",
            "Class.forName('java.lang.Runtime')",
            "this.class.classLoader.loadClass('java.io.File')",
        ] {
            let output = console(hostile, 0, 1);
            assert!(!output.starts_with("Result:"), "{hostile}: {output}");
            assert!(!output.contains("root:") && !output.contains("uid="), "{hostile}: {output}");
        }
        assert!(console("while (true) {}", 0, 1).len() > 3, "it ends, and says why");
    }
}
