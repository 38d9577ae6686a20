//! The program as people run it: `nsm` as a process against a real apiserver, with real time, signals and faults.
//!
//! Each test is a [`story`](harness::story): an installation of its own (policy, store file, namespaces with a label that
//! nobody else has) on a control plane that most of them share. However it went, the story ends before the audit checker, which
//! holds everything that happened to its namespaces against the rules of safety.
//!
//! That nothing happens is never shown by waiting: it is shown by something else that did happen and came later.

mod harness;

mod apiserver;
mod broker;
mod budgets;
mod churn;
mod clock;
mod configuration;
mod endings;
mod exposition;
mod guard;
mod health;
mod hooks;
mod identity;
mod lifecycle;
mod metrics;
mod notices;
mod overrides;
mod pipelines;
mod process;
mod proxies;
mod races;
mod refusals;
mod store;
mod store_mismatch;
mod superseded;
mod users;
mod visible;
mod workers;
mod workloads;
