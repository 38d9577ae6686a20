//! Watches namespaces, judges them at the moment things fall due, and writes their history.
//!
//! One resident collector serves thousands of namespaces: a single watch fills its [`memory`], a turn is taken for a
//! namespace when it changed or when something of it falls due, and at rest nothing is read and nothing is written.
//! A turn ([`turn`]) takes no hint: it decides on the whole of what is known and seen.
//!
//! Two collectors at once are harmless: they contend for entry numbers, and the later one loads again.

mod events;
mod listing;
mod memory;
mod resident;
mod turn;
mod watch;

pub use resident::run;
