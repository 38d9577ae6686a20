//! The chart as people install it: rendered by the real helm, taken or refused by a real apiserver.
//!
//! No node is needed: pods are objects here, and what matters is who may create, change and delete what. Where something is
//! installed, the test has a control plane of its own, for there is one release in a cluster.

#![expect(clippy::unwrap_used, reason = "what is rendered has the shape that is told, or the test fails")]

mod harness;

mod admission;
mod alerts;
mod configuration;
mod examples;
mod guard;
mod pages;
mod rendering;
mod rights;
mod schema;
mod seldom;
mod workers;
