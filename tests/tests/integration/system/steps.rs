//! The days of an installation.

use std::collections::BTreeSet;
use std::convert::Infallible;

use anyhow::{Context, Result, ensure};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::batch::v1::{CronJob, Job};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{Pod, ResourceQuota};
use kube::api::{DeleteParams, ListParams, PostParams};
use kube::{Api, ResourceExt};
use serde_json::json;
use testbed::{Installation, eventually};

use crate::system::cast::Actor;
use crate::system::hold::Hold;
use crate::system::stage::{HOME, LATER, RELEASE, SOON, Stage};

/// How long the work may be without anybody who leads it, when leaders are restarted one after the other, on a machine that
/// answers at once.
const GAP: SignedDuration = SignedDuration::from_secs(5);

/// How many requests, one after the other, it takes until a lease that was given up is another's: two to give it up, two of the
/// other to see it, and two to take it. Each may be as slow as the slowest that was seen.
const REQUESTS: i32 = 6;

const CONTROLLERS: [&str; 2] = ["collect-controller", "action-controller"];

/// The chart's defaults are safe: with nothing said about the mode, nothing is deleted, and the workers have no right to.
pub(crate) async fn observes_by_default(stage: &Stage) -> Result<()> {
    let actor = Actor::enter(stage, "ci-observed", &[("ttl", "10s")]).await?;
    stage
        .release("install", |values| drop(values["config"].as_object_mut().map(|config| config.remove("mode"))))
        .await?;
    actor.shows(stage, "status", "stale").await?;
    actor.records(stage, "WouldHave").await?;
    actor.lives(stage).await?;
    let may = stage
        .home
        .cluster
        .kubectl(["auth", "can-i", "delete", "namespaces", "--as", &Installation::user("action")])
        .await;
    ensure!(may.is_err(), "in observe mode the workers may delete namespaces: {may:?}");
    actor.leaves(stage).await
}

/// Namespaces with pods in them live for as long as they are given, and no other is touched.
pub(crate) async fn lives_and_dies(stage: &Stage) -> Result<()> {
    let stranger = Actor::enter_working(stage, "somebody-else", &[]).await?;
    stage.release("upgrade", |_| ()).await?;
    let mut dying = Vec::new();
    for number in 0..6 {
        dying.push(Actor::enter_working(stage, &format!("ci-expiring-{number}"), &[]).await?);
    }
    let kept = Actor::enter(stage, "ci-kept", &[("keep_until", "2999-01-01T00:00:00Z")]).await?;
    let protected = Actor::enter(stage, "ci-protected", &[("protect", "")]).await?;
    let longer = Actor::enter(stage, "ci-longer", &[("ttl", "1h")]).await?;
    let first = Actor::enter(stage, "ci-reborn", &[("ttl", "1h")]).await?;
    first.shows(stage, "status", "ok").await?;
    first.leaves(stage).await?;
    let reborn = Actor::enter(stage, "ci-reborn", &[]).await?;

    for actor in dying.iter().chain([&reborn]) {
        actor.dies(stage).await?;
    }
    for actor in [&kept, &protected] {
        actor.shows(stage, "status", "stale").await?;
        actor.lives(stage).await?;
    }
    longer.lives(stage).await?;
    stranger.lives(stage).await?;
    ensure!(stage.history(&stranger.uid).await?.0.is_empty(), "`somebody-else` is none of its business");
    ensure!(stage.history(&first.uid).await?.of_kind("ActionIntended").next().is_none(), "its owner deleted it");
    for actor in [&kept, &protected, &longer, &stranger] {
        actor.leaves(stage).await?;
    }
    // Nobody works while nothing is to be done.
    workers_end(stage).await
}

async fn workers_end(stage: &Stage) -> Result<()> {
    eventually("the workers ended", SOON, async || {
        let running = pods(stage, "action").await?;
        ensure!(running.is_empty(), "{running:?}");
        Ok(())
    })
    .await
}

