//! A way to a server that loses an answer when it is told to.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

/// Passes on what is said between clients and a server. It ends when this is dropped.
pub(crate) struct Proxy {
    address: SocketAddr,
    lose: Arc<Mutex<Option<String>>>,
    _passing: JoinSet<()>,
}

impl Proxy {
    pub(crate) async fn to(port: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let lose = Arc::new(Mutex::new(None));
        let mut passing = JoinSet::new();
        passing.spawn(accept(listener, port, Arc::clone(&lose)));
        Self { address, lose, _passing: passing }
    }

    pub(crate) fn address(&self) -> String {
        self.address.to_string()
    }

    /// The next request that holds this text reaches the server; its answer reaches nobody, and the connection breaks.
    pub(crate) fn lose_the_answer_to(&self, text: &str) {
        *self.lose.lock().unwrap() = Some(text.to_owned());
    }

    /// Whether an answer was lost since.
    pub(crate) fn has_lost_it(&self) -> bool {
        self.lose.lock().unwrap().is_none()
    }
}

async fn accept(listener: TcpListener, port: u16, lose: Arc<Mutex<Option<String>>>) {
    let mut connections = JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        let lose = Arc::clone(&lose);
        connections.spawn(async move {
            let Ok(server) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await else { return };
            pass(client, server, &lose).await;
        });
    }
}

/// One message at a time goes each way, so a request is whole when its answer comes.
async fn pass(mut client: TcpStream, mut server: TcpStream, lose: &Mutex<Option<String>>) {
    let (mut asked, mut answered) = (vec![0; 64 * 1024], vec![0; 64 * 1024]);
    let mut doomed = false;
    loop {
        tokio::select! {
            read = client.read(&mut asked) => {
                let Ok(count @ 1..) = read else { return };
                doomed |= takes(lose, &asked[..count]);
                if server.write_all(&asked[..count]).await.is_err() {
                    return;
                }
            }
            read = server.read(&mut answered) => {
                let Ok(count @ 1..) = read else { return };
                if doomed || client.write_all(&answered[..count]).await.is_err() {
                    return;
                }
            }
        }
    }
}

fn takes(lose: &Mutex<Option<String>>, asked: &[u8]) -> bool {
    let mut lose = lose.lock().unwrap();
    let holds = lose.as_ref().is_some_and(|text| asked.windows(text.len()).any(|part| part == text.as_bytes()));
    if holds {
        *lose = None;
    }
    holds
}
