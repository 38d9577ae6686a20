//! What came of a command, and how it fails.

use std::path::{Path, PathBuf};

use api::queries::{
    QueryError,
    controls::{Kind, StopState},
    listing::Listing,
};
use common::{
    cluster::{ApiError, ApiOutcome},
    config::Source,
    status::ControlInForce as Standing,
    store::{OpenError, StoreError},
};
use jiff::SignedDuration;
use lifecycle::{Actor, Uid};

use super::{
    super::{fixtures::at, results},
    Part,
};
use crate::failure::{Code, Failure};

pub(super) fn parts() -> Vec<Part> {
    vec![
        Part { title: "nsm keep, unkeep, protect, unprotect", lines: overrides() },
        Part { title: "nsm stop, resume, approve", lines: controls() },
        Part { title: "nsm ls: beside the list", lines: while_running() },
        Part { title: "errors", lines: errors() },
    ]
}

fn named<const N: usize>(lines: [(&str, String); N]) -> Vec<(String, String)> {
    lines.map(|(state, said)| (state.to_owned(), said)).into()
}

fn overrides() -> Vec<(String, String)> {
    let (until, now) = (at("14:00:00"), at("10:00:00"));
    named([
        ("keep --for", results::kept_for("ci-42", SignedDuration::from_hours(4), until)),
        ("keep --until", results::kept("ci-42", until, now)),
        ("keep, for longer than is allowed", results::kept_for_less(until)),
        ("keep, until an instant that is over", results::over_already(until)),
        ("unkeep", results::kept_no_more("ci-42")),
        ("protect", results::protected("ci-42", true)),
        ("unprotect", results::protected("ci-42", false)),
        ("a namespace under no policy", results::NOT_MANAGED.to_owned()),
        ("a namespace that is never managed", results::never_managed("kube-system")),
        ("a namespace that is being deleted", results::too_late("ci-42", at("09:59:00"))),
        ("a namespace that is not there", results::no_such_namespace("ci-24")),
        ("not recorded in time", results::not_recorded(5)),
        ("recorded by others", results::recorded_later("ci-42")),
        ("not known to be recorded", results::maybe_not_recorded(&results::no_store(Path::new("nsm.db")))),
    ])
}

fn standing(why: &str) -> Standing {
    Standing { by: Actor::person("bob"), at: at("09:30:00"), why: Some(why.to_owned()), until: None }
}

fn controls() -> Vec<(String, String)> {
    let recorded = |control: Kind| StopState::new(control, &Actor::person("alice"), at("10:00:00"));
    let of = |state: &str, said: String| (state.to_owned(), said);
    let uid = Uid::new("1b4e28ba");
    let mut lines = every!(Kind {
        Kind::Stop => [
            of("stop", results::stopped(&recorded(Kind::Stop))),
            of("stop, with a deletion under way", results::stopped(&StopState { fenced: vec!["ci-1".into()], ..recorded(Kind::Stop) })),
            of("stop, in part", results::stopped_in_part(&StopState {
                failed: vec!["the stop rests on the switch: the apiserver does not answer".into()],
                not_fenced: vec!["ci-1: its deletion had been accepted before the stop".into()],
                ..recorded(Kind::Stop)
            })),
        ],
        Kind::Resume => [
            of("resume", results::resumed(&StopState { ended: Some(standing("maintenance")), ..recorded(Kind::Resume) })),
            of("resume, of the apiserver alone", results::resumed(&StopState { unbound: true, ..recorded(Kind::Resume) })),
            of("resume, without a stop", results::resumed(&recorded(Kind::Resume))),
        ],
        Kind::Approve => [
            of("approve", results::approved(&StopState { until: Some(at("11:00:00")), ..recorded(Kind::Approve) })),
            of("approve, in vain", results::APPROVED_IN_VAIN.to_owned()),
        ],
        Kind::TrustStore => [
            of("approve --store", results::trusted(&StopState {
                mismatch: Some(standing("namespace `ci-7`: its annotation `record` is of another store (epoch 2)")),
                ..recorded(Kind::TrustStore)
            })),
            of("approve --store, over single namespaces", results::trusted(&StopState {
                markers: vec!["ci-7".into(), "ci-8".into()],
                ..recorded(Kind::TrustStore)
            })),
            of("approve --store, without need", results::trusted(&recorded(Kind::TrustStore))),
        ],
    });
    lines.extend([
        of("approve --cluster", results::cluster_known(&uid, Some(&Uid::new("6fa459ea")))),
        of("approve --cluster, the first", results::cluster_known(&uid, None)),
        of("approve --cluster, without need", results::cluster_known(&uid, Some(&uid))),
    ]);
    lines
}

