//! `nsm why`.

use api::queries::why;

use crate::{context::CliContext, failure::Failure, output::Output, view};

pub(super) async fn why(reach: &CliContext<'_>, screen: &Output, name_or_uid: &str, all: bool) -> Result<(), Failure> {
    let now = reach.now();
    let answer = match reach.remote()? {
        Some(api) => api.why(name_or_uid).await?,
        None => {
            let settings = reach.settings()?;
            let store = reach.store(&settings).await?;
            let cluster = reach.cluster().await.map_err(|failure| failure.text);
            why::why(&*store, &settings, cluster.as_ref().map_err(Clone::clone), name_or_uid, now).await?
        }
    };
    screen.answer(&answer, |_| view::why::text(&answer, all, now))
}
