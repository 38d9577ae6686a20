//! The channels by which owners are told: what a try says of a channel as a whole, and what follows for the notice
//! (docs/design/protocol.md section 2, "Notices").

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    policy::{OnUndeliverable, Undeliverable},
    record::Notice,
    time::{between, saturating_add},
};

/// So many in a row that ended alike mean that it is the channel that is broken, and not the one message: notices that were
/// refused for their form, notices whose recipient is gone, and tries without a definite answer.
pub const BROKEN_AFTER: u32 = 3;

/// Interval within which another last answer of a broken channel is not written again: each try may get another one.
const ANSWER_INTERVAL: SignedDuration = SignedDuration::from_mins(10);

/// What came of one try to deliver a notice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delivery {
    Accepted,
    Failed(Failure),
}

/// Why a try failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    pub scope: FailureScope,
    /// What happened, a sentence without full stop: `it answered 401 Unauthorized`.
    pub why: String,
    /// The beginning of what was answered, in one line.
    pub answer: Option<String>,
    /// How long the receiver asked to be left alone.
    pub wait: Option<SignedDuration>,
}

/// What a failure says something about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FailureScope {
    /// This try: another may go well.
    Attempt,
    /// This message: its form is refused.
    Message,
    /// The recipient does not exist any more.
    Recipient,
    /// The channel: no message gets through.
    Channel,
}

/// What is known of a channel: nothing in the beginning. The last of these counts, for every process.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Channel {
    pub state: ChannelState,
    /// Since when it is in this state, where that is known.
    pub since: Option<Timestamp>,
    /// The ids of the notices that were refused for their form since one was accepted, each once, up to [`BROKEN_AFTER`].
    /// A former version counted tries, as `refused`. Of how many notices they were nobody knows, so they do not count.
    pub refused_notices: Vec<String>,
    /// The ids of those whose recipient is gone, likewise.
    pub gone_notices: Vec<String>,
    /// Tries without a definite answer since one was accepted, up to [`BROKEN_AFTER`].
    pub unanswered: u32,
    /// Why the last try failed, as in [`Failure`].
    pub why: String,
    /// The beginning of what was answered then.
    pub answer: Option<String>,
    /// When that was.
    pub answered_at: Option<Timestamp>,
}

/// Whether a channel works.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ChannelState {
    /// The last notice was accepted, or none failed yet.
    #[default]
    Working,
    /// The last tries failed, which may be the messages' fault or their recipients'.
    Failing,
    /// Nothing gets through.
    Broken,
}

/// What follows from a try for its notice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    Sent,
    /// It is given up; why, a sentence without full stop.
    Undeliverable(String),
    /// It is tried again under the same id.
    Retry,
}

impl ChannelState {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Working => "working",
            Self::Failing => "failing",
            Self::Broken => "broken",
        }
    }
}

impl FailureScope {
    /// Whether it says something of this one notice, and nothing yet of the others on the channel.
    #[must_use]
    pub const fn is_of_one_notice(self) -> bool {
        match self {
            Self::Message | Self::Recipient => true,
            Self::Attempt | Self::Channel => false,
        }
    }
}

impl Failure {
    /// The whole of it: what happened, and what was answered.
    #[must_use]
    pub fn text(&self) -> String {
        text(&self.why, self.answer.as_deref())
    }
}

impl Channel {
    /// What is known of it after a try of the notice of this id; `None`: what was known before.
    ///
    /// A notice that is refused again and again counts once: it says nothing of the others.
    #[must_use]
    pub fn after(&self, notice: &str, delivery: &Delivery, now: Timestamp) -> Option<Self> {
        let failure = match delivery {
            Delivery::Accepted if self.state == ChannelState::Working => return None,
            Delivery::Accepted => return Some(Self { since: Some(now), ..Self::default() }),
            Delivery::Failed(failure) => failure,
        };
        let mut next = self.clone();
        let (is_broken, is_repeated) = match failure.scope {
            FailureScope::Channel => (true, false),
            FailureScope::Attempt => (one_more(&mut next.unanswered), false),
            FailureScope::Message => one_more_notice(&mut next.refused_notices, notice),
            FailureScope::Recipient => one_more_notice(&mut next.gone_notices, notice),
        };
        if self.is_broken() || is_repeated {
            let is_written =
                next.why == failure.why || self.answered_at.is_some_and(|at| between(at, now).abs() < ANSWER_INTERVAL);
            if is_written {
                return None;
            }
        }
        if self.state == ChannelState::Working {
            next.since = Some(now);
        }
        next.state = if is_broken || self.is_broken() { ChannelState::Broken } else { ChannelState::Failing };
        next.answered_at = Some(now);
        (next.why, next.answer) = (failure.why.clone(), failure.answer.clone());
        Some(next)
    }

