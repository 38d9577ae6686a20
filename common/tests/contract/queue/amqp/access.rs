//! Who is let in: passwords, certificates, and how they are exchanged.

use std::path::PathBuf;

use anyhow::ensure;
use common::{
    config::QueueSettings,
    queue::{self, Message, Route},
};
use testbed::{Broker, BrokerOptions, eventually};

use super::{Amqp, LATER, comes_at_last, publish_at_last, shared, write};

/// Every URL, file name and error is held against this.
const SECRET: &str = "the-old-secret";

async fn refusal(settings: &QueueSettings) -> String {
    let queue = queue::open_with(settings).await.unwrap();
    queue.publish(Route::Tasks, &Message::about("a")).await.unwrap_err().to_string()
}

#[tokio::test]
async fn a_wrong_password_is_refused_and_not_shown() {
    let broker = shared().await;
    let url = format!("amqp://{}:{SECRET}@{}", Broker::USER, broker.address());
    let settings = QueueSettings { prefix: Amqp::new().prefix, ..QueueSettings::at(&url) };
    let refused = refusal(&settings).await;
    assert!(refused.contains("ACCESS_REFUSED"), "{refused}");
    assert!(!refused.contains(SECRET) && !format!("{settings:?}").contains(SECRET), "{refused}");
    assert!(!format!("{:?}", queue::open_with(&settings).await.unwrap()).contains(SECRET));
}

/// Those of docs/installation.md. What is rejected goes through the default exchange.
#[tokio::test]
async fn rights_to_what_begins_with_the_prefix_are_enough() {
    let user = ("worker".to_owned(), SECRET.to_owned());
    let broker = Broker::start(BrokerOptions { users: vec![user], ..BrokerOptions::default() }).await.unwrap();
    let prefix = Amqp::new().prefix;
    let (ours, written) = (format!("^{prefix}\\."), format!("^({prefix}\\.|amq\\.default$)"));
    broker.control(&["set_permissions", "worker", &ours, &written, &ours]).await.unwrap();
    let url = format!("amqp://worker:{SECRET}@{}", broker.address());
    let queue = queue::open_with(&QueueSettings { prefix, ..QueueSettings::at(&url) }).await.unwrap();
    for route in [Route::Events, Route::Tasks, Route::CiEvents] {
        let mut consumer = queue.consume(route).await.unwrap();
        queue.publish(route, &Message::about("a")).await.unwrap();
        let delivery = consumer.next(LATER).await.unwrap();
        delivery.unwrap_or_else(|| panic!("{route:?}: nothing came")).ack().await.unwrap();
    }
}

#[tokio::test]
async fn over_tls_passwords_are_exchanged_while_it_runs() {
    let user = ("worker".to_owned(), SECRET.to_owned());
    let options = BrokerOptions { users: vec![user], tls: true, ..BrokerOptions::default() };
    let broker = Broker::start(options).await.unwrap();
    let directory = tempfile::tempdir().unwrap();
    let settings = QueueSettings {
        username_file: Some(write(directory.path(), "username", "worker\n")),
        password_file: Some(write(directory.path(), "password", &format!("{SECRET}\n"))),
        ca_file: broker.authority().map(PathBuf::from),
        prefix: Amqp::new().prefix,
        ..QueueSettings::at(&broker.url())
    };
    let queue = queue::open_with(&settings).await.unwrap();
    let mut tasks = queue.consume(Route::Tasks).await.unwrap();
    publish_at_last(&*queue, "a").await;
    comes_at_last(&mut *tasks, "a").await;

    // A connection stays; the next connection is refused until the file has the new password.
    broker.control(&["change_password", "worker", "the-new-secret"]).await.unwrap();
    broker.control(&["close_all_connections", "exchanged"]).await.unwrap();
    let refused = eventually("the old password is refused", LATER, async || {
        let published = queue.publish(Route::Tasks, &Message::about("b")).await;
        let refused = published.err().map_or(String::new(), |error| error.to_string());
        ensure!(refused.contains("ACCESS_REFUSED"), "{refused:?}");
        Ok(refused)
    });
    let refused = refused.await.unwrap();
    assert!(!refused.contains(SECRET), "{refused}");
    write(directory.path(), "password", "the-new-secret\n");
    publish_at_last(&*queue, "c").await;
    comes_at_last(&mut *tasks, "c").await;

    let other = other_authority(directory.path());
    for (ca_file, says) in [(Some(other), "certificate"), (Some("/does/not/exist".into()), "/does/not/exist")] {
        let refused = refusal(&QueueSettings { ca_file, ..settings.clone() }).await;
        assert!(refused.contains(says), "{refused}");
    }
    let plain = QueueSettings::at(&format!("amqp://{}", broker.address()));
    refusal(&QueueSettings { url: plain.url, ..settings.clone() }).await;
}

/// The certificate of an authority that has nothing to do with the broker's.
fn other_authority(directory: &std::path::Path) -> PathBuf {
    let key = rcgen::KeyPair::generate().unwrap();
    let authority = rcgen::CertificateParams::default().self_signed(&key).unwrap();
    write(directory, "other.crt", &authority.pem())
}