/// What people see, from within a pod that holds nothing but the image and the configuration.
pub(crate) async fn is_asked_by_people(stage: &Stage) -> Result<()> {
    let actor = Actor::enter(stage, "ci-asked", &[("ttl", "1h")]).await?;
    actor.shows(stage, "status", "ok").await?;
    let listed = stage.home.nsm(&["ls"]).await?;
    ensure!(listed.contains("ci-asked"), "{listed}");
    let told = stage.home.nsm(&["history", "ci-expiring-0"]).await?;
    ensure!(told.contains("its deletion was accepted"), "{told}");
    for command in [&["why", "ci-asked"][..], &["status"], &["workers"]] {
        stage.home.nsm(command).await?;
    }
    actor.leaves(stage).await
}

/// What another program reads of the API, by the token of its pod, and only once somebody gave it the right.
pub(crate) async fn is_asked_by_a_pod(stage: &Stage) -> Result<()> {
    const READER: &str = "reader";
    let cluster = &stage.home.cluster;
    let actor = Actor::enter(stage, "ci-read", &[("ttl", "1h")]).await?;
    actor.shows(stage, "status", "ok").await?;
    cluster.kubectl(["create", "namespace", READER]).await?;
    let ask = async |name: &str| {
        let pod = json!({
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name, "namespace": READER},
            "spec": {
                "restartPolicy": "Never",
                "containers": [{
                    "name": "nsm",
                    "image": stage.home.image(),
                    "command": ["nsm", "ls", "--api", format!("http://{RELEASE}-api.{HOME}:443"), "--token-file", "/token/token"],
                    "volumeMounts": [{"name": "token", "mountPath": "/token"}],
                }],
                "volumes": [{"name": "token", "projected": {"sources": [
                    {"serviceAccountToken": {"path": "token", "audience": "namespace-manager"}},
                ]}}],
            },
        });
        cluster.apply(&pod.to_string()).await?;
        let pods: Api<Pod> = Api::namespaced(stage.home.client.clone(), READER);
        eventually("the pod asked", SOON, async || {
            let phase = pods.get(name).await?.status.and_then(|status| status.phase);
            ensure!(matches!(phase.as_deref(), Some("Succeeded" | "Failed")), "{phase:?}");
            Ok(())
        })
        .await?;
        cluster.kubectl(["logs", "--namespace", READER, name]).await
    };
    let refused = ask("before").await?;
    ensure!(refused.contains("may not list `records`") && !refused.contains("ci-read"), "{refused}");
    let role = format!("--clusterrole={RELEASE}-reader");
    let account = format!("--serviceaccount={READER}:default");
    cluster.kubectl(["create", "clusterrolebinding", "namespaces-readers", &role, &account]).await?;
    // The API remembers an answer of the apiserver for ten seconds.
    let listed = eventually("it may read", SOON, {
        let count = std::cell::Cell::new(0);
        async move || {
            count.set(count.get() + 1);
            let listed = ask(&format!("after-{}", count.get())).await?;
            ensure!(listed.contains("ci-read"), "{listed}");
            Ok(listed)
        }
    })
    .await?;
    ensure!(!listed.contains("kube-system"), "{listed}");
    cluster.kubectl(["delete", "namespace", READER, "--wait=false"]).await?;
    actor.leaves(stage).await
}

/// Both controllers are restarted one pod after the other, as an upgrade does it, while namespaces die: somebody leads all
/// the time, but for moments.
pub(crate) async fn is_restarted_during_work(stage: &Stage) -> Result<()> {
    let mut dying = Vec::new();
    for number in 0..20 {
        let ttl = format!("{}s", 10 + number);
        dying.push(Actor::enter(stage, &format!("ci-restart-{number}"), &[("ttl", &ttl)]).await?);
    }
    let work = async {
        for controller in CONTROLLERS {
            stage.home.cluster.kubectl(["rollout", "restart", "--namespace", HOME, &deployment(controller)]).await?;
            let wait = ["rollout", "status", "--namespace", HOME, &deployment(controller), "--timeout=2m"];
            stage.home.cluster.kubectl(wait).await?;
        }
        for actor in &dying {
            actor.dies(stage).await?;
        }
        anyhow::Ok(())
    };
    let mut vacancies = CONTROLLERS.map(|controller| Vacancy::of(stage, controller));
    let [collect, action] = &mut vacancies;
    tokio::select! {
        worked = work => worked,
        never = collect.watch() => match never {},
        never = action.watch() => match never {},
    }?;
    for Vacancy { lease, longest, slowest, .. } in vacancies {
        let allowed = GAP + slowest * REQUESTS;
        ensure!(
            longest <= allowed,
            "nobody led `{lease}` for {longest:#}, more than {allowed:#}; a look took {slowest:#} at most"
        );
        eprintln!("nobody led `{lease}` for {longest:#} at most; a look took {slowest:#} at most");
    }
    Ok(())
}

