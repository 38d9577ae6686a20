//! Whether every life went as it had to: by the apiserver's audit log, by what is in the cluster, and by the histories.

use std::time::Duration;

use anyhow::{Result, ensure};
use jiff::SignedDuration;
use k8s_openapi::api::core::v1::Namespace;
use kube::{Api, ResourceExt};
use testbed::receiver::Post;
use testbed::{ControlPlane, NamespaceDelete, User, accepted_namespace_deletes, eventually};

use crate::actors::{CAST, Fate};
use crate::fixture::{MANAGER, Stage};
use crate::nsm::{Entry, together};
use crate::play::Life;
use crate::screen::Ink;

/// The audit log lags behind the answers by milliseconds.
const SOON: Duration = Duration::from_secs(10);

/// How much later than promised a deletion comes at the earliest.
const MARGIN: SignedDuration = SignedDuration::from_secs(60);

/// One thing that was expected, and what was seen.
#[derive(Debug)]
pub(crate) struct Check {
    expected: String,
    seen: String,
    pub(crate) holds: bool,
}

impl std::fmt::Display for Check {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let marker = if self.holds { Ink::Green.paint("✓") } else { Ink::Red.paint("✗") };
        write!(f, "{marker} {}; seen: {}", self.expected, self.seen)
    }
}

/// Checks all there is to check.
pub(crate) async fn check(plane: &ControlPlane, stage: &Stage, lives: &[Life]) -> Result<Vec<Check>> {
    let deletes = deletes(plane, lives).await?;
    let namespaces: Api<Namespace> = Api::all(plane.client(User::ADMIN).await?);
    let posts = stage.webhook.posts();
    let mut checks = vec![complete(lives)];
    for life in lives {
        if let Some(age) = life.fate.deleted_from() {
            checks.push(deleted(life, age, &deletes));
            checks.push(warned(life, &posts, &deletes));
        }
    }
    checks.push(nothing_else(lives, &deletes));
    for life in lives.iter().filter(|life| !life.fate.ends()) {
        checks.push(still_there(life, namespaces.get_opt(life.name).await?.as_ref()));
    }
    let histories = together(lives.iter().map(|life| stage.nsm.history(&life.uid))).await?;
    checks.extend(lives.iter().zip(&histories).map(|(life, history)| recorded(life, history)));
    Ok(checks)
}

/// Whoever never lived broke no rule: that is seen here.
fn complete(lives: &[Life]) -> Check {
    let foreseen: usize = CAST.iter().map(|member| member.lives.len()).sum();
    Check {
        expected: format!("{foreseen} namespaces took part"),
        seen: lives.len().to_string(),
        holds: lives.len() == foreseen,
    }
}

/// The deletions that nsm asked for and got, once the log has all there are to be.
async fn deletes(plane: &ControlPlane, lives: &[Life]) -> Result<Vec<NamespaceDelete>> {
    let read = || -> Result<Vec<NamespaceDelete>> {
        let mut deletes = accepted_namespace_deletes(&plane.audit()?);
        deletes.retain(|delete| delete.user == MANAGER);
        Ok(deletes)
    };
    let expected = lives.iter().filter(|life| life.fate.deleted_from().is_some()).count();
    let complete = eventually("the audit log shows the deletions", SOON, async || {
        let deletes = read()?;
        ensure!(deletes.len() >= expected, "{} of {expected}", deletes.len());
        Ok(deletes)
    });
    // Some are missing: which, the checks say.
    complete.await.or_else(|_| read())
}

fn deleted(life: &Life, from: SignedDuration, deletes: &[NamespaceDelete]) -> Check {
    let own: Vec<_> = deletes.iter().filter(|delete| delete.uid.as_ref() == Some(&life.uid)).collect();
    let age = |delete: &NamespaceDelete| delete.received_at.duration_since(life.created);
    let holds = own.len() == 1
        && own
            .iter()
            .all(|delete| delete.namespace == life.name && delete.resource_version.is_some() && age(delete) >= from);
    let seen = own.iter().map(|delete| {
        let version = delete.resource_version.as_ref().map_or("none", |version| version);
        format!("at {:.1} s, resourceVersion {version}", age(delete).as_secs_f64())
    });
    Check {
        expected: format!(
            "`{}` was deleted by nsm once, not before it was {} s old, with its uid and resourceVersion as preconditions",
            life.title,
            from.as_secs()
        ),
        seen: or_nothing(seen.collect()),
        holds,
    }
}

