//! `nsm status`.

use common::status;

use crate::{context::CliContext, failure::Failure, output::Output, view};

pub(super) async fn status(reach: &CliContext<'_>, screen: &Output) -> Result<(), Failure> {
    let overview = match reach.remote()? {
        Some(api) => api.status().await?,
        None => {
            let settings = reach.settings()?;
            let store = reach.store(&settings).await?;
            status::overview(&*store, &settings, reach.now()).await?
        }
    };
    screen.answer(&overview, |_| view::status::text(&overview, &reach.timings().budget_window_text()))
}