/// The pods that lead are killed without a word: the others take over, and the work goes on.
pub(crate) async fn loses_its_leaders(stage: &Stage) -> Result<()> {
    let actor = Actor::enter(stage, "ci-orphan", &[("ttl", "15s")]).await?;
    for controller in CONTROLLERS {
        let before = eventually(&format!("somebody leads `{controller}`"), SOON, async || {
            holder(stage, controller).await?.context("nobody does")
        })
        .await?;
        let pod = before.split('.').next().context("a holder is a pod")?;
        let kill = ["delete", "pod", "--namespace", HOME, pod, "--grace-period=0", "--force"];
        stage.home.cluster.kubectl(kill).await?;
        eventually(&format!("another leads `{controller}`"), SOON, async || {
            let now = holder(stage, controller).await?;
            ensure!(now.as_ref().is_some_and(|now| *now != before), "{now:?}");
            Ok(())
        })
        .await?;
    }
    actor.dies(stage).await
}

/// A stop fences the deletion that is on its way, and holds in the apiserver itself, whatever is installed over it, until
/// somebody takes it back.
pub(crate) async fn is_stopped_and_upgraded(stage: &Stage) -> Result<()> {
    let (held, hold) = Hold::of(stage, "ci-held").await?;
    let told = stage.home.nsm(&["stop", "--reason", "a story"]).await?;
    held.lives(stage).await?;
    let history = stage.history(&held.uid).await?;
    ensure!(history.of_kind("ActionFailed").next().is_some(), "nothing was fenced: {told}\n{:?}", history.0);
    hold.end(stage, &held).await?;
    let actor = Actor::enter(stage, "ci-stopped", &[("ttl", "5s")]).await?;
    actor.shows(stage, "status", "stale").await?;
    actor.records(stage, "ActionSkipped").await?;
    stage.release("upgrade", |values| values["config"]["workers"]["idle_for"] = json!("11s")).await?;
    stage.home.cluster.kubectl(["get", "validatingadmissionpolicybinding", &format!("{RELEASE}-stop")]).await?;
    actor.lives(stage).await?;
    stage.home.nsm(&["resume"]).await?;
    held.dies(stage).await?;
    actor.dies(stage).await
}

/// Collectors as CronJobs: nobody watches in between, and the same comes of it.
pub(crate) async fn sweeps_by_cron(stage: &Stage) -> Result<()> {
    let jobs = json!({"sweep": "cron", "prune_every": "1w"});
    stage.release("upgrade", |values| values["config"]["jobs"] = jobs).await?;
    let cronjobs: Api<CronJob> = Api::namespaced(stage.home.client.clone(), HOME);
    eventually("a sweep is scheduled, and no collector is resident", LATER, async || {
        let running = pods(stage, "collector").await?;
        ensure!(!running.iter().any(|name| name.contains("-collector-")), "{running:?}");
        let names: Vec<_> = cronjobs.list(&ListParams::default()).await?.iter().map(ResourceExt::name_any).collect();
        ensure!(names.iter().any(|name| name.contains("-sweep-")), "{names:?}");
        let prune = cronjobs.get(&format!("{RELEASE}-prune")).await?.spec.map(|spec| spec.schedule);
        ensure!(prune.as_deref() == Some("0 0 * * 0"), "{prune:?}");
        Ok(())
    })
    .await?;
    let actor = Actor::enter(stage, "ci-swept", &[("ttl", "5s")]).await?;
    actor.dies(stage).await.context("swept")?;
    // Housekeeping is a day away: now is as good.
    let prune = format!("cronjob/{RELEASE}-prune");
    stage.home.cluster.kubectl(["create", "job", "--namespace", HOME, "prune-now", "--from", &prune]).await?;
    let done = ["wait", "--namespace", HOME, "--for=condition=complete", "job/prune-now", "--timeout=60s"];
    stage.home.cluster.kubectl(done).await?;
    let jobs: Api<Job> = Api::namespaced(stage.home.client.clone(), HOME);
    jobs.delete("prune-now", &DeleteParams::background()).await?;
    stage.release("upgrade", |_| ()).await?;
    eventually("a collector is resident again, and no sweep is scheduled", LATER, async || {
        let names: Vec<_> = cronjobs.list(&ListParams::default()).await?.iter().map(ResourceExt::name_any).collect();
        ensure!(!names.iter().any(|name| name.contains("-sweep-")), "{names:?}");
        let running = pods(stage, "collector").await?;
        ensure!(running.iter().any(|name| name.contains("-collector-")), "{running:?}");
        Ok(())
    })
    .await
}

