//! Jobs as pods, on a real control plane: the suite, and what only a cluster does.
//!
//! There is no node: a [`Kubelet`] of a few lines says of the pods what one would say of the suite's program.

mod kubelet;

use std::{
    collections::BTreeMap,
    path::Path,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use common::{
    jobs::{JobKind, JobRunner, JobSpec, JobState, KubernetesJobs, Place, Schedule, SharedJobs, Started},
    timings::Timings,
};
use k8s_openapi::api::{
    batch::v1::{CronJob, Job},
    core::v1::{Pod, ResourceQuota},
};
use kube::{
    Api, Client, ResourceExt as _,
    api::{ListParams, Patch, PatchParams, PostParams},
};
use serde_json::json;
use testbed::{ControlPlane, User, eventually, temp_namespace};

use self::kubelet::Kubelet;
use super::{Bench, LONG, end, job, start, suite};

suite!(contract, super::Cluster::new, tokio::test);

/// A template as the chart renders one: what the apiserver's rules want of a pod, and nothing that is a job's own.
const TEMPLATE: &str = r#"
metadata:
  labels: {of-the-chart: "yes"}
spec:
  automountServiceAccountToken: false
  restartPolicy: Never
  securityContext: {runAsNonRoot: true, runAsUser: 65532, seccompProfile: {type: RuntimeDefault}}
  containers:
    - name: main
      image: local.test/namespace-manager:test
      command: [/usr/local/bin/collector]
      resources: {requests: {cpu: 10m, memory: 16Mi}}
      securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
"#;

/// A namespace of a real control plane, with the templates of an installation.
pub(crate) struct Cluster {
    client: Client,
    namespace: String,
    installation: String,
    templates: tempfile::TempDir,
    _kubelet: Kubelet,
}

impl Cluster {
    pub(crate) async fn new() -> Self {
        Self::of("nsm").await
    }

    async fn of(installation: &str) -> Self {
        let client = ControlPlane::shared().await.unwrap().client(User::ADMIN).await.unwrap();
        let namespace = temp_namespace(&client, &[], &[]).await.unwrap().name_any();
        // Pods need it, and it is made a moment later.
        let accounts: Api<k8s_openapi::api::core::v1::ServiceAccount> = Api::namespaced(client.clone(), &namespace);
        eventually("there is a service account", LONG, async || Ok(accounts.get("default").await?)).await.unwrap();
        let templates = tempfile::tempdir().unwrap();
        for kind in ["collector", "action"] {
            std::fs::write(templates.path().join(format!("{kind}.yaml")), TEMPLATE).unwrap();
        }
        let kubelet = Kubelet::start(&client, &namespace);
        Self { client, namespace, installation: installation.to_owned(), templates, _kubelet: kubelet }
    }

    fn runner(&self) -> KubernetesJobs {
        self.runner_with(self.templates.path())
    }

    fn runner_with(&self, templates: &Path) -> KubernetesJobs {
        let (namespace, installation) = (self.namespace.clone(), self.installation.clone());
        KubernetesJobs::new(
            &self.client,
            Place { namespace, installation, templates: templates.to_owned() },
            &Timings::default(),
        )
    }

    fn api<K>(&self) -> Api<K>
    where
        K: kube::Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType = ()>,
    {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    async fn jobs(&self) -> Vec<Job> {
        self.api::<Job>().list(&ListParams::default()).await.unwrap().items
    }

    async fn names(&self) -> Vec<String> {
        self.jobs().await.iter().map(|job| job.name_any()).collect()
    }
}

impl Bench for Cluster {
    async fn open(&self) -> SharedJobs {
        std::sync::Arc::new(self.runner())
    }

    async fn schedules(&self) -> Vec<(String, Vec<String>)> {
        let all = self.api::<CronJob>().list(&ListParams::default()).await.unwrap();
        let told = all.items.into_iter().map(|cron| {
            let name = cron.name_any().trim_start_matches("nsm-").to_owned();
            let pod = cron.spec.unwrap().job_template.spec.unwrap().template.spec.unwrap();
            (name, pod.containers.into_iter().next().unwrap().args.unwrap_or_default())
        });
        told.collect()
    }
}

#[tokio::test]
async fn a_job_is_the_charts_pod_with_a_name_arguments_and_limits() {
    let cluster = Cluster::new().await;
    let jobs = cluster.runner();
    let spec = JobSpec {
        kind: JobKind::Collector,
        deadline: Some(Duration::from_secs(60)),
        ..job("collector-0-7", &["stay"])
    };
    start(&jobs, &spec).await;
    let job = cluster.api::<Job>().get("nsm-collector-0-7").await.unwrap();
    let labels = |labels: &BTreeMap<String, String>| {
        let of = |key: &str| labels.get(&format!("app.kubernetes.io/{key}")).cloned().unwrap_or_default();
        [of("name"), of("instance"), of("component")]
    };
    assert_eq!(labels(job.labels()), ["namespace-manager", "nsm", "collector"]);
    let spec = job.spec.unwrap();
    assert_eq!(
        (spec.backoff_limit, spec.active_deadline_seconds, spec.ttl_seconds_after_finished),
        (Some(0), Some(60), Some(600))
    );
    let metadata = spec.template.metadata.unwrap().labels.unwrap();
    assert_eq!(labels(&metadata), ["namespace-manager", "nsm", "collector"]);
    assert_eq!(metadata["of-the-chart"], "yes");
    let pod = spec.template.spec.unwrap();
    assert_eq!((pod.restart_policy.as_deref(), pod.automount_service_account_token), (Some("Never"), Some(false)));
    let container = &pod.containers[0];
    assert_eq!(container.args, Some(vec!["stay".to_owned()]));
    assert_eq!(container.command, Some(vec!["/usr/local/bin/collector".to_owned()]));
}

/// The answer to the first start never came, and another controller leads now.
#[tokio::test]
async fn who_starts_a_job_a_second_time_finds_the_first() {
    let cluster = Cluster::new().await;
    let (first, second) = (cluster.runner(), cluster.runner());
    start(&first, &job("a", &["stay"])).await;
    assert_eq!(second.start(&job("a", &["stay"])).await.unwrap(), Started::Exists(JobState::Running));
    start(&first, &job("b", &["fail", "badly"])).await;
    end(&first, "b").await;
    let third = cluster.runner();
    let again = third.start(&job("b", &["stay"])).await.unwrap();
    assert!(matches!(&again, Started::Exists(JobState::Failed(why)) if why.contains("badly")), "{again:?}");
    assert_eq!(cluster.names().await, ["nsm-a", "nsm-b"]);
}

#[tokio::test]
async fn a_job_of_another_installation_is_none_of_ours() {
    let cluster = Cluster::new().await;
    let jobs = cluster.runner();
    let mut other = cluster.runner_with(cluster.templates.path());
    start(&jobs, &job("a", &["stay"])).await;
    let place = Place {
        namespace: cluster.namespace.clone(),
        installation: "nsm-2".to_owned(),
        templates: cluster.templates.path().to_owned(),
    };
    other = {
        drop(other);
        KubernetesJobs::new(&cluster.client, place, &Timings::default())
    };
    assert_eq!(other.jobs(JobKind::Action).await.unwrap(), []);
    let mut foreign = cluster.api::<Job>().get("nsm-a").await.unwrap();
    foreign.metadata = kube::api::ObjectMeta { name: Some("nsm-2-b".to_owned()), ..Default::default() };
    foreign.status = None;
    let spec = foreign.spec.as_mut().unwrap();
    spec.selector = None;
    spec.template.metadata = None;
    cluster.api::<Job>().create(&PostParams::default(), &foreign).await.unwrap();
    let error = other.start(&job("b", &["stay"])).await.unwrap_err();
    assert!(error.why.contains("none of this installation's"), "{error}");
}

/// It ended and was cleared away before anybody saw how.
#[tokio::test]
async fn a_job_that_was_cleared_away_leaves_its_name() {
    let cluster = Cluster::new().await;
    let jobs = cluster.runner();
    start(&jobs, &job("a", &["stay"])).await;
    #[expect(clippy::disallowed_methods, reason = "a Job of the test's own")]
    cluster.api::<Job>().delete("nsm-a", &kube::api::DeleteParams::background()).await.unwrap();
    super::until("its clearing away", &jobs, "a", |state| state.is_none()).await;
    start(&jobs, &job("a", &["stay"])).await;
}

#[tokio::test]
async fn names_stay_within_63_letters_whatever_the_installation_is_called() {
    let cluster = Cluster::of(&format!("{}-namespace-manager", "release".repeat(6))).await;
    let jobs = cluster.runner();
    let name = "a".repeat(30);
    start(&jobs, &job(&name, &["stay"])).await;
    assert_eq!(jobs.start(&job(&name, &["stay"])).await.unwrap(), Started::Exists(JobState::Running));
    assert_eq!(jobs.running(JobKind::Action).await.unwrap(), [name.as_str()]);
    let schedule = Schedule { name: "b".repeat(19), ..minutely() };
    jobs.schedule(std::slice::from_ref(&schedule)).await.unwrap();
    let longest = cluster.names().await.iter().map(String::len).max().unwrap();
    let cron = cluster.api::<CronJob>().list(&ListParams::default()).await.unwrap().items[0].name_any().len();
    assert!(longest <= 63 && cron <= 52, "{longest}, {cron}");
}

#[tokio::test]
async fn a_quota_refuses_until_there_is_room() {
    let cluster = Cluster::new().await;
    let jobs = cluster.runner();
    let quota = quota("jobs", "count/jobs.batch", "1");
    cluster.api::<ResourceQuota>().create(&PostParams::default(), &quota).await.unwrap();
    counted(&cluster, "jobs").await;
    start(&jobs, &job("a", &["stay"])).await;
    let refused = jobs.start(&job("b", &["stay"])).await.unwrap();
    assert!(matches!(&refused, Started::Refused(why) if why.contains("exceeded quota")), "{refused:?}");
    jobs.stop("a").await.unwrap();
    eventually("there is room again", LONG, async || match jobs.start(&job("b", &["stay"])).await? {
        Started::Now => Ok(()),
        other => anyhow::bail!("{other:?}"),
    })
    .await
    .unwrap();
}

/// The admission of pods is called when the pod is made, not the Job: that is seen on its Events.
#[tokio::test]
async fn a_quota_on_pods_is_told_as_the_reason_why_a_job_does_not_begin() {
    let cluster = Cluster::new().await;
    let jobs = cluster.runner();
    cluster.api::<ResourceQuota>().create(&PostParams::default(), &quota("pods", "pods", "0")).await.unwrap();
    counted(&cluster, "pods").await;
    start(&jobs, &job("a", &["stay"])).await;
    let why = why_pending(&jobs, "a").await;
    assert!(why.contains("exceeded quota: pods"), "{why}");
}

#[tokio::test]
async fn an_image_that_cannot_be_pulled_is_told_as_the_reason_why_a_job_does_not_begin() {
    let cluster = Cluster::new().await;
    let jobs = cluster.runner();
    start(&jobs, &job("a", &["no image"])).await;
    let why = why_pending(&jobs, "a").await;
    assert_eq!(why, "ImagePullBackOff: Back-off pulling image");
    let job = jobs.jobs(JobKind::Action).await.unwrap().remove(0);
    assert_eq!((job.state, job.has_begun), (JobState::Running, false));
}

#[tokio::test]
async fn an_admission_policy_refuses() {
    let cluster = Cluster::new().await;
    let jobs = cluster.runner();
    deny_jobs(&cluster).await;
    static TRY: AtomicU32 = AtomicU32::new(0);
    let refused = eventually("the policy is in force", LONG, async || {
        let name = format!("a-{}", TRY.fetch_add(1, Ordering::Relaxed));
        match jobs.start(&job(&name, &["stay"])).await? {
            Started::Refused(why) => Ok(why),
            other => anyhow::bail!("{other:?}"),
        }
    });
    let why = refused.await.unwrap();
    assert!(why.contains("no jobs in here"), "{why}");
}

#[tokio::test]
async fn a_template_that_is_none_is_told() {
    let cluster = Cluster::new().await;
    let empty = tempfile::tempdir().unwrap();
    let jobs = cluster.runner_with(empty.path());
    let error = jobs.start(&job("a", &["stay"])).await.unwrap_err().to_string();
    assert!(error.contains("action.yaml") && error.contains("No such file"), "{error}");
    std::fs::write(empty.path().join("action.yaml"), "spec: {containers: []}").unwrap();
    let error = jobs.start(&job("a", &["stay"])).await.unwrap_err().to_string();
    assert!(error.contains("no PodTemplateSpec with a container"), "{error}");
}

#[tokio::test]
async fn a_schedule_is_written_when_it_differs_and_not_again() {
    let cluster = Cluster::new().await;
    let jobs = cluster.runner();
    let api = cluster.api::<CronJob>();
    jobs.schedule(&[minutely()]).await.unwrap();
    let made = api.get("nsm-sweep-0").await.unwrap();
    let spec = made.spec.clone().unwrap();
    assert_eq!(
        (spec.schedule.as_str(), spec.time_zone.as_deref(), spec.concurrency_policy.as_deref()),
        ("* * * * *", Some("Etc/UTC"), Some("Forbid"))
    );
    assert_eq!(spec.starting_deadline_seconds, Some(120));
    // Another controller leads, which knows only what it reads.
    let other = cluster.runner();
    other.schedule(&[minutely()]).await.unwrap();
    assert_eq!(api.get("nsm-sweep-0").await.unwrap().metadata.resource_version, made.metadata.resource_version);
    other.schedule(&[Schedule { deadline: Duration::from_secs(31), ..minutely() }]).await.unwrap();
    let changed = api.get("nsm-sweep-0").await.unwrap().spec.unwrap();
    assert_eq!(changed.job_template.spec.unwrap().active_deadline_seconds, Some(31));
}

/// Somebody removed it by hand.
#[tokio::test]
async fn a_schedule_that_was_removed_is_made_again() {
    let cluster = Cluster::new().await;
    let jobs = cluster.runner();
    jobs.schedule(&[minutely()]).await.unwrap();
    let api = cluster.api::<CronJob>();
    #[expect(clippy::disallowed_methods, reason = "a CronJob of the test's own")]
    api.delete("nsm-sweep-0", &kube::api::DeleteParams::background()).await.unwrap();
    eventually("it is there again", LONG, async || {
        jobs.changed(Duration::from_millis(100)).await;
        jobs.schedule(&[minutely()]).await?;
        Ok(api.get("nsm-sweep-0").await?)
    })
    .await
    .unwrap();
}

/// A CronJob that missed more than a hundred starts never starts again, unless it looks back for a while only.
#[tokio::test]
async fn a_schedule_that_missed_hundreds_of_starts_starts_again() {
    let cluster = Cluster::new().await;
    let jobs = cluster.runner();
    jobs.schedule(&[minutely()]).await.unwrap();
    let api = cluster.api::<CronJob>();
    let day_ago = jiff::Timestamp::from_second(now() - 86_400).unwrap().to_string();
    let missed = json!({"status": {"lastScheduleTime": day_ago}});
    api.patch_status("nsm-sweep-0", &PatchParams::default(), &Patch::Merge(missed)).await.unwrap();
    let run = eventually("it starts", LONG, async || {
        let runs = jobs.jobs(JobKind::Collector).await?;
        runs.into_iter().find(|job| job.name.starts_with("sweep-0-")).ok_or_else(|| anyhow::anyhow!("no run"))
    });
    assert_eq!(run.await.unwrap().args, ["end", "with these arguments"]);
}

#[tokio::test]
async fn at_rest_nothing_is_asked() {
    let plane = ControlPlane::shared().await.unwrap();
    let cluster = Cluster::new().await;
    let mut log = plane.audit_of(&cluster.namespace).unwrap();
    let jobs = cluster.runner();
    start(&jobs, &job("a", &["stay"])).await;
    super::until("its beginning", &jobs, "a", |state| state == Some(&JobState::Running)).await;
    jobs.schedule(&[minutely()]).await.unwrap();
    let mut asked = || {
        let ours = log.events().unwrap().iter().filter(|event| {
            let object = event.object_ref.as_ref();
            object.is_some_and(|object| object.namespace.as_deref() == Some(&cluster.namespace))
                && event.user_agent.as_deref().is_none_or(|agent| !agent.starts_with("kube-"))
        });
        ours.map(|event| format!("{} {}", event.verb, event.request_uri)).collect::<Vec<_>>()
    };
    eventually("the log has what was asked so far", LONG, async || {
        anyhow::ensure!(asked().iter().any(|line| line.starts_with("create") && line.contains("cronjobs")));
        Ok(())
    })
    .await
    .unwrap();
    let before = asked();
    for _ in 0..50 {
        jobs.jobs(JobKind::Action).await.unwrap();
        jobs.state("a").await.unwrap();
        jobs.start(&job("a", &["stay"])).await.unwrap();
        jobs.schedule(&[minutely()]).await.unwrap();
    }
    let marker = cluster.api::<Pod>().list(&ListParams::default().fields("metadata.name=marker")).await.unwrap();
    assert!(marker.items.is_empty());
    let after = eventually("the log has what was asked last", LONG, async || {
        let asked = asked();
        // A run of the schedule, when a minute begins just now, asks more after it.
        anyhow::ensure!(asked.iter().any(|line| line.contains("marker")), "{:?}", asked.last());
        Ok(asked)
    })
    .await
    .unwrap();
    let since: Vec<_> = after[before.len()..].iter().filter(|line| !line.contains("watch=true")).collect();
    let of_ours: Vec<_> = since.iter().filter(|line| line.contains("jobs") || line.contains("events")).collect();
    assert!(of_ours.is_empty(), "{of_ours:?}");
}

fn minutely() -> Schedule {
    Schedule {
        name: "sweep-0".to_owned(),
        kind: JobKind::Collector,
        args: vec!["end".to_owned(), "with these arguments".to_owned()],
        every: common::jobs::CronInterval::of(Duration::from_secs(60)).unwrap(),
        deadline: Duration::from_secs(30),
    }
}

/// Why a job does not begin.
async fn why_pending(jobs: &KubernetesJobs, name: &str) -> String {
    eventually("the reason is told", LONG, async || {
        let all = jobs.jobs(JobKind::Action).await?;
        let job = all.into_iter().find(|job| job.name == name);
        job.and_then(|job| job.trouble).ok_or_else(|| anyhow::anyhow!("no reason"))
    })
    .await
    .unwrap()
}

fn quota(name: &str, what: &str, most: &str) -> ResourceQuota {
    serde_json::from_value(json!({"metadata": {"name": name}, "spec": {"hard": {what: most}}})).unwrap()
}

/// A quota holds once the controller has counted what there is.
async fn counted(cluster: &Cluster, name: &str) {
    let api = cluster.api::<ResourceQuota>();
    eventually("the quota is counted", LONG, async || {
        let status = api.get(name).await?.status;
        anyhow::ensure!(status.is_some_and(|status| status.used.is_some()), "not yet");
        Ok(())
    })
    .await
    .unwrap();
}

async fn deny_jobs(cluster: &Cluster) {
    use k8s_openapi::api::admissionregistration::v1::{
        ValidatingAdmissionPolicy as Policy, ValidatingAdmissionPolicyBinding as Binding,
    };
    let name = format!("no-jobs-in-{}", cluster.namespace);
    let policy: Policy = serde_json::from_value(json!({
        "metadata": {"name": name},
        "spec": {
            "failurePolicy": "Fail",
            "matchConstraints": {"resourceRules": [
                {"apiGroups": ["batch"], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["jobs"]},
            ]},
            "validations": [{"expression": "false", "message": "no jobs in here"}],
        },
    }))
    .unwrap();
    let binding: Binding = serde_json::from_value(json!({
        "metadata": {"name": name},
        "spec": {
            "policyName": name,
            "validationActions": ["Deny"],
            "matchResources": {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": cluster.namespace}}},
        },
    }))
    .unwrap();
    Api::<Policy>::all(cluster.client.clone()).create(&PostParams::default(), &policy).await.unwrap();
    Api::<Binding>::all(cluster.client.clone()).create(&PostParams::default(), &binding).await.unwrap();
}

fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    i64::try_from(since.as_secs()).unwrap()
}
