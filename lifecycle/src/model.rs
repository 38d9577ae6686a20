//! What everything here is about: types, and what follows from one of them alone. No policy and no rule is known here.

pub mod ci;
pub mod condition;
pub mod deadline;
pub mod event;
pub mod mode;
pub mod namespace;
pub mod owner;
pub mod record;
pub mod status;
pub mod termination;
