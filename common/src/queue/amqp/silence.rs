//! Whether a subscription that brings nothing is one at all.
//!
//! Where somebody deletes a queue while others publish, it is declared again at once, and RabbitMQ (3.10, queues of the type
//! quorum) may take the subscription over to the new queue by itself. It then counts a message as handed out to us that we
//! never get, and hands out no other until that is settled: from here that looks like a queue in which nothing happens.
//!
//! What the broker tells of a queue are the messages that wait in it, without those it counts as handed out, and its
//! consumers. So the one that never came does not show. The next one does, and comes about soon: what is due is published
//! again every half minute. Once the connection is cut, the broker hands out both. A process of several consumers that lost
//! the place of one of them is not told from one that is idle for as long as it hears what comes for the others.

use std::time::Duration;

/// How long nothing may come until the broker is queried, and how long after that it is not queried again.
pub(super) const MAX_SILENCE: Duration = Duration::from_secs(60);

/// A subscription as it is known here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Silence {
    /// For how long nothing has come, and nothing was in hand.
    pub(super) lasts: Duration,
    /// How long ago the broker was queried, or the subscription began.
    pub(super) asked: Duration,
    /// Messages that came and are not settled.
    pub(super) in_hand: usize,
}

/// What the broker tells of a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Told {
    /// Messages that wait to be handed out.
    pub(super) waiting: u32,
    /// Subscriptions of all processes.
    pub(super) consumers: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Nothing is to be done before so much time has passed.
    Wait(Duration),
    /// The broker is to be asked.
    Ask,
}

/// What to do about a subscription.
pub(super) fn next(silence: Silence) -> Next {
    let Silence { lasts, asked, in_hand } = silence;
    // While something is in hand, the broker may have no reason to hand out more.
    let waits = if in_hand > 0 { MAX_SILENCE } else { MAX_SILENCE.saturating_sub(lasts.min(asked)) };
    if waits.is_zero() { Next::Ask } else { Next::Wait(waits) }
}

/// Whether the broker hands nothing out to a subscription though it should: a consumer that has nothing in hand and wants messages
/// gets what waits.
pub(super) fn is_deaf(silence: Silence, told: Told) -> bool {
    next(silence) == Next::Ask && (told.waiting > 0 || told.consumers == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn silence(lasts: u64, asked: u64, in_hand: usize) -> Silence {
        Silence { lasts: Duration::from_secs(lasts), asked: Duration::from_secs(asked), in_hand }
    }

    #[test]
    fn the_broker_is_asked_after_a_minute_of_silence_and_once_a_minute() {
        for (lasts, asked, in_hand, waits) in [
            (0, 0, 0, 60),
            (59, 59, 0, 1),
            (60, 60, 0, 0),
            (3_600, 3_600, 0, 0),
            // It was queried shortly before.
            (3_600, 0, 0, 60),
            (3_600, 59, 0, 1),
            // Something came, or was settled, shortly before.
            (0, 3_600, 0, 60),
            (20, 3_600, 0, 40),
            // Something is in hand.
            (3_600, 3_600, 1, 60),
            (0, 0, 3, 60),
        ] {
            let expected = if waits == 0 { Next::Ask } else { Next::Wait(Duration::from_secs(waits)) };
            assert_eq!(
                next(silence(lasts, asked, in_hand)),
                expected,
                "{lasts} s, asked {asked} s ago, {in_hand} in hand"
            );
        }
    }

    #[test]
    fn who_gets_nothing_of_what_waits_is_deaf() {
        let told = |waiting, consumers| Told { waiting, consumers };
        for (silence, told, expected) in [
            (silence(60, 60, 0), told(0, 1), false),
            (silence(60, 60, 0), told(1, 1), true),
            (silence(60, 60, 0), told(10_000, 4), true),
            // The broker knows of no subscription at all, and we have one.
            (silence(60, 60, 0), told(0, 0), true),
            (silence(60, 60, 0), told(7, 0), true),
            // Something came while the broker was queried, or is in hand: others wait for their turn.
            (silence(0, 60, 0), told(7, 1), false),
            (silence(60, 60, 1), told(7, 1), false),
            (silence(59, 60, 0), told(7, 0), false),
        ] {
            assert_eq!(is_deaf(silence, told), expected, "{silence:?}, {told:?}");
        }
    }
}
