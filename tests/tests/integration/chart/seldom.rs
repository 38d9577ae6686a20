//! The rights that no day of an installation asks for: each is taken away from the part that has it, and then what it does
//! with it is refused. Our own code asks here, with the tokens of the parts' own ServiceAccounts.

use anyhow::{Context, Result, ensure};
use common::clock::{ApiClock, Clock};
use common::cluster::{Cluster, bind, unbind};
use common::events::{Events, News};
use common::history::append_named;
use common::identity::kinship::{self, Kinship};
use common::jobs::{JobKind, JobRunner as _, JobSpec, JobState, KubernetesJobs, Place, Started};
use common::store;
use common::timings::Timings;
use http::Method;
use jiff::Timestamp;
use lifecycle::{Actor, Event, Record, Uid, event::Released};
use serde_json::{Value, json};
use testbed::eventually;

use super::admission::job_template;
use super::harness::{FULL, HOME, Release, SOON, path};

const RBAC: &str = "/apis/rbac.authorization.k8s.io/v1";
const STOP: &str = "nsm-namespace-manager-stop";

/// Takes this verb on this resource out of a role.
async fn take(release: &Release, role: &str, resource: &str, verb: &str) -> Result<()> {
    let mut object = release.admin.get(role).await?.accepted().clone();
    let rules = object["rules"].as_array_mut().context("a role has rules")?;
    let mut taken = 0;
    for rule in rules.iter_mut().filter(|rule| rule["resources"] == json!([resource])) {
        let verbs = rule["verbs"].as_array_mut().context("a rule has verbs")?;
        let before = verbs.len();
        verbs.retain(|given| given != verb);
        taken += before - verbs.len();
    }
    // A rule without a verb is none.
    rules.retain(|rule| rule["verbs"] != json!([]));
    ensure!(taken == 1, "`{role}` grants {verb} on {resource} {taken} times");
    release.admin.send(Method::PUT, role, &object).await?.accepted();
    Ok(())
}

/// A Job whose pods do not start is removed after five minutes, and another is tried. Its name is asked for first, by whoever
/// finds it taken.
#[tokio::test]
async fn the_action_controller_removes_a_job() -> Result<()> {
    let values = json!({"config": {"mode": "enforce"}});
    let release = Release::installed(&values).await?;
    let controller = release.role("action-controller").await?;
    let templates = tempfile::tempdir()?;
    let objects: Vec<Value> = release.helm.render(&values)?;
    for kind in ["collector", "action"] {
        std::fs::write(templates.path().join(format!("{kind}.yaml")), job_template(&objects, kind)?.to_string())?;
    }
    let runner = || {
        let (namespace, installation) = (HOME.to_owned(), FULL.to_owned());
        KubernetesJobs::new(
            &controller.client(),
            Place { namespace, installation, templates: templates.path().to_owned() },
            &Timings::default(),
        )
    };
    let job = |name: &str| JobSpec {
        name: name.to_owned(),
        kind: JobKind::Action,
        args: vec!["work".to_owned()],
        deadline: None,
    };
    let jobs = runner();
    for name in ["worker-0", "worker-1"] {
        ensure!(jobs.start(&job(name)).await? == Started::Now, "`{name}` was there");
        // By somebody who may not have seen it yet.
        ensure!(runner().start(&job(name)).await? == Started::Exists(JobState::Running), "`{name}` is not there");
    }
    jobs.stop("worker-0").await?;

    take(&release, &format!("{RBAC}/namespaces/{HOME}/roles/{FULL}-action-controller"), "jobs", "delete").await?;
    let refused = eventually("the right is gone", SOON, async || {
        // Of a name that nobody has: nothing is lost while the right is still there.
        let path = format!("/apis/batch/v1/namespaces/{HOME}/jobs/none");
        let answer = controller.delete(&path, &Value::Null).await?;
        ensure!(answer.code == 403, "{} {}", answer.code, answer.body);
        jobs.stop("worker-1").await.err().context("it was removed")
    })
    .await?;
    assert!(refused.why.contains("cannot delete resource \"jobs\""), "{refused}");
    Ok(())
}

