//! Everything that needs real servers, in one binary: each module is a suite with a page of its own at its head.
//!
//! Tests share one control plane, one broker and one store of each kind, which `dev/test-servers` starts; a test that kills or freezes a
//! server starts its own.

mod api;
mod chart;
mod cluster;
mod demo;
mod evidence;
mod leadership;
mod program;
mod system;
mod testbed;
