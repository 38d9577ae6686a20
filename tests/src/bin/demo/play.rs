//! What happens: namespaces come, people act, nsm does its work, and all of it is shown.

use std::time::Duration;

use anyhow::{Context, Result};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{DeleteParams, ListParams, ObjectMeta, Patch, PatchParams, PostParams};
use kube::{Api, Client, ResourceExt};
use serde_json::json;
use testbed::{ControlPlane, User};
use tokio::time::{MissedTickBehavior, interval};

use crate::actors::{CAST, Fate, KUBE_SYSTEM, Member, PROJECT};
use crate::fixture::{OWNER, PIPELINE, PREFIX, Stage};
use crate::nsm::{Entry, Listed};
use crate::screen::{Ink, Screen};
use crate::view;

/// Between two looks.
const EVERY: Duration = Duration::from_millis(250);
/// When the play ends whatever the namespaces do: three times what it takes.
const LIMIT: SignedDuration = SignedDuration::from_secs(240);

/// One namespace from its creation to its end, and what was seen of it last.
#[derive(Debug)]
pub(crate) struct Life {
    pub(crate) name: &'static str,
    /// The name, and which of its lives this is if it has several.
    pub(crate) title: String,
    pub(crate) uid: String,
    pub(crate) created: Timestamp,
    pub(crate) fate: Fate,
    /// Its phase in the cluster; `None` when it is gone.
    pub(crate) phase: Option<String>,
    pub(crate) listed: Option<Listed>,
    pub(crate) history: Vec<Entry>,
    /// How much of the history was printed.
    told: usize,
    /// What its owner or its pipeline had to do is done.
    acted: bool,
}

/// The Deployment in a namespace that fails.
const DEPLOYED: &str = "web";

/// Makes a Deployment whose pods are refused: their ServiceAccount does not exist.
async fn deploy(pipeline: &Client, namespace: &str) -> Result<()> {
    let deployment = json!({
        "metadata": {"name": DEPLOYED},
        "spec": {
            "selector": {"matchLabels": {"app": DEPLOYED}},
            "template": {
                "metadata": {"labels": {"app": DEPLOYED}},
                "spec": {
                    "serviceAccountName": "nobody",
                    "containers": [{"name": DEPLOYED, "image": "registry.example.org/web:1"}],
                },
            },
        },
    });
    let deployments: Api<Deployment> = Api::namespaced(pipeline.clone(), namespace);
    deployments.create(&PostParams::default(), &serde_json::from_value(deployment)?).await?;
    Ok(())
}

impl Life {
    /// Whether nsm says so of it now.
    fn has_status(&self, status: &str) -> bool {
        self.listed.as_ref().is_some_and(|listed| listed.status == status)
    }
}

/// All lives, and those who begin them.
pub(crate) struct Company {
    began: Timestamp,
    everybody: Api<Namespace>,
    pipeline: Client,
    owner: Client,
    lives: Vec<Life>,
}

/// What is seen of the lives, and those who act on them.
struct Play<'a> {
    stage: &'a mut Stage,
    screen: &'a mut Screen,
    company: Company,
    /// How many warnings were shown.
    heard: usize,
}

/// Plays until every life that has to end has ended, or the time is up.
pub(crate) async fn play(stage: &mut Stage, screen: &mut Screen, company: Company) -> Result<Vec<Life>> {
    let mut play = Play { stage, screen, company, heard: 0 };
    let mut every = interval(EVERY);
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        every.tick().await;
        play.stage.ensure_running()?;
        play.look().await?;
        play.hear()?;
        play.show()?;
        play.people_act().await?;
        if play.is_over() || Timestamp::now().duration_since(play.company.began) > LIMIT {
            play.screen.settle();
            return Ok(play.company.lives);
        }
    }
}

