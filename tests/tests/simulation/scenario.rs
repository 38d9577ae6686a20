//! What a story is about: everything that follows from its seed before it begins.

mod actions;
mod deployments;
mod health;
mod pipelines;
mod pods;

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use self::actions::{elsewhere, forge, late, pause, steps, strip};
pub(crate) use self::{
    actions::ScenarioStep,
    deployments::Deployments,
    health::Health,
    pipelines::{Act, Begin, Deploy, Pipelines, Remover, Request, Source},
    pods::Pods,
};
use crate::chance::Dice;

/// A whole story, but for what chance brings on the way.
#[derive(Clone, Debug)]
pub(crate) struct Scenario {
    pub(crate) seed: u64,
    pub(crate) began: Timestamp,
    /// How long there are faults; then all of them end.
    pub(crate) faulty_for: Duration,
    /// Processes that run all roles, each sure to be the leader.
    pub(crate) machines: usize,
    /// What they are configured with at first, each.
    pub(crate) variants: Vec<Variant>,
    pub(crate) cast: Vec<Member>,
    pub(crate) weather: Weather,
    pub(crate) queue: QueueWay,
    /// How collectors and workers are pods; `None`: each machine is one process.
    pub(crate) pods: Option<Pods>,
    /// How health is checked, if it is.
    pub(crate) health: Option<Health>,
    /// How newer deployments replace older ones, if they do.
    pub(crate) deployments: Option<Deployments>,
    /// What follows where owners cannot be told.
    pub(crate) undeliverable: Unheard,
    /// How a CI system is asked for pipelines, and what happens in it, if there is one.
    pub(crate) pipelines: Option<Pipelines>,
    /// A machine dies after each effect whose number can be divided by this.
    pub(crate) dies_every: Option<u64>,
    /// How long deleted namespaces take to go.
    pub(crate) ends_after: Duration,
    pub(crate) steps: Vec<(When, ScenarioStep)>,
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
    pub(crate) unannounced: u64,
}

