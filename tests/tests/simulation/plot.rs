//! What a story is about: everything that follows from its seed before it begins.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::chance::Dice;

/// A whole story, but for what chance brings on the way.
#[derive(Clone, Debug)]
pub(crate) struct Plot {
    pub(crate) seed: u64,
    pub(crate) began: Timestamp,
    /// How long there are faults; then all of them end.
    pub(crate) troubled_for: Duration,
    /// Processes that run all roles, each sure to be the leader.
    pub(crate) machines: usize,
    /// What they are configured with at first, each.
    pub(crate) variants: Vec<Variant>,
    pub(crate) cast: Vec<Member>,
    pub(crate) weather: Weather,
    pub(crate) queue: QueueWay,
    /// How collectors and workers are pods; `None`: each machine is one process.
    pub(crate) pods: Option<Pods>,
    /// A machine dies after each effect whose number can be divided by this.
    pub(crate) dies_every: Option<u64>,
    /// How long deleted namespaces take to go.
    pub(crate) ends_after: Duration,
    pub(crate) deeds: Vec<(When, Deed)>,
}

/// A configuration.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Variant {
    pub(crate) enforces: bool,
    pub(crate) ttl: u64,
    pub(crate) visible_for: u64,
    pub(crate) tells: bool,
    pub(crate) warn_before: u64,
    pub(crate) grace: u64,
    pub(crate) max_keep: u64,
    pub(crate) budget: u64,
    pub(crate) wave: u64,
}

#[derive(Clone, Debug)]
pub(crate) struct Member {
    pub(crate) name: String,
    /// How long it lived before the story.
    pub(crate) age: u64,
    pub(crate) blue: bool,
}

/// How often what goes wrong on each way out of a process, in a thousand; and when nothing goes at all.
#[derive(Clone, Debug, Default)]
pub(crate) struct Weather {
    pub(crate) rates: [u64; Way::ALL.len()],
    pub(crate) outages: Vec<Outage>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Outage {
    pub(crate) way: Way,
    pub(crate) from: Duration,
    pub(crate) until: Duration,
    pub(crate) how: OutageKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OutageKind {
    Refuses,
    Hangs,
    /// 403 to everything that changes something: the right to was withdrawn. Of other services, as `Refuses`.
    Forbids,
}

/// A way out of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Way {
    Apiserver,
    Store,
    Queue,
    Owners,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum QueueWay {
    Works,
    LosesAll,
    Triples,
}

/// How jobs are run where each is a pod: residents relieve each other, collectors share the namespaces out, or only look
/// now and then.
#[derive(Clone, Debug)]
pub(crate) struct Pods {
    /// How many collectors share the namespaces out, by the configuration's place.
    pub(crate) shards: [u64; 2],
    /// Whether collectors sweep, by the configuration's place.
    pub(crate) sweeps: [bool; 2],
    /// How long a resident stays, in seconds.
    pub(crate) resident_for: u64,
    /// How long a pod lives at most, in seconds; `None`: as long as it likes.
    pub(crate) die_within: Option<u64>,
}

/// When somebody does something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum When {
    At(Duration),
    /// Just before the nth of these takes effect.
    Before(Moment, u64),
    /// Just after it did.
    After(Moment, u64),
}

/// A step of the product that something can happen at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Moment {
    /// Any effect or look of any process.
    Any,
    Delete,
    Fence,
    Annotate,
    Intent,
    Outcome,
    Append,
    Claim,
    Post,
}

/// What people do, and what else befalls. Members are named by their place in the cast.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deed {
    Protect(usize),
    Unprotect(usize),
    Keep(usize, u64),
    Unkeep(usize),
    /// Asks for so long a life in all.
    Live(usize, u64),
    LiveAsPolicySays(usize),
    /// Something that is none of ours changes on it.
    Touch(usize),
    /// Takes our annotations off.
    Tamper(usize),
    /// Comes under the other policy, or back.
    Repaint(usize),
    /// Its owner deletes it.
    Remove(usize),
    /// Its owner deletes it and makes another of the name at once.
    Remake(usize),
    Stop,
    Resume,
    Approve,
    /// The configuration of all, or of one machine alone for a while.
    Reconfigure(Option<usize>, usize),
    /// A clock jumps, in seconds.
    Jump(usize, i64),
    /// The apiserver forgets the past.
    Compact,
    /// A process is killed.
    Kill(usize),
    /// A process stands still.
    Freeze(usize, u64),
}

/// In a deed at a step: the member that the step is about.
pub(crate) const IT: usize = usize::MAX;

