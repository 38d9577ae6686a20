//! SecantusDB, a server that speaks the protocol of MongoDB, as one thing to start, use, disturb and end.

mod java;
mod tls;

use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use futures::future::try_join_all;
use mongodb::bson::{Document, doc};
use mongodb::options::{ClientOptions, Credential, Tls, TlsOptions};
use mongodb::{Client, Database};
use serde::{Deserialize, Serialize};
use tempfile::TempDir;

use crate::shared::{Part, Shared};
use crate::{Process, eventually, family, port, servers};
pub use java::JavaMongo;
use tls::Identity;

/// Many times what a start takes on two idle cores.
const START: Duration = Duration::from_secs(300);
/// For one answer, in which a password is hashed.
const LOOK: Duration = Duration::from_secs(5);
/// So many that none of its files is left out: there are 16.
const COLLECTIONS: usize = 200;
/// How often another port is tried when somebody took the one that was free.
const PORTS: usize = 5;

/// What a server is made of.
#[derive(Clone, Debug)]
pub struct MongoOptions {
    /// Where it listens. Pods reach it on `0.0.0.0` alone.
    pub listen: IpAddr,
    /// Who may connect, with which password, and do everything. Nobody: everybody may.
    pub user: Option<(String, String)>,
    /// Whether it speaks TLS (alone), with a certificate of its own authority: [`MongoServer::authority`].
    pub tls: bool,
    /// Names and addresses under which it is called, for its certificate, besides those of loopback.
    pub names: Vec<String>,
}

impl Default for MongoOptions {
    /// On loopback, without users and without TLS.
    fn default() -> Self {
        Self { listen: Ipv4Addr::LOCALHOST.into(), user: None, tls: false, names: Vec::new() }
    }
}

/// A running SecantusDB on a port and in a directory of its own. It ends when this is dropped.
///
/// It syncs its log at each commit: without, it loses what it acknowledged when it is killed.
#[derive(Debug)]
pub struct MongoServer {
    place: Place,
    /// `None`: another process runs it, for all tests.
    own: Option<Own>,
}

/// How a server is reached: what another process needs to use it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Place {
    port: u16,
    identity: Option<Identity>,
    /// Whoever may change users, and its password.
    admin: Option<(String, String)>,
}

/// A server that this process started. Fields are dropped in this order.
#[derive(Debug)]
struct Own {
    binary: PathBuf,
    listen: IpAddr,
    server: Mutex<Process>,
    directory: TempDir,
}