/// What keeps Jobs from starting is told to people, and the apiserver is not asked over and over.
pub(crate) async fn is_refused_its_jobs(stage: &Stage) -> Result<()> {
    limit(stage, "no-more-jobs", "count/jobs.batch").await?;
    let actor = Actor::enter(stage, "ci-unserved", &[("ttl", "5s")]).await?;
    actor.shows(stage, "status", "stale").await?;
    is_told(stage, "no-more-jobs", 1).await?;
    actor.lives(stage).await?;
    lift(stage, "no-more-jobs").await?;
    actor.dies(stage).await
}

/// What keeps the pods of Jobs from starting is told as well, for a collector and for a worker.
pub(crate) async fn is_refused_its_pods(stage: &Stage) -> Result<()> {
    // Whoever runs goes on: there is to be no worker any more, and later no collector.
    workers_end(stage).await?;
    limit(stage, "no-more-pods", "count/pods").await?;
    let actor = Actor::enter(stage, "ci-unmanned", &[("ttl", "5s")]).await?;
    actor.shows(stage, "status", "stale").await?;
    let residents = "app.kubernetes.io/component=collector";
    stage.home.cluster.kubectl(["delete", "jobs", "--namespace", HOME, "--selector", residents]).await?;
    is_told(stage, "no-more-pods", 2).await?;
    actor.lives(stage).await?;
    lift(stage, "no-more-pods").await?;
    actor.dies(stage).await
}

/// Lets nothing more of this be made in the manager's namespace.
async fn limit(stage: &Stage, name: &str, what: &str) -> Result<()> {
    let quota = json!({"metadata": {"name": name}, "spec": {"hard": {what: "0"}}});
    let quotas: Api<ResourceQuota> = Api::namespaced(stage.home.client.clone(), HOME);
    quotas.create(&PostParams::default(), &serde_json::from_value(quota)?).await?;
    Ok(())
}

async fn lift(stage: &Stage, name: &str) -> Result<()> {
    let quotas: Api<ResourceQuota> = Api::namespaced(stage.home.client.clone(), HOME);
    quotas.delete(name, &DeleteParams::default()).await?;
    Ok(())
}

/// Waits until `nsm status` names this so often.
async fn is_told(stage: &Stage, what: &str, times: usize) -> Result<()> {
    eventually(&format!("`{what}` is told"), LATER, async || {
        let status = stage.home.nsm(&["status"]).await?;
        ensure!(status.matches(what).count() >= times, "{status}");
        Ok(())
    })
    .await
}

/// `helm rollback` touches no namespace.
pub(crate) async fn is_rolled_back(stage: &Stage) -> Result<()> {
    let actor = Actor::enter(stage, "ci-rolled-back", &[("ttl", "1h")]).await?;
    actor.shows(stage, "status", "ok").await?;
    stage.home.cluster.helm(["rollback", RELEASE, "--namespace", HOME, "--wait", "--timeout", "2m"]).await?;
    actor.lives(stage).await?;
    let witness = Actor::enter(stage, "ci-after-rollback", &[("ttl", "5s")]).await?;
    witness.dies(stage).await?;
    actor.lives(stage).await
}