    #[must_use]
    pub fn is_broken(&self) -> bool {
        self.state == ChannelState::Broken
    }

    /// Why the last try failed, and what was answered; `None` where it works.
    #[must_use]
    pub fn trouble(&self) -> Option<String> {
        (self.state != ChannelState::Working).then(|| text(&self.why, self.answer.as_deref()))
    }
}

/// Whether there is enough for the whole channel to be broken, with this one.
const fn one_more(count: &mut u32) -> bool {
    if *count < BROKEN_AFTER {
        *count += 1;
    }
    *count >= BROKEN_AFTER
}

/// The same for notices, each of which counts once; and whether this one was counted before.
fn one_more_notice(counted: &mut Vec<String>, notice: &str) -> (bool, bool) {
    let enough = BROKEN_AFTER as usize;
    let is_repeated = counted.iter().any(|known| known == notice);
    if !is_repeated && counted.len() < enough {
        counted.push(notice.to_owned());
    }
    (counted.len() >= enough, is_repeated)
}

fn text(why: &str, answer: Option<&str>) -> String {
    answer.map_or_else(|| why.to_owned(), |answer| format!("{why}: {answer}"))
}

/// Until when a notice is tried; with [`OnUndeliverable::Wait`] also after that.
#[must_use]
pub fn tried_until(terms: &Undeliverable, notice: &Notice) -> Timestamp {
    saturating_add(notice.at, terms.after)
}

/// What follows for a notice from a try. `channel` is what is known with that try.
///
/// A message that is refused is given up at once where the channel works otherwise, and so is one whose recipient is
/// gone; everything else is tried until [`tried_until`]. With [`OnUndeliverable::Wait`] nothing is given up.
#[must_use]
pub fn outcome(
    terms: &Undeliverable,
    notice: &Notice,
    channel: &Channel,
    delivery: &Delivery,
    now: Timestamp,
) -> Outcome {
    let failure = match delivery {
        Delivery::Accepted => return Outcome::Sent,
        Delivery::Failed(failure) => failure,
    };
    let is_final = match failure.scope {
        FailureScope::Message | FailureScope::Recipient => !channel.is_broken(),
        FailureScope::Channel | FailureScope::Attempt => false,
    };
    match terms.then {
        OnUndeliverable::Proceed if is_final || now >= tried_until(terms, notice) => {
            Outcome::Undeliverable(failure.text())
        }
        OnUndeliverable::Proceed | OnUndeliverable::Wait => Outcome::Retry,
    }
}

/// Until when a receiver is left alone that asked for it, in an answer of this instant: no longer than a notice is tried.
#[must_use]
pub fn left_alone_until(terms: &Undeliverable, failure: &Failure, now: Timestamp) -> Option<Timestamp> {
    let wait = failure.wait.filter(|wait| wait.is_positive())?;
    Some(saturating_add(now, wait.min(terms.after)))
}

