//! Where a step stands: scope, node, folder, variables, credentials, path.
//!
//! **Interruption.** A stop (abort, timeout, fail fast) is told to a script once, as an exception, and the steps that
//! the script runs after it (`finally`, `catch`, `post`) run all the same, as in Jenkins: whoever delivers the
//! interruption puts fresh scopes in place of those that the same stop reached. A second abort stops the root scope and
//! with it those too.
//!
//! **Nodes.** `node` leases a slot. The lease is taken back lazily: while a question waits, or while the build waits for
//! another node, a node without steps at work gives its slot back; the next step leases one again. So a question holds no
//! slot, and a build with one slot never waits for itself.
//!
//! | race | what happens |
//! |---|---|
//! | two branches of one node need its lease at once | one asks, the others wait for the signal |
//! | a step begins while the lease is given back | giving back is refused while steps are at work |
//! | the scope is stopped while a lease is awaited | the lease fails, the step is told of the stop |

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context as Poller, Poll, Waker};

use haliotis_flow::{Flow, StopReason};
use haliotis_model::{StepId, Vars};

/// A scope that an interruption replaces.
pub(crate) type FlowCell = Rc<RefCell<Flow>>;

/// Where a step stands. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Ctx {
    /// The scope that nothing stops but a second abort.
    pub(crate) root: Flow,
    /// Scopes from the outermost to the innermost.
    pub(crate) flows: Rc<Vec<FlowCell>>,
    pub(crate) node: Option<Rc<Node>>,
    /// Folder of the workspace (`dir`).
    pub(crate) folder: Rc<str>,
    /// `withEnv`, `environment`.
    pub(crate) env: Rc<Vars>,
    /// Bound credentials: variable to credential id.
    pub(crate) credentials: Rc<Vars>,
    /// Variables whose values are secrets, so that only placeholders of them are seen here.
    pub(crate) secrets: Rc<BTreeSet<String>>,
    /// Path of the block around.
    pub(crate) path: StepId,
    /// The stage around.
    pub(crate) stage: Option<Rc<StageState>>,
    /// A container that `sh` runs in.
    pub(crate) container: Option<Rc<Container>>,
    /// Host of the registry that images are of (`docker.withRegistry`).
    pub(crate) registry: Option<Rc<str>>,
    /// Whether a Declarative pipeline is around, whose messages differ.
    pub(crate) declarative: bool,
}

/// What is known of a running stage.
pub(crate) struct StageState {
    pub(crate) name: String,
    /// `catchError(stageResult:)`, `unstable`: the worst so far.
    pub(crate) result: Cell<haliotis_model::BuildResult>,
}

/// `docker.image(…).inside(…)`.
pub(crate) struct Container {
    /// What docker knows it by.
    pub(crate) name: String,
}

impl Ctx {
    /// The scope in force.
    pub(crate) fn flow(&self) -> Flow {
        self.flows.last().map_or_else(|| self.root.clone(), |cell| cell.borrow().clone())
    }

    /// The same in a scope of its own.
    pub(crate) fn in_scope(&self, flow: Flow) -> Ctx {
        let mut flows = (*self.flows).clone();
        flows.push(Rc::new(RefCell::new(flow)));
        Ctx { flows: Rc::new(flows), ..self.clone() }
    }

    /// The same, one path further.
    pub(crate) fn at(&self, path: StepId) -> Ctx {
        Ctx { path, ..self.clone() }
    }

    /// The same with more variables.
    pub(crate) fn with_env(&self, more: impl IntoIterator<Item = (String, String)>) -> Ctx {
        let mut env = (*self.env).clone();
        env.extend(more);
        Ctx { env: Rc::new(env), ..self.clone() }
    }

    /// The same with more credentials; `names` are the variables they fill.
    pub(crate) fn with_credentials(&self, bound: Vars, names: impl IntoIterator<Item = String>) -> Ctx {
        let mut credentials = (*self.credentials).clone();
        credentials.extend(bound);
        let mut secrets = (*self.secrets).clone();
        secrets.extend(names);
        Ctx { credentials: Rc::new(credentials), secrets: Rc::new(secrets), ..self.clone() }
    }

