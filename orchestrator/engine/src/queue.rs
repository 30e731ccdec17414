//! Who gets the next slot. Fair twice over:
//!
//! - between *repositories* (pipelines without one stand for themselves): the one with the fewest steps at work is next,
//!   of equals the one that was served least recently. Whatever one queues, 5,000 steps in one build or 5,000 builds,
//!   another waits for the next free slot at most;
//! - between the builds of one: each wish is ranked by how many its build has already in the queue or at work.

use std::collections::BTreeMap;
use std::sync::Arc;

use haliotis_model::{BuildId, StepId};

use crate::executor::AgentInfo;
use crate::label;

/// How many steps beyond its slots an agent may be granted, per slot, while its steps are short. START of the next steps
/// is then on disk before a slot is free, so commits overlap with work, and several ends share one commit.
const LOOK_AHEAD_PER_SLOT: u32 = 8;
/// Steps that end this soon after their grant are short. Work granted ahead is kept from other builds, so nothing is
/// granted ahead of longer steps: there a commit costs nothing and fairness does.
const SHORT_MS: u64 = 100;
/// Repositories without a wish whose last turn is remembered; beyond that the oldest are forgotten, which only costs
/// them their place among equals.
const SHARES_KEPT: usize = 4_096;

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
/// The wishes of one repository for one label.
type Wishes = BTreeMap<Order, (BuildId, StepId)>;

/// Wishes for slots and the agents that have them.
#[derive(Default)]
pub(crate) struct Queue {
    agents: Vec<Agent>,
    /// By label expression, so that a full agent costs nothing however long its queue is; then by repository.
    waiting: BTreeMap<String, BTreeMap<Arc<str>, Wishes>>,
    place: BTreeMap<(BuildId, StepId), (String, Order)>,
    /// Wishes in the queue or at work, by build.
    active: BTreeMap<BuildId, u32>,
    /// Which repository a build is of.
    groups: BTreeMap<BuildId, Arc<str>>,
    shares: BTreeMap<Arc<str>, Share>,
    arrivals: u64,
    grants: u64,
}

/// What a repository has had.
#[derive(Clone, Copy, Default)]
struct Share {
    at_work: u32,
    /// The number of its last grant.
    served: u64,
}

impl Queue {
    pub(crate) fn new(agents: Vec<AgentInfo>) -> Self {
        let agents = agents.into_iter().map(|info| Agent { info, granted: 0, pace_ms: SHORT_MS }).collect();
        Self { agents, ..Self::default() }
    }

    /// Says which repository a build is of, before its first wish; forgotten by [`Queue::gone`].
    pub(crate) fn belongs(&mut self, build: BuildId, group: &str) {
        self.groups.insert(build, group.into());
    }

    /// The build is over: none of its wishes is left.
    pub(crate) fn gone(&mut self, build: BuildId) {
        self.groups.remove(&build);
        if self.shares.len() > SHARES_KEPT {
            let idle = self.shares.iter().filter(|(_, share)| share.at_work == 0);
            let oldest = idle.min_by_key(|(_, share)| share.served).map(|(group, _)| Arc::clone(group));
            oldest.map(|group| self.shares.remove(&group));
        }
    }

    fn group(&self, build: BuildId) -> Arc<str> {
        self.groups.get(&build).map_or_else(|| "".into(), Arc::clone)
    }

    pub(crate) fn push(&mut self, build: BuildId, id: StepId, label: &str) {
        let active = self.active.entry(build).or_insert(0);
        let order = (*active, self.arrivals);
        *active += 1;
        self.arrivals += 1;
        let group = self.group(build);
        let of_label = self.waiting.entry(label.to_owned()).or_default();
        of_label.entry(group).or_default().insert(order, (build, id.clone()));
        self.place.insert((build, id), (label.to_owned(), order));
    }

