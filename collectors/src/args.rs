//! What a collector is started for, as its arguments say.

use std::ffi::OsString;

use clap::{Parser, Subcommand};
use common::jobs::TimeSlot;

use crate::shard::Shard;

/// Watches namespaces, judges them and writes their history. Started by the collect-controller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Parser)]
#[command(name = "collector", version)]
pub struct Arguments {
    #[command(subcommand)]
    pub work: Work,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Subcommand)]
pub enum Work {
    /// Watch and judge until the slot is over and another has taken over
    Resident {
        #[command(flatten)]
        shard: Shard,
        /// When the slot began, in seconds of Unix time; without it, it stays until asked to end
        #[arg(long)]
        slot: Option<TimeSlot>,
    },
    /// Look at all namespaces once
    Sweep {
        #[command(flatten)]
        shard: Shard,
    },
    /// Remove what need not be remembered any more
    Prune,
}

impl Work {
    /// Reads the arguments of a job.
    ///
    /// # Errors
    /// When they are none of a collector's.
    pub fn of(args: &[String]) -> anyhow::Result<Self> {
        let args = std::iter::once("collector").chain(args.iter().map(String::as_str)).map(OsString::from);
        Ok(Arguments::try_parse_from(args)?.work)
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    fn work(args: &str) -> Option<Work> {
        Work::of(&args.split(' ').map(str::to_owned).collect::<Vec<_>>()).ok()
    }

    #[test]
    fn the_arguments_say_what_is_to_be_done() {
        let shard = Shard { number: 1, of: 3 };
        let slot = Some(TimeSlot::of(Timestamp::from_second(3_600).unwrap(), std::time::Duration::from_secs(1_800)));
        assert_eq!(work("resident --shard 1 --of 3 --slot 3600"), Some(Work::Resident { shard, slot }));
        assert_eq!(work("resident"), Some(Work::Resident { shard: Shard::WHOLE, slot: None }));
        assert_eq!(work("sweep --shard 1 --of 3"), Some(Work::Sweep { shard }));
        assert_eq!(work("prune"), Some(Work::Prune));
    }

    #[test]
    fn others_are_refused() {
        for args in ["", "work", "resident --slot soon", "sweep --shard -1", "sweep --of 0", "prune --shard 0"] {
            assert_eq!(work(args), None, "{args}");
        }
    }
}
