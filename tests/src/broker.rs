//! RabbitMQ, as one thing to start, use, disturb and end.

mod layout;

use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use tempfile::TempDir;

use crate::shared::{Part, Shared};
use crate::{Process, eventually, family, port};
pub(crate) use layout::Layout;

/// Many times what a start takes on two idle cores: the Erlang VM takes four seconds of both.
const START: Duration = Duration::from_secs(300);
/// A look by `rabbitmqctl` starts an Erlang VM of its own.
const CONTROL: Duration = Duration::from_secs(60);
/// How often other ports are tried when somebody took those that were free.
const PORTS: usize = 5;

/// What a broker is made of.
#[derive(Clone, Debug)]
pub struct BrokerOptions {
    /// Who may connect, with which password. Everybody may do everything.
    pub users: Vec<(String, String)>,
    /// Whether it speaks TLS (alone), with a certificate of its own authority: [`Broker::authority`].
    pub tls: bool,
    /// Where it listens. Pods reach it on `0.0.0.0` alone.
    pub listen: IpAddr,
}

impl Default for BrokerOptions {
    /// One user, [`Broker::USER`], without TLS, on loopback.
    fn default() -> Self {
        let user = (Broker::USER.to_owned(), Broker::PASSWORD.to_owned());
        Self { users: vec![user], tls: false, listen: Ipv4Addr::LOCALHOST.into() }
    }
}

/// A running RabbitMQ with directories, ports and a name of its own. It ends when this is dropped.
///
/// The tests of a run share one, and keep apart by the names of what they declare; a test that disturbs it starts its own.
#[derive(Debug)]
pub struct Broker {
    layout: Layout,
    /// `None`: another process runs it, for all tests.
    own: Option<Own>,
}

/// The servers of a broker that this process started. Fields are dropped in this order.
#[derive(Debug)]
struct Own {
    server: Mutex<Process>,
    /// The port mapper of Erlang, in the foreground: started by the server, it would outlive it.
    _mapper: Process,
    _directory: TempDir,
}

impl Broker {
    pub const USER: &str = "nsm";
    pub const PASSWORD: &str = "a password: with@signs/";

    /// The broker of all tests of a run, started at first use with the default options. It cannot be frozen or killed: others are
    /// using it.
    ///
    /// # Errors
    /// It could not be started. This is tried once.
    pub async fn shared() -> Result<&'static Self> {
        static SHARED: Shared<Broker> = Shared::new();
        let attach = |layout| Ok(Self::attach(layout));
        SHARED.find(Part::Broker, attach, async || Self::start(BrokerOptions::default()).await).await
    }

    /// The broker of another process.
    pub(crate) const fn attach(layout: Layout) -> Self {
        Self { layout, own: None }
    }

    /// How another process reaches it.
    pub(crate) fn place(&self) -> &Layout {
        &self.layout
    }

    /// Starts a broker and waits until it serves: about five seconds.
    ///
    /// # Errors
    /// RabbitMQ is not installed, or does not start; then the error ends with its log.
    pub async fn start(options: BrokerOptions) -> Result<Self> {
        let mut tries = 1;
        loop {
            match Self::start_once(&options).await {
                Err(error) if tries < PORTS && layout::names_a_taken_port(&format!("{error:#}")) => tries += 1,
                started => return started,
            }
        }
    }

    async fn start_once(options: &BrokerOptions) -> Result<Self> {
        let directory = family::directory("broker")?;
        let ports = [port::free()?, port::free()?, port::free()?];
        let layout = Layout::create(directory.path(), ports, options)?;
        let mapper = Process::spawn("epmd", &mut layout.mapper())?;
        let server = Mutex::new(Process::spawn("rabbitmq", &mut layout.server())?);
        let broker = Self { layout, own: Some(Own { server, _mapper: mapper, _directory: directory }) };
        broker.wait_until_ready().await?;
        Ok(broker)
    }

    /// The host and port as a client on this machine reaches it: `127.0.0.1:PORT`.
    #[must_use]
    pub fn address(&self) -> String {
        format!("{}:{}", Ipv4Addr::LOCALHOST, self.port())
    }

    /// The port it listens on, for clients in pods.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.layout.port()
    }

    /// The URL without credentials: `amqp://127.0.0.1:PORT/%2F`, or `amqps://…`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("{}://{}/%2F", self.layout.scheme(), self.address())
    }

    /// The URL with the credentials of [`Broker::USER`].
    #[must_use]
    pub fn url_with_credentials(&self) -> String {
        let password = "a%20password%3A%20with%40signs%2F";
        format!("{}://{}:{password}@{}/%2F", self.layout.scheme(), Self::USER, self.address())
    }

    /// The certificate of the authority that signed the server's, where it speaks TLS.
    #[must_use]
    pub fn authority(&self) -> Option<&Path> {
        self.layout.authority()
    }

    /// Stops its execution (SIGSTOP): connections stay open and are accepted, nothing answers. To be followed by
    /// [`Broker::thaw`].
    ///
    /// # Errors
    /// It does not run.
    pub fn freeze(&self) -> Result<()> {
        self.server()?.freeze()
    }

    /// Continues after [`Broker::freeze`].
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
        self.server().expect("a test that kills a broker started it").kill();
    }

    /// Starts it again after [`Broker::kill`], with the same address and data, and waits until it serves.
    ///
    /// # Errors
    /// It runs, or does not start.
    pub async fn restart(&self) -> Result<()> {
        {
            let mut server = self.server()?;
            ensure!(server.exited()?.is_some(), "the broker runs");
            *server = Process::spawn("rabbitmq", &mut self.layout.server())?;
        }
        self.wait_until_ready().await
    }

    /// Says that memory is short (or is not any more): publishers are blocked while it is.
    ///
    /// # Errors
    /// It does not run.
    pub async fn alarm(&self, on: bool) -> Result<()> {
        let alarm = "{resource_limit, memory, node()}";
        let says = if on {
            format!("rabbit_alarm:set_alarm({{{alarm}, []}}).")
        } else {
            format!("rabbit_alarm:clear_alarm({alarm}).")
        };
        self.control(&["eval", &says]).await?;
        Ok(())
    }

    /// Runs `rabbitmqctl`, and returns what it printed.
    ///
    /// # Errors
    /// It failed, or took longer than a minute.
    pub async fn control(&self, arguments: &[&str]) -> Result<String> {
        let what = format!("rabbitmqctl {}", arguments.join(" "));
        let mut command = self.layout.control();
        let mut process = Process::spawn("rabbitmqctl", command.args(arguments))?;
        let status = process.wait(CONTROL).await?;
        ensure!(status.success(), "`{what}` failed ({status})\n{}", process.log_tail());
        Ok(process.log())
    }

    /// The end of its log, for an error message.
    #[must_use]
    pub fn log_tail(&self) -> String {
        self.server().map_or_else(|error| error.to_string(), |server| server.log_tail())
    }

    async fn wait_until_ready(&self) -> Result<()> {
        let ready = eventually("the broker is ready", START, async || {
            let mut server = self.server()?;
            if let Some(status) = server.exited()? {
                return Ok(Some(status));
            }
            ensure!(server.log().contains("Server startup complete"), "its log does not say so");
            Ok(None)
        });
        match ready.await {
            Ok(None) => Ok(()),
            Ok(Some(status)) => bail!("the broker ended ({status})\n{}", self.log_tail()),
            Err(error) => Err(error.context(format!("the broker did not start\n{}", self.log_tail()))),
        }
    }

    fn server(&self) -> Result<MutexGuard<'_, Process>> {
        let own =
            self.own.as_ref().context("this broker is shared by all tests: a test that disturbs it starts its own")?;
        Ok(own.server.lock().expect("nobody panics while holding it"))
    }
}