impl MongoServer {
    /// The server of all tests of a run, started at first use with the default options. It cannot be frozen or killed: others are
    /// using it, each a database of its own ([`MongoServer::fresh_url`]).
    ///
    /// # Errors
    /// It could not be started. This is tried once.
    pub async fn shared() -> Result<&'static Self> {
        static SHARED: Shared<MongoServer> = Shared::new();
        let attach = |place| Ok(Self { place, own: None });
        SHARED.find(Part::Mongo, attach, async || Self::start(MongoOptions::default()).await).await
    }

    /// The server of another process.
    pub(crate) const fn attach(place: Place) -> Self {
        Self { place, own: None }
    }

    /// How another process reaches it.
    pub(crate) fn place(&self) -> &Place {
        &self.place
    }

    /// Starts a server and waits until it serves: about two seconds.
    ///
    /// # Errors
    /// Its binary is missing, or it does not start; then the error ends with its log.
    pub async fn start(options: MongoOptions) -> Result<Self> {
        let mut tries = 1;
        loop {
            match Self::start_on(port::free()?, &options).await {
                Err(error) if tries < PORTS && is_taken(&error) => tries += 1,
                started => return started,
            }
        }
    }

    async fn start_on(port: u16, options: &MongoOptions) -> Result<Self> {
        let binary = servers::complete_directory()?.join("secantusd-rs");
        let directory = family::directory("mongo")?;
        let identity = options.tls.then(|| Identity::create(directory.path(), &options.names)).transpose()?;
        // Users are made while everybody may.
        let command = &mut command(&binary, options.listen, port, directory.path(), identity.as_ref(), false);
        let server = Mutex::new(Process::spawn("secantusd-rs", command)?);
        let listen = options.listen;
        let place = Place { port, identity, admin: None };
        let mut mongo = Self { place, own: Some(Own { binary, listen, server, directory }) };
        mongo.wait_until_ready().await?;
        mongo.lay_out().await?;
        if let Some((user, password)) = &options.user {
            let admin = ("testbed".to_owned(), format!("{:032x}", rand::random::<u128>()));
            let database = mongo.admin().await?;
            for (user, password) in [(&admin.0, &admin.1), (user, password)] {
                let create = doc! { "createUser": user, "pwd": password, "roles": ["root"] };
                database.run_command(create).await.with_context(|| format!("cannot create user `{user}`"))?;
            }
            mongo.place.admin = Some(admin);
        }
        // In order, so that its files are whole: killed while it makes one, it cannot use that ever again.
        mongo.end().await?;
        mongo.restart().await?;
        Ok(mongo)
    }

    /// Makes every file it keeps documents in: it has some, by a hash of the collection, and makes each at first use.
    async fn lay_out(&self) -> Result<()> {
        let database = self.database("layout").await?;
        let insert = async |number: usize| {
            let collection = database.collection::<Document>(&format!("c{number}"));
            collection.insert_one(doc! { "_id": number.to_string() }).await
        };
        try_join_all((0..COLLECTIONS).map(insert)).await?;
        Ok(database.drop().await?)
    }

    /// Asks it to end, and waits for that.
    async fn end(&self) -> Result<()> {
        self.server()?.ask_to_end()?;
        eventually("the server has ended", START, async || self.server()?.exited()?.context("it runs")).await.map(drop)
    }

    /// The URL of a database without credentials, for a client on this machine.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        self.url_at(&format!("{}:{}", Ipv4Addr::LOCALHOST, self.place.port), database)
    }

    /// The same where it is reached by another way, `HOST:PORT`.
    #[must_use]
    pub fn url_at(&self, address: &str, database: &str) -> String {
        let tls = if self.place.identity.is_some() { "&tls=true" } else { "" };
        // It advertises the address it listens on, which may be every address.
        format!("mongodb://{address}/{database}?directConnection=true{tls}")
    }

    /// The URL of a database that nobody else uses.
    #[must_use]
    pub fn fresh_url(&self) -> String {
        self.url(&fresh_database())
    }

    /// The port it listens on.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.place.port
    }

    /// The certificate of the authority that signed the server's, where it speaks TLS.
    #[must_use]
    pub fn authority(&self) -> Option<&Path> {
        self.place.identity.as_ref().map(|identity| identity.authority.as_path())
    }

    /// A database, for a look or a change past the program that is tested. It belongs to the calling runtime.
    ///
    /// # Errors
    /// The server cannot be reached.
    pub async fn database(&self, name: &str) -> Result<Database> {
        let mut options = ClientOptions::parse(self.url(name)).await?;
        options.server_selection_timeout = Some(LOOK);
        options.connect_timeout = Some(LOOK);
        if let Some(authority) = self.authority() {
            options.tls = Some(Tls::Enabled(TlsOptions::builder().ca_file_path(authority.to_owned()).build()));
        }
        if let Some((user, password)) = &self.place.admin {
            let source = "admin".to_owned();
            let credential = Credential::builder().username(user.clone()).password(password.clone()).source(source);
            options.credential = Some(credential.build());
        }
        Ok(Client::with_options(options)?.database(name))
    }

    /// Gives a user another password. Who is connected stays connected.
    ///
    /// # Errors
    /// The server runs without users, or cannot be reached.
    pub async fn set_password(&self, user: &str, password: &str) -> Result<()> {
        ensure!(self.place.admin.is_some(), "the server has no users: name one in `MongoOptions::user`");
        let update = doc! { "updateUser": user, "pwd": password };
        let updated = self.admin().await?.run_command(update).await;
        updated.map(drop).with_context(|| format!("cannot change the password of `{user}`"))
    }

    /// Stops its execution (SIGSTOP): connections stay open and are accepted, nothing answers. To be followed by
    /// [`MongoServer::thaw`].
    ///
    /// # Errors
    /// It does not run.
    pub fn freeze(&self) -> Result<()> {
        self.server()?.freeze()
    }

    /// Continues after [`MongoServer::freeze`].
    ///
    /// # Errors
    /// It does not run.
    pub fn thaw(&self) -> Result<()> {
        self.server()?.thaw()
    }

    /// Ends it on the spot (SIGKILL): connections break, new ones are refused.
    ///
    /// # Panics
    /// It is a shared one.
    pub fn kill(&self) {
        self.server().expect("a test that kills a server started it").kill();
    }

    /// Starts it again after [`MongoServer::kill`], with the same address and data, and waits until it serves.
    ///
    /// # Errors
    /// It runs, or does not become ready.
    pub async fn restart(&self) -> Result<()> {
        {
            let own = self.own()?;
            let mut server = self.server()?;
            ensure!(server.exited()?.is_some(), "the server runs");
            let Place { port, identity, admin } = &self.place;
            let (directory, auth) = (own.directory.path(), admin.is_some());
            let command = &mut command(&own.binary, own.listen, *port, directory, identity.as_ref(), auth);
            *server = Process::spawn("secantusd-rs", command)?;
        }
        self.wait_until_ready().await
    }

    async fn wait_until_ready(&self) -> Result<()> {
        let ready = eventually("the server answers", START, async || {
            let ended = self.server()?.exited()?;
            if ended.is_none() {
                self.admin().await?.run_command(doc! { "ping": 1 }).await?;
            }
            Ok(ended)
        });
        match ready.await {
            Ok(None) => Ok(()),
            Ok(Some(status)) => bail!("secantusd-rs ended ({status})\n{}", self.server()?.log_tail()),
            Err(error) => Err(error.context(format!("secantusd-rs did not start\n{}", self.server()?.log_tail()))),
        }
    }

    async fn admin(&self) -> Result<Database> {
        self.database("admin").await
    }

    fn server(&self) -> Result<MutexGuard<'_, Process>> {
        Ok(self.own()?.server.lock().expect("nobody panics while holding it"))
    }

    fn own(&self) -> Result<&Own> {
        self.own.as_ref().context("this server is shared by all tests: a test that disturbs it starts its own")
    }
}