fn while_running() -> Vec<(String, String)> {
    let halted = |change: fn(&mut Listing)| {
        let mut listing = Listing { items: Vec::new(), next: None, stop: None, mismatch: None, hold: None };
        change(&mut listing);
        results::halted(&listing, at("10:00:00")).join("\n")
    };
    let Listing { items: _, next: _, stop: _, mismatch: _, hold: _ } =
        Listing { items: Vec::new(), next: None, stop: None, mismatch: None, hold: None };
    named([
        ("nothing managed", results::nothing_listed(Some(0))),
        ("one namespace whose policy vanished", results::nothing_listed(Some(1))),
        ("several namespaces whose policy vanished", results::nothing_listed(Some(3))),
        ("nothing that was asked for", results::nothing_listed(None)),
        ("a name that is not managed", results::not_listed("ci-24", false)),
        ("a name that is not on record", results::not_listed("ci-24", true)),
        ("a stop", halted(|listing| listing.stop = Some(standing("maintenance")))),
        (
            "a store that may be another",
            halted(|listing| {
                listing.mismatch =
                    Some(standing("namespace `ci-7`: its annotation `record` is of another store (epoch 2)"))
            }),
        ),
        (
            "a hold",
            halted(|listing| listing.hold = Some(standing("the deletions of `ci-1` were accepted and do not end"))),
        ),
    ])
}

fn failed(state: &str, failure: Failure) -> (String, String) {
    let code = failure.code;
    let name = every!(Code {
        Code::Failed => [(Code::Failed, "failed")],
        Code::Usage => [(Code::Usage, "usage")],
        Code::NotFound => [(Code::NotFound, "not found")],
        Code::Refused => [(Code::Refused, "refused")],
        Code::OutOfReach => [(Code::OutOfReach, "out of reach")],
        Code::Configuration => [(Code::Configuration, "configuration")],
    });
    let name = name.into_iter().find(|(of, _)| *of == code).map_or("", |(_, name)| name);
    (format!("{state} (exit code {}, {name})", code as u8), failure.text)
}

fn refused(path: Option<&str>, variables: &[(&str, &str)]) -> Failure {
    let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let refused = Source::new(path.map(PathBuf::from), variables).load().expect_err("it is refused");
    refused.into()
}

fn errors() -> Vec<(String, String)> {
    let (doing, why) = (|| "read the history of `ci-42`".to_owned(), || "no answer came within 4 s".to_owned());
    let mut lines = vec![
        failed("no store", Failure::new(Code::OutOfReach, results::no_store(Path::new("/var/lib/nsm.db")))),
        failed("no configuration", refused(Some("/nowhere/nsm.yaml"), &[("HOME", "/home/alice")])),
        failed("a wrong configuration", refused(None, &[("HOME", "/home/alice"), ("NSM__MODE", "delete")])),
    ];
    let store = |state: &str, error: StoreError| [failed(state, error.into())];
    lines.extend(every!(StoreError {
        StoreError::Unavailable { .. } => store("a store out of reach", StoreError::Unavailable { doing: doing(), why: why() }),
        StoreError::Damaged { .. } => store("a store that is damaged", StoreError::Damaged { doing: doing(), why: "entry 4 cannot be read".into() }),
        StoreError::Refused { .. } => store("a store that refuses", StoreError::Refused { doing: doing(), why: "it is too long".into() }),
    }));
    let open = |state: &str, error: OpenError| [failed(state, error.into())];
    lines.extend(every!(OpenError {
        OpenError::Unsupported { .. } => open("a store of an unknown kind", OpenError::Unsupported { scheme: "postgres".into() }),
        OpenError::Malformed => open("a store's address that is none", OpenError::Malformed),
        OpenError::Foreign { .. } => open("a store of others", OpenError::Foreign { place: "`nsm.db`".into(), why: "it is no database".into() }),
        OpenError::Store(_) => Vec::new(),
    }));
    let answer = |state: &str, answer: ApiOutcome, why: &str| {
        [failed(state, ApiError { doing: "read namespace `ci-42`".into(), answer, why: why.into() }.into())]
    };
    lines.extend(every!(ApiOutcome {
        ApiOutcome::NotFound => answer("a namespace that is gone", ApiOutcome::NotFound, "the apiserver answered 404"),
        ApiOutcome::OtherUid => answer("a namespace that was made anew", ApiOutcome::OtherUid, "the name belongs to another one"),
        ApiOutcome::Refused => answer("a right that is missing", ApiOutcome::Refused, "the apiserver answered 403"),
        ApiOutcome::Moved => answer("a namespace that was changed meanwhile", ApiOutcome::Moved, "the apiserver answered 409"),
        ApiOutcome::TooManyRequests => answer("an apiserver that has too much to do", ApiOutcome::TooManyRequests, "the apiserver answered 429"),
        ApiOutcome::Unclear => answer("an apiserver out of reach", ApiOutcome::Unclear, "the apiserver did not answer within 3 s"),
    }));
    lines.extend(every!(QueryError {
        QueryError::NotFound(_) => [failed("a name that is not on record", QueryError::NotFound(
            api::queries::nothing_recorded("ci-24", Some("ci-42"))).into())],
        QueryError::Store(_) => Vec::new(),
        QueryError::Cluster(_) => Vec::new(),
    }));
    lines
}
