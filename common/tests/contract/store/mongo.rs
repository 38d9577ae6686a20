//! The store in a database: the suite on two servers that speak the protocol of MongoDB, SecantusDB and
//! mongo-java-server, and what can be the matter with a server. No real mongod was ever run.

mod access;
mod documents;
mod faults;
mod proxy;
mod speed;

use jiff::Timestamp;
use mongodb::{
    Client, Database,
    bson::{Bson, DateTime, Document, doc, serialize_to_document},
};
use serde_json::Value;
use testbed::{JavaMongo, MongoServer};
use tokio::runtime::Handle;

use super::{Bench, suite};

mod secantus {
    super::suite!(contract, crate::store::mongo::Place::of_secantus);
}

mod java {
    super::suite!(contract, crate::store::mongo::Place::of_java);
}

/// A database of its own on a server that others use too.
pub(crate) struct Place(String);

impl Place {
    /// On SecantusDB.
    pub(crate) fn of_secantus() -> Self {
        Self(wait(MongoServer::shared()).unwrap().fresh_url())
    }

    /// On mongo-java-server.
    pub(crate) fn of_java() -> Self {
        Self(wait(JavaMongo::shared()).unwrap().fresh_url())
    }

    async fn database(&self) -> Database {
        Client::with_uri_str(&self.0).await.unwrap().default_database().unwrap()
    }
}

/// Within a runtime of several threads.
fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::task::block_in_place(|| Handle::current().block_on(future))
}

impl Bench for Place {
    fn url(&self) -> String {
        self.0.clone()
    }

    async fn plant_entry(&self, document: &Value) {
        let mut planted = serialize_to_document(document).unwrap();
        let at = document["at"].as_str().unwrap().parse::<Timestamp>().unwrap();
        let (uid, seq) = (document["uid"].as_str().unwrap(), document["seq"].as_i64().unwrap());
        planted.insert("_id", format!("{uid}:{seq:010}"));
        planted.insert("seq", seq);
        planted.insert("at", Bson::DateTime(DateTime::from_millis(at.as_millisecond())));
        self.database().await.collection::<Document>("entries").insert_one(planted).await.unwrap();
    }

    async fn plant_observation(&self, uid: &lifecycle::Uid, document: &Value) {
        let observations = self.database().await.collection::<Document>("observations");
        let id = doc! { "_id": uid.as_str() };
        let mut planted = serialize_to_document(document).unwrap();
        planted.insert("_id", uid.as_str());
        observations.delete_many(id).await.unwrap();
        observations.insert_one(planted).await.unwrap();
    }

    async fn plant_snapshot(&self, document: &Value) {
        let record = &document["record"];
        let (uid, fold) = (record["uid"].as_str().unwrap(), document["fold"].as_i64().unwrap());
        let planted = doc! {
            "_id": uid, "fold": fold, "seq": record["head"].as_i64().unwrap(),
            "record": serialize_to_document(record).unwrap(),
        };
        self.database().await.collection::<Document>("namespaces").insert_one(planted).await.unwrap();
    }
}
