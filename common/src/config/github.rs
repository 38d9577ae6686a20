//! The section `github`: how GitHub is asked what became of the workflow runs that made namespaces.

use super::ci::ci_section;

ci_section! {
    /// The GitHub whose workflow runs make namespaces: one that was cancelled, or is gone, takes its namespaces along. Which run
    /// made a namespace say its labels `projectPath` (the repository, `owner.name`) and `pipelineId` (the id of the run).
    RawGithub, CiSystem::Github;
    /// Where its REST API is: `https://api.github.com`, or `https://HOST/api/v3`. Variable: `NSM__GITHUB__URL`.
    url;
    /// A file with an access token that may read the Actions and the metadata of each repository; read for each request.
    /// Default: none, and then the section is refused. Variable: `NSM__GITHUB__TOKEN_FILE`.
    token_file;
    /// A file with the authorities, in PEM, that may have signed the certificate of GitHub. Default: none, those of the
    /// web. Variable: `NSM__GITHUB__CA_FILE`.
    ca_file;
    /// Whether any certificate of GitHub will do, whatever `ca_file` says: whoever is on the way can then read the token,
    /// and cancel anything. Default: `false`. Variable: `NSM__GITHUB__INSECURE`.
    insecure;
    /// How often is asked for each run that may go on; at least `1s`. For one that is over, but was not cancelled, is asked
    /// every half an hour. Default: `1m`. Variable: `NSM__GITHUB__CHECK_EVERY`.
    check_every;
    /// How many requests each collector sends in a minute at most. What waits for that is asked later; GitHub
    /// takes 5,000 in an hour. Default: 60. Variable: `NSM__GITHUB__REQUESTS_PER_MINUTE`.
    requests_per_minute = 60;
    /// When a run that is not found counts as gone. Default: `confirmed`. Variable: `NSM__GITHUB__GONE`.
    gone;
    /// How far apart the two answers must lie by which a run counts as gone; may be `0s`. Default: `10m`. Variable:
    /// `NSM__GITHUB__GONE_CONFIRM_AFTER`.
    gone_confirm_after;
    /// A file with the secret that signs GitHub's webhooks, which are taken in by the API at `/hooks/github`; read for each
    /// of them. Default: none, and then none is taken in. Variable: `NSM__GITHUB__WEBHOOK_SECRET_FILE`.
    webhook_secret_file;
}
