//! Who is let in: users, passwords that change, certificates.

use std::{fs, path::PathBuf, time::Duration};

use common::store::{Access, SharedStore, open_with};
use tempfile::TempDir;
use testbed::{HANG, MongoOptions, MongoServer, eventually};

use crate::store::{append, entry, history, in_time, opened, seqs};

const USER: &str = "nsm";

/// The files of a mounted secret.
struct Secret(TempDir);

impl Secret {
    fn new(password: &str) -> Self {
        let secret = Self(TempDir::new().unwrap());
        fs::write(secret.path("username"), USER).unwrap();
        secret.write(password);
        secret
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// As an editor does, with a line break at the end.
    fn write(&self, password: &str) {
        fs::write(self.path("password"), format!("{password}\n")).unwrap();
    }

    fn access(&self) -> Access {
        Access { username_file: Some(self.path("username")), password_file: Some(self.path("password")), ca_file: None }
    }
}

async fn server(password: &str, tls: bool) -> MongoServer {
    let user = Some((USER.to_owned(), password.to_owned()));
    MongoServer::start(MongoOptions { user, tls, ..MongoOptions::default() }).await.unwrap()
}

async fn refusal(url: &str, access: &Access) -> String {
    loop {
        let refusal = open_with(url, access).await.expect_err("it was opened").to_string();
        // A server that has no time says neither yes nor no.
        if !refusal.contains("no answer came within") {
            break refusal;
        }
    }
}

async fn works(store: &SharedStore) {
    while in_time(store.ping().await).is_none() {}
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_password_is_told_as_such_and_not_shown() {
    let server = server("right: p@ss/word", false).await;
    let secret = Secret::new("s3cret");
    for (access, user) in [(secret.access(), "of files"), (Access::default(), "none")] {
        let refusal = refusal(&server.fresh_url(), &access).await;
        assert!(
            refusal.contains("the server does not let us in, check the user name and the password"),
            "{user}: {refusal}"
        );
        assert!(!refusal.contains("s3cret"), "{user}: {refusal}");
    }
    secret.write("right: p@ss/word");
    works(&opened(&server.fresh_url(), &secret.access()).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_password_that_is_exchanged_is_taken_in_whichever_side_is_first() {
    let server = server("first", false).await;
    let secret = Secret::new("first");
    let store = opened(&server.fresh_url(), &secret.access()).await;
    append(&*store, &[entry("u", 1)]).await;

    // The file first: what works goes on working.
    secret.write("second");
    for _ in 0..30 {
        works(&store).await;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    server.set_password(USER, "second").await.unwrap();
    reconnects(&server, &store).await;

    // The server first.
    server.set_password(USER, "third").await.unwrap();
    works(&store).await;
    secret.write("third");
    reconnects(&server, &store).await;
    append(&*store, &[entry("u", 2)]).await;
    assert_eq!(seqs(&history(&*store, "u").await), [1, 2]);
}

/// Every connection breaks, and each new one needs the password.
async fn reconnects(server: &MongoServer, store: &SharedStore) {
    server.kill();
    server.restart().await.unwrap();
    eventually("it is let in", HANG, async || Ok(store.ping().await?)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_of_an_own_authority_is_believed_and_of_another_is_not() {
    let [server, other] = [server("right", true).await, server("right", true).await];
    let secret = Secret::new("right");
    let with = |ca: &MongoServer| Access { ca_file: ca.authority().map(PathBuf::from), ..secret.access() };
    works(&opened(&server.fresh_url(), &with(&server)).await).await;

    let refusals =
        [refusal(&server.fresh_url(), &with(&other)).await, refusal(&server.fresh_url(), &secret.access()).await];
    for refusal in refusals {
        assert!(refusal.to_lowercase().contains("certificate"), "{refusal}");
    }
    let careless = format!("{}&tlsAllowInvalidCertificates=true", server.fresh_url());
    assert!(refusal(&careless, &secret.access()).await.to_lowercase().contains("certificate"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_is_missing_is_named() {
    let server = MongoServer::shared().await.unwrap();
    let access = Access { password_file: Some("/nowhere/password".into()), ..Access::default() };
    let refusal = refusal(&server.fresh_url(), &access).await;
    assert!(refusal.contains("`/nowhere/password`: No such file"), "{refusal}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_url_without_a_database_is_refused_and_nothing_of_it_is_shown() {
    let check = async |url| {
        let refusal = refusal(url, &Access::default()).await;
        assert_eq!(refusal, "the store's url is not one; supported are `sqlite:PATH` and `mongodb://HOST/DATABASE`");
    };
    check("mongodb://eve:s3cret@127.0.0.1:1/").await;
    check("mongodb://eve:s3:cr@t@127.0.0.1:1/nsm").await;
    check("mongodb://").await;
}