/// The name of a database that nobody else uses.
fn fresh_database() -> String {
    format!("nsm-{:016x}", rand::random::<u64>())
}

fn is_taken(error: &anyhow::Error) -> bool {
    let text = format!("{error:#}").to_lowercase();
    text.contains("address already in use") || text.contains("address in use")
}

fn command(
    binary: &Path,
    listen: IpAddr,
    port: u16,
    directory: &Path,
    identity: Option<&Identity>,
    auth: bool,
) -> Command {
    let mut command = Command::new(binary);
    // A configuration that lies about somewhere is not ours.
    command.current_dir(directory).env("HOME", directory);
    command.args(["--host", &listen.to_string(), "--port", &port.to_string()]);
    command.arg("--storage-path").arg(directory.join("data"));
    command.args(["--cache-size", "128M", "--log-file-max", "8MB", "--log-level", "WARNING", "--sync-on-commit"]);
    if let Some(identity) = identity {
        command.arg("--tls-cert-file").arg(&identity.certificate).arg("--tls-key-file").arg(&identity.key);
    }
    if auth {
        command.arg("--auth");
    }
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn has_all_its_files_before_anybody_can_kill_it() {
        let server = MongoServer::start(MongoOptions::default()).await.unwrap();
        let files = || {
            let data = std::fs::read_dir(server.own().unwrap().directory.path().join("data")).unwrap();
            let mut files: Vec<_> = data.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
            files.retain(|file| !file.starts_with("WiredTigerLog"));
            files.sort_unstable();
            files
        };
        let before = files();
        let database = server.database("more").await.unwrap();
        let insert = async |number: usize| {
            let collection = database.collection::<Document>(&format!("d{number}"));
            collection.insert_one(doc! { "_id": "a" }).await
        };
        try_join_all((0..300).map(insert)).await.unwrap();
        assert_eq!(files(), before);
    }
}
