//! Owners are told of a deletion before it comes, and what they were told is kept.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result, ensure};
use base64::{Engine, prelude::BASE64_STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use jiff::{SignedDuration, Timestamp};
use lifecycle::time::cut_to_millis;
use serde_json::{Value, json};
use sha2::Sha256;
use testbed::receiver::{Answer, Post, Receiver};
use testbed::{AuditEvent, accepted_namespace_deletes, eventually, timing};

use crate::program::harness::{Demo, LATER, World, key_of, story};

/// How soon a notice that did not arrive is tried again: the planner offers what is due so often.
fn offered_again() -> SignedDuration {
    timing("reoffer_interval")
}

const SECRET: &str = "s3cret";

/// The installation's channel: this receiver. Nothing but the promise keeps a deletion back.
fn told_by(receiver: &Receiver) -> impl FnOnce(&mut Value) + use<> {
    let url = receiver.url();
    move |config| {
        config["notices"] = json!({"webhook": {"url": url}});
        config["policies"][0]["on"] = json!({"stale": {"grace": "0"}});
    }
}

/// A namespace under the policy, whose name begins with what the receiver does about it.
async fn named(world: &World, kind: &str, ttl: &str) -> Result<Demo> {
    world.namespace_named(&format!("{kind}-{}", world.name), &[world.label()], &[("ttl", ttl)]).await
}

/// What was posted about a namespace.
fn posts(receiver: &Receiver, demo: &Demo) -> Vec<Post> {
    let mut posts = receiver.posts();
    posts.retain(|post| post.text("namespace") == demo.name);
    posts
}

fn ids(receiver: &Receiver, demo: &Demo) -> Vec<String> {
    posts(receiver, demo).iter().map(|post| post.text("id").to_owned()).collect()
}

/// Waits until so many posts about a namespace have come.
async fn are_posted(receiver: &Receiver, demo: &Demo, count: usize) -> Result<Vec<Post>> {
    eventually(&format!("{count} posts about `{}`", demo.name), LATER, async || {
        let posts = posts(receiver, demo);
        ensure!(posts.len() >= count, "{posts:?}, {:?}", demo.kinds());
        Ok(posts)
    })
    .await
}

/// Each of its deletions takes the minute after the promise, so they are all of one story.
#[tokio::test]
async fn an_owner_is_told_before_the_deletion_which_comes_no_earlier_than_promised() {
    let receiver = Receiver::start(|post, before| match (post.text("namespace").split('-').next(), before) {
        (Some("flaky"), 0) => Answer::Status(429),
        (Some("flaky"), 1) => Answer::Status(500),
        (Some("refused"), _) => Answer::Status(400),
        (Some("cut"), _) => Answer::Cut,
        _ => Answer::Status(204),
    });
    let receiver = receiver.await.unwrap();
    let directory = tempfile::tempdir().unwrap();
    let secret = directory.path().join("secret");
    std::fs::write(&secret, format!("{SECRET}\n")).unwrap();
    let (told_by, path) = (told_by(&receiver), secret.display().to_string());
    let configure = move |config: &mut Value| {
        told_by(config);
        config["notices"]["webhook"]["secret_file"] = json!(path);
    };
    story(configure, async |world| {
        let _nsm = world.start().await?;
        let flaky = named(world, "flaky", "4s").await?;
        let refused = named(world, "refused", "4s").await?;
        let cut = named(world, "cut", "4s").await?;
        let kept = named(world, "kept", "8s").await?;
        let told = named(world, "told", "20s").await?;

        let (until, ()) = tokio::try_join!(
            is_kept_once_it_was_told(&receiver, &kept),
            shows_that_it_was_told_until_its_status_changes(world, &told),
        )?;
        for demo in [&flaky, &refused, &told, &kept] {
            demo.is_deleted().await?;
        }
        world.log_is_complete().await?;
        for demo in [&flaky, &refused, &told, &kept] {
            was_warned(world, &receiver, demo).await?;
        }

        let tries = is_one_notice(&receiver, &flaky)?;
        assert!(
            tries >= 3,
            "429, 500, 204: one notice, sent thrice, or once more where an answer came too late: {tries}"
        );
        assert_eq!(flaky.history()?.of_kind("NoticeSent").count(), 1, "{:?}", flaky.kinds());

        is_one_notice(&receiver, &refused)?;
        let undeliverable = refused
            .records("NoticeUndeliverable", |entry| entry.text("why").is_some_and(|why| why.contains("400")))
            .await?;
        // The history keeps milliseconds, and the refusal may be recorded within the one in which the notice came.
        let is_late = |post: &Post| cut_to_millis(post.at) > undeliverable.at;
        let late: Vec<_> = posts(&receiver, &refused).into_iter().filter(is_late).collect();
        assert!(late.is_empty(), "who refuses for good is not asked again: {late:?}");
        assert_eq!(refused.history()?.of_kind("NoticeSent").count(), 0, "{:?}", refused.kinds());

        let deletes = accepted_namespace_deletes(&world.requests()?);
        let end = deletes.iter().find(|delete| delete.uid.as_ref() == Some(&kept.uid)).context("its deletion")?;
        assert!(end.received_at >= until, "kept until {until}, deleted at {}", end.received_at);
        is_one_notice(&receiver, &kept).context("no second notice within half an hour")?;

        // Whoever was not told lives, and who cannot be told is not asked all the time.
        let tries = are_posted(&receiver, &cut, 2).await?;
        cut.lives().await?;
        is_one_notice(&receiver, &cut)?;
        let span = tries[tries.len() - 1].at.duration_since(tries[0].at);
        let most = 3.0 + span.as_secs_f64() / offered_again().as_secs_f64();
        assert!(tries.len() as f64 <= most, "tried {} times in {span:#}", tries.len());
        Ok(())
    })
    .await;
}

/// Checks that all that was posted about a namespace is the same notice. Returns how often it was posted.
fn is_one_notice(receiver: &Receiver, demo: &Demo) -> Result<usize> {
    let ids = ids(receiver, demo);
    let first = ids.first().with_context(|| format!("nothing was posted about `{}`", demo.name))?;
    ensure!(ids.iter().all(|id| id == first), "{ids:?}");
    Ok(ids.len())
}

/// Its owner, once told, keeps a namespace for longer than was promised. Returns until when.
async fn is_kept_once_it_was_told(receiver: &Receiver, kept: &Demo) -> Result<Timestamp> {
    are_posted(receiver, kept, 1).await?;
    let sent = kept.records("NoticeSent", |_| true).await?;
    let until = kept.created().await? + SignedDuration::from_secs(78);
    kept.annotate(&[("keep_until", Some(&until.to_string()))]).await?;
    let skipped = kept.records("NoticeSkipped", |entry| entry.instant("deadline") == Some(until)).await?;
    assert!(skipped.seq > sent.seq, "{skipped:?}");
    Ok(until)
}

async fn shows_that_it_was_told_until_its_status_changes(world: &World, demo: &Demo) -> Result<()> {
    let notified = demo.shows("notified_status", "stale").await?;
    let sent = demo.records("NoticeSent", |_| true).await?;
    assert_eq!(notified["status"], "ok");
    assert_eq!(notified["notified_timestamp"].parse::<Timestamp>()?, sent.at);
    assert!(notified["record"].ends_with(&format!(".{}.{}", sent.seq, demo.uid)), "{notified:?}");

    let stale = demo.shows("status", "stale").await?;
    assert!(!stale.contains_key("notified_status") && !stale.contains_key("notified_timestamp"), "{stale:?}");

    world.log_is_complete().await?;
    let values = |patch: &AuditEvent, key: &str| {
        let annotations = patch.request_object.as_ref()?.get("metadata")?.get("annotations")?;
        annotations.get(key_of(key)).cloned()
    };
    let mut patches = world.requests()?;
    patches.retain(|event| {
        let name = event.object_ref.as_ref().and_then(|object| object.name.as_ref());
        event.verb == "patch" && name == Some(&demo.name)
    });
    let shown: Vec<_> = patches.iter().filter_map(|patch| values(patch, "notified_status")).collect();
    assert_eq!(shown.first(), Some(&json!("stale")), "{shown:?}");
    assert_eq!(shown.last(), Some(&Value::Null), "{shown:?}");
    // The first of them came back to the collector, which found nothing to do: nothing is written that is there already, but where the
    // answer to a request got lost.
    let annotations =
        |patch: &AuditEvent| patch.request_object.as_ref().map(|body| body["metadata"]["annotations"].clone());
    patches.retain(|patch| patch.code() == Some(200));
    for pair in patches.windows(2) {
        ensure!(annotations(&pair[0]) != annotations(&pair[1]), "written twice: {pair:#?}");
    }
    Ok(())
}

/// The notice was promised, sent, signed, and came before the deletion, which came no earlier than promised.
async fn was_warned(world: &World, receiver: &Receiver, demo: &Demo) -> Result<()> {
    let intended = demo.records("NoticeIntended", |_| true).await?;
    let action = demo.records("ActionIntended", |_| true).await?;
    let closed = |kind: &&str| demo.history().is_ok_and(|history| history.of_kind(kind).any(|it| it.seq < action.seq));
    let closed = ["NoticeSent", "NoticeUndeliverable"].iter().find(|kind| closed(kind)).context("an outcome")?;
    let promise = intended.instant("promise").context("a promise")?;

    let deletes = accepted_namespace_deletes(&world.requests()?);
    let delete = deletes.iter().find(|delete| delete.uid.as_ref() == Some(&demo.uid)).context("its deletion")?;
    let waited = delete.received_at.duration_since(promise);
    assert!(waited >= timing("promise_margin"), "`{}` was deleted {waited:#} after what was promised", demo.name);

    let id = format!("{}:{}", demo.uid, intended.seq);
    for post in posts(receiver, demo) {
        assert!(post.at < delete.received_at, "{post:?}");
        assert_eq!((post.text("id"), post.text("uid")), (id.as_str(), demo.uid.as_str()));
        assert_eq!((post.text("kind"), post.text("about")), ("deletion-announced", "stale"));
        assert_eq!(post.instant("deadline"), intended.instant("deadline"), "{post:?}");
        let told = post.instant("not_before").context("a promise")?;
        assert!(told >= promise && delete.received_at >= told + timing("promise_margin"), "{post:?}");
        is_signed(&post);
    }

    let history = world.nsm_ok(&["history", &demo.name]).await?;
    let outcome = if *closed == "NoticeSent" { "its owner was told" } else { "its owner could not be told" };
    let said =
        ["a notice goes to its owner by webhook", outcome, "attempt 1 to delete it"].map(|words| history.find(words));
    assert!(said.is_sorted() && said[0].is_some(), "{said:?}\n{history}");
    Ok(())
}

/// In our way, and with its id and time as Standard Webhooks say.
fn is_signed(post: &Post) {
    let digest = hmac(&[&post.raw]).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    assert_eq!(post.header("x-nsm-signature-256"), Some(format!("sha256={digest}").as_str()));
    let named = |name: &str| post.header(name).expect("Standard Webhooks want it");
    let (id, time) = (named("webhook-id"), named("webhook-timestamp"));
    assert_eq!(id, post.text("id"));
    let digest = hmac(&[id.as_bytes(), b".", time.as_bytes(), b".", &post.raw]);
    assert_eq!(post.header("webhook-signature"), Some(format!("v1,{}", BASE64_STANDARD.encode(digest)).as_str()));
}

fn hmac(parts: &[&[u8]]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).expect("HMAC takes a key of any length");
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().to_vec()
}

