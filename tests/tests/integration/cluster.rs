//! What the suites on a real node rely on: pods run, find each other, and reach servers of this machine; and nothing is left of a node.

mod ends;
mod image;
mod pods;
mod traces;
mod workloads;

/// A guard against a hang, for what takes some seconds on an idle machine.
use testbed::HANG as LATER;