impl Deed {
    /// The deed, with [`IT`] named.
    pub(crate) fn about(mut self, it: usize) -> Self {
        match &mut self {
            Self::Protect(who)
            | Self::Unprotect(who)
            | Self::Keep(who, _)
            | Self::Unkeep(who)
            | Self::Live(who, _)
            | Self::LiveAsPolicySays(who)
            | Self::Touch(who)
            | Self::Tamper(who)
            | Self::Repaint(who)
            | Self::Remove(who)
            | Self::Remake(who)
                if *who == IT =>
            {
                *who = it;
            }
            _ => {}
        }
        self
    }
}

impl Way {
    pub(crate) const ALL: [Self; 4] = [Self::Apiserver, Self::Store, Self::Queue, Self::Owners];
}

impl Plot {
    pub(crate) fn of(seed: u64) -> Self {
        let mut dice = Dice::new(seed, "plot");
        let machines = if dice.happens(350) { 2 } else { 1 };
        let troubled_for = Duration::from_secs(dice.between(400, 1_500));
        let cast = cast(&mut dice);
        let first = Variant::of(&mut dice);
        let mut variants = vec![first.clone()];
        // A second one that differs in something that matters.
        let mut second = Variant { ttl: first.ttl * 2, ..first.clone() };
        if dice.happens(400) {
            second = Variant { enforces: !first.enforces, ..first };
        }
        variants.push(second);
        let began = Timestamp::from_second(1_767_225_600).unwrap_or(Timestamp::UNIX_EPOCH)
            + SignedDuration::from_millis(i64::try_from(dice.below(86_400_000)).unwrap_or(0));
        Self {
            seed,
            began,
            troubled_for,
            machines,
            variants,
            weather: Weather::of(&mut dice, troubled_for),
            queue: dice.one_of(&[QueueWay::Works, QueueWay::Works, QueueWay::LosesAll, QueueWay::Triples]),
            pods: Pods::of(seed),
            dies_every: dice.happens(300).then(|| dice.between(3, 90)),
            ends_after: Duration::from_secs(dice.one_of(&[0, 1, 5, 30, 100])),
            deeds: deeds(&mut dice, cast.len(), machines, troubled_for)
                .into_iter()
                .chain(pause(seed, machines))
                .collect(),
            cast,
        }
    }
}

impl Pods {
    /// Thrown apart from all else: what the story of a seed was before there were pods, it still is without them.
    fn of(seed: u64) -> Option<Self> {
        let mut dice = Dice::new(seed, "pods");
        if crate::REMEMBERED.contains(&seed) || !dice.happens(400) {
            return None;
        }
        let shards = dice.one_of(&[1, 1, 2, 3]);
        let sweeps = dice.happens(250);
        // The second configuration may share out and look in another way.
        let changes = dice.happens(500);
        Some(Self {
            shards: [shards, if changes { dice.between(1, 3) } else { shards }],
            sweeps: [sweeps, if changes { dice.happens(300) } else { sweeps }],
            resident_for: dice.one_of(&[120, 180, 300]),
            die_within: dice.one_of(&[None, None, Some(30), Some(200)]),
        })
    }
}

impl Variant {
    fn of(dice: &mut Dice) -> Self {
        let ttl = dice.one_of(&[30, 60, 120, 300, 600]);
        Self {
            enforces: dice.happens(900),
            ttl,
            visible_for: dice.one_of(&[0, 5, 20]),
            tells: dice.happens(500),
            warn_before: dice.one_of(&[20, 60, 3_600]),
            grace: dice.one_of(&[0, 0, 30, 120]),
            max_keep: dice.one_of(&[120, 600, 3_600]),
            budget: dice.one_of(&[1, 2, 20, 20, 20]),
            wave: dice.one_of(&[1, 2, 10, 10]),
        }
    }
}

impl Weather {
    fn of(dice: &mut Dice, troubled_for: Duration) -> Self {
        let mut rates = [0; Way::ALL.len()];
        for (rate, way) in rates.iter_mut().zip(Way::ALL) {
            // Little goes to owners, so more of it goes wrong.
            let often: [u64; 6] =
                if way == Way::Owners { [0, 0, 200, 400, 600, 900] } else { [0, 0, 20, 60, 150, 300] };
            *rate = dice.one_of(&often);
        }
        let mut outages = Vec::new();
        for _ in 0..dice.one_of(&[0, 0, 1, 2, 3]) {
            let from = dice.below(troubled_for.as_secs());
            outages.push(Outage {
                way: dice.one_of(&Way::ALL),
                from: Duration::from_secs(from),
                until: Duration::from_secs(from + dice.one_of(&[5, 30, 120, 400])),
                how: dice.one_of(&[OutageKind::Refuses, OutageKind::Hangs, OutageKind::Forbids]),
            });
        }
        Self { rates, outages }
    }
}