impl Company {
    /// Nobody yet.
    pub(crate) async fn new(plane: &ControlPlane) -> Result<Self> {
        let everybody = Api::all(plane.client(User::ADMIN).await?);
        let (pipeline, owner) = (plane.client(PIPELINE).await?, plane.client(OWNER).await?);
        Ok(Self { began: Timestamp::now(), everybody, pipeline, owner, lives: Vec::new() })
    }

    /// Begins the first life of every member.
    pub(crate) async fn enter(&mut self) -> Result<()> {
        self.began = Timestamp::now();
        for member in &CAST {
            self.create(member).await?;
        }
        Ok(())
    }

    /// Begins the next life of a member.
    async fn create(&mut self, member: &'static Member) -> Result<()> {
        let labels = Some(member.labels());
        let number = self.lives.iter().filter(|life| life.name == member.name).count();
        let annotations = member.end.filter(|_| number + 1 == member.lives.len()).map(|end| {
            let (key, value) = end.annotation(Timestamp::now());
            [(format!("{PREFIX}{key}"), value)].into()
        });
        let namespace = if member.name == KUBE_SYSTEM {
            let patch = Patch::Merge(json!({"metadata": {"labels": labels}}));
            self.everybody.patch(member.name, &PatchParams::default(), &patch).await
        } else {
            let metadata =
                ObjectMeta { name: Some(member.name.to_owned()), labels, annotations, ..ObjectMeta::default() };
            let namespace = Namespace { metadata, ..Namespace::default() };
            Api::all(self.pipeline.clone()).create(&PostParams::default(), &namespace).await
        };
        let namespace = namespace.with_context(|| format!("cannot create namespace `{}`", member.name))?;
        if member.broken {
            deploy(&self.pipeline, member.name).await.with_context(|| format!("cannot deploy to `{}`", member.name))?;
        }
        let ordinal = if member.lives.len() == 1 { String::new() } else { format!(" ({})", number + 1) };
        let life = Life {
            name: member.name,
            title: format!("{}{ordinal}", member.name),
            uid: namespace.uid().context("a namespace has a uid")?,
            created: namespace.creation_timestamp().context("a namespace has a creation")?.0,
            fate: *member.lives.get(number).context("one life more than the cast tells")?,
            phase: None,
            listed: None,
            history: Vec::new(),
            told: 0,
            acted: false,
        };
        let last = self.lives.iter().rposition(|other| other.name == member.name);
        self.lives.insert(last.map_or(self.lives.len(), |last| last + 1), life);
        Ok(())
    }

    fn waits_for_next_life(&self, member: &Member) -> bool {
        let lives = || self.lives.iter().filter(|life| life.name == member.name);
        lives().count() < member.lives.len() && lives().all(|life| life.acted && life.phase.is_none())
    }
}

