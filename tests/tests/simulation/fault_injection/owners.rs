//! The way to the owners: where notices are posted.

use std::time::Duration;

use common::http_client::TIMEOUT;
use http::{Request, Response, StatusCode};
use serde_json::Value;
use tokio::time::sleep;

use super::{Edge, Error, Fate};
use crate::scenario::{Moment, Way, When};

/// Posts a notice.
pub(super) async fn post(edge: &Edge, request: Request<Vec<u8>>) -> Result<Response<Vec<u8>>, String> {
    let body: Value = serde_json::from_slice(request.body()).unwrap_or_default();
    let (fate, number) = edge.set_out(Way::Owners, "post a notice", true).await;
    let arrive = |late: Option<Duration>| {
        let (world, who, body) = (edge.world.clone(), edge.who, body.clone());
        async move {
            if let Some(late) = late {
                sleep(late).await;
            }
            world.step(Moment::Post, body["namespace"].as_str().unwrap_or_default(), When::Before);
            world.tell("owner", &format!("is told by {}: {} {}", who.name(), body["id"], body["namespace"]));
            world.count("notice arrived");
            world.judge().told(&body);
            world.step(Moment::Post, body["namespace"].as_str().unwrap_or_default(), When::After);
        }
    };
    let nothing = || Err("no answer came".to_owned());
    let answer = match fate {
        Fate::Fine => {
            arrive(None).await;
            Ok(StatusCode::NO_CONTENT)
        }
        Fate::Refused => Err("it refused".to_owned()),
        Fate::Answered(Error::TooMany) => Ok(StatusCode::TOO_MANY_REQUESTS),
        Fate::Answered(Error::Internal) => Ok(StatusCode::INTERNAL_SERVER_ERROR),
        Fate::Answered(Error::Forbidden) => Ok(StatusCode::FORBIDDEN),
        Fate::Answered(Error::Page) => Ok(StatusCode::NOT_FOUND),
        Fate::Answered(Error::Malformed) => {
            edge.world.judge().refused(&body);
            Ok(StatusCode::BAD_REQUEST)
        }
        Fate::Lost => {
            arrive(None).await;
            nothing()
        }
        Fate::Garbled => {
            arrive(None).await;
            Ok(StatusCode::GATEWAY_TIMEOUT)
        }
        Fate::Late(by) => {
            edge.world.tasks.spawn(arrive(Some(by)));
            sleep(TIMEOUT).await;
            nothing()
        }
        Fate::Hangs => {
            sleep(TIMEOUT).await;
            nothing()
        }
    };
    edge.came_back(number).await;
    answer.map(|status| {
        let mut answer = Response::new(Vec::new());
        *answer.status_mut() = status;
        answer
    })
}
