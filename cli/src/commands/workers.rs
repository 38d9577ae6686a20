//! `nsm workers`.

use common::status;

use crate::{context::CliContext, failure::Failure, output::Output, view::workers};

pub(super) async fn workers(reach: &CliContext<'_>, screen: &Output) -> Result<(), Failure> {
    let now = reach.now();
    let lines = match reach.remote()? {
        Some(api) => api.workers().await?,
        None => {
            let store = reach.store(&reach.settings()?).await?;
            status::workers(&*store, now).await?
        }
    };
    screen.answer(
        &lines,
        |width| if lines.is_empty() { String::new() } else { workers::table(&lines, now).text(width) },
    )?;
    if lines.is_empty() {
        screen.note("no worker is there; one is started when something is to be done");
    }
    Ok(())
}
