//! The way to the server: a client, built again whenever what it was built from changes.
//!
//! Credentials come from files that somebody exchanges while we run. Who is connected stays connected, so a client of
//! the old password works on for a while; new connections need the new one. Files and server change one after the
//! other, in either order. So a new client takes over only once the server has let it in, and a caller that is refused looks
//! at the files at once.

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use mongodb::{
    Client, Database,
    bson::{Document, doc},
    error::ErrorKind,
    options::{
        Acknowledgment, ClientOptions, Credential, ReadConcern, ReadPreference, SelectionCriteria, Tls, TlsOptions,
        WriteConcern,
    },
};
use tokio::time::timeout;
use tracing::{info, warn};

use super::failure::Failure;
use crate::store::{Access, OpenError};

/// Timeout of the search for a server that can be written.
const SELECTION: Duration = Duration::from_secs(2);

/// How long a connection may take to come about.
const CONNECT: Duration = Duration::from_secs(2);

/// How often the driver checks the servers.
const HEARTBEAT: Duration = Duration::from_secs(1);

/// How long a new client has to show that it is let in: within a call, and so shorter than its deadline.
const TRIAL: Duration = Duration::from_millis(2_500);

/// How often the files are read.
const POLL_INTERVAL: Duration = Duration::from_secs(2);

/// Connections at a time. As many calls as a collector takes turns wait for them; more would only queue at the server.
const CONNECTIONS: u32 = 32;

/// Where users are kept unless the URL says otherwise.
const USERS: &str = "admin";

#[derive(Debug)]
pub(super) struct MongoConnection {
    url: Address,
    access: Access,
    place: String,
    state: Mutex<State>,
    /// Held by the caller that reads the files.
    reading: tokio::sync::Mutex<()>,
}

#[derive(Debug)]
struct State {
    database: Database,
    secrets: Secrets,
    read_at: Instant,
    /// What was tried last and refused, so that it is told once.
    refused: Option<Secrets>,
}

/// A URL that may hold a password.
struct Address(String);

/// What the files hold.
#[derive(Clone, PartialEq, Eq)]
struct Secrets {
    username: Option<String>,
    password: Option<String>,
    /// The certificates as they are; the driver reads the file itself.
    authority: Option<Vec<u8>>,
}

impl MongoConnection {
    /// Connects, and sees that the server lets us in.
    pub(super) async fn connect(url: &str, access: &Access) -> Result<Self, OpenError> {
        let options = parse(url).await?;
        let Some(database) = options.default_database.clone() else {
            return Err(OpenError::Malformed);
        };
        let hosts: Vec<_> = options.hosts.iter().map(ToString::to_string).collect();
        let place = format!("store `mongodb://{}/{database}`", hosts.join(","));
        let opening = |failure: Failure| failure.while_opening(place.clone());
        let secrets = Secrets::read(access).await.map_err(opening)?;
        let database = build(options, access, &secrets).await.map_err(opening)?;
        let state = State { database, secrets, read_at: Instant::now(), refused: None };
        Ok(Self {
            url: Address(url.to_owned()),
            access: access.clone(),
            place,
            state: Mutex::new(state),
            reading: tokio::sync::Mutex::default(),
        })
    }

    /// For people: where it leads, without credentials.
    pub(super) fn place(&self) -> &str {
        &self.place
    }

    /// The database, by a client of the newest credentials that work.
    pub(super) async fn database(&self) -> Database {
        if self.access != Access::default()
            && self.state().read_at.elapsed() >= POLL_INTERVAL
            && let Ok(_reading) = self.reading.try_lock()
        {
            self.reload().await;
        }
        self.state().database.clone()
    }

    /// The database by a client of other credentials than the one that was refused, if there is one now.
    pub(super) async fn renewed(&self) -> Option<Database> {
        if self.access == Access::default() {
            return None;
        }
        let refused = self.state().secrets.clone();
        let _reading = self.reading.lock().await;
        // Somebody who was refused too may have read them meanwhile.
        if self.state().secrets == refused {
            self.reload().await;
        }
        let state = self.state();
        (state.secrets != refused).then(|| state.database.clone())
    }

