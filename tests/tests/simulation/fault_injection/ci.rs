//! The way to the CI system, a GitLab or a GitHub.

use std::time::Duration;

use http::{Request, Response, header};
use lifecycle::pipeline::CiSystem;
use tokio::time::sleep;

use super::{Edge, Error, Fate};
use crate::{
    chance::Dice,
    ci::{Answer, is_project},
    scenario::Way,
};

/// The name of each.
pub(crate) const fn host(system: CiSystem) -> &'static str {
    match system {
        CiSystem::Gitlab => "gitlab.test",
        CiSystem::Github => "github.test",
    }
}

/// Asks it.
pub(crate) async fn ask(edge: &Edge, request: &Request<Vec<u8>>) -> Result<Response<Vec<u8>>, String> {
    let (world, uri) = (&edge.world, request.uri());
    let (fate, turn) = edge.set_out(Way::Ci, &format!("ask for {uri}"), false).await;
    let asked = world.scenario.pipelines.as_ref();
    let (lists_all, name) = asked.map_or((false, "nobody"), |asked| (asked.lists_all, asked.system.as_str()));
    let mut dice = Dice::new(world.scenario.seed, (name, turn));
    let told = || world.ci().answer(request, lists_all);
    let answer = match fate {
        Fate::Fine => Ok(told()),
        Fate::Refused => Err("it refused".to_owned()),
        Fate::Answered(Error::TooMany) => Ok(says(429, "{\"message\": \"Too Many Requests\"}")),
        Fate::Answered(Error::Internal) => Ok(says(dice.one_of(&[500, 502, 503]), "no")),
        // Whoever does not take the token tells of public projects all the same.
        Fate::Answered(Error::Forbidden) if is_project(uri.path()) => Ok(told()),
        Fate::Answered(Error::Forbidden) => Ok(says(dice.one_of(&[401, 403]), "{\"message\": \"no\"}")),
        Fate::Answered(Error::Malformed) => Ok(says(400, "{\"message\": \"no\"}")),
        Fate::Answered(Error::Page) => Ok(says(404, "<html>no such page</html>")),
        Fate::Lost => Ok(damaged(dice.one_of(&[Page::Html, Page::Cut, Page::Other]), told())),
        Fate::Garbled if world.ci().blinks(uri) => {
            world.count(&format!("{name}: something blinked"));
            Ok(Answer::missing())
        }
        Fate::Garbled => Ok(says(504, "no")),
        Fate::Late(by) => {
            // What it says may be of when it was asked, or of when it answers.
            let early = dice.happens(500).then(told);
            sleep(by).await;
            Ok(early.unwrap_or_else(told))
        }
        Fate::Hangs => std::future::pending().await,
    };
    if let Ok(answer) = &answer {
        world.count(&format!("{name}: answered {}", answer.status));
        world.tell(name, &format!("answers {} to {uri}: {}", answer.status, answer.body));
    }
    // News travel a little while.
    sleep(Duration::from_millis(1)).await;
    edge.came_back(turn).await;
    answer.map(respond)
}

/// How an answer that came is none.
#[derive(Clone, Copy)]
enum Page {
    /// A page for people.
    Html,
    /// Broken off.
    Cut,
    /// JSON of something else.
    Other,
}

fn damaged(page: Page, whole: Answer) -> Answer {
    match page {
        Page::Html => says(200, "<html>please log in</html>"),
        Page::Cut => Answer { body: whole.body[..whole.body.len() / 2].to_owned(), ..whole },
        Page::Other => says(200, "{\"id\": 1, \"status\": \"canceled\", \"ref\": \"other\"}"),
    }
}

fn says(status: u16, body: &str) -> Answer {
    Answer { status, etag: None, body: body.to_owned() }
}

fn respond(answer: Answer) -> Response<Vec<u8>> {
    let mut response = Response::builder().status(answer.status);
    if answer.status == 429 {
        response = response.header(header::RETRY_AFTER, "20");
    }
    if let Some(etag) = answer.etag {
        response = response.header(header::ETAG, etag);
    }
    response.body(answer.body.into_bytes()).expect("a status and a body are a response")
}
