//! Who gets the next slot. Fair between builds: each wish is ranked by how many its build has already in the queue or
//! at work, so a build that wants 5,000 slots at once does not delay another's first.

use std::collections::BTreeMap;

use haliotis_model::{BuildId, StepId};

use crate::executor::AgentInfo;
use crate::label;

/// How many steps beyond its slots an agent may be granted, per slot, while its steps are short. START of the next steps
/// is then on disk before a slot is free, so commits overlap with work, and several ends share one commit.
const LOOK_AHEAD_PER_SLOT: u32 = 8;
/// Steps that end this soon after their grant are short. Work granted ahead is kept from other builds, so nothing is
/// granted ahead of longer steps: there a commit costs nothing and fairness does.
const SHORT_MS: u64 = 100;

/// An agent and what the engine knows of it.
struct Agent {
    info: AgentInfo,
    granted: u32,
    /// Mean time from grant to end of the last few steps, weighing the last by a quarter.
    pace_ms: u64,
}

impl Agent {
    fn most(&self) -> u32 {
        self.info.slots * (1 + if self.pace_ms < SHORT_MS { LOOK_AHEAD_PER_SLOT } else { 0 })
    }
}

/// Rank within the build, then order of arrival.
type Order = (u32, u64);

/// Wishes for slots and the agents that have them.
#[derive(Default)]
pub(crate) struct Queue {
    agents: Vec<Agent>,
    /// By label expression, so that a full agent costs nothing however long its queue is.
    waiting: BTreeMap<String, BTreeMap<Order, (BuildId, StepId)>>,
    place: BTreeMap<(BuildId, StepId), (String, Order)>,
    /// Wishes in the queue or at work, by build.
    active: BTreeMap<BuildId, u32>,
    arrivals: u64,
}

impl Queue {
    pub(crate) fn new(agents: Vec<AgentInfo>) -> Self {
        let agents = agents.into_iter().map(|info| Agent { info, granted: 0, pace_ms: SHORT_MS }).collect();
        Self { agents, ..Self::default() }
    }

    pub(crate) fn push(&mut self, build: BuildId, id: StepId, label: &str) {
        let active = self.active.entry(build).or_insert(0);
        let order = (*active, self.arrivals);
        *active += 1;
        self.arrivals += 1;
        self.waiting.entry(label.to_owned()).or_default().insert(order, (build, id.clone()));
        self.place.insert((build, id), (label.to_owned(), order));
    }

    /// Takes a wish back; `false`: it was not waiting.
    pub(crate) fn withdraw(&mut self, build: BuildId, id: &StepId) -> bool {
        let Some((label, order)) = self.place.remove(&(build, id.clone())) else { return false };
        if let Some(waiting) = self.waiting.get_mut(&label) {
            waiting.remove(&order);
            if waiting.is_empty() {
                self.waiting.remove(&label);
            }
        }
        self.left(build);
        true
    }

    /// The next wish that can be met, and the agent that meets it. The slot is taken.
    pub(crate) fn grant(&mut self) -> Option<(BuildId, StepId, String)> {
        for at in 0..self.agents.len() {
            if self.agents[at].granted >= self.agents[at].most() {
                continue;
            }
            let agent = &self.agents[at].info;
            let next = self
                .waiting
                .iter()
                .filter(|(label, _)| label::matches(label, &agent.name, &agent.labels))
                .filter_map(|(label, waiting)| waiting.first_key_value().map(|(order, _)| (*order, label.clone())))
                .min();
            let Some((order, label)) = next else { continue };
            let name = agent.name.clone();
            let (build, id) = self.waiting.get_mut(&label)?.remove(&order)?;
            if self.waiting.get(&label).is_some_and(BTreeMap::is_empty) {
                self.waiting.remove(&label);
            }
            self.place.remove(&(build, id.clone()));
            self.agents[at].granted += 1;
            return Some((build, id, name));
        }
        None
    }

    /// One of this server's agents has that name.
    pub(crate) fn knows(&self, agent: &str) -> bool {
        self.agents.iter().any(|known| known.info.name == agent)
    }

