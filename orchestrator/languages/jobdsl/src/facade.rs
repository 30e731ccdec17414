//! The little of Jenkins' own classes that seed scripts reach for: from `Jenkins.getInstance()` to the id of the
//! credential that the seed job's checkout uses.

use std::any::Any;
use std::rc::Rc;

use haliotis_groovy::{HostAnswer, HostObject, Value, Vm};

use crate::run::SeedJob;

/// The chain of objects.
enum Part {
    /// A class: `Jenkins`, or one that is only named in a cast.
    Class(String),
    Jenkins,
    Job,
    Scm,
    Remote,
    Branch,
}

/// One object of the façade.
struct Facade {
    part: Part,
    job: Rc<SeedJob>,
}

/// Classes that scripts name: the simple name is enough, since scripts import them.
const CLASSES: &[&str] = &[
    "jenkins.model.Jenkins",
    "hudson.model.Hudson",
    "hudson.model.AbstractProject",
    "hudson.model.FreeStyleProject",
    "hudson.model.Project",
    "hudson.model.Job",
    "hudson.model.Item",
    "hudson.plugins.git.GitSCM",
    "hudson.plugins.git.UserRemoteConfig",
    "javaposse.jobdsl.dsl.DslFactory",
];

/// The class of this name, if it is one of the façade's.
pub(crate) fn class(name: &str, job: &Rc<SeedJob>) -> Option<Value> {
    CLASSES.contains(&name).then(|| part(Part::Class(name.to_owned()), job))
}

/// The seed job itself: what `SEED_JOB` holds.
pub(crate) fn seed_job(job: &Rc<SeedJob>) -> Value {
    part(Part::Job, job)
}

fn part(part: Part, job: &Rc<SeedJob>) -> Value {
    Value::Host(Rc::new(Facade { part, job: job.clone() }))
}

impl Facade {
    fn next(&self, part: Part) -> Value {
        self::part(part, &self.job)
    }

    /// `getX()` and `x` alike.
    fn read(&self, vm: &mut Vm, name: &str) -> Option<Value> {
        let job = &self.job;
        let text = |text: &Option<String>| text.as_deref().map_or(Value::Null, Value::str);
        Some(match (&self.part, name) {
            (Part::Class(class), "instance" | "instanceOrNull" | "get")
                if matches!(class.as_str(), "jenkins.model.Jenkins" | "hudson.model.Hudson") =>
            {
                self.next(Part::Jenkins)
            }
            (Part::Class(class), "name") => Value::str(class),
            (Part::Jenkins, "rootUrl") => text(&job.root_url),
            (Part::Job, "name" | "fullName" | "displayName") => Value::str(&job.name),
            (Part::Job, "scm") => self.next(Part::Scm),
            (Part::Scm, "userRemoteConfigs") => {
                let remote = self.next(Part::Remote);
                vm.list(vec![remote])
            }
            (Part::Scm, "branches") => {
                let branch = self.next(Part::Branch);
                vm.list(vec![branch])
            }
            (Part::Remote, "url") => text(&job.url),
            (Part::Remote, "credentialsId") => text(&job.credential),
            (Part::Remote | Part::Branch, "name") if matches!(self.part, Part::Remote) => Value::str("origin"),
            (Part::Branch, "name") => text(&job.branch),
            _ => return None,
        })
    }
}

impl HostObject for Facade {
    fn class_name(&self) -> &str {
        match &self.part {
            Part::Class(name) => name,
            Part::Jenkins => "jenkins.model.Jenkins",
            Part::Job => "hudson.model.FreeStyleProject",
            Part::Scm => "hudson.plugins.git.GitSCM",
            Part::Remote => "hudson.plugins.git.UserRemoteConfig",
            Part::Branch => "hudson.plugins.git.BranchSpec",
        }
    }

    fn is_a(&self, class: &str) -> bool {
        let simple = class.rsplit('.').next().unwrap_or(class);
        let is = |names: &[&str]| names.contains(&simple);
        match &self.part {
            Part::Class(_) => is(&["Class"]),
            Part::Jenkins => is(&["Jenkins", "Hudson", "ItemGroup"]),
            Part::Job => {
                is(&["FreeStyleProject", "Project", "AbstractProject", "Job", "AbstractItem", "Item", "TopLevelItem"])
            }
            Part::Scm => is(&["GitSCM", "SCM"]),
            Part::Remote => is(&["UserRemoteConfig"]),
            Part::Branch => is(&["BranchSpec"]),
        }
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn call(&self, vm: &mut Vm, name: &str, args: &[Value]) -> HostAnswer {
        if matches!(self.part, Part::Jenkins) && matches!(name, "getItem" | "getItemByFullName") && !args.is_empty() {
            let wanted = args.first().map(|wanted| vm.text(wanted));
            return match wanted {
                Some(Ok(wanted)) if wanted.trim_start_matches('/') == self.job.name => {
                    HostAnswer::Value(self.next(Part::Job))
                }
                Some(Err(raise)) => HostAnswer::Throw(raise),
                _ => HostAnswer::Value(Value::Null),
            };
        }
        if !args.is_empty() {
            return HostAnswer::Unknown;
        }
        let property = match name.strip_prefix("get") {
            Some("") | None => name.to_owned(),
            Some(rest) => {
                let mut letters = rest.chars();
                letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
            }
        };
        self.read(vm, &property).map_or(HostAnswer::Unknown, HostAnswer::Value)
    }

    fn get(&self, vm: &mut Vm, name: &str) -> HostAnswer {
        self.read(vm, name).map_or(HostAnswer::Unknown, HostAnswer::Value)
    }
}
