//! Whose the state is: of which cluster, of which process, and of which namespace.

use anyhow::{Context, Result, ensure};
use common::{
    config::is_default_store,
    controls, history,
    store::{self, hold},
};
use lifecycle::{Actor, Event, Record, Uid, event::Gone};
use rusqlite::Connection;
use serde_json::{Value, json};
use testbed::{Process, User, eventually, program};

use crate::program::harness::{SOON, World, now, plain, story};

fn me() -> Actor {
    Actor::person("me")
}

async fn opened(world: &World) -> Result<store::SharedStore> {
    Ok(store::open(&format!("sqlite:{}", world.store().display())).await?)
}

#[tokio::test]
async fn a_store_of_another_cluster_is_refused_until_somebody_says_that_this_one_takes_its_place() {
    story(plain, async |world| -> Result<()> {
        let (other, before) =
            (Uid::new("11111111-2222-3333-4444-555555555555"), world.namespace(&[("ttl", "1h")]).await?);
        {
            let store = opened(world).await?;
            controls::remember_cluster(&*store, &me(), &other, now()).await?;
        }
        let mut refused = world.spawn(&[])?;
        let (code, log) = refused.ends().await?;
        let kube_system = world.namespaces().get("kube-system").await?.metadata.uid.context("a uid")?;
        ensure!(code != Some(0) && log.contains(other.as_str()) && log.contains(&kube_system), "{code:?}: {log}");
        ensure!(log.contains("nsm approve --cluster"), "{log}");
        ensure!(before.kinds().is_empty(), "{:?}", before.kinds());

        let approved = world.nsm_ok(&["approve", "--cluster"]).await?;
        ensure!(approved.contains(&kube_system), "{approved}");
        let _nsm = world.start().await?;
        before.shows("status", "ok").await?;
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_second_standalone_on_one_store_names_the_first_and_ends() {
    story(plain, async |world| -> Result<()> {
        let mut first = world.start().await?;
        let pid = first.process().id();
        let mut second = world.spawn(&[])?;
        let (code, log) = second.ends().await?;
        ensure!(code != Some(0) && log.contains(&format!("process {pid} since")), "{code:?}: {log}");
        // Killed on the spot, it leaves nothing behind that would have to be removed.
        drop(first);
        let _third = world.start().await?;
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn what_is_there_after_it_was_recorded_as_gone_is_managed_again() {
    story(plain, async |world| -> Result<()> {
        let mut nsm = world.start().await?;
        let demo = world.namespace(&[("ttl", "1h")]).await?;
        demo.shows("status", "ok").await?;
        nsm.process().terminate(SOON).await?;
        {
            let store = opened(world).await?;
            let mut record = history::load(&*store, &Uid::new(&*demo.uid)).await?;
            history::append(&*store, &mut record, &me(), Event::Gone(Gone {}), now()).await?;
            store.put_snapshot(&record).await?;
        }
        let _nsm = world.start().await?;
        demo.records("Adopted", |entry| entry.data["again"] == true).await?;
        demo.expire().await?;
        demo.is_deleted().await
    })
    .await;
}

/// `nsm` with nothing said about its store, on the context of this name of a kubeconfig that has it alone. Its stores are below
/// `home`.
fn without_a_store(world: &World, home: &str, context: &str, arguments: &[&str]) -> Result<std::process::Command> {
    let text = std::fs::read_to_string(world.plane.kubeconfig(User::ADMIN)?)?;
    let mut config: Value = serde_json::from_str(&text)?;
    config["current-context"] = json!(context);
    config["contexts"][0]["name"] = json!(context);
    let kubeconfig = world.path(&format!("kubeconfig-{context}"));
    std::fs::write(&kubeconfig, config.to_string())?;
    let mut nsm = program("nsm")?;
    nsm.args(arguments).arg("--config").arg(world.config()).env("NO_COLOR", "1");
    nsm.env("KUBECONFIG", kubeconfig).env("XDG_STATE_HOME", world.path(home));
    Ok(nsm)
}

/// Starts it there in mode `observe`. It watches.
async fn watching(world: &World, home: &str, context: &str) -> Result<Process> {
    let nsm = Process::spawn("nsm", &mut without_a_store(world, home, context, &["standalone", "--mode", "observe"])?)?;
    eventually("it watches", SOON, async || {
        ensure!(nsm.log().contains("namespaces are watched"), "{}", nsm.log());
        Ok(())
    })
    .await?;
    Ok(nsm)
}

#[tokio::test]
async fn a_stop_reaches_the_one_that_runs_whatever_the_context_is_by_now() {
    story(plain, async |world| -> Result<()> {
        world.configure(|config| drop(config.as_object_mut().expect("it is one").remove("store")))?;
        let mut first = watching(world, "state", "first").await?;
        let mut stop = Process::spawn("nsm", &mut without_a_store(world, "state", "second", &["stop"])?)?;
        let ended = stop.wait(SOON).await?;
        ensure!(ended.success() && stop.log().contains("nsm-first.db"), "{ended}: {}", stop.log());
        let directory = world.path("state").join("namespace-manager");
        let held = hold::held_in(&directory, is_default_store);
        ensure!(held.len() == 1, "{held:?}");
        let store = store::open(&format!("sqlite:{}", held[0].0.display())).await?;
        ensure!(controls::stopped(&*store).await?.is_some(), "it is not stopped");

        // Taken back it is where it was meant: elsewhere it is named.
        let resume = async |context| -> Result<(bool, String)> {
            let mut resume = Process::spawn("nsm", &mut without_a_store(world, "state", context, &["resume"])?)?;
            Ok((resume.wait(SOON).await?.success(), resume.log()))
        };
        let (resumed, log) = resume("second").await?;
        let named = format!("NSM__STORE__URL='sqlite:{}' nsm resume", held[0].0.display());
        ensure!(!resumed && log.contains(&named), "{log}");
        ensure!(controls::stopped(&*store).await?.is_some(), "another context's stop was taken back");
        let (resumed, log) = resume("first").await?;
        ensure!(resumed && controls::stopped(&*store).await?.is_none(), "{log}");
        first.terminate(SOON).await?;
        Ok(())
    })
    .await;
}

/// It holds no lock, and has one file for all contexts.
#[tokio::test]
async fn a_stop_reaches_a_process_of_an_earlier_version() {
    story(plain, async |world| -> Result<()> {
        world.configure(|config| drop(config.as_object_mut().expect("it is one").remove("store")))?;
        let former = world.path("state").join("namespace-manager").join("nsm.db");
        let store = store::open(&format!("sqlite:{}", former.display())).await?;
        let mut stop = Process::spawn("nsm", &mut without_a_store(world, "state", "any", &["stop"])?)?;
        let ended = stop.wait(SOON).await?;
        ensure!(stop.log().contains("nsm.db"), "{ended}: {}", stop.log());
        ensure!(controls::stopped(&*store).await?.is_some(), "it is not stopped: {}", stop.log());
        // Whether anybody runs there is not known, and the present context has no store yet.
        ensure!(!ended.success() && stop.log().contains("there is no store"), "{ended}: {}", stop.log());
        Ok(())
    })
    .await;
}

/// With a cluster that it knows; with none, as an earlier version left it, whose snapshots are of no use any more.
#[tokio::test]
async fn the_store_of_before_is_taken_over_where_it_is_of_this_cluster() {
    story(plain, async |world| -> Result<()> {
        world.configure(|config| drop(config.as_object_mut().expect("it is one").remove("store")))?;
        let kube_system = world.namespaces().get("kube-system").await?.metadata.uid.context("a uid")?;
        let cases = [("a", Some("another"), false), ("b", None, true), ("c", Some(&*kube_system), true)];
        for (context, knows, is_taken) in cases {
            let directory = world.path(context).join("namespace-manager");
            let former = directory.join("nsm.db");
            {
                let store = store::open(&format!("sqlite:{}", former.display())).await?;
                match knows {
                    Some(uid) => drop(controls::approve_cluster(&*store, &me(), &Uid::new(uid), now()).await?),
                    None => {
                        store.put_snapshot(&Record { head: 1, ..Record::new(Uid::new(&*kube_system)) }).await?;
                        Connection::open(&former)?.execute("UPDATE snapshots SET fold = fold - 1", [])?;
                    }
                }
            }
            watching(world, context, context).await?.terminate(SOON).await?;
            ensure!(former.exists() != is_taken, "of {knows:?}");
            let store =
                store::open(&format!("sqlite:{}", directory.join(format!("nsm-{context}.db")).display())).await?;
            let known = controls::cluster(&*store).await?;
            ensure!(known == Some(Uid::new(&*kube_system)), "{known:?}");
        }
        Ok(())
    })
    .await;
}

/// A context is renamed, or one comes with each project: the store of before has a stop in it, maybe.
#[tokio::test]
async fn the_store_of_this_cluster_under_another_contexts_name_is_named() {
    story(plain, async |world| -> Result<()> {
        world.configure(|config| drop(config.as_object_mut().expect("it is one").remove("store")))?;
        watching(world, "state", "before").await?.terminate(SOON).await?;
        let again = &mut without_a_store(world, "state", "renamed", &["standalone", "--mode", "observe"])?;
        let mut nsm = Process::spawn("nsm", again)?;
        let ended = nsm.wait(SOON).await?;
        ensure!(!ended.success() && nsm.log().contains("nsm-before.db` is of this cluster"), "{ended}: {}", nsm.log());
        watching(world, "state", "before").await?.terminate(SOON).await?;
        Ok(())
    })
    .await;
}