    /// A slot taken before a restart is taken again.
    pub(crate) fn retake(&mut self, build: BuildId, agent: &str) {
        *self.active.entry(build).or_insert(0) += 1;
        if let Some(agent) = self.agents.iter_mut().find(|known| known.info.name == agent) {
            agent.granted += 1;
        }
    }

    /// A slot is free again.
    pub(crate) fn give_back(&mut self, build: BuildId, agent: &str) {
        if let Some(agent) = self.agents.iter_mut().find(|known| known.info.name == agent) {
            agent.granted = agent.granted.saturating_sub(1);
        }
        self.left(build);
    }

    /// A step ended so long after its grant.
    pub(crate) fn ended(&mut self, agent: &str, took_ms: u64) {
        if let Some(agent) = self.agents.iter_mut().find(|known| known.info.name == agent) {
            agent.pace_ms = (agent.pace_ms.saturating_mul(3).saturating_add(took_ms)) / 4;
        }
    }

    /// An agent has so much granted ahead that the ends of its steps may wait for each other.
    pub(crate) fn is_ahead(&self) -> bool {
        self.agents.iter().any(|agent| agent.granted > agent.info.slots * (1 + LOOK_AHEAD_PER_SLOT / 2))
    }

    fn left(&mut self, build: BuildId) {
        if let Some(active) = self.active.get_mut(&build) {
            *active = active.saturating_sub(1);
            if *active == 0 {
                self.active.remove(&build);
            }
        }
    }

    /// Why a wish with this label waits, for people.
    pub(crate) fn why(&self, label: &str) -> String {
        let fitting: Vec<_> =
            self.agents.iter().filter(|agent| label::matches(label, &agent.info.name, &agent.info.labels)).collect();
        if fitting.is_empty() {
            return format!("no agent has the label `{label}`");
        }
        let slots: u32 = fitting.iter().map(|agent| agent.info.slots).sum();
        format!("all {slots} slots of {} agent(s) are taken", fitting.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agent(name: &str, slots: u32, labels: &[&str]) -> AgentInfo {
        AgentInfo { name: name.into(), labels: labels.iter().map(|&label| label.to_owned()).collect(), slots }
    }

    #[test]
    fn a_greedy_build_does_not_delay_another() {
        let mut queue = Queue::new(vec![agent("a", 1, &[])]);
        for step in 0..100 {
            queue.push(BuildId(1), StepId::new(format!("/s{step}")), "");
        }
        queue.push(BuildId(2), StepId::new("/first"), "");
        assert_eq!(queue.grant().map(|(build, ..)| build.0), Some(1));
        assert_eq!(queue.grant(), None, "one slot, and nothing ahead of steps of unknown length");
        queue.give_back(BuildId(1), "a");
        queue.ended("a", 60_000);
        assert_eq!(queue.grant().map(|(build, ..)| build.0), Some(2), "the other build is next");
        assert_eq!(queue.grant(), None, "nothing is granted ahead of long steps");
    }

    #[test]
    fn short_steps_are_granted_ahead() {
        let mut queue = Queue::new(vec![agent("a", 1, &[])]);
        for step in 0..100 {
            queue.push(BuildId(1), StepId::new(format!("/s{step}")), "");
        }
        queue.ended("a", 2);
        let granted = std::iter::from_fn(|| queue.grant()).count();
        assert_eq!(granted, 1 + LOOK_AHEAD_PER_SLOT as usize);
        assert!(queue.is_ahead());
    }

    #[test]
    fn labels_and_slots_are_kept() {
        let mut queue = Queue::new(vec![agent("a", 1, &["linux"]), agent("b", 1, &["gpu"])]);
        queue.push(BuildId(1), StepId::new("/x"), "gpu");
        queue.push(BuildId(1), StepId::new("/y"), "mac");
        assert_eq!(queue.grant(), Some((BuildId(1), StepId::new("/x"), "b".to_owned())));
        assert_eq!(queue.grant(), None);
        assert_eq!(queue.why("mac"), "no agent has the label `mac`");
        assert!(queue.withdraw(BuildId(1), &StepId::new("/y")));
        assert!(!queue.withdraw(BuildId(1), &StepId::new("/x")), "granted, no longer waiting");
    }
}
