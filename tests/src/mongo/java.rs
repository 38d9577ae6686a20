//! mongo-java-server, a second opinion on the protocol of MongoDB, in memory.

use std::net::Ipv4Addr;
use std::process::Command;
use std::sync::Mutex;
use std::time::Duration;

use anyhow::{Result, bail};
use mongodb::bson::doc;
use mongodb::options::ClientOptions;
use mongodb::{Client, Database};

use super::{LOOK, PORTS, fresh_database, is_taken};
use crate::shared::{Part, Shared};
use crate::{Process, eventually, port, servers};

/// A virtual machine starts, on a machine that is busy.
const START: Duration = Duration::from_secs(60);

/// A running mongo-java-server that keeps everything in memory. It ends when this is dropped.
#[derive(Debug)]
pub struct JavaMongo {
    port: u16,
    /// `None`: another process runs it, for all tests.
    _server: Option<Process>,
}

impl JavaMongo {
    /// The server of all tests of a run, started at first use. Its users keep apart by databases
    /// ([`JavaMongo::fresh_url`]).
    ///
    /// # Errors
    /// It could not be started. This is tried once.
    pub async fn shared() -> Result<&'static Self> {
        static SHARED: Shared<JavaMongo> = Shared::new();
        SHARED.find(Part::JavaMongo, |port| Ok(Self { port, _server: None }), async || Self::start().await).await
    }

    /// Starts a server and waits until it serves.
    ///
    /// # Errors
    /// It was not built, there is no Java, or it does not start; then the error ends with its log.
    pub async fn start() -> Result<Self> {
        let mut tries = 1;
        loop {
            match Self::start_on(port::free()?).await {
                Err(error) if tries < PORTS && is_taken(&error) => tries += 1,
                started => return started,
            }
        }
    }

    async fn start_on(port: u16) -> Result<Self> {
        let mut command = Command::new(servers::complete_directory()?.join("mongo-java-server"));
        command.args([&Ipv4Addr::LOCALHOST.to_string(), &port.to_string()]);
        let process = Mutex::new(Process::spawn("mongo-java-server", &mut command)?);
        let server = || process.lock().expect("nobody panics while holding it");
        let ready = eventually("the server answers", START, async || {
            let ended = server().exited()?;
            if ended.is_none() {
                database(port, "admin").await?.run_command(doc! { "ping": 1 }).await?;
            }
            Ok(ended)
        });
        match ready.await {
            Ok(None) => {}
            Ok(Some(status)) => bail!("mongo-java-server ended ({status})\n{}", server().log_tail()),
            Err(error) => bail!("mongo-java-server did not start: {error:#}\n{}", server().log_tail()),
        }
        Ok(Self { port, _server: Some(process.into_inner().expect("nobody panics while holding it")) })
    }

    /// The port it listens on.
    pub(crate) const fn port(&self) -> u16 {
        self.port
    }

    /// The URL of a database that nobody else uses.
    #[must_use]
    pub fn fresh_url(&self) -> String {
        url(self.port, &fresh_database())
    }

    /// A database, for a look or a change past the program that is tested. It belongs to the calling runtime.
    ///
    /// # Errors
    /// The server cannot be reached.
    pub async fn database(&self, name: &str) -> Result<Database> {
        database(self.port, name).await
    }
}

fn url(port: u16, database: &str) -> String {
    format!("mongodb://{}:{port}/{database}?directConnection=true", Ipv4Addr::LOCALHOST)
}

async fn database(port: u16, name: &str) -> Result<Database> {
    let mut options = ClientOptions::parse(url(port, name)).await?;
    options.server_selection_timeout = Some(LOOK);
    Ok(Client::with_options(options)?.database(name))
}