/// Whether a notice is not tried now, because its receiver asked to be left alone until then. The last try, at the end of
/// its time, is made all the same.
#[must_use]
pub fn is_held(terms: &Undeliverable, notice: &Notice, until: Timestamp, now: Timestamp) -> bool {
    // A clock that was ahead when that was written must not silence a channel for days.
    let is_left_alone = now < until && between(now, until) <= terms.after;
    let is_over = terms.then == OnUndeliverable::Proceed && now >= tried_until(terms, notice);
    is_left_alone && !is_over
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Status, event::NoticeIntended, record};

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_second(minute * 60).unwrap()
    }

    fn failed(scope: FailureScope) -> Delivery {
        answered(scope, "it answered 400 Bad Request")
    }

    fn answered(scope: FailureScope, why: &str) -> Delivery {
        Delivery::Failed(Failure { scope, why: why.to_owned(), answer: Some("invalid".to_owned()), wait: None })
    }

    /// Letters are tries, a minute apart: `a`ccepted, refused by `f`orm, `r`ecipient gone, `c`hannel, `n`o answer. Each is of a
    /// notice of its own; in capitals they are all of one and the same.
    fn try_of(letter: char) -> Delivery {
        match letter.to_ascii_lowercase() {
            'a' => Delivery::Accepted,
            'f' => failed(FailureScope::Message),
            'r' => failed(FailureScope::Recipient),
            'c' => failed(FailureScope::Channel),
            'n' => failed(FailureScope::Attempt),
            other => panic!("{other} is no try"),
        }
    }

    /// What is known after these tries, and how often that was written.
    fn tried(tries: &str) -> (Channel, usize) {
        (0..).zip(tries.chars()).fold((Channel::default(), 0), |(channel, written), (minute, letter)| {
            let notice = if letter.is_ascii_uppercase() { "u:3".to_owned() } else { format!("u-{minute}:3") };
            match channel.after(&notice, &try_of(letter), at(minute)) {
                Some(next) => (next, written + 1),
                None => (channel, written),
            }
        })
    }

    #[track_caller]
    fn check(tries: &str, state: ChannelState, since: Option<i64>) {
        let (channel, _) = tried(tries);
        assert_eq!((channel.state, channel.since), (state, since.map(at)), "after {tries}");
    }

    #[test]
    fn what_concerns_the_channel_breaks_it_at_once() {
        check("", ChannelState::Working, None);
        check("aac", ChannelState::Broken, Some(2));
        check("accfn", ChannelState::Broken, Some(1));
        check("cca", ChannelState::Working, Some(2));
    }

    #[test]
    fn three_notices_in_a_row_that_are_refused_for_their_form_break_it() {
        check("aff", ChannelState::Failing, Some(1));
        check("afff", ChannelState::Broken, Some(1));
        check("ffaff", ChannelState::Failing, Some(3));
        check("fnfnf", ChannelState::Broken, Some(0));
        check("frfrf", ChannelState::Broken, Some(0));
    }

    #[test]
    fn one_notice_that_is_refused_again_and_again_breaks_nothing() {
        check("FFFFFF", ChannelState::Failing, Some(0));
        check("FaFFaFFF", ChannelState::Failing, Some(5));
        check("fFFF", ChannelState::Failing, Some(0));
        check("FfFfF", ChannelState::Broken, Some(0));
        check("RRRRRR", ChannelState::Failing, Some(0));
        check("FRFRFR", ChannelState::Failing, Some(0));
        check("cFF", ChannelState::Broken, Some(0));
    }

    #[test]
    fn three_tries_without_an_answer_in_a_row_break_it() {
        check("ann", ChannelState::Failing, Some(1));
        check("annn", ChannelState::Broken, Some(1));
        check("nnanna", ChannelState::Working, Some(5));
    }

    #[test]
    fn where_everybody_is_gone_nobody_hears_anything() {
        check("ar", ChannelState::Failing, Some(1));
        check("rra", ChannelState::Working, Some(2));
        check("rrarr", ChannelState::Failing, Some(3));
        check("rrr", ChannelState::Broken, Some(0));
        check("rfrfr", ChannelState::Broken, Some(0));
        check("crr", ChannelState::Broken, Some(0));
    }

    #[test]
    fn what_does_not_change_is_not_written() {
        for (tries, written) in [
            ("aaaa", 0),
            ("caaa", 2),
            ("cccc", 1),
            ("ffffff", 3),
            ("FFFFFF", 1),
            ("nnnnnnc", 3),
            ("rrrr", 3),
            ("RRRR", 1),
        ] {
            assert_eq!(tried(tries).1, written, "{tries}");
        }
    }

    #[test]
    fn another_answer_of_the_same_failure_is_written_now_and_then() {
        for scope in [FailureScope::Channel, FailureScope::Message, FailureScope::Recipient] {
            let known = Channel::default().after("u:3", &failed(scope), at(0)).unwrap();
            let other = answered(scope, "it answered otherwise");
            assert_eq!(known.after("u:3", &other, at(9)), None);
            let later = known.after("u:3", &other, at(10)).unwrap();
            let told = (later.state, later.since, later.trouble());
            assert_eq!(told, (known.state, Some(at(0)), Some("it answered otherwise: invalid".to_owned())));
            assert_eq!(later.after("u:3", &other, at(60)), None);
        }
    }

    fn notice(minute: i64) -> Notice {
        let (about, channel) = (Status::Stale, "webhook".to_owned());
        Notice {
            intended: NoticeIntended { about, deadline: at(0), promise: at(0), channel },
            seq: 3,
            at: at(minute),
            delivery: record::Delivery::Open,
            promise: at(0),
            counts: true,
            sent_at: None,
        }
    }

    fn terms(then: OnUndeliverable) -> Undeliverable {
        Undeliverable { after: SignedDuration::from_mins(60), then }
    }

    /// What follows for a notice of minute 0 from the last of these tries, which is made at this minute.
    #[track_caller]
    fn follows(tries: &str, minute: i64, given_up: bool) {
        let (channel, last) = (tried(tries).0, try_of(tries.chars().last().unwrap()));
        let outcome = |then| outcome(&terms(then), &notice(0), &channel, &last, at(minute));
        let expected = match (last == Delivery::Accepted, given_up) {
            (true, _) => Outcome::Sent,
            (false, true) => Outcome::Undeliverable("it answered 400 Bad Request: invalid".to_owned()),
            (false, false) => Outcome::Retry,
        };
        assert_eq!(outcome(OnUndeliverable::Proceed), expected, "{tries}");
        let expected = if expected == Outcome::Sent { Outcome::Sent } else { Outcome::Retry };
        assert_eq!(outcome(OnUndeliverable::Wait), expected, "{tries}, and it waits");
    }

    #[test]
    fn one_message_is_given_up_at_once_and_a_channel_after_an_hour() {
        follows("a", 0, false);
        follows("f", 0, true);
        follows("ff", 0, true);
        follows("fff", 0, false);
        follows("fff", 59, false);
        follows("fff", 60, true);
        follows("cf", 0, false);
        follows("fffaf", 0, true);
        follows("FFF", 0, true);
        follows("FFFf", 0, true);
        follows("r", 0, true);
        follows("rr", 0, true);
        follows("RRR", 0, true);
        follows("rrr", 59, false);
        follows("rrr", 60, true);
        follows("cr", 0, false);
        for one in ["c", "n", "nnn"] {
            follows(one, 59, false);
            follows(one, 60, true);
        }
    }

    #[test]
    fn a_receiver_is_left_alone_for_as_long_as_a_notice_is_tried() {
        let terms = terms(OnUndeliverable::Proceed);
        let asks = |minutes| Failure {
            scope: FailureScope::Attempt,
            why: String::new(),
            answer: None,
            wait: Some(SignedDuration::from_mins(minutes)),
        };
        assert_eq!(left_alone_until(&terms, &asks(5), at(10)), Some(at(15)));
        assert_eq!(left_alone_until(&terms, &asks(600), at(10)), Some(at(70)));
        assert_eq!(left_alone_until(&terms, &asks(0), at(10)), None);
        assert!(is_held(&terms, &notice(0), at(15), at(14)));
        assert!(!is_held(&terms, &notice(0), at(15), at(15)));
        assert!(!is_held(&terms, &notice(0), at(90), at(60)), "the last try");
        assert!(!is_held(&terms, &notice(0), at(1_440), at(14)), "a clock was ahead");
        let waits = Undeliverable { then: OnUndeliverable::Wait, ..terms };
        assert!(is_held(&waits, &notice(0), at(90), at(60)));
    }
}
