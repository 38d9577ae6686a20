//! The whole program as its users have it: installed by helm on a real node, from the image, in pods, with a broker and a
//! store that speaks MongoDB's protocol, both behind a password and TLS. What it did is judged by the audit checker, from the
//! apiserver's audit log and the store.
//!
//! All tests of a run use one installation, one after the other, in any order; each names what it does to it ([`stage::on`]).
//! The program waits for seconds where a release waits for minutes, but for one test, which has the real values.

mod actors;
mod hold;
mod install;
mod leaders;
mod refused;
mod rights;
mod servers;
mod stage;
mod uninstall;
mod upgrade;
mod work;
