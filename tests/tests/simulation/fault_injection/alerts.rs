//! The way to Prometheus.

use std::time::Duration;

use http::Response;
use lifecycle::time::cut_to_millis;
use tokio::time::sleep;

use super::{Edge, Error, Fate};
use crate::{
    alerts::Page,
    chance::Dice,
    scenario::Way,
    world::{Who, World},
};

/// Its name.
pub(crate) const HOST: &str = "alerts.test";

/// Asks it, as somebody who signs so.
pub(crate) async fn ask(edge: &Edge, asker: &str) -> Result<Response<Vec<u8>>, String> {
    let (world, asked_at) = (&edge.world, clock(edge));
    let (fate, turn) = edge.set_out(Way::Alerts, "ask for alerts", false).await;
    let number = world.alerts().arrived(asker, asked_at, world.elapsed());
    let mut dice = Dice::new(world.scenario.seed, ("alerts", turn));
    let page = match fate {
        Fate::Fine => Ok(Page::Whole),
        Fate::Refused => Err(None),
        Fate::Answered(error) => Err(Some(match error {
            Error::TooMany => 429,
            Error::Internal => 503,
            Error::Forbidden => 403,
            Error::Page => 404,
            Error::Malformed => 400,
        })),
        // What comes is no answer, or one that tells too little.
        Fate::Lost => Ok(dice.one_of(&[Page::Warned, Page::Error, Page::Html, Page::Cut, Page::Other])),
        Fate::Garbled => Ok(dice.one_of(&[Page::Unwatched, Page::Young, Page::Empty])),
        Fate::Late(by) => {
            sleep(by).await;
            Ok(Page::Whole)
        }
        Fate::Hangs => std::future::pending().await,
    };
    let answer = match page {
        Ok(page) => {
            let body = world.alerts().answer(number, page, world.now(), clock(edge));
            if page != Page::Whole {
                world.count(&format!("alerts: {page:?}"));
            }
            tell(world, asker, number);
            Ok(respond(200, body))
        }
        Err(Some(status)) => Ok(respond(status, "no".to_owned())),
        Err(None) => Err("it refused".to_owned()),
    };
    // News travel a little while.
    sleep(Duration::from_millis(1)).await;
    edge.came_back(turn).await;
    answer
}

fn tell(world: &World, asker: &str, number: usize) {
    let says = world.alerts().looks()[number].says.clone();
    world.tell(asker, &format!("is told what fires: {says:?}"));
}

/// The time as the product on this machine reads it.
fn clock(edge: &Edge) -> jiff::Timestamp {
    cut_to_millis(match edge.who {
        Who::Machine(machine) => edge.world.clock(machine),
        Who::Operator => edge.world.now(),
    })
}

fn respond(status: u16, body: String) -> Response<Vec<u8>> {
    let answer = Response::builder().status(status).body(body.into_bytes());
    answer.expect("a status and a body are a response")
}