fn warned(life: &Life, posts: &[Post], deletes: &[NamespaceDelete]) -> Check {
    let delete = deletes.iter().find(|delete| delete.uid.as_ref() == Some(&life.uid));
    let posts: Vec<_> = posts.iter().filter(|post| post.text("uid") == life.uid).collect();
    let came_in_time = |post: &&&Post| {
        let promise = post.instant("not_before");
        delete
            .zip(promise)
            .is_some_and(|(delete, promise)| post.at < delete.received_at && promise + MARGIN <= delete.received_at)
    };
    let age = |at: jiff::Timestamp| at.duration_since(life.created).as_secs_f64();
    let seen = posts.iter().map(|post| {
        let promised =
            post.instant("not_before").map_or_else(|| "nothing".to_owned(), |at| format!("{:.1} s", age(at)));
        format!("warned at {:.1} s, promised not before {promised}", age(post.at))
    });
    Check {
        expected: format!("`{}` was warned of before it was deleted, not before the time promised + 60 s", life.title),
        seen: or_nothing(
            seen.chain(delete.map(|delete| format!("deleted at {:.1} s", age(delete.received_at)))).collect(),
        ),
        holds: posts.iter().filter(came_in_time).count() == 1 && posts.len() == 1,
    }
}

fn nothing_else(lives: &[Life], deletes: &[NamespaceDelete]) -> Check {
    let foreseen = |delete: &&NamespaceDelete| {
        let life = lives.iter().find(|life| delete.uid.as_ref() == Some(&life.uid));
        life.is_some_and(|life| life.fate.deleted_from().is_some())
    };
    let others: Vec<_> = deletes.iter().filter(|delete| !foreseen(delete)).collect();
    let seen = others.iter().map(|delete| format!("`{}` with uid {:?}", delete.namespace, delete.uid));
    Check {
        expected: "nsm deleted no other namespace".to_owned(),
        seen: or_nothing(seen.collect()),
        holds: others.is_empty(),
    }
}

fn still_there(life: &Life, namespace: Option<&Namespace>) -> Check {
    let same = namespace.is_some_and(|namespace| namespace.uid().as_ref() == Some(&life.uid));
    let phase = namespace.and_then(|namespace| namespace.status.as_ref()?.phase.as_deref());
    Check {
        expected: format!("`{}` is still there, with the same uid", life.title),
        seen: match (phase, same) {
            (None, _) => "it is gone".to_owned(),
            (Some(phase), true) => format!("{phase}, the same uid"),
            (Some(phase), false) => format!("{phase}, another uid"),
        },
        holds: same && phase == Some("Active"),
    }
}

/// A history ends as the life did, and tells of an attempt to delete where there was to be one, and nowhere else.
fn recorded(life: &Life, history: &[Entry]) -> Check {
    let (tale, last): (&str, &[&str]) = match life.fate {
        Fate::Expires(_) | Fate::Fails | Fate::Replaced | Fate::Cancelled => {
            ("tells why and of its notice, and ends with its deletion", &["ActionIntended", "ActionDone", "Gone"])
        }
        Fate::Recovers => ("tells that it failed and recovered, and no action", &["StatusChanged"]),
        Fate::Replaces => ("tells that it is ok, and no action", &["StatusChanged"]),
        Fate::Finishes => ("ends without any action of nsm", &["Gone"]),
        Fate::Kept => (
            "ends with its time being over, shown to whom it may concern, and no action",
            &["Kept", "StatusChanged", "StatusShown"],
        ),
        Fate::Protected => (
            "ends with its time being over, shown to whom it may concern, and no action",
            &["Protected", "StatusChanged", "StatusShown"],
        ),
        Fate::Ignored => ("does not exist", &[]),
    };
    let kinds: Vec<_> = history.iter().map(|entry| entry.kind.as_str()).collect();
    let acted = kinds.iter().any(|kind| kind.starts_with("Action"));
    Check {
        expected: format!("the history of `{}` {tale}", life.title),
        seen: or_nothing(kinds.iter().map(|kind| (*kind).to_owned()).collect()),
        holds: match life.fate {
            Fate::Expires(_) | Fate::Fails | Fate::Replaced | Fate::Cancelled => {
                let tells_why = history.iter().any(|entry| entry.text.contains(life.fate.why()));
                kinds.ends_with(last) && kinds.contains(&"NoticeSent") && tells_why
            }
            Fate::Recovers => kinds.ends_with(last) && !acted && history.iter().any(|it| it.text.contains("failing")),
            Fate::Finishes | Fate::Kept | Fate::Protected | Fate::Replaces => kinds.ends_with(last) && !acted,
            Fate::Ignored => kinds.is_empty(),
        },
    }
}

fn or_nothing(seen: Vec<String>) -> String {
    if seen.is_empty() { "none".to_owned() } else { seen.join(", ") }
}