/// The script that starts the server, as Debian installs it.
fn script(name: &str) -> Result<PathBuf> {
    let script = Path::new("/usr/lib/rabbitmq/bin").join(name);
    ensure!(
        script.exists(),
        "RabbitMQ is not installed (`{}` is missing): `apt-get install rabbitmq-server`; it need not run as a service",
        script.display()
    );
    Ok(script)
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;

    use super::*;

    /// How a client begins, and the first byte of the answer: a method on channel 0.
    async fn greets(broker: &Broker, within: Duration) -> Result<()> {
        let mut stream = TcpStream::connect(broker.address()).await?;
        stream.write_all(b"AMQP\x00\x00\x09\x01").await?;
        let mut answer = [0; 3];
        tokio::time::timeout(within, stream.read_exact(&mut answer)).await??;
        ensure!(answer == [1, 0, 0], "{answer:?}");
        Ok(())
    }

    #[tokio::test]
    async fn serves_freezes_dies_and_leaves_nothing() {
        let broker = Broker::start(BrokerOptions::default()).await.unwrap();
        greets(&broker, CONTROL).await.unwrap();
        broker.freeze().unwrap();
        greets(&broker, Duration::from_millis(500)).await.unwrap_err();
        broker.thaw().unwrap();
        greets(&broker, CONTROL).await.unwrap();
        broker.control(&["add_vhost", "kept"]).await.unwrap();
        broker.kill();
        assert!(TcpStream::connect(broker.address()).await.is_err());
        broker.restart().await.unwrap();
        greets(&broker, CONTROL).await.unwrap();
        let hosts = broker.control(&["list_vhosts"]).await.unwrap();
        assert!(hosts.contains("kept"), "{hosts}");

        let (directory, address) = (broker.layout.directory().to_owned(), broker.address());
        drop(broker);
        assert!(TcpStream::connect(address).await.is_err());
        assert!(!directory.exists());
        let needle = directory.display().to_string();
        let left = eventually("nothing of it runs", CONTROL, async || {
            let left = commands_naming(&needle);
            ensure!(left.is_empty(), "{left:?}");
            Ok(())
        });
        left.await.unwrap();
    }

    /// The command lines on this machine in which something occurs.
    fn commands_naming(needle: &str) -> Vec<String> {
        let processes = std::fs::read_dir("/proc").unwrap().flatten();
        let commands = processes.filter_map(|process| {
            let line = std::fs::read(process.path().join("cmdline")).ok()?;
            let environment = std::fs::read(process.path().join("environ")).unwrap_or_default();
            let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).replace('\0', " ");
            let (line, environment) = (text(line), text(environment));
            (line.contains(needle) || environment.contains(needle)).then_some(line)
        });
        commands.collect()
    }
}
