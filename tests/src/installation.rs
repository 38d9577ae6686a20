//! The whole program as its users install it: the chart by helm on a real node, the image in real pods, RabbitMQ, and a
//! store that speaks MongoDB's protocol, the one behind a password, the other behind a password and TLS.

use std::net::Ipv4Addr;
use std::path::Path;

use anyhow::{Context, Result};
use k8s_openapi::api::core::v1::{Namespace, Secret};
use kube::api::{ObjectMeta, PostParams};
use kube::{Api, Client};
use mongodb::Database;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::image::Image;
use crate::oracle::Ledger;
use crate::{Broker, BrokerOptions, Cluster, MongoOptions, MongoServer, Options, product};

const CHART: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../charts/namespace-manager");
const DATABASE: &str = "nsm";
const STORE_PASSWORD: &str = "store: p@ss/word";

/// A cluster with everything that a release needs, and the release once it is installed.
pub struct Installation {
    pub cluster: Cluster,
    pub client: Client,
    pub broker: Broker,
    pub store: MongoServer,
    /// Repository and tag.
    image: (String, String),
    directory: TempDir,
}

impl Installation {
    /// The namespace of the release.
    pub const HOME: &str = "nsm-system";
    /// The release, and what the names of its objects begin with.
    pub const RELEASE: &str = "namespace-manager";

    /// Starts cluster, broker and store, and brings in the image that tests are made with: about half a minute.
    ///
    /// # Errors
    /// As [`Cluster::start`]; or the binaries of the image are not built.
    pub async fn prepare() -> Result<Self> {
        Self::prepare_with(product::image()?).await
    }

    /// As [`prepare`](Self::prepare), with this image.
    ///
    /// # Errors
    /// As [`Cluster::start`].
    pub async fn prepare_with(image: &Image) -> Result<Self> {
        let cluster = Cluster::start(Options::default()).await?;
        cluster.import(image).await?;
        let (repository, tag) = image.name.rsplit_once(':').context("an image has a tag")?;
        let image = (repository.to_owned(), tag.to_owned());
        let store = MongoServer::start(MongoOptions {
            listen: Ipv4Addr::UNSPECIFIED.into(),
            user: Some(("nsm".to_owned(), STORE_PASSWORD.to_owned())),
            tls: true,
            names: vec!["store".to_owned()],
        });
        let broker = Broker::start(BrokerOptions { listen: Ipv4Addr::UNSPECIFIED.into(), ..BrokerOptions::default() });
        let (store, broker) = tokio::try_join!(store, broker)?;
        let client = cluster.client().await?;
        let installation = Self { cluster, client, broker, store, image, directory: TempDir::new()? };
        installation.furnish().await?;
        Ok(installation)
    }

    /// What an installation finds: its namespace, where pods are restricted, its Secrets, its servers.
    async fn furnish(&self) -> Result<()> {
        let restricted = [("pod-security.kubernetes.io/enforce".to_owned(), "restricted".to_owned())];
        let home = Namespace {
            metadata: ObjectMeta {
                name: Some(Self::HOME.to_owned()),
                labels: Some(restricted.into()),
                ..ObjectMeta::default()
            },
            ..Namespace::default()
        };
        Api::all(self.client.clone()).create(&PostParams::default(), &home).await?;
        let authority = std::fs::read_to_string(self.store.authority().context("it speaks TLS")?)?;
        self.secret("store", &[("username", "nsm"), ("password", STORE_PASSWORD), ("ca.crt", &authority)]).await?;
        self.secret("queue", &[("username", Broker::USER), ("password", Broker::PASSWORD)]).await?;
        self.cluster.expose("store", Self::HOME, self.store.port()).await?;
        self.cluster.expose("queue", Self::HOME, self.broker.port()).await
    }

    async fn secret(&self, name: &str, data: &[(&str, &str)]) -> Result<()> {
        let secret = Secret {
            metadata: ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() },
            string_data: Some(data.iter().map(|(key, text)| ((*key).to_owned(), (*text).to_owned())).collect()),
            ..Secret::default()
        };
        Api::<Secret>::namespaced(self.client.clone(), Self::HOME).create(&PostParams::default(), &secret).await?;
        Ok(())
    }

    /// `helm install` or `helm upgrade`, with what the servers need in the values, and `change` made to them. Waits until the
    /// pods are ready.
    ///
    /// # Errors
    /// helm complains, or the pods do not become ready.
    pub async fn release(&self, action: &str, change: impl FnOnce(&mut Value)) -> Result<String> {
        let mut values = json!({
            "image": {"repository": self.image.0, "tag": self.image.1},
            "secrets": {
                "store": {"name": "store", "ca": "ca.crt"},
                "queue": {"name": "queue"},
            },
            "config": {
                "store": {
                    "url": format!("mongodb://store:{}/{DATABASE}?directConnection=true&tls=true", self.store.port()),
                },
                "queue": {"url": format!("amqp://queue:{}", self.broker.port())},
            },
        });
        change(&mut values);
        let file = self.directory.path().join("values.json");
        std::fs::write(&file, values.to_string())?;
        let file = file.to_str().context("a path in UTF-8")?;
        let wait = ["--values", file, "--wait", "--timeout", "2m"];
        self.cluster.helm([action, Self::RELEASE, CHART, "--namespace", Self::HOME].iter().chain(&wait)).await
    }

    /// The image, as a pod names it.
    #[must_use]
    pub fn image(&self) -> String {
        let (repository, tag) = &self.image;
        format!("{repository}:{tag}")
    }

    /// The chart's directory.
    #[must_use]
    pub fn chart(&self) -> &'static Path {
        Path::new(CHART)
    }

    /// Runs `nsm` in a pod of the API, as `kubectl exec` does.
    ///
    /// # Errors
    /// It fails; then the error tells what it complained of.
    pub async fn nsm(&self, arguments: &[&str]) -> Result<String> {
        let pod = format!("deploy/{}-api", Self::RELEASE);
        let command = ["exec", "--namespace", Self::HOME, &pod, "--", "nsm"];
        self.cluster.kubectl(command.iter().chain(arguments)).await
    }

    /// The database of the release.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn database(&self) -> Result<Database> {
        self.store.database(DATABASE).await
    }

    /// What the store says now.
    ///
    /// # Errors
    /// The store does not answer, or holds what is no entry.
    pub async fn ledger(&self) -> Result<Ledger> {
        Ledger::read_in(&self.database().await?).await
    }

    /// As whom the pods of a part ask the apiserver.
    #[must_use]
    pub fn user(component: &str) -> String {
        format!("system:serviceaccount:{}:{}-{component}", Self::HOME, Self::RELEASE)
    }

    /// What somebody would look at who wants to know why.
    pub async fn describe(&self) -> String {
        let status = self.nsm(&["status"]).await.unwrap_or_else(|error| format!("{error:#}"));
        format!("{}\n--- nsm status\n{status}", self.cluster.describe(Self::HOME).await)
    }
}
