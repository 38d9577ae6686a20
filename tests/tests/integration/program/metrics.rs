//! What Prometheus reads: statuses come and go with the namespaces, and counters hold whichever process ends.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use testbed::ci::CiServer;
use testbed::{Process, User, eventually};

use crate::program::harness::{LATER, SOON, World, fleet};

const TOKEN: &str = "token";

/// Who reads metrics.
struct Scraper {
    url: String,
}

impl Scraper {
    /// From the API, which is started.
    async fn of_api(world: &World, pod: &str) -> Result<(Process, Self)> {
        let api = world.role("api", &[], pod, User::ADMIN)?;
        let address = eventually("the API listens", SOON, async || said(&api, "the records are served on `")).await?;
        Ok((api, Self { url: format!("http://{address}/api/metrics") }))
    }

    /// From a process's own port, if it listens.
    fn of(process: &Process) -> Result<Self> {
        let address = said(process, "health and metrics of this process are served on `")?;
        Ok(Self { url: format!("http://{address}/metrics") })
    }

    async fn text(&self) -> Result<String> {
        Ok(reqwest::get(&self.url).await?.error_for_status()?.text().await?)
    }

    /// Waits until there is a line that begins like this and of which that is so.
    async fn shows_one(&self, start: &str, is_it: impl Fn(&str) -> bool) -> Result<()> {
        eventually(&format!("`{start}…` is there"), LATER, async || {
            let text = self.text().await?;
            ensure!(text.lines().filter_map(|line| line.strip_prefix(start)).any(&is_it), "{text}");
            Ok(())
        })
        .await
    }

    /// Waits until there is a line that begins and ends like this.
    async fn shows(&self, start: &str, end: &str) -> Result<()> {
        self.shows_one(start, |rest| rest.ends_with(end)).await
    }

    /// How many deletions of what is stale were counted, by who counts.
    async fn deleted(&self) -> Result<BTreeMap<String, u64>> {
        let text = self.text().await?;
        let of_line = |line: &str| {
            let rest = line.strip_prefix("namespace_manager_ns_delete_total{owner=\"")?;
            let (owner, count) = rest.split_once("\",status=\"stale\"} ")?;
            Some((owner.to_owned(), count.parse().ok()?))
        };
        Ok(text.lines().filter_map(of_line).collect())
    }

    /// Waits until so many are counted by all together.
    async fn counts(&self, deletions: u64) -> Result<BTreeMap<String, u64>> {
        eventually(&format!("{deletions} deletions are counted"), LATER, async || {
            let deleted = self.deleted().await?;
            ensure!(deleted.values().sum::<u64>() == deletions, "{deleted:?}");
            Ok(deleted)
        })
        .await
    }
}

/// What a process said between these words and the next backtick.
pub(super) fn said(process: &Process, words: &str) -> Result<String> {
    let log = process.log();
    let (_, rest) = log.split_once(words).with_context(|| log.clone())?;
    Ok(rest.split_once('`').context("cut")?.0.to_owned())
}

#[tokio::test]
async fn statuses_come_and_go_and_counters_hold_whichever_process_ends() {
    let gitlab = CiServer::gitlab(TOKEN).await.expect("it starts");
    gitlab.set("7", 46, "running");
    let directory = tempfile::tempdir().expect("a directory can be made");
    let token = directory.path().join("token");
    std::fs::write(&token, TOKEN).expect("it can be written");
    let configure = |config: &mut Value| {
        config["api"] = json!({"listen": "127.0.0.1:0", "open": ["metrics"]});
        config["admin"] = json!({"listen": "127.0.0.1:0"});
        config["gitlab"] = json!({"url": gitlab.url(), "token_file": token, "check_every": "1s"});
    };
    fleet(configure, async |fleet| {
        let world = fleet.world;
        let (api, page) = Scraper::of_api(world, "api-0").await?;
        // Of no namespace and no controller is anything known, and there is a page.
        page.text().await?;

        let labels = [
            ("cicd.skao.int/projectId", "7"),
            ("cicd.skao.int/pipelineId", "46"),
            ("cicd.skao.int/team", "blue"),
            ("cicd.skao.int/author", "ada"),
            ("cicd.skao.int/environmentTier", "dev"),
            world.label(),
        ];
        let lasting = world.namespace_named(&format!("lasting-{}", world.name), &labels, &[]).await?;
        let series = |name: &str, labels: &str| format!("namespace_manager_ns_status{{{labels},namespace=\"{name}\"}}");
        let known =
            "environment=\"dev\",project=\"unknown\",team=\"blue\",user=\"ada\",pipelineId=\"46\",projectId=\"7\"";
        let nothing =
            known.split(',').map(|label| format!("{}=\"unknown\"", label.split('=').next().unwrap_or_default()));
        let nothing = nothing.collect::<Vec<_>>().join(",");
        page.shows(&series(&lasting.name, known), " 0").await?;
        page.shows("namespace_manager_ns_delete_total{", "status=\"stale\"} 0").await?;

        let brief = world.namespace(&[("ttl", "1s")]).await?;
        page.shows(&series(&brief.name, &nothing), " 1").await?;
        let mut worker = fleet.worker().await?;
        brief.is_deleted().await?;
        worker.kill();
        let first = page.counts(1).await?;
        brief.finish().await?;
        eventually("the deleted one has no series", LATER, async || {
            let text = page.text().await?;
            ensure!(!text.contains(&brief.name), "{text}");
            Ok(())
        })
        .await?;
        page.shows(&series(&lasting.name, known), " 0").await?;

        // Each process shows what it counts by itself.
        let (leader, collector) = {
            let others = fleet.others();
            (Scraper::of(&others[1])?, Scraper::of(&others[2])?)
        };
        ensure!(leader.deleted().await? == first, "{first:?}");
        let success = |rest: &str| rest.contains("result=\"success\"") && !rest.ends_with(" 0");
        collector.shows_one("namespace_manager_ns_check_total{", success).await?;
        page.shows_one("namespace_manager_ns_check_total{", success).await?;

        // Another API reads the same, and another leader begins at 0 beside what its predecessor counted.
        drop(api);
        let (_api, page) = Scraper::of_api(world, "api-1").await?;
        ensure!(page.deleted().await? == first, "{first:?}");
        let successor = world.role("action-controller", &[], "action-controller-1", User::ADMIN)?;
        fleet.others()[1].kill();
        let own = eventually("the successor listens", SOON, async || Scraper::of(&successor)).await?;
        own.shows("namespace_manager_ns_delete_total{", "status=\"stale\"} 0").await?;
        let later = world.namespace(&[("ttl", "1s")]).await?;
        let _worker = fleet.worker().await?;
        later.is_deleted().await?;
        let counted = own.counts(1).await?;
        ensure!(counted.keys().all(|owner| !first.contains_key(owner)), "{counted:?}, {first:?}");
        let owner = counted.keys().next().context("an owner")?;
        page.shows(&format!("namespace_manager_ns_delete_total{{owner=\"{owner}\",status=\"stale\"}}"), " 1").await?;
        lasting.lives().await
    })
    .await;
}