/// Two of them would take each other's work for mistakes.
pub(crate) async fn a_second_release_is_refused(stage: &Stage) -> Result<()> {
    let chart = stage.home.chart();
    let chart = chart.to_str().context("a path in UTF-8")?;
    match stage.home.cluster.helm(["install", "another", chart, "--namespace", "another"]).await {
        Ok(said) => anyhow::bail!("it was installed: {said}"),
        Err(error) => ensure!(format!("{error:#}").contains("installed in this cluster already"), "{error:#}"),
    }
    Ok(())
}

/// `helm uninstall` leaves every namespace as it is; with the second command of the page on operations nothing of the
/// release is left.
pub(crate) async fn is_uninstalled(stage: &Stage) -> Result<()> {
    let rolled_back = stage.namespaces().get("ci-rolled-back").await?;
    stage.home.cluster.helm(["uninstall", RELEASE, "--namespace", HOME, "--wait", "--timeout", "2m"]).await?;
    let now = stage.namespaces().get("ci-rolled-back").await?;
    ensure!(now.uid() == rolled_back.uid() && now.metadata.deletion_timestamp.is_none(), "{now:?}");
    let instance = format!("app.kubernetes.io/instance={RELEASE}");
    let rest = ["delete", "jobs,cronjobs", "--namespace", HOME, "--selector", &instance];
    stage.home.cluster.kubectl(rest).await?;
    eventually("nothing of the release is left", SOON, async || {
        let left = stage.home.cluster.kubectl(["get", "all,cronjobs", "--namespace", HOME, "--output=name"]).await?;
        let left: Vec<_> = left.lines().filter(|name| name.contains(RELEASE)).collect();
        ensure!(left.is_empty(), "{left:?}");
        Ok(())
    })
    .await
}

fn deployment(controller: &str) -> String {
    format!("deployment/{RELEASE}-{controller}")
}

async fn pods(stage: &Stage, component: &str) -> Result<BTreeSet<String>> {
    let pods: Api<Pod> = Api::namespaced(stage.home.client.clone(), HOME);
    let listed = pods.list(&ListParams::default().labels(&format!("app.kubernetes.io/component={component}"))).await?;
    let is_running = |pod: &&Pod| pod.status.as_ref().and_then(|status| status.phase.as_deref()) == Some("Running");
    Ok(listed.iter().filter(is_running).map(ResourceExt::name_any).collect())
}

fn lease(controller: &str) -> String {
    format!("{RELEASE}-{controller}")
}

async fn holder(stage: &Stage, controller: &str) -> Result<Option<String>> {
    let leases: Api<Lease> = Api::namespaced(stage.home.client.clone(), HOME);
    let spec = leases.get_opt(&lease(controller)).await?.and_then(|lease| lease.spec);
    Ok(spec.and_then(|spec| spec.holder_identity).filter(|holder| !holder.is_empty()))
}

/// For how long nobody led.
struct Vacancy<'s> {
    stage: &'s Stage,
    controller: &'static str,
    lease: String,
    since: Option<Timestamp>,
    longest: SignedDuration,
    /// The slowest look, with what the machine let us wait for our turn: how busy it was.
    slowest: SignedDuration,
}

impl<'s> Vacancy<'s> {
    /// Between two looks.
    const PAUSE: SignedDuration = SignedDuration::from_millis(100);

    fn of(stage: &'s Stage, controller: &'static str) -> Self {
        let none = SignedDuration::ZERO;
        Self { stage, controller, lease: lease(controller), since: None, longest: none, slowest: none }
    }

    /// Looks all the time; never ends by itself.
    async fn watch(&mut self) -> Infallible {
        let mut last = Timestamp::now();
        loop {
            tokio::time::sleep(Self::PAUSE.unsigned_abs()).await;
            let held = holder(self.stage, self.controller).await;
            let now = Timestamp::now();
            self.slowest = self.slowest.max(now.duration_since(last) - Self::PAUSE);
            last = now;
            match held {
                Ok(holder) => self.sees(holder.is_some(), now),
                // Without an answer it is as it was.
                Err(error) => eprintln!("no answer about `{}`: {error:#}", self.lease),
            }
        }
    }

    fn sees(&mut self, held: bool, now: Timestamp) {
        let since = *self.since.get_or_insert(now);
        self.longest = self.longest.max(now.duration_since(since));
        if held {
            self.since = None;
        }
    }
}