fn cast(dice: &mut Dice) -> Vec<Member> {
    let managed = dice.between(1, 5);
    let mut cast: Vec<_> = (0..managed)
        .map(|number| Member {
            name: format!("ci-{number}"),
            age: if dice.happens(400) { dice.between(1, 100_000) } else { 0 },
            blue: dice.happens(150),
        })
        .collect();
    // These are nobody's: one that no policy names, one that none may.
    cast.push(Member { name: "other".to_owned(), age: 0, blue: false });
    cast.push(Member { name: "kube-system".to_owned(), age: 100_000, blue: true });
    cast
}

fn deeds(dice: &mut Dice, cast: usize, machines: usize, troubled_for: Duration) -> Vec<(When, Deed)> {
    let mut deeds = Vec::new();
    for _ in 0..dice.one_of(&[0, 1, 2, 4, 8]) {
        let when = when(dice, troubled_for);
        let deed = deed(dice, cast, machines, !matches!(when, When::At(_)));
        // What is stopped, frozen or changed on one machine alone does not stay so: there would be no story.
        match deed {
            Deed::Stop => {
                let until = Duration::from_secs(dice.between(10, troubled_for.as_secs()));
                deeds.push((When::At(until), Deed::Resume));
            }
            Deed::Repaint(_) => {
                let then = Duration::from_secs(dice.between(10, troubled_for.as_secs()));
                deeds.push((When::At(then), Deed::Repaint(cast - 2)));
            }
            Deed::Reconfigure(Some(_), to) => {
                let until = Duration::from_secs(dice.between(10, troubled_for.as_secs()));
                deeds.push((When::At(until), Deed::Reconfigure(None, to)));
            }
            _ => {}
        }
        deeds.push((when, deed));
    }
    deeds
}

/// A process that stands still after it took something, while somebody throws the stop: what it knew by then is out of date when it goes
/// on. Chance alone brings the two together too seldom. Thrown apart, as [`Pods::of`] is.
fn pause(seed: u64, machines: usize) -> Vec<(When, Deed)> {
    let mut dice = Dice::new(seed, "pause");
    if crate::REMEMBERED.contains(&seed) || !dice.happens(150) {
        return Vec::new();
    }
    let when = When::After(Moment::Claim, dice.between(1, 16));
    let machine = usize::try_from(dice.below(machines as u64)).unwrap_or(0);
    let resume = When::At(Duration::from_secs(dice.between(200, 400)));
    vec![(when, Deed::Freeze(machine, dice.one_of(&[8, 20]))), (when, Deed::Stop), (resume, Deed::Resume)]
}

fn when(dice: &mut Dice, troubled_for: Duration) -> When {
    if dice.happens(300) {
        return When::At(Duration::from_secs(dice.below(troubled_for.as_secs())));
    }
    let moment = dice.one_of(&[
        Moment::Any,
        Moment::Delete,
        Moment::Delete,
        Moment::Fence,
        Moment::Annotate,
        Moment::Intent,
        Moment::Intent,
        Moment::Outcome,
        Moment::Append,
        Moment::Claim,
        Moment::Post,
    ]);
    let nth = if moment == Moment::Any { dice.between(1, 250) } else { dice.between(1, 5) };
    if dice.happens(600) { When::Before(moment, nth) } else { When::After(moment, nth) }
}

fn deed(dice: &mut Dice, cast: usize, machines: usize, at_a_step: bool) -> Deed {
    let who = usize::try_from(dice.below(cast as u64)).unwrap_or(0);
    let who = if at_a_step && dice.happens(800) { IT } else { who };
    let machine = usize::try_from(dice.below(machines as u64)).unwrap_or(0);
    match dice.below(22) {
        0 | 1 => Deed::Protect(who),
        2 => Deed::Unprotect(who),
        3 | 4 => Deed::Keep(who, dice.one_of(&[10, 60, 300, 2_000])),
        5 => Deed::Unkeep(who),
        6 | 7 => Deed::Live(who, dice.one_of(&[20, 100, 400, 1_000])),
        8 => Deed::LiveAsPolicySays(who),
        9 => Deed::Touch(who),
        10 => Deed::Tamper(who),
        // What no policy names comes under one, and is let go again.
        11 => Deed::Repaint(if dice.happens(500) { cast - 2 } else { who }),
        12 => Deed::Remove(who),
        13 | 14 => Deed::Remake(who),
        15 | 16 => Deed::Stop,
        17 => Deed::Approve,
        18 => Deed::Reconfigure(dice.happens(500).then_some(machine), 1),
        19 => Deed::Jump(machine, dice.one_of(&[-86_400, -45, -20, 20, 45, 86_400])),
        20 if dice.happens(500) => Deed::Compact,
        20 => Deed::Kill(machine),
        _ => Deed::Freeze(machine, dice.one_of(&[5, 30, 120, 3_600])),
    }
}