#[tokio::test]
async fn a_notice_that_may_have_arrived_is_sent_again_as_the_same() {
    let answer = |_: &Post, before| if before == 0 { Answer::Stall } else { Answer::Status(200) };
    let receiver = Receiver::start(answer).await.unwrap();
    story(told_by(&receiver), async |world| {
        let mut nsm = world.start().await?;
        let demo = world.namespace(&[("ttl", "4s")]).await?;
        are_posted(&receiver, &demo, 1).await?;
        nsm.process().kill();
        assert_eq!(demo.history()?.of_kind("NoticeSent").count(), 0, "{:?}", demo.kinds());

        let _nsm = world.start().await?;
        demo.records("NoticeSent", |_| true).await?;
        let tries = is_one_notice(&receiver, &demo)?;
        assert!(tries > 1, "it was sent again");
        assert_eq!(demo.history()?.of_kind("NoticeIntended").count(), 1, "{:?}", demo.kinds());
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn an_owner_who_asks_for_an_earlier_end_is_told_of_it_and_of_a_later_one_not_at_once() {
    let receiver = Receiver::start(|_, _| Answer::Status(204)).await.unwrap();
    story(told_by(&receiver), async |world| {
        let _nsm = world.start().await?;
        let demo = world.namespace(&[("ttl", "24s")]).await?;
        let created = demo.created().await?;
        let first = are_posted(&receiver, &demo, 1).await?;
        demo.annotate(&[("ttl", Some("22s"))]).await?;
        let both = are_posted(&receiver, &demo, 2).await?;
        assert_ne!(both[1].text("id"), first[0].text("id"));
        assert_eq!(both[1].instant("deadline"), Some(created + SignedDuration::from_secs(22)));

        let told =
            |entry: &testbed::audit_checker::Entry| both[1].text("id").ends_with(&format!(":{}", entry.data["of"]));
        demo.records("NoticeSent", told).await?;
        demo.annotate(&[("ttl", Some("28s"))]).await?;
        let later = created + SignedDuration::from_secs(28);
        demo.records("NoticeSkipped", |entry| entry.instant("deadline") == Some(later)).await?;
        assert!(!posts(&receiver, &demo).iter().any(|post| post.instant("deadline") == Some(later)));
        Ok(())
    })
    .await;
}

/// What `nsm status` tells of the channel.
async fn channel(world: &World) -> Result<Value> {
    let status: Value = serde_json::from_str(&world.nsm_ok(&["status", "-o", "json"]).await?)?;
    Ok(status["channels"][0].clone())
}

async fn channel_is(world: &World, state: &str) -> Result<Value> {
    eventually(&format!("the channel is {state}"), LATER, async || {
        let channel = channel(world).await?;
        ensure!(channel["state"] == state, "{channel}");
        Ok(channel)
    })
    .await
}

#[tokio::test]
async fn a_channel_that_is_broken_as_a_whole_holds_deletions_until_it_works_again() {
    let broken = Arc::new(AtomicBool::new(true));
    let is_broken = Arc::clone(&broken);
    let receiver = Receiver::start(move |_, _| {
        if is_broken.load(Ordering::Relaxed) { Answer::Says(401, "invalid_token") } else { Answer::Status(204) }
    });
    let receiver = receiver.await.unwrap();
    story(told_by(&receiver), async |world| {
        let mut nsm = world.start().await?;
        let demo = world.namespace(&[("ttl", "4s")]).await?;
        let tries = are_posted(&receiver, &demo, 2).await?.len();
        let known = channel_is(world, "broken").await?;
        assert_eq!((&known["channel"], &known["answer"]), (&json!("webhook"), &json!("invalid_token")), "{known}");
        assert!(known["why"].as_str().is_some_and(|why| why.contains("401")), "{known}");

        // Another process knows the same, and goes on.
        nsm.process().kill();
        let _nsm = world.start().await?;
        are_posted(&receiver, &demo, tries + 1).await?;
        assert_eq!(channel_is(world, "broken").await?["since"], known["since"]);
        assert_eq!(demo.history()?.of_kind("NoticeUndeliverable").count(), 0, "{:?}", demo.kinds());
        demo.lives().await?;

        broken.store(false, Ordering::Relaxed);
        let sent = demo.records("NoticeSent", |_| true).await?;
        channel_is(world, "working").await?;
        demo.is_deleted().await?;
        let intended = demo.records("ActionIntended", |_| true).await?;
        assert!(intended.seq > sent.seq && intended.data["notice"].get("promised").is_some(), "{intended:?}");
        is_one_notice(&receiver, &demo)?;
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn what_a_broken_channel_never_announced_is_tried_for_its_time_and_deleted_within_the_limit() {
    let receiver = Receiver::start(|_, _| Answer::Says(400, "invalid_payload")).await.unwrap();
    let told_by = told_by(&receiver);
    let configure = |config: &mut Value| {
        told_by(config);
        config["notices"]["undeliverable_after"] = json!("6s");
    };
    story(configure, async |world| {
        let _nsm = world.start().await?;
        let demos = world.crowd(4, &[("ttl", "4s")]).await?;
        let mut tried = Vec::new();
        for demo in &demos {
            let intended = demo.records("NoticeIntended", |_| true).await?;
            let given_up = demo.records("NoticeUndeliverable", |_| true).await?;
            assert!(given_up.text("why").is_some_and(|why| why.contains("invalid_payload")), "{given_up:?}");
            tried.push(given_up.at.duration_since(intended.at));
        }
        // The first two might have been the messages' fault.
        tried.sort_unstable();
        assert!(tried[2..].iter().all(|tried| *tried >= SignedDuration::from_secs(6)), "{tried:?}");
        let known = channel_is(world, "broken").await?;
        assert_eq!(known["answer"], json!("invalid_payload"), "{known}");

        for demo in &demos {
            demo.is_deleted().await?;
            let intended = demo.records("ActionIntended", |_| true).await?;
            assert!(intended.data["notice"].get("undelivered").is_some(), "{intended:?}");
            assert!(intended.text("unannounced").is_some(), "{intended:?}");
        }
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn one_notice_that_is_refused_is_told_and_holds_up_no_other() {
    let receiver = Receiver::start(|post, _| match post.text("namespace").split('-').next() {
        Some("refused") => Answer::Says(422, "no such team"),
        _ => Answer::Status(204),
    });
    let receiver = receiver.await.unwrap();
    let told_by = told_by(&receiver);
    let configure = |config: &mut Value| {
        told_by(config);
        config["notices"]["on_undeliverable"] = json!("wait");
    };
    story(configure, async |world| {
        let _nsm = world.start().await?;
        let refused = named(world, "refused", "4s").await?;
        are_posted(&receiver, &refused, 4).await?;
        is_one_notice(&receiver, &refused)?;
        let known = channel_is(world, "failing").await?;
        assert_eq!((&known["answer"], &known["waiting"]), (&json!("no such team"), &json!(1)), "{known}");

        let told = named(world, "told", "4s").await?;
        told.is_deleted().await?;
        let intended = told.records("ActionIntended", |_| true).await?;
        assert!(intended.data["notice"].get("promised").is_some(), "{intended:?}");

        refused.lives().await?;
        let why = world.nsm_ok(&["why", &refused.name]).await?;
        assert!(why.contains("the notice to its owner was refused") && why.contains("no such team"), "{why}");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn where_the_one_address_is_gone_for_all_nobody_hears_anything_and_no_more_than_the_limit_is_deleted() {
    let receiver = Receiver::start(|_, _| Answer::Says(410, "this hook was removed")).await.unwrap();
    let told_by = told_by(&receiver);
    let configure = |config: &mut Value| {
        told_by(config);
        config["notices"]["undeliverable_after"] = json!("6s");
        config["budget"]["unannounced"] = json!({"at_least": 2, "share": 0.0});
    };
    story(configure, async |world| {
        world.fresh_window().await?;
        let _nsm = world.start().await?;
        let demos = world.crowd(5, &[("ttl", "4s")]).await?;
        let mut tried = Vec::new();
        for demo in &demos {
            let intended = demo.records("NoticeIntended", |_| true).await?;
            let given_up = demo.records("NoticeUndeliverable", |_| true).await?;
            assert!(given_up.text("why").is_some_and(|why| why.contains("410")), "{given_up:?}");
            tried.push(given_up.at.duration_since(intended.at));
        }
        // Of the first two it might have been their owners alone who are gone.
        tried.sort_unstable();
        assert!(tried[2..].iter().all(|tried| *tried >= SignedDuration::from_secs(6)), "{tried:?}");
        let known = channel_is(world, "broken").await?;
        assert_eq!(known["answer"], json!("this hook was removed"), "{known}");

        let left = eventually("all but those within the limit wait for it", LATER, async || {
            let left = world.left_of(&demos).await?;
            let says = |demo: &&&Demo| {
                let history = demo.history();
                history.is_ok_and(|history| {
                    history.of_kind("ActionSkipped").any(|it| it.text("why") == Some("unannounced"))
                })
            };
            let saying = left.iter().filter(says).count();
            ensure!((left.len(), saying) == (3, 3), "{} are left, {saying} say so", left.len());
            Ok(left.iter().map(|demo| demo.uid.clone()).collect::<Vec<_>>())
        });
        let left = left.await?;
        for demo in demos.iter().filter(|demo| !left.contains(&demo.uid)) {
            let intended = demo.records("ActionIntended", |_| true).await?;
            assert!(intended.data["notice"].get("undelivered").is_some(), "{intended:?}");
            assert!(intended.text("unannounced").is_some(), "{intended:?}");
        }
        Ok(())
    })
    .await;
}
