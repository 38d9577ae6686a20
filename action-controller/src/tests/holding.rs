//! The hold of deletions that do not end: written by who leads, taken up by who leads next, and released by itself.

use common::holds;
use lifecycle::hold::HELD_FROM;

use super::*;

/// Their deletions were accepted a quarter of an hour before the test, and these conditions hold each of them since.
async fn do_not_end(scene: &Scene, count: usize, condition: &str, message: &str) {
    for number in 0..count {
        accepted(scene, &uid(number)).await;
        stalls(scene, &uid(number), condition, message).await;
    }
}

fn uid(number: usize) -> String {
    format!("00000000-0000-4000-8000-{number:012}")
}

async fn accepted(scene: &Scene, uid: &str) {
    let intended = json!({"kind": "ActionIntended", "data": {"action": "delete", "cause_seq": 2, "attempt": 1, "holder": "w",
        "until": at(-900), "resource_version": "1", "cause": "stale", "decision": "it is stale", "evidence": [],
        "evidence_at": at(-901), "slot": "s/1", "unannounced": null, "config": "c", "mode": "enforce", "notice": "no_channel"}});
    let done = json!({"kind": "ActionDone", "data": {"of": 3, "observed": false}});
    due(scene, uid).await;
    append(scene, uid, at(-900), &[intended, done]).await;
}

async fn stalls(scene: &Scene, uid: &str, condition: &str, message: &str) {
    let conditions = json!([{"condition": condition, "reason": "SomeReason", "message": message}]);
    let data = json!({"pods": {"counted": {"first": [], "in_all": 0}}, "conditions": conditions});
    append(scene, uid, at(0), &[json!({"kind": "DeletionStalled", "data": data})]).await;
}

async fn gone(scene: &Scene, uid: &str) {
    append(scene, uid, scene.context.clock.now(), &[json!({"kind": "Gone", "data": {}})]).await;
}

const DISCOVERY: (&str, &str) = (
    "NamespaceDeletionDiscoveryFailure",
    "Discovery failed for some groups, 1 failing: unable to retrieve the complete list of server APIs: \
     metrics.example.org/v1beta1: stale GroupVersion discovery: metrics.example.org/v1beta1",
);

/// What a controller that leads for a minute says of the hold by then: how often somebody wrote of it, and whether it stands.
async fn led(scene: &Scene) -> (u64, bool) {
    run_for(scene, Does::Stays, Duration::from_secs(60)).await;
    let last = holds::last(&*scene.context.store).await.unwrap();
    last.map_or((0, false), |last| (last.number, last.body.stands()))
}

#[tokio::test(start_paused = true)]
async fn enough_that_do_not_end_for_a_reason_that_holds_all_hold_the_rest() {
    let scene = Scene::new(0, 4).await;
    do_not_end(&scene, HELD_FROM - 1, DISCOVERY.0, DISCOVERY.1).await;
    assert_eq!(led(&scene).await, (0, false));
    do_not_end(&scene, HELD_FROM, DISCOVERY.0, DISCOVERY.1).await;
    assert_eq!(led(&scene).await, (1, true));
    let hold = holds::in_force(&*scene.context.store).await.unwrap().unwrap();
    assert_eq!(hold.body.cause.group.as_deref(), Some("metrics.example.org"));
    assert_eq!(hold.actor.as_str(), "action-controller/test");
}

#[tokio::test(start_paused = true)]
async fn finalizers_hold_nobody_else() {
    let scene = Scene::new(0, 4).await;
    let message = "Some content in the namespace has finalizers remaining: example.org/never in 1 resource instances";
    do_not_end(&scene, 9, "NamespaceFinalizersRemaining", message).await;
    assert_eq!(led(&scene).await, (0, false));
}

