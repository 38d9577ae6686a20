//! What holds for any input and for any history.

mod deciding;
mod durations;
mod lives;
mod matching;
mod mirroring;
mod owning;
mod planning;
mod recording;
mod wishing;
