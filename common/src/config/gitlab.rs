//! The section `gitlab`: how GitLab is asked what became of the pipelines that made namespaces.

use super::ci::ci_section;

ci_section! {
    /// The GitLab whose pipelines make namespaces: one that was cancelled, or is gone, takes its namespaces along. Which
    /// pipeline made a namespace say its labels `projectId` and `pipelineId`.
    RawGitlab, CiSystem::Gitlab;
    /// Where it is: `https://…` or `http://…`, up to where `/api/v4` begins. Variable: `NSM__GITLAB__URL`.
    url;
    /// A file with an access token, of the scope `read_api` and with at least the role Reporter in each project; read for
    /// each request. Default: none, and then the section is refused. Variable: `NSM__GITLAB__TOKEN_FILE`.
    token_file;
    /// A file with the authorities, in PEM, that may have signed the certificate of GitLab. Default: none, those of the
    /// web. Variable: `NSM__GITLAB__CA_FILE`.
    ca_file;
    /// Whether any certificate of GitLab will do, whatever `ca_file` says: whoever is on the way can then read the token,
    /// and cancel anything. Default: `false`. Variable: `NSM__GITLAB__INSECURE`.
    insecure;
    /// How often is asked for each pipeline that may go on; at least `1s`. For one that is over, but was not cancelled, is
    /// asked every half an hour. Default: `1m`. Variable: `NSM__GITLAB__CHECK_EVERY`.
    check_every;
    /// How many requests each collector sends in a minute at most. What waits for that is asked later. Default: 120.
    /// Variable: `NSM__GITLAB__REQUESTS_PER_MINUTE`.
    requests_per_minute = 120;
    /// When a pipeline that is not found counts as gone. Default: `confirmed`. Variable: `NSM__GITLAB__GONE`.
    gone;
    /// How far apart the two answers must lie by which a pipeline counts as gone; may be `0s`. Default: `10m`. Variable:
    /// `NSM__GITLAB__GONE_CONFIRM_AFTER`.
    gone_confirm_after;
    /// A file with the secret token of GitLab's webhooks, which are taken in by the API at `/hooks/gitlab`; read for each of
    /// them. Default: none, and then none is taken in. Variable: `NSM__GITLAB__WEBHOOK_SECRET_FILE`.
    webhook_secret_file;
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jiff::SignedDuration;
    use lifecycle::policy::Invalid;
    use serde_json::{Value, json};

    use super::*;
    use crate::config::{CiSettings, Gone, Trust};

    fn checked(more: &Value) -> Result<CiSettings, Vec<String>> {
        let mut section = json!({"url": "https://example.org/gitlab", "token_file": "t"});
        section.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let checked = serde_json::from_value::<RawGitlab>(section).unwrap().check();
        checked.map_err(|wrong| wrong.into_iter().map(|Invalid { key, why }| format!("{key}: {why}")).collect())
    }

    #[track_caller]
    fn refuses(more: &Value, expected: &[&str]) {
        assert_eq!(checked(more).unwrap_err(), expected, "{more}");
    }

    #[test]
    fn an_address_and_a_token_are_enough() {
        let expected = CiSettings {
            url: "https://example.org/gitlab".parse().unwrap(),
            token_file: "t".into(),
            trust: Trust::Web,
            check_every: Duration::from_secs(60),
            requests_per_minute: 120,
            gone: Gone::Confirmed { after: SignedDuration::from_mins(10) },
            webhook_secret_file: None,
        };
        assert_eq!(checked(&json!({})).unwrap(), expected);
    }

    #[test]
    fn what_is_said_counts() {
        let found = checked(&json!({"ca_file": "c", "gone": "trusted", "check_every": "5s"})).unwrap();
        assert_eq!((found.trust, found.gone), (Trust::Authorities("c".into()), Gone::Trusted));
        assert_eq!(found.check_every, Duration::from_secs(5));
        let found = checked(&json!({"webhook_secret_file": "w"})).unwrap();
        assert_eq!(found.webhook_secret_file, Some("w".into()));
        let found = checked(&json!({"ca_file": "c", "insecure": true, "gone_confirm_after": "0s"})).unwrap();
        assert_eq!((found.trust, found.gone), (Trust::Anybody, Gone::Confirmed { after: SignedDuration::ZERO }));
    }

    #[test]
    fn nobody_asks_without_a_token() {
        let why = "gitlab.token_file: it is missing: without a token pipelines that are there may not be found";
        refuses(&json!({"token_file": null}), &[why]);
        refuses(&json!({"token_file": " "}), &["gitlab.token_file: it is empty; write the path of a file"]);
    }

    #[test]
    fn a_file_has_a_path() {
        for key in ["ca_file", "webhook_secret_file"] {
            refuses(&json!({key: " "}), &[&format!("gitlab.{key}: it is empty; write the path of a file")]);
        }
    }

    #[test]
    fn an_address_holds_no_secret_and_is_not_repeated() {
        for url in ["", "g:80", "ftp://g", "https://u:s3cret@g", "https://g?private_token=s3cret", "https://g#s3cret"] {
            let wrong = checked(&json!({"url": url})).unwrap_err();
            assert!(wrong[0].starts_with("gitlab.url: it ") && !wrong[0].contains("s3cret"), "{wrong:?}");
        }
    }

    #[test]
    fn everything_that_is_wrong_is_told_at_once() {
        let why = "`http` shows no certificates; write `https` in `url`";
        refuses(
            &json!({"url": "http://g", "ca_file": "c", "insecure": true, "check_every": "0.5s", "requests_per_minute": 0}),
            &[
                &format!("gitlab.ca_file: {why}"),
                &format!("gitlab.insecure: {why}"),
                "gitlab.check_every: `0.5s` is too often for a server that others need too; use at least 1s",
                "gitlab.requests_per_minute: at least 1 is needed; to ask nothing, leave the section out",
            ],
        );
    }
}
