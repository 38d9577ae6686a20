//! What has to be in a database before it is a store: indexes, and the version of the layout.

use std::time::Duration;

use mongodb::{
    Database, IndexModel,
    bson::{Document, doc},
};
use tokio::time::timeout;

use super::{ENTRIES, META, failure::Failure};
use crate::store::ClaimKind;

/// Rises whenever an older program could no longer use the database.
const VERSION: i64 = 1;

/// A first time makes files for each collection and index, and syncs them.
const SCHEMA_TIMEOUT: Duration = Duration::from_secs(30);

/// Each index serves the one order in which something is read, so that what is read costs what it returns.
fn indexes() -> Vec<(&'static str, Vec<Document>)> {
    let claims = || vec![doc! { "group": 1, "number": 1 }];
    vec![
        (
            ENTRIES,
            vec![
                doc! { "uid": 1, "seq": -1 },
                doc! { "at": 1, "uid": 1, "seq": 1 },
                doc! { "kind": 1, "at": 1 },
                doc! { "actor": 1, "at": 1 },
                doc! { "name": 1, "seq": 1, "at": -1, "uid": -1 },
            ],
        ),
        (ClaimKind::Slots.as_str(), claims()),
        (ClaimKind::Unannounced.as_str(), claims()),
        (ClaimKind::Controls.as_str(), claims()),
    ]
}

/// Makes what lacks, and refuses what a later version of this program made. Safe to repeat, and to do at once.
pub(super) async fn prepare(database: &Database) -> Result<(), Failure> {
    timeout(SCHEMA_TIMEOUT, async {
        let meta = database.collection::<Document>(META);
        let marker = match meta.find_one(doc! { "_id": "layout" }).await? {
            Some(marker) => marker,
            None => {
                for (collection, keys) in indexes() {
                    let models = keys.into_iter().map(|keys| IndexModel::builder().keys(keys).build());
                    database.collection::<Document>(collection).create_indexes(models).await?;
                }
                let marker = doc! { "_id": "layout", "version": VERSION };
                match meta.insert_one(&marker).await.map_err(Failure::from) {
                    Ok(_) | Err(Failure::Duplicate) => marker,
                    Err(failure) => return Err(failure),
                }
            }
        };
        match marker.get_i64("version") {
            Ok(VERSION) => Ok(()),
            Ok(version) => Err(Failure::Foreign(format!(
                "it has layout {version}, and this program knows only {VERSION}; use the program's version that wrote \
                 it, or name another database"
            ))),
            Err(error) => Err(Failure::Damaged(format!("its layout cannot be read: {error}"))),
        }
    })
    .await
    .unwrap_or_else(|_| Err(Failure::late(SCHEMA_TIMEOUT)))
}
