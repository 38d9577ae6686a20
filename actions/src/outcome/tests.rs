//! What becomes of an intent by the answer to its request.

use common::identity::OtherCluster;
use lifecycle::event::Protected;

use crate::fixture::{
    Asked::{self, Delete, Other, Patch, Read, Whose},
    Scene, at, at_once,
};

/// What is written where the first DELETE is answered so, and what is asked for after it.
async fn answered(code: u16, reason: &'static str, message: &'static str) -> (String, Vec<Asked>) {
    let scene = Scene::stale().await;
    scene.apiserver.refuse(code, reason, message);
    let (written, asked) = scene.carry_out().await;
    assert_eq!(asked[..5], [Other, Read, Whose, Read, Delete]);
    (written, asked[5..].to_vec())
}

#[tokio::test(start_paused = true)]
async fn a_definite_no_closes_the_intent_and_nothing_is_sent_again() {
    for (code, reason, message, expected) in [
        (404, "NotFound", "namespaces \"ci-1\" not found", "Gone"),
        (409, "Conflict", "Precondition failed: UID in precondition: a, UID in object meta: b", "Gone"),
        (401, "Unauthorized", "no", "Refused"),
        (403, "Forbidden", "no", "Refused"),
        (422, "Invalid", "no", "Refused"),
        (429, "TooManyRequests", "later", "TooManyRequests"),
    ] {
        assert_eq!(
            answered(code, reason, message).await,
            (format!("intended failed:{expected}"), Vec::new()),
            "{code}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_was_refused_waits_before_it_tries_again() {
    let scene = Scene::stale().await;
    scene.apiserver.refuse(403, "Forbidden", "no");
    scene.carry_out().await;
    assert_eq!(scene.record().await.attempts.not_before, Some(at(60)));
    assert_eq!(scene.carry_out().await.1, [], "it waits");
}

/// What people are told by an Event, after the deletion was refused in these words, each time as soon as it is tried again.
async fn told(refusals: &[&'static str]) -> Vec<String> {
    let scene = Scene::stale().await;
    let mut told = Vec::new();
    for (number, message) in refusals.iter().enumerate() {
        scene.apiserver.refuse(422, "Invalid", message);
        scene.carry_out().await;
        assert_eq!(scene.record().await.attempts.refused as usize, number + 1);
        told.extend(scene.apiserver.events());
        tokio::time::advance(std::time::Duration::from_secs(60 << number)).await;
    }
    assert!(told.iter().all(|(reason, _)| reason == "DeletionRefused"), "{told:?}");
    told.into_iter().map(|(_, note)| note).collect()
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_told_once_with_what_to_do() {
    let told = told(&["no deletions on Fridays"; 5]).await;
    assert_eq!(told.len(), 1, "{told:?}");
    for words in [
        "it is not deleted, and tried again at 2027-01-15",
        "the apiserver answered 422: no deletions on Fridays",
        "let the manager delete it",
        "`nsm protect ci-1`",
    ] {
        assert!(told[0].contains(words), "no `{words}` in: {}", told[0]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_refusal_in_other_words_is_told_again() {
    let told = told(&["no", "no", "not now", "not now", "no"]).await;
    assert_eq!(told.len(), 3, "{told:?}");
}

/// A refusal may have much to say.
#[tokio::test(start_paused = true)]
async fn a_refusal_is_told_in_few_words() {
    let told = told(&[LONG]).await;
    assert!(told[0].len() < 700, "{}", told[0]);
}

const LONG: &str = concat!(
    "a long text that says much more than anybody wants to read about why this namespace has to stay where it is, and ",
    "a long text that says much more than anybody wants to read about why this namespace has to stay where it is, and ",
    "a long text that says much more than anybody wants to read about why this namespace has to stay where it is, and ",
    "a long text that says much more than anybody wants to read about why this namespace has to stay where it is, and ",
    "a long text that says much more than anybody wants to read about why this namespace has to stay where it is, and ",
    "so on",
);

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_no_refusal_is_no_news_to_people() {
    for (code, reason) in [(404, "NotFound"), (429, "TooManyRequests"), (500, "InternalError")] {
        let scene = Scene::stale().await;
        scene.apiserver.refuse(code, reason, "no");
        scene.carry_out().await;
        assert_eq!(scene.apiserver.events(), [], "{code}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_object_that_moved_is_checked_again_at_once_and_from_the_third_time_on_later() {
    let moved = async |times: usize| {
        let scene = Scene::stale().await;
        for number in 1..=times {
            let apiserver = scene.apiserver.clone();
            let annotates = at_once(move || apiserver.annotate("unimportant", &number.to_string()));
            scene.apiserver.before(number, Delete, annotates);
        }
        scene.carry_out().await
    };
    let (written, asked) = moved(1).await;
    assert_eq!(written, "intended skipped:busy intended done");
    assert_eq!(asked, [Other, Read, Whose, Read, Delete, Read, Whose, Read, Delete]);

    let (written, asked) = moved(9).await;
    assert_eq!(written, ["intended skipped:busy"; 3].join(" "));
    assert_eq!(asked.iter().filter(|it| **it == Delete).count(), 3);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_says_nothing_is_fenced_and_the_fence_decides() {
    assert_eq!(answered(500, "InternalError", "no").await, ("intended failed:Fenced".to_owned(), vec![Patch]));
    assert_eq!(answered(409, "Conflict", "apply your changes again").await.1, [Patch]);
    let scene = Scene::stale().await;
    scene.apiserver.lose_the_answer();
    assert_eq!(scene.carry_out().await.0, "intended seen");
}

/// The outcome is unknown, and nobody may say otherwise.
#[tokio::test(start_paused = true)]
async fn without_a_fence_the_intent_stays_open() {
    let scene = Scene::stale().await;
    scene.apiserver.refuse(500, "InternalError", "no");
    // It does not answer that.
    scene.apiserver.before(1, Patch, Box::pin(std::future::pending()));
    let task = lifecycle::Task {
        uid: lifecycle::Uid::new(crate::fixture::UID),
        action: lifecycle::Action::Delete,
        cause_seq: 2,
    };
    crate::dispatch::carry_out(&scene.worker, &task).await.unwrap_err();
    assert_eq!(scene.written().await, "intended");
    assert_eq!(scene.apiserver.asked().last(), Some(&Patch));
}

/// Where another cluster answers by then it is not there, and was not deleted for that.
#[tokio::test(start_paused = true)]
async fn that_another_cluster_does_not_have_it_says_nothing() {
    let scene = Scene::stale().await;
    scene.apiserver.refuse(500, "InternalError", "no");
    let apiserver = scene.apiserver.clone();
    let moves = at_once(move || {
        apiserver.remove();
        apiserver.is_of_another_cluster();
    });
    scene.apiserver.before(1, Patch, moves);
    let error = scene.try_to_carry_out().await.unwrap_err();
    assert!(error.is::<OtherCluster>(), "{error:#}");
    assert_eq!(scene.written().await, "intended");
}

/// An owner override that is recorded while an intent is open.
#[tokio::test(start_paused = true)]
async fn an_outcome_is_written_when_another_writes_in_between() {
    let scene = Scene::stale().await;
    let protects = lifecycle::Event::Protected(Protected { on: true });
    scene.apiserver.before(1, Delete, scene.somebody_appends(protects));
    assert_eq!(scene.carry_out().await.0, "intended Protected done");
}

/// A worker that took long, and another that fenced what ran out meanwhile: an intent has one outcome
/// (docs/design/protocol.md S11).
#[tokio::test(start_paused = true)]
async fn an_intent_that_another_has_closed_is_not_closed_again() {
    let scene = Scene::stale().await;
    let of = 3;
    let closed = lifecycle::Event::ActionDone(lifecycle::event::ActionDone { of, observed: true });
    scene.apiserver.before(1, Delete, scene.somebody_appends(closed));
    assert_eq!(scene.carry_out().await.0, "intended seen");
}
