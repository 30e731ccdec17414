//! The executor that turns async functions into a [`Program`].
//!
//! One thread, no clock. Tasks are polled first in, first out; a wake puts a task at the end of the queue once. Events
//! are applied in the order given, so the order of polls, and with it the order of commands, is a function of the events.
//!
//! ```text
//! resume(events): for each event -> fill its waiter, wake its task
//!                 while the queue is not empty -> poll the task
//!                 take the commands
//! ```
//! Wakers must be `Send` by their type, so the queue stands behind a mutex that nobody ever contends.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use haliotis_model::{BuildResult, Millis};

use crate::flow::{Flow, State};
use crate::{Command, Event, Program};

pub(crate) type TaskId = usize;
type Task = Pin<Box<dyn Future<Output = ()>>>;

/// Tasks that are ready to be polled.
#[derive(Default)]
pub(crate) struct Ready(Mutex<VecDeque<TaskId>>);

impl Ready {
    pub(crate) fn push(&self, id: TaskId) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push_back(id);
    }

    fn pop(&self) -> Option<TaskId> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }
}

struct TaskWaker {
    id: TaskId,
    ready: Arc<Ready>,
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        self.ready.push(self.id);
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.ready.push(self.id);
    }
}

/// Tasks by id; a finished task leaves a free place that the next one takes.
#[derive(Default)]
pub(crate) struct Tasks {
    slots: Vec<Option<(Task, Waker)>>,
    free: Vec<TaskId>,
}

impl Tasks {
    pub(crate) fn add(&mut self, ready: &Arc<Ready>, task: Task) {
        let id = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            self.slots.len() - 1
        });
        let waker = Waker::from(Arc::new(TaskWaker { id, ready: Arc::clone(ready) }));
        self.slots[id] = Some((task, waker));
        ready.push(id);
    }
}

/// A program made of async functions over [`Flow`].
pub struct AsyncProgram {
    state: Rc<RefCell<State>>,
    ready: Arc<Ready>,
    /// Taken at `Begun`.
    main: Option<Box<dyn FnOnce(Flow) -> Task>>,
}

impl AsyncProgram {
    /// A program that runs `main` and ends with what it returns: the result, and why when that is not a success.
    pub fn new<F, Fut>(main: F) -> Self
    where
        F: FnOnce(Flow) -> Fut + 'static,
        Fut: Future<Output = (BuildResult, Option<String>)> + 'static,
    {
        let boxed = Box::new(move |flow: Flow| -> Task {
            let state = flow.state();
            let body = main(flow);
            Box::pin(async move {
                let (result, message) = body.await;
                state.borrow_mut().commands.push(Command::Finish { result, message });
            })
        });
        Self { state: Rc::default(), ready: Arc::default(), main: Some(boxed) }
    }

    fn apply(&mut self, event: &Event) {
        if matches!(event, Event::Begun) {
            if let Some(main) = self.main.take() {
                let task = main(Flow::root(Rc::clone(&self.state), Arc::clone(&self.ready)));
                self.state.borrow_mut().tasks.add(&self.ready, task);
            }
        } else {
            Flow::apply(&self.state, event);
        }
    }

    fn poll_ready(&mut self) {
        while let Some(id) = self.ready.pop() {
            // Taken out while polled, so that the task may spawn others.
            let Some((mut task, waker)) = self.state.borrow_mut().tasks.slots.get_mut(id).and_then(Option::take) else {
                continue;
            };
            let poll = task.as_mut().poll(&mut Context::from_waker(&waker));
            let mut state = self.state.borrow_mut();
            match poll {
                Poll::Pending => state.tasks.slots[id] = Some((task, waker)),
                Poll::Ready(()) => state.tasks.free.push(id),
            }
            drop(state);
        }
    }
}

impl Program for AsyncProgram {
    fn resume(&mut self, at: Millis, events: &[Event]) -> Vec<Command> {
        self.state.borrow_mut().now = at;
        for event in events {
            self.apply(event);
        }
        self.poll_ready();
        std::mem::take(&mut self.state.borrow_mut().commands)
    }
}