/// The stop is applied, so that the right can be limited to its name; of a binding that is not there the apiserver asks for
/// the right to create it, and its log says nothing of that.
#[tokio::test]
async fn the_api_creates_the_binding_of_the_stop() -> Result<()> {
    let release = Release::installed(&json!({"config": {"mode": "enforce"}})).await?;
    let watch_timeout = Timings::default().watch_timeout;
    let api = Cluster { client: release.role("api").await?.client(), clock: ApiClock::default(), watch_timeout };
    bind(&api, STOP).await?;
    ensure!(unbind(&api, STOP).await?, "it was not bound");

    let role = format!("{RBAC}/clusterroles/{FULL}-api");
    take(&release, &role, "validatingadmissionpolicybindings", "create").await?;
    let refused = eventually("the right is gone", SOON, async || {
        let refused = bind(&api, STOP).await.err();
        if refused.is_none() {
            unbind(&api, STOP).await?;
        }
        refused.context("it was bound")
    })
    .await?;
    assert!(refused.why.contains("cannot create resource"), "{refused}");
    Ok(())
}

/// A store of an earlier version knows no cluster: whether its namespaces are in this one is seen before anything begins.
#[tokio::test]
async fn the_collect_controller_sees_whose_a_store_is() -> Result<()> {
    let release = Release::installed(&json!({})).await?;
    let watch_timeout = Timings::default().watch_timeout;
    let client = release.role("collect-controller").await?.client();
    let cluster = Cluster { client, clock: ApiClock::default(), watch_timeout };
    let directory = tempfile::tempdir()?;
    let store = store::open(&format!("sqlite:{}", directory.path().join("nsm.db").display())).await?;
    let mut record = Record::new(Uid::new("11111111-2222-3333-4444-555555555555"));
    let (me, now) = (Actor::person("me"), Timestamp::now());
    let released = Event::Released(Released { why: "for a test".to_owned() });
    append_named(&*store, &mut record, "ci-1", &me, released, now).await?;
    store.put_snapshot(&record).await?;
    ensure!(kinship::of(&*store, &cluster).await?? == Kinship::Strange("ci-1".to_owned()));

    take(&release, &format!("{RBAC}/clusterroles/{FULL}-collect-controller"), "namespaces", "list").await?;
    let refused = eventually("the right is gone", SOON, async || {
        kinship::of(&*store, &cluster).await?.err().context("it was listed")
    })
    .await?;
    assert!(refused.why.contains("cannot list resource \"namespaces\""), "{refused}");
    Ok(())
}

/// That the apiserver refuses a deletion is told by an Event.
#[tokio::test]
async fn the_worker_tells_of_a_refusal() -> Result<()> {
    let release = Release::installed(&json!({"config": {"mode": "enforce"}})).await?;
    release.namespace("ci-1", &json!({})).await?;
    let found = release.admin.get(&path("ci-1")).await?;
    let uid = Uid::new(found.accepted()["metadata"]["uid"].as_str().context("a uid")?);
    let worker = release.role("action").await?;
    let watch_timeout = Timings::default().watch_timeout;
    let cluster = Cluster { client: worker.client(), clock: ApiClock::default(), watch_timeout };
    let events = Events::through(cluster, Clock::system(), "test", "Delete");
    let written = "/apis/events.k8s.io/v1/namespaces/ci-1/events";
    let tell = async || {
        events.tell("ci-1", &uid, News::warning("DeletionRefused", "for a test".to_owned())).await;
        let all = release.admin.get(written).await?;
        anyhow::Ok(all.accepted()["items"].as_array().map_or(0, Vec::len))
    };
    ensure!(tell().await? == 1, "it is not there");

    take(&release, &format!("{RBAC}/clusterroles/{FULL}-action"), "events", "create").await?;
    eventually("the right is gone", SOON, async || {
        let answer = worker.post(written, &json!({})).await?;
        ensure!(answer.code == 403, "{} {}", answer.code, answer.body);
        Ok(())
    })
    .await?;
    ensure!(tell().await? == 1, "there is another");
    Ok(())
}
