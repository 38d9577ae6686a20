//! The pure domain of Namespace Manager.
//!
//! A [`Policy`] says what should happen, an [`Observation`] says what is seen, a [`Record`] says what we know. Five
//! functions turn them into entries and tasks, all with `now` as an argument:
//!
//! - [`observe`]: a reading becomes part of what is seen;
//! - [`decide`]: the next entry of a namespace's history, and when to ask again;
//! - [`plan`]: what is to be done about it, and when to ask again;
//! - [`guards`]: why not yet, one truth for the planner, the worker and `nsm why`;
//! - [`annotations`]: what the namespace should carry for people and tools to read.
//!
//! What is absent here matters most: no clock, no file, no socket, no environment, no async. Nothing in this crate
//! can fail on what it is given, and nothing panics; bad input of a configuration is an [`policy::Invalid`], bad
//! input of a stranger's annotation counts as the longest its owner could have meant.

pub mod annotations;
pub mod backoff;
pub mod channel;
pub mod ci_verification;
pub mod decide;
pub mod duration;
pub mod evidence;
pub mod exclusions;
#[cfg(test)]
mod fixture;
pub mod guards;
pub mod health;
pub mod hold;
pub mod keys;
pub mod matching;
pub mod model;
pub mod overrides;
pub mod ownership;
pub mod patterns;
pub mod pipeline;
pub mod plan;
pub mod policy;
pub mod stalled;
pub mod supersession;
pub mod termination;
pub mod time;

pub use annotations::annotations;
pub use decide::{Decision, decide};
pub use evidence::{Check, Observation, Reading, observe};
pub use guards::{Guard, GuardKind, LiveObject, ObjectGuardKind, Verdict, guards, object_guards};
pub use keys::Keys;
pub use model::{
    condition::{Condition, Truth},
    event::{self, Action, Actor, Entry, Event},
    mode::Mode,
    namespace::{self, Namespace, Uid},
    record::{self, Record},
    status::{self, Status},
};
pub use plan::{Plan, Task, plan};
pub use policy::{Policies, Policy};
pub use stalled::{StalledAction, stalled};
