//! The sources Namespace Manager reads before it judges.
//!
//! Collectors read them to decide, action workers read them once more before they act: one code, so that both see
//! alike. Each source yields a [`lifecycle::Reading`] whose conditions have three values; a source that could not be
//! read is not an error of the judgement but an Unknown in it.
//!
//! The sources so far are [`namespace`], [`prometheus`], the [`workloads`] and [`ci`].

pub mod ci;
pub mod health;
mod http;
pub mod namespace;
pub mod prometheus;
pub mod workloads;