    /// Reads the files, and goes on with what they hold where that is new and works.
    async fn reload(&self) {
        let found = Secrets::read(&self.access).await;
        let known = {
            let mut state = self.state();
            state.read_at = Instant::now();
            state.secrets.clone()
        };
        let secrets = match found {
            Ok(secrets) if secrets == known => return,
            Ok(secrets) => secrets,
            Err(failure) => return warn!("the credentials of {} cannot be read: {failure:?}", self.place),
        };
        let built = match parse(&self.url.0).await {
            Ok(options) => build(options, &self.access, &secrets).await,
            Err(error) => Err(Failure::Unavailable(error.to_string())),
        };
        let mut state = self.state();
        match built {
            Ok(database) => {
                (state.database, state.secrets, state.refused) = (database, secrets, None);
                drop(state);
                info!("the credentials of {} changed and were taken in", self.place);
            }
            Err(failure) if state.refused.as_ref() != Some(&secrets) => {
                state.refused = Some(secrets);
                drop(state);
                warn!("the credentials of {} changed and do not work yet: {failure:?}", self.place);
            }
            Err(_) => {}
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Secrets {
    async fn read(access: &Access) -> Result<Self, Failure> {
        let authority = match &access.ca_file {
            Some(path) => Some(read(path).await?),
            None => None,
        };
        Ok(Self {
            username: line(access.username_file.as_ref()).await?,
            password: line(access.password_file.as_ref()).await?,
            authority,
        })
    }
}

async fn line(path: Option<&PathBuf>) -> Result<Option<String>, Failure> {
    let Some(path) = path else { return Ok(None) };
    let text = String::from_utf8(read(path).await?)
        .map_err(|_| Failure::Unavailable(format!("`{}` holds no text", path.display())))?;
    // Editors end a file with a line break, which is no part of a password.
    Ok(Some(text.trim_end_matches(['\r', '\n']).to_owned()))
}

async fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    tokio::fs::read(path).await.map_err(|error| Failure::Unavailable(format!("`{}`: {error}", path.display())))
}

/// What the URL says, looked up where it names a service. Why it cannot be read is not told: the driver quotes from it.
async fn parse(url: &str) -> Result<ClientOptions, OpenError> {
    let away = |why: &str| {
        let why = Failure::Unavailable(format!("the name in its url cannot be looked up: {why}"));
        why.while_opening("a store `mongodb+srv://…`".to_owned())
    };
    match timeout(CONNECT, ClientOptions::parse(url).into_future()).await {
        Ok(Ok(options)) => Ok(options),
        Ok(Err(error)) => match error.kind.as_ref() {
            ErrorKind::DnsResolve { .. } => Err(away("no answer is of use")),
            _ => Err(OpenError::Malformed),
        },
        Err(_) => Err(away("no answer came")),
    }
}

/// A client that the server lets in, and its database.
async fn build(mut options: ClientOptions, access: &Access, secrets: &Secrets) -> Result<Database, Failure> {
    let name = options.default_database.clone().unwrap_or_default();
    options.app_name = Some("namespace-manager".to_owned());
    options.server_selection_timeout = Some(SELECTION);
    options.connect_timeout = Some(CONNECT);
    options.heartbeat_freq = Some(HEARTBEAT);
    options.max_pool_size = Some(CONNECTIONS);
    // What decides rests on these (docs/design/protocol.md section 2), whatever the URL says.
    options.read_concern = Some(ReadConcern::majority());
    options.write_concern = Some(WriteConcern::builder().w(Acknowledgment::Majority).journal(true).build());
    options.selection_criteria = Some(SelectionCriteria::ReadPreference(ReadPreference::Primary));
    options.retry_writes = Some(false);
    if let Some(authority) = &access.ca_file {
        options.tls = Some(Tls::Enabled(TlsOptions::builder().ca_file_path(authority.clone()).build()));
    } else if let Some(Tls::Enabled(tls)) = &mut options.tls {
        // Who does not verify whom it speaks to may as well speak in the clear.
        tls.allow_invalid_certificates = None;
    }
    if secrets.username.is_some() || secrets.password.is_some() {
        let of_url = options.credential.take().unwrap_or_default();
        let mut credential = Credential::default();
        credential.username = secrets.username.clone().or(of_url.username);
        credential.password = secrets.password.clone().or(of_url.password);
        credential.source = of_url.source.or_else(|| Some(USERS.to_owned()));
        credential.mechanism = of_url.mechanism;
        options.credential = Some(credential);
    }
    let database = Client::with_options(options)?.database(&name);
    let meta = database.collection::<Document>(super::META);
    match timeout(TRIAL, meta.find_one(doc! { "_id": "layout" }).into_future()).await {
        Ok(found) => found?,
        Err(_) => return Err(Failure::late(TRIAL)),
    };
    Ok(database)
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}
