//! What is written to the cluster: the chart's template of a pod, with a name, labels, arguments and limits.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Duration,
};

use k8s_openapi::api::{
    batch::v1::{CronJob, CronJobSpec, Job as KubeJob, JobSpec as KubeJobSpec, JobTemplateSpec},
    core::v1::PodTemplateSpec,
};
use kube::api::ObjectMeta;
use lifecycle::policy::hash;

use super::super::{JobError, JobKind, JobSpec, Result, Schedule};

/// The labels of Jobs, CronJobs and pods.
pub(super) const NAME: (&str, &str) = ("app.kubernetes.io/name", "namespace-manager");
pub(super) const INSTALLATION: &str = "app.kubernetes.io/instance";
pub(super) const COMPONENT: &str = "app.kubernetes.io/component";

/// Of a CronJob: the hash of what was written, as the apiserver adds its defaults to it.
pub(super) const WRITTEN: &str = "namespace-manager.io/written";

/// How long an ended Job stays to be read.
const CLEARED_AFTER: Duration = Duration::from_secs(600);

/// A CronJob that missed more than 100 starts never starts again unless it looks back no further than this.
const STARTING_DEADLINE: Duration = Duration::from_secs(120);

/// The longest an installation's name stands before a job's: 63 letters in all, 52 for a CronJob.
const MAX_PREFIX_LENGTH: usize = 32;

/// What objects of one installation look like.
#[derive(Clone, Debug)]
pub(super) struct Render {
    installation: String,
    prefix: String,
    templates: PathBuf,
}

impl Render {
    pub(super) fn new(installation: String, templates: PathBuf) -> Self {
        Self { prefix: prefix(&installation), installation, templates }
    }

    pub(super) fn installation(&self) -> &str {
        &self.installation
    }

    /// A job's name in the cluster.
    pub(super) fn full(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    /// And back.
    pub(super) fn short<'n>(&self, full: &'n str) -> Option<&'n str> {
        full.strip_prefix(&self.prefix)
    }

    /// Selects what is of this installation.
    pub(super) fn selector(&self) -> String {
        format!("{}={},{INSTALLATION}={}", NAME.0, NAME.1, self.installation)
    }

    /// The pod of a kind, as it is now.
    pub(super) async fn template(&self, kind: JobKind) -> Result<PodTemplateSpec> {
        let path = self.templates.join(format!("{}.yaml", kind.as_str()));
        read(&path).await.map_err(|why| JobError { doing: format!("read the template `{}`", path.display()), why })
    }

    pub(super) fn job(&self, spec: &JobSpec, template: PodTemplateSpec) -> KubeJob {
        KubeJob {
            metadata: self.metadata(&spec.name, spec.kind),
            spec: Some(self.spec(spec.kind, &spec.args, spec.deadline, template)),
            status: None,
        }
    }

    /// A schedule, and the hash of it.
    pub(super) fn cron_job(&self, schedule: &Schedule, template: PodTemplateSpec) -> (CronJob, String) {
        let run = self.spec(schedule.kind, &schedule.args, Some(schedule.deadline), template);
        let spec = CronJobSpec {
            schedule: schedule.every.cron(),
            time_zone: Some("Etc/UTC".to_owned()),
            concurrency_policy: Some("Forbid".to_owned()),
            starting_deadline_seconds: Some(seconds(STARTING_DEADLINE)),
            successful_jobs_history_limit: Some(1),
            failed_jobs_history_limit: Some(1),
            job_template: JobTemplateSpec {
                metadata: Some(ObjectMeta { labels: Some(self.labels(schedule.kind)), ..ObjectMeta::default() }),
                spec: Some(run),
            },
            suspend: None,
        };
        let written = hash(&spec);
        let metadata = ObjectMeta {
            annotations: Some([(WRITTEN.to_owned(), written.clone())].into()),
            ..self.metadata(&schedule.name, schedule.kind)
        };
        (CronJob { metadata, spec: Some(spec), status: None }, written)
    }

    fn metadata(&self, name: &str, kind: JobKind) -> ObjectMeta {
        ObjectMeta { name: Some(self.full(name)), labels: Some(self.labels(kind)), ..ObjectMeta::default() }
    }

    fn labels(&self, kind: JobKind) -> BTreeMap<String, String> {
        let labels = [NAME, (INSTALLATION, &self.installation), (COMPONENT, kind.as_str())];
        labels.map(|(key, value)| (key.to_owned(), value.to_owned())).into()
    }

    fn spec(
        &self,
        kind: JobKind,
        args: &[String],
        deadline: Option<Duration>,
        mut template: PodTemplateSpec,
    ) -> KubeJobSpec {
        template.metadata.get_or_insert_default().labels.get_or_insert_default().extend(self.labels(kind));
        if let Some(pod) = &mut template.spec {
            pod.restart_policy = Some("Never".to_owned());
            if let Some(container) = pod.containers.first_mut() {
                container.args = Some(args.to_vec());
            }
        }
        KubeJobSpec {
            // Tries are ours, under names of their own.
            backoff_limit: Some(0),
            active_deadline_seconds: deadline.map(seconds),
            ttl_seconds_after_finished: Some(seconds(CLEARED_AFTER).try_into().unwrap_or(i32::MAX)),
            template,
            ..KubeJobSpec::default()
        }
    }
}

async fn read(path: &Path) -> std::result::Result<PodTemplateSpec, String> {
    let text = tokio::fs::read_to_string(path).await.map_err(|error| error.to_string())?;
    let template: PodTemplateSpec = serde_saphyr::from_str(&text).map_err(|error| error.to_string())?;
    if template.spec.as_ref().is_none_or(|pod| pod.containers.is_empty()) {
        return Err("it is no PodTemplateSpec with a container".to_owned());
    }
    Ok(template)
}

/// What stands before a job's name. A long name of an installation is cut, and told from others by a few digits.
fn prefix(installation: &str) -> String {
    const DIGITS: usize = 7;
    if installation.len() < MAX_PREFIX_LENGTH {
        return format!("{installation}-");
    }
    let kept = installation.get(..MAX_PREFIX_LENGTH - DIGITS - 2).unwrap_or_default().trim_end_matches('-');
    format!("{kept}-{}-", &hash(&installation)[..DIGITS])
}

fn seconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_secs()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jobs::MAX_NAME_LENGTH;

    #[test]
    fn a_short_name_stands_before_a_jobs_as_it_is() {
        assert_eq!(prefix("namespace-manager"), "namespace-manager-");
        let render = Render::new("staging-namespace-manager".to_owned(), PathBuf::new());
        assert_eq!(render.full("sweep-0"), "staging-namespace-manager-sweep-0");
        assert_eq!(render.short("staging-namespace-manager-sweep-0-29"), Some("sweep-0-29"));
        assert_eq!(render.short("staging"), None);
    }

    #[test]
    fn long_names_are_cut_and_told_apart() {
        let long = |end: &str| prefix(&format!("{}{end}", "n".repeat(62)));
        let cut = long("a");
        assert!(cut.len() <= MAX_PREFIX_LENGTH && cut.starts_with("nnnnnnnn") && cut.ends_with('-'), "{cut}");
        assert_ne!(cut, long("b"));
        assert!(cut.len() + MAX_NAME_LENGTH <= 63);
        assert!(!prefix(&format!("{}{}b", "n".repeat(20), "-".repeat(12))).contains("--"));
    }
}
