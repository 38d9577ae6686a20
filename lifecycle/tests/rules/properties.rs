//! What holds for any input and for any history.

mod annotating;
mod deciding;
mod durations;
mod lives;
mod matching;
mod overriding;
mod owning;
mod planning;
mod recording;
