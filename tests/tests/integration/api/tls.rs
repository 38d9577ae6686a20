//! The certificate the API answers with, and the next one.

use std::path::Path;

use anyhow::ensure;
use rcgen::{CertificateParams, KeyPair};
use serde_json::json;
use testbed::{HANG, eventually};

use crate::api::world::{Said, World, shared};

/// Writes a certificate that signs itself, and its key; returns it.
fn write(directory: &Path) -> String {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    let certificate = params.self_signed(&key).unwrap().pem();
    std::fs::write(directory.join("tls.key"), key.serialize_pem()).unwrap();
    std::fs::write(directory.join("tls.crt"), &certificate).unwrap();
    certificate
}

#[tokio::test]
async fn a_new_certificate_is_taken_in_and_a_bad_one_is_not() {
    let mut first = String::new();
    let world = World::new(shared().await, |config, directory| {
        first = write(directory.path());
        let file = |name: &str| directory.path().join(name);
        config["api"]["tls"] = json!({"cert_file": file("tls.crt"), "key_file": file("tls.key")});
    })
    .await;
    let reader = world.reader().await;
    let ls = async |authority: &str| -> Said {
        let file = world.path("authority");
        std::fs::write(&file, authority).unwrap();
        world.through(&["ls", "--api-ca", file.to_str().unwrap()], &reader).await
    };
    assert_eq!(ls(&first).await.code, Some(0));

    let second = write(world.directory.path());
    eventually("the new certificate is taken in", HANG, async || {
        let said = ls(&second).await;
        ensure!(said.code == Some(0), "{said:?}");
        Ok(())
    })
    .await
    .unwrap();
    assert_eq!(ls(&first).await.code, Some(5), "the old one is no longer shown");

    std::fs::write(world.path("tls.crt"), "no certificate").unwrap();
    eventually("the bad one is told of", HANG, async || {
        ensure!(world.log().contains("was not taken in, the last good one stays"), "{}", world.log());
        Ok(())
    })
    .await
    .unwrap();
    assert_eq!(ls(&second).await.code, Some(0));
}