    /// Takes a wish back; `false`: it was not waiting.
    pub(crate) fn withdraw(&mut self, build: BuildId, id: &StepId) -> bool {
        let Some((label, order)) = self.place.remove(&(build, id.clone())) else { return false };
        let group = self.group(build);
        self.take(&label, &group, order);
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
                .flat_map(|(label, groups)| groups.iter().map(move |(group, waiting)| (label, group, waiting)))
                .filter_map(|(label, group, waiting)| {
                    let share = self.shares.get(group).copied().unwrap_or_default();
                    let (order, _) = waiting.first_key_value()?;
                    Some(((share.at_work, share.served, *order), label, group))
                })
                .min_by_key(|(turn, ..)| *turn);
            let Some(((.., order), label, group)) = next else { continue };
            let (label, group, name) = (label.clone(), Arc::clone(group), agent.name.clone());
            let (build, id) = self.take(&label, &group, order)?;
            self.place.remove(&(build, id.clone()));
            self.agents[at].granted += 1;
            self.grants += 1;
            let share = self.shares.entry(group).or_default();
            *share = Share { at_work: share.at_work + 1, served: self.grants };
            return Some((build, id, name));
        }
        None
    }

    /// Takes a wish out of its place.
    fn take(&mut self, label: &str, group: &Arc<str>, order: Order) -> Option<(BuildId, StepId)> {
        let groups = self.waiting.get_mut(label)?;
        let waiting = groups.get_mut(group)?;
        let taken = waiting.remove(&order);
        if waiting.is_empty() {
            groups.remove(group);
            if groups.is_empty() {
                self.waiting.remove(label);
            }
        }
        taken
    }

    /// One of this server's agents has that name.
    pub(crate) fn knows(&self, agent: &str) -> bool {
        self.agents.iter().any(|known| known.info.name == agent)
    }

    /// A slot taken before a restart is taken again.
    pub(crate) fn retake(&mut self, build: BuildId, agent: &str) {
        *self.active.entry(build).or_insert(0) += 1;
        let group = self.group(build);
        self.shares.entry(group).or_default().at_work += 1;
        if let Some(agent) = self.agents.iter_mut().find(|known| known.info.name == agent) {
            agent.granted += 1;
        }
    }

    /// A slot is free again.
    pub(crate) fn give_back(&mut self, build: BuildId, agent: &str) {
        if let Some(agent) = self.agents.iter_mut().find(|known| known.info.name == agent) {
            agent.granted = agent.granted.saturating_sub(1);
        }
        let group = self.group(build);
        if let Some(share) = self.shares.get_mut(&group) {
            share.at_work = share.at_work.saturating_sub(1);
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

    /// How many steps are granted before the first of a repository that comes late; each step takes one round.
    fn steps_before_the_latecomer(builds: i64, steps_each: i64, slots: u32) -> usize {
        let mut queue = Queue::new(vec![agent("a", slots, &[])]);
        let wish = |step: i64| StepId::new(format!("/s{step}"));
        for build in 1..=builds {
            queue.belongs(BuildId(build), "greedy");
            (0..steps_each).for_each(|step| queue.push(BuildId(build), wish(step), ""));
        }
        let mut at_work: Vec<_> = std::iter::from_fn(|| queue.grant()).collect();
        let late = BuildId(builds + 1);
        queue.belongs(late, "modest");
        queue.push(late, wish(0), "");
        let mut before = 0;
        loop {
            for (build, ..) in at_work.drain(..) {
                queue.give_back(build, "a");
                queue.ended("a", 60_000);
            }
            at_work.extend(std::iter::from_fn(|| queue.grant()));
            match at_work.iter().position(|(build, ..)| *build == late) {
                Some(place) => return before + place,
                None => before += at_work.len(),
            }
            assert!(before < 10_000, "the latecomer never had its turn");
        }
    }

    #[test]
    fn a_repository_with_5000_steps_does_not_delay_another() {
        for (builds, steps_each) in [(1, 5_000), (5_000, 1), (50, 100)] {
            for slots in [1, 2, 8] {
                let before = steps_before_the_latecomer(builds, steps_each, slots);
                assert_eq!(before, 0, "{builds} builds of {steps_each} steps on {slots} slots: next free slot");
            }
        }
    }

    #[test]
    fn two_busy_repositories_share_the_slots_in_turn() {
        let mut queue = Queue::new(vec![agent("a", 1, &[])]);
        for (build, group) in [(1, "x"), (2, "y")] {
            queue.belongs(BuildId(build), group);
            (0..4).for_each(|step| queue.push(BuildId(build), StepId::new(format!("/s{step}")), ""));
        }
        let mut order = Vec::new();
        while let Some((build, ..)) = queue.grant() {
            order.push(build.0);
            queue.give_back(build, "a");
            queue.ended("a", 60_000);
        }
        assert_eq!(order, [1, 2, 1, 2, 1, 2, 1, 2]);
        queue.gone(BuildId(1));
        assert!(!queue.withdraw(BuildId(1), &StepId::new("/s0")));
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
