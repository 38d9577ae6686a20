//! What the suites on a real node rely on: pods run, find each other, and reach servers of this machine; and nothing is left of a node.

mod pods;
