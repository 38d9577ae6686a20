//! The testbed: real servers for tests, started and ended by the tests themselves, without a container, and but for one of
//! them as an ordinary user.
//!
//! A [`ControlPlane`] is etcd, kube-apiserver and (if wanted) kube-controller-manager on one loopback port in a directory of its own. It has
//! users with tokens, RBAC, and an audit log that tells what was really asked of it. It is ready in about three seconds and can be
//! frozen, killed and restarted. Most tests take the one of their run, [`ControlPlane::shared`], and keep apart by names
//! ([`temp_namespace`]); a test that breaks the server starts its own. How the tests of a run share servers is told in [`shared`].
//!
//! A [`Broker`] is RabbitMQ as Debian installs it, with directories, ports and users of its own. It is ready in about five seconds.
//!
//! A [`Prometheus`] is that of Debian, with rules of its own that are evaluated every second. It is ready in a second. [`Parsers`] read
//! metrics as its Python client does.
//!
//! A [`ci::CiServer`] answers as GitLab or GitHub does, or as wrong as it is told.
//!
//! A [`Cluster`] is a control plane with a scheduler and a node on which pods run, with Services and DNS. It needs root and packages of
//! Debian, and is ready in about ten seconds. [`image`] makes the images that it runs.
//!
//! A [`MongoServer`] is SecantusDB, which speaks the protocol of MongoDB and is ready in a second; a [`JavaMongo`] is another such server, in memory.
//!
//! A [`Proxy`] is one for HTTP and SOCKS5, behind which every name leads to this machine.
//!
//! [`Process`] runs our own binaries, and the [`audit_checker`] judges what they did by the audit log and their store. Everything started here
//! ends with the test process, even if that is killed ([`family`]).
//!
//! The examples of the documentation are found by [`pages`].
//!
//! Tests wait in one way only: [`eventually`], for a condition, with a deadline.
//!
//! The servers' binaries come from `make servers`. If they are missing, a test fails and says so.

mod admission;
mod audit;
pub mod audit_checker;
pub mod bench;
mod broker;
mod certificates;
pub mod ci;
mod cluster;
mod control_plane;
mod eventually;
mod family;
mod helm;
pub mod image;
mod installation;
mod kubeconfig;
mod mongo;
mod namespaces;
pub mod pages;
mod parsers;
mod port;
mod process;
pub mod product;
mod program;
mod prometheus;
mod proxy;
pub mod receiver;
pub mod relay;
mod servers;
pub mod shared;
mod user;

pub use admission::Admission;
pub use audit::{
    AuditEvent, AuditTail, AuditUser, NamespaceDelete, ObjectRef, ResponseStatus, accepted_namespace_deletes,
};
pub use broker::{Broker, BrokerOptions};
pub use certificates::{Authority, Pair};
pub use cluster::Cluster;
pub use control_plane::{ControlPlane, Options};
pub use eventually::{HANG, eventually};
pub use helm::helm;
pub use installation::{Disturbance, Installation, Server, Turn};
pub use mongo::{JavaMongo, MongoOptions, MongoServer};
pub use namespaces::temp_namespace;
pub use parsers::{MetricFamily, Parser, Parsers};
pub use process::Process;
pub use program::{binary, program, program_with, timing};
pub use prometheus::Prometheus;
pub use proxy::{Passed, Proxy};
pub use user::User;
