//! What every role of Namespace Manager shares: the three ports with their adapters, and the edges to the machine and
//! the cluster.
//!
//! A role never learns which adapter it got: [`store::open`], [`queue::open`] and [`jobs::LocalJobs`] are chosen once,
//! by the scheme of a URL, and each adapter passes the contract suite of its port (`tests/contract`).

pub mod admin;
pub mod annotations;
pub mod budget;
pub mod channels;
pub mod clock;
pub mod cluster;
pub mod config;
pub mod context;
pub mod controls;
pub mod environment;
pub mod events;
pub mod exposition;
pub mod heartbeat;
pub mod history;
pub mod holds;
pub mod http_client;
pub mod identity;
pub mod jobs;
pub mod leadership;
pub mod liveness;
pub mod process;
pub mod proxies;
pub mod publish;
pub mod queue;
pub mod retention;
pub mod status;
pub mod stop;
pub mod store;
pub mod timings;