/// For how many seconds a notice is tried, and whether its deletion waits for it for ever.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Unheard {
    pub(crate) after: u64,
    pub(crate) waits: bool,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Member {
    pub(crate) name: String,
    /// How long it lived before the story.
    pub(crate) age: u64,
    pub(crate) blue: bool,
    /// What its pipeline wrote on it: labels without their prefix.
    pub(crate) ci: Vec<(&'static str, String)>,
    /// It comes by a [`ScenarioStep::Deploy`].
    pub(crate) comes_later: bool,
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
    /// 403 to everything that changes something: the right to was withdrawn. Of CI systems, 401 or 403 to everything but what is
    /// public. To owners, whose secret was exchanged. Of other services, as `Refuses`.
    Forbids,
    /// Owners' 400 to every notice: they take another form. Of other services, as `Refuses`.
    Misreads,
}

/// A way out of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Way {
    Apiserver,
    Store,
    Queue,
    Owners,
    /// To Prometheus; only where a story checks health.
    Alerts,
    /// To the CI system; only where a story asks for pipelines.
    Ci,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum QueueWay {
    Works,
    LosesAll,
    Triples,
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
    /// A namespace is read by itself.
    Look,
}

impl Way {
    /// Those of every story.
    pub(crate) const ALL: [Self; 4] = [Self::Apiserver, Self::Store, Self::Queue, Self::Owners];
}

impl Scenario {
    pub(crate) fn of(seed: u64) -> Self {
        let mut dice = Dice::new(seed, "scenario");
        let machines = if dice.happens(350) { 2 } else { 1 };
        let faulty_for = Duration::from_secs(dice.between(400, 1_500));
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
        let mut scenario = Self {
            seed,
            began,
            faulty_for,
            machines,
            variants,
            weather: Weather::of(&mut dice, faulty_for),
            queue: dice.one_of(&[QueueWay::Works, QueueWay::Works, QueueWay::LosesAll, QueueWay::Triples]),
            pods: Pods::of(seed),
            health: None,
            deployments: None,
            undeliverable: Unheard { after: 900, waits: false },
            pipelines: None,
            dies_every: dice.happens(300).then(|| dice.between(3, 90)),
            ends_after: Duration::from_secs(dice.one_of(&[0, 1, 5, 30, 100])),
            steps: steps(&mut dice, cast.len(), machines, faulty_for)
                .into_iter()
                .chain(pause(seed, machines))
                .chain(late(seed, machines))
                .chain(forge(seed, faulty_for))
                .chain(strip(seed, faulty_for))
                .collect(),
            cast,
        };
        scenario.add();
        if let Some(step) = elsewhere(seed, machines, faulty_for) {
            // Without the namespace that stands for the cluster nothing would begin any more.
            let system = scenario.cast.iter().position(|member| member.name == "kube-system");
            scenario.steps.retain(|(_, step)| !matches!(step, ScenarioStep::Remove(who) if Some(*who) == system));
            scenario.steps.push(step);
        }
        scenario
    }

    /// Whether some process is started against another cluster, so that each looks which cluster it is.
    pub(crate) fn moves(&self) -> bool {
        self.steps.iter().any(|(_, step)| matches!(step, ScenarioStep::Elsewhere(..)))
    }

    /// Adds what stories came to be about later, thrown apart from all else: what the story of a seed was before, it still
    /// is without that. What broke something once stays as it is.
    fn add(&mut self) {
        if crate::REMEMBERED.contains(&self.seed) {
            return;
        }
        self.break_channel();
        let mut dice = Dice::new(self.seed, "long lives");
        (self.deployments, self.health) = (Deployments::of(self.seed), Health::of(self.seed, self.faulty_for));
        let asks = || Pipelines::of(self.seed, self.faulty_for, self.health.is_some());
        let asked = if self.deployments.is_none() { asks() } else { None };
        if self.deployments.is_none() && self.health.is_none() && asked.is_none() {
            return;
        }
        // Whoever is to fail, to be replaced or to be cancelled has to live so long.
        let longer = dice.one_of(&[1, 4, 20]).max(if asked.is_some() { 20 } else { 1 });
        self.variants.iter_mut().for_each(|variant| variant.ttl *= longer);
        self.cast.iter_mut().filter(|member| member.name != "kube-system").for_each(|member| member.age %= 300);
        if self.deployments.is_some() {
            let (cast, steps) = deployments::play(self.seed, self.faulty_for, self.cast.len());
            self.cast.extend(cast);
            self.steps.extend(steps);
        }
        if let Some((mut asked, deployments)) = asked {
            let (cast, steps) = asked.play(self.seed, self.faulty_for, self.cast.len());
            self.cast.extend(cast);
            self.steps.extend(steps);
            self.weather.outages.extend(&asked.outages);
            (self.pipelines, self.deployments) = (Some(asked), Some(deployments));
        }
        if let Some(health) = &self.health {
            self.weather.outages.extend(&health.outages);
            self.steps.extend(health::steps(self.seed, self.faulty_for, &self.cast));
        }
    }
}

impl Scenario {
    /// Says for how long notices are tried, and breaks their channel as a whole for a while.
    fn break_channel(&mut self) {
        let mut dice = Dice::new(self.seed, "channel");
        self.undeliverable = Unheard { after: dice.one_of(&[60, 300, 900]), waits: dice.happens(200) };
        if dice.happens(500) {
            let from = Duration::from_secs(dice.below(self.faulty_for.as_secs()));
            let until = from + Duration::from_secs(dice.one_of(&[120, 400, 1_200]));
            let how = dice.one_of(&[OutageKind::Forbids, OutageKind::Misreads]);
            self.weather.outages.push(Outage { way: Way::Owners, from, until, how });
        }
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
            unannounced: dice.one_of(&[1, 2, 10, 10]),
        }
    }
}

impl Weather {
    fn of(dice: &mut Dice, faulty_for: Duration) -> Self {
        let mut rates = [0; Way::ALL.len()];
        for (rate, way) in rates.iter_mut().zip(Way::ALL) {
            // Little goes to owners, so more of it goes wrong.
            let often: [u64; 6] =
                if way == Way::Owners { [0, 0, 200, 400, 600, 900] } else { [0, 0, 20, 60, 150, 300] };
            *rate = dice.one_of(&often);
        }
        let mut outages = Vec::new();
        for _ in 0..dice.one_of(&[0, 0, 1, 2, 3]) {
            let from = dice.below(faulty_for.as_secs());
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
            ..Member::default()
        })
        .collect();
    // These are nobody's: one that no policy names, one that none may.
    cast.push(Member { name: "other".to_owned(), ..Member::default() });
    cast.push(Member { name: "kube-system".to_owned(), age: 100_000, blue: true, ..Member::default() });
    cast
}
