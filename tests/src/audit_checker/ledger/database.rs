//! Reading a store that is a database.

use anyhow::{Context, Result, bail};
use futures::TryStreamExt as _;
use jiff::Timestamp;
use mongodb::bson::{Bson, Document, doc};
use mongodb::{Client, Database};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::{Claim, Entry};

/// The collections of claims.
const CLAIMS: [&str; 3] = ["slots", "unannounced", "controls"];

/// Everything in it, each in the order that the ledger of a file has.
pub(super) async fn read(url: &str) -> Result<(Vec<Entry>, Vec<Claim>)> {
    let client = Client::with_uri_str(url).await.context("not the URL of a database")?;
    let database = client.default_database().context("the URL names no database")?;
    read_in(&database).await
}

/// The same, of a database that somebody opened.
pub(super) async fn read_in(database: &Database) -> Result<(Vec<Entry>, Vec<Claim>)> {
    let mut entries: Vec<Entry> = documents(database, "entries").await?;
    entries.sort_by(|a, b| (&a.uid, a.seq).cmp(&(&b.uid, b.seq)));
    let mut claims: Vec<Claim> = Vec::new();
    for collection in CLAIMS {
        claims.extend(documents(database, collection).await?);
    }
    claims.sort_by(|a, b| (&a.kind, &a.group, a.number).cmp(&(&b.kind, &b.group, b.number)));
    Ok((entries, claims))
}

async fn documents<T: DeserializeOwned>(database: &Database, collection: &str) -> Result<Vec<T>> {
    let what = || format!("cannot read `{collection}` of the store");
    let found = database.collection::<Document>(collection).find(doc! {}).await.with_context(what)?;
    let found: Vec<Document> = found.try_collect().await.with_context(what)?;
    let read = |document: Document| {
        let value = json(Bson::Document(document))?;
        serde_json::from_value(value.clone()).with_context(|| format!("not a document of ours: {value}"))
    };
    found.into_iter().map(read).collect()
}

fn json(value: Bson) -> Result<Value> {
    Ok(match value {
        Bson::Document(document) => {
            let fields = document.into_iter().map(|(key, value)| Ok((key, json(value)?)));
            Value::Object(fields.collect::<Result<Map<_, _>>>()?)
        }
        Bson::Array(items) => Value::Array(items.into_iter().map(json).collect::<Result<_>>()?),
        Bson::DateTime(at) => Timestamp::from_millisecond(at.timestamp_millis())?.to_string().into(),
        Bson::Null => Value::Null,
        Bson::Boolean(yes) => yes.into(),
        Bson::String(text) => text.into(),
        Bson::Int32(number) => number.into(),
        Bson::Int64(number) => number.into(),
        Bson::Double(number) => number.into(),
        other => bail!("{other:?} is not of ours"),
    })
}