    /// The stop that reached this scope, told now: what runs after it runs in fresh scopes.
    pub(crate) fn deliver(&self) -> Option<StopReason> {
        let reason = self.flow().stopped()?;
        if self.root.stopped().is_none() {
            for cell in self.flows.iter() {
                let stopped = cell.borrow().stopped();
                if stopped.as_ref() == Some(&reason) {
                    *cell.borrow_mut() = self.root.scope();
                }
            }
        }
        Some(reason)
    }
}

/// A reserved slot and its workspace.
pub(crate) struct Node {
    pub(crate) label: String,
    /// Path of the `node` block, under which its leases are named.
    pub(crate) path: StepId,
    /// ``, or `@2` for a second workspace.
    pub(crate) workspace: String,
    lease: RefCell<Option<StepId>>,
    pub(crate) agent: RefCell<String>,
    busy: Cell<usize>,
    asking: Cell<bool>,
    count: Cell<u32>,
    changed: Signal,
    /// What `env` of the agent answered, by name.
    pub(crate) known: RefCell<BTreeMap<String, Option<String>>>,
}

impl Node {
    pub(crate) fn new(label: String, path: StepId, workspace: String) -> Self {
        Self {
            label,
            path,
            workspace,
            lease: RefCell::new(None),
            agent: RefCell::new(String::new()),
            busy: Cell::new(0),
            asking: Cell::new(false),
            count: Cell::new(0),
            changed: Signal::default(),
            known: RefCell::new(BTreeMap::new()),
        }
    }

    /// Makes sure that there is a lease.
    pub(crate) async fn lease(&self, flow: &Flow) -> Result<StepId, StopReason> {
        loop {
            if let Some(lease) = self.lease.borrow().clone() {
                return Ok(lease);
            }
            if self.asking.get() {
                self.changed.until(|| !self.asking.get()).await;
                continue;
            }
            self.asking.set(true);
            self.count.set(self.count.get() + 1);
            let part = if self.count.get() == 1 { "~slot".to_owned() } else { format!("~slot-{}", self.count.get()) };
            let id = self.path.child(&part);
            let leased = flow.lease(id.clone(), &self.label).await;
            self.asking.set(false);
            if let Ok(agent) = &leased {
                self.agent.borrow_mut().clone_from(agent);
                *self.lease.borrow_mut() = Some(id);
            }
            self.changed.tell();
            leased?;
        }
    }

    /// A step begins on it.
    pub(crate) fn enter(&self) {
        self.busy.set(self.busy.get() + 1);
    }

    /// It ended.
    pub(crate) fn leave(&self) {
        self.busy.set(self.busy.get().saturating_sub(1));
    }

    /// Gives the slot back while nothing is at work on it.
    pub(crate) fn pause(&self, flow: &Flow) {
        if self.busy.get() == 0
            && let Some(lease) = self.lease.borrow_mut().take()
        {
            flow.release(lease);
        }
    }

    /// The node's block ended.
    pub(crate) fn close(&self, flow: &Flow) {
        if let Some(lease) = self.lease.borrow_mut().take() {
            flow.release(lease);
        }
    }
}

/// Wakes those who wait for a condition.
#[derive(Default)]
pub(crate) struct Signal(RefCell<Vec<Waker>>);

impl Signal {
    pub(crate) fn tell(&self) {
        for waker in self.0.take() {
            waker.wake();
        }
    }

    /// Waits until a condition holds; asked again at each [`Signal::tell`].
    pub(crate) fn until<'a>(&'a self, holds: impl Fn() -> bool + 'a) -> impl Future<Output = ()> + 'a {
        Until { signal: self, holds: Box::new(holds) }
    }
}

struct Until<'a> {
    signal: &'a Signal,
    holds: Box<dyn Fn() -> bool + 'a>,
}

impl Future for Until<'_> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, poller: &mut Poller<'_>) -> Poll<()> {
        if (self.holds)() {
            return Poll::Ready(());
        }
        self.signal.0.borrow_mut().push(poller.waker().clone());
        Poll::Pending
    }
}