/// Each minute another process leads.
#[tokio::test(start_paused = true)]
async fn who_leads_next_goes_on_with_it_until_one_of_them_ends() {
    let scene = Scene::new(0, 4).await;
    do_not_end(&scene, HELD_FROM, DISCOVERY.0, DISCOVERY.1).await;
    for _ in 0..3 {
        assert_eq!(led(&scene).await, (1, true));
    }
    gone(&scene, &uid(2)).await;
    assert_eq!(led(&scene).await, (2, false));
    assert_eq!(led(&scene).await, (2, false), "fewer than enough are left");
}

#[tokio::test(start_paused = true)]
async fn it_is_taken_back_while_somebody_leads_as_soon_as_the_reason_is_over() {
    let scene = Scene::new(0, 4).await;
    do_not_end(&scene, HELD_FROM, DISCOVERY.0, DISCOVERY.1).await;
    let mended = async {
        sleep(Duration::from_secs(60)).await;
        assert!(holds::in_force(&*scene.context.store).await.unwrap().is_some());
        stalls(&scene, &uid(4), "NamespaceContentRemaining", "configmaps. has 1 resource instances").await;
        // No event announces it: the tail does.
        sleep(Duration::from_secs(60)).await;
        assert!(holds::in_force(&*scene.context.store).await.unwrap().is_none());
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = run_for(&scene, Does::Stays, Duration::from_secs(200)) => {}
        () = mended => {}
    }
}

#[tokio::test(start_paused = true)]
async fn the_others_have_a_quarter_of_an_hour_before_they_hold_again() {
    let scene = Scene::new(0, 4).await;
    do_not_end(&scene, HELD_FROM + 1, DISCOVERY.0, DISCOVERY.1).await;
    assert_eq!(led(&scene).await, (1, true));
    gone(&scene, &uid(0)).await;
    assert_eq!(led(&scene).await, (2, false));
    run_for(&scene, Does::Stays, Duration::from_secs(780)).await;
    assert_eq!(holds::last(&*scene.context.store).await.unwrap().unwrap().number, 2);
    run_for(&scene, Does::Stays, Duration::from_secs(120)).await;
    assert_eq!(led(&scene).await, (3, true));
}

/// A list that lags must release nothing: of a namespace that it does not name the history is read.
#[tokio::test(start_paused = true)]
async fn what_no_list_shows_has_not_ended() {
    let scene = Scene::new(0, 4).await;
    do_not_end(&scene, HELD_FROM, DISCOVERY.0, DISCOVERY.1).await;
    assert_eq!(led(&scene).await, (1, true));
    let lagging = Record::new(Uid::new(uid(1)));
    scene.context.store.put_snapshot(&lagging).await.unwrap();
    assert_eq!(led(&scene).await, (1, true));
}

/// A person has to mend such a history; until then it says nothing, and keeps nobody from saying something.
#[tokio::test(start_paused = true)]
async fn a_history_that_cannot_be_read_keeps_nothing_from_being_held_and_released() {
    let scene = Scene::new(0, 4).await;
    do_not_end(&scene, HELD_FROM, DISCOVERY.0, DISCOVERY.1).await;
    let broken = unrecorded(99);
    due(&scene, broken.as_str()).await;
    damage(&scene, broken.as_str());
    scene.queue.publish(Route::Events, &Message::about(broken.as_str())).await.unwrap();
    assert_eq!(led(&scene).await, (1, true));
    gone(&scene, &uid(2)).await;
    assert_eq!(led(&scene).await, (2, false));
}

/// One of those that the hold rests on: that it is not seen does not mean that it ended.
#[tokio::test(start_paused = true)]
async fn what_cannot_be_read_has_not_ended() {
    let scene = Scene::new(0, 4).await;
    do_not_end(&scene, HELD_FROM, DISCOVERY.0, DISCOVERY.1).await;
    assert_eq!(led(&scene).await, (1, true));
    damage(&scene, &uid(0));
    assert_eq!(led(&scene).await, (1, true));
    gone(&scene, &uid(3)).await;
    assert_eq!(led(&scene).await, (2, false), "the others tell");
    let last = holds::last(&*scene.context.store).await.unwrap().unwrap();
    assert_eq!(last.body.namespaces.len(), HELD_FROM, "what it rested on is told in full");
}
