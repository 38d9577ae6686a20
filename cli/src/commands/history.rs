//! `nsm history`.

use api::queries::history::{self, Page};

use crate::{
    context::CliContext,
    failure::Failure,
    output::Output,
    view::history::{NamespaceHistory, text},
};

pub(super) async fn history(reach: &CliContext<'_>, screen: &Output, namespace: &str) -> Result<(), Failure> {
    let all = match reach.remote()? {
        Some(api) => histories(namespace, async |which, after| api.history(which, after).await).await?,
        None => {
            let store = reach.store(&reach.settings()?).await?;
            let page =
                async |which: &str, after| Ok(history::history(&*store, which, after, history::MAX_ENTRIES).await?);
            histories(namespace, page).await?
        }
    };
    screen.answer(&all, |width| text(&all, reach.now(), width))
}

/// The histories of all that bore a name, the oldest first, each page by page.
async fn histories(
    namespace: &str,
    page: impl AsyncFn(&str, u64) -> Result<Page, Failure>,
) -> Result<Vec<NamespaceHistory>, Failure> {
    let mut all = Vec::new();
    for uid in page(namespace, 0).await?.uids {
        let Page { name, uid, mut entries, mut next, .. } = page(&uid, 0).await?;
        while let Some(after) = next {
            let more = page(&uid, after).await?;
            entries.extend(more.entries);
            next = more.next;
        }
        all.push(NamespaceHistory { name, uid, entries });
    }
    Ok(all)
}