impl Play<'_> {
    /// Reads what cluster and nsm say now: of the histories only those that can have changed.
    async fn look(&mut self) -> Result<()> {
        let namespaces = self.company.everybody.list(&ListParams::default()).await?;
        let mut listed = self.stage.nsm.list().await?;
        for life in &mut self.company.lives {
            let namespace = namespaces.iter().find(|namespace| namespace.uid().as_ref() == Some(&life.uid));
            life.phase = namespace.and_then(|namespace| namespace.status.as_ref()?.phase.clone());
            let now = listed.remove(&life.uid);
            if now != life.listed {
                life.history = self.stage.nsm.history(&life.uid).await?;
                life.listed = now;
            }
        }
        Ok(())
    }

    /// Does what owners and pipelines do once nsm knows their namespaces.
    async fn people_act(&mut self) -> Result<()> {
        for at in 0..self.company.lives.len() {
            let life = &self.company.lives[at];
            if life.acted || life.history.is_empty() {
                continue;
            }
            let name = life.name;
            match life.fate {
                Fate::Kept => self.owner_runs(&["keep", name, "--for", "4h", "--reason", "logs are needed"]).await?,
                Fate::Protected => self.owner_runs(&["protect", name]).await?,
                Fate::Finishes => {
                    let pipeline: Api<Namespace> = Api::all(self.company.pipeline.clone());
                    pipeline.delete(name, &DeleteParams::default()).await?;
                    self.tell("its pipeline", &format!("deletes namespace `{name}`"))?;
                }
                Fate::Recovers if life.has_status("failing") => {
                    let deployments: Api<Deployment> = Api::namespaced(self.company.owner.clone(), name);
                    let patch = Patch::Merge(json!({"spec": {"replicas": 0}}));
                    deployments.patch(DEPLOYED, &PatchParams::default(), &patch).await?;
                    self.tell("its owner", &format!("scales Deployment `{DEPLOYED}` in `{name}` to 0"))?;
                }
                Fate::Cancelled => {
                    let pipeline = CAST.iter().find(|member| member.name == name).and_then(|member| member.pipeline);
                    let pipeline = pipeline.context("a pipeline made it")?;
                    self.stage.gitlab.set(PROJECT, pipeline, "canceled");
                    self.tell("somebody", &format!("cancels pipeline {pipeline}, which made `{name}`"))?;
                }
                Fate::Expires(_) | Fate::Ignored | Fate::Fails | Fate::Recovers | Fate::Replaced | Fate::Replaces => {
                    continue;
                }
            }
            self.company.lives[at].acted = true;
        }
        for member in &CAST {
            if self.company.waits_for_next_life(member) {
                self.company.create(member).await?;
                self.tell("its pipeline", &format!("creates namespace `{}` again", member.name))?;
            }
        }
        Ok(())
    }

    async fn owner_runs(&mut self, arguments: &[&str]) -> Result<()> {
        self.stage.nsm.run(arguments).await?;
        let quoted =
            arguments.iter().map(|word| if word.contains(' ') { format!("'{word}'") } else { (*word).to_owned() });
        self.tell("its owner", &format!("runs `nsm {}`", quoted.collect::<Vec<_>>().join(" ")))
    }

    fn is_over(&self) -> bool {
        let lives = &self.company.lives;
        let all = CAST.iter().map(|member| member.lives.len()).sum::<usize>() == lives.len();
        let ended = |life: &Life| life.history.last().is_some_and(|entry| entry.kind == "Gone");
        let recovered = |life: &Life| life.fate != Fate::Recovers || life.acted && life.has_status("ok");
        all && lives.iter().all(|life| (!life.fate.ends() || ended(life)) && recovered(life))
    }

    /// Shows the warnings that arrived.
    fn hear(&mut self) -> Result<()> {
        for post in self.stage.webhook.posts().iter().skip(self.heard) {
            self.heard += 1;
            let (name, reason, advice) = (post.text("namespace"), post.text("reason"), post.text("what_you_can_do"));
            let warning = Ink::Yellow.paint(&format!("warns the owner of `{name}` that {reason}: {advice}"));
            self.screen.say(&view::line(self.company.began, post.at, "the webhook", &warning))?;
        }
        Ok(())
    }

    /// On a terminal the table; elsewhere what is new in the histories.
    fn show(&mut self) -> Result<()> {
        if self.screen.is_terminal() {
            return self.screen.draw(view::table(&self.company.lives, self.company.began, Timestamp::now()));
        }
        let mut news = Vec::new();
        for life in &mut self.company.lives {
            let new = life.history.iter().skip(life.told);
            news.extend(new.map(|entry| (entry.at, life.title.clone(), entry.text.clone())));
            life.told = life.history.len();
        }
        news.sort();
        let began = self.company.began;
        news.iter().try_for_each(|(at, title, text)| self.screen.say(&view::line(began, *at, title, text)))
    }

    /// Tells what somebody did just now.
    fn tell(&mut self, who: &str, what: &str) -> Result<()> {
        self.screen.say(&view::line(self.company.began, Timestamp::now(), who, what))
    }
}
