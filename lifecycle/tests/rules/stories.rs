//! Told stories: `tests/stories/*.story`, each the life of one namespace and the history that follows from it.
//!
//! A story says first which rule it holds. Then come what is configured, what is created, and a timeline; each line of
//! the timeline lets some time go by and then does one thing ([`script`] lists what can be done). Below `---` stands
//! what is expected to be written meanwhile, in words ([`words`]). `UPDATE_STORIES=1` writes that part anew; the
//! `expect` lines within the timeline are the rule itself and are never rewritten.

mod script;
mod words;

use std::path::{Path, PathBuf};

use script::Story;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stories")
}

#[expect(clippy::disallowed_methods, reason = "stories are files")]
fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("cannot read `{}`: {error}", path.display()))
}

/// Runs a story and compares what it wrote.
#[track_caller]
fn tell(name: &str) {
    let path = folder().join(format!("{name}.story"));
    let text = read(&path);
    let (told, expected) = text.split_once("---\n").unwrap_or((&text, ""));
    let story = Story::parse(told).unwrap_or_else(|error| panic!("{name}.story: {error}"));
    let mut world = story.begin();
    for line in &story.timeline {
        if let Err(why) = line.play(&mut world) {
            let so_far = words::tell(&world.log);
            panic!("{name}.story:{}: `{}`: {why}; so far:\n{so_far}", line.number, line.text);
        }
    }
    let found = words::tell(&world.log);
    if std::env::var_os("UPDATE_STORIES").is_some() {
        std::fs::write(&path, format!("{}\n\n---\n{found}", told.trim_end())).unwrap();
    } else if found != expected {
        panic!("{name}.story tells something else now:\n{}", difference(expected, &found));
    }
}

/// Both texts line by line; what is missing with `-`, what is new with `+`.
fn difference(expected: &str, found: &str) -> String {
    let (expected, found): (Vec<_>, Vec<_>) = (expected.lines().collect(), found.lines().collect());
    let same = expected.iter().zip(&found).take_while(|(one, other)| one == other).count();
    let end = expected[same..].iter().rev().zip(found[same..].iter().rev()).take_while(|(a, b)| a == b).count();
    let lines =
        |marker: &str, lines: &[&str]| lines.iter().map(|line| format!("{marker} {line}\n")).collect::<String>();
    lines(" ", &expected[..same])
        + &lines("-", &expected[same..expected.len() - end])
        + &lines("+", &found[same..found.len() - end])
        + &lines(" ", &expected[expected.len() - end..])
}

macro_rules! stories {
    ($($name:ident)*) => {
        $(#[test] fn $name() { tell(stringify!($name)); })*
        const TOLD: &[&str] = &[$(stringify!($name)),*];
    };
}

stories! {
    a_broken_channel_is_tried_for_an_hour
    a_cancelled_pipeline_outranks_a_newer_deployment
    a_cancelled_pipeline_takes_its_namespace_along
    a_cap_cannot_take_back_a_promise
    a_channel_that_refuses_every_form_is_broken
    a_channel_that_works_again_tells_what_was_held
    a_gap_stops_what_destroys
    a_keep_holds_what_has_failed
    a_key_that_is_nearly_right_counts
    a_record_marker_beyond_its_history_holds_it_back
    a_merged_request_takes_its_namespace_along
    a_message_that_is_refused_is_given_up_at_once
    a_newer_deployment_replaces_it
    a_newer_deployment_that_fails_replaces_nothing
    a_pipeline_is_not_checked_any_more
    a_policy_cannot_take_back_a_promise
    a_policy_may_leave_what_has_failed
    a_recipient_who_is_gone_is_given_up_at_once
    a_retried_pipeline_takes_it_back
    a_status_that_nobody_could_read_deletes_nothing
    a_status_that_was_seen_counts_from_then_on
    a_ttl_under_a_key_that_is_not_its_own_counts_for_nothing
    a_keep_request_counts_before_it_is_recorded
    a_wrong_clock_foretells_nothing
    a_wrong_clock_shortens_no_keep
    an_address_that_is_gone_for_all_is_an_outage
    an_earlier_end_is_foretold_from_then_on
    an_excluded_name_is_released
    an_expired_intent_is_offered_again
    an_open_intent_blocks_statuses_but_not_owner_overrides
    an_outage_of_prometheus_stops_the_timers
    an_owner_can_take_back_a_promise
    an_unknown_entry_stops_what_destroys
    backoff
    ci_labels_are_kept
    clock_jump
    creation_in_the_future
    done_ends_the_task
    empty_counts_as_absent
    expires_at
    expires_at_before_creation
    expires_at_date
    expires_at_unreadable
    expires_at_unreadable_beside_an_unreadable_ttl
    expires_at_unreadable_asks_for_no_earlier_end
    expires_at_unreadable_shortens_nothing
    former_prefixes
    global_observe_outranks
    health_is_not_checked_any_more
    keep
    keep_again_after_it_was_over
    keep_is_capped_and_cannot_slide
    keep_malformed
    keep_of_several_the_longest_counts
    keep_withdrawn
    labels_that_are_no_ids_name_no_pipeline
    no_channel_waits_for_nobody
    no_end_is_set
    nobody_is_told_of_nothing
    nobody_checks_and_nothing_is_known
    nobody_need_have_read_it
    notice_again_when_the_deadline_moves
    notice_at_once
    notice_before_the_deadline
    notice_never_more_than_half_the_ttl_ahead
    notice_not_twice_within_half_an_hour
    notice_shows_until_the_status_changes
    observe_records_once_per_status
    observe_then_enforce_counts_nothing
    one_notice_that_is_refused_breaks_no_channel
    one_notice_that_is_refused_waits_alone
    policy_changed
    protect_with_an_empty_value
    released_and_adopted_again
    terminating
    the_name_is_never_managed
    ttl
    ttl_annotation_capped
    ttl_annotation_longer
    ttl_annotation_malformed
    ttl_annotation_shorter
    ttl_made_longer_while_stale
    two_clocks
    unknown_clock_keeps_what_is_stale
    unknown_clock_moves_nothing
    what_cannot_be_checked_waits_by_name
    what_fails_is_told_and_deleted
    what_is_cancelled_and_stays_becomes_stale
    what_is_not_known_of_a_pipeline_moves_nothing
    what_is_superseded_and_stays_becomes_stale
    what_is_there_again_is_adopted_again
    what_nobody_checks_again_is_stalled
    what_recovers_after_it_was_told_stays
    what_replaced_it_may_be_replaced_in_turn
    what_was_given_up_is_told_once_it_is_waited_for
    who_cannot_be_told_may_be_waited_for
}

#[test]
fn every_story_is_told() {
    let mut files: Vec<String> = std::fs::read_dir(folder())
        .unwrap()
        .map(|file| file.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "story"))
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    files.sort();
    let mut told: Vec<_> = TOLD.to_vec();
    told.sort_unstable();
    assert_eq!(files, told);
}
