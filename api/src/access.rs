//! Who asks, and whether they may: both are the cluster's to say, and what it does not say is not allowed.
//!
//! A token is good when a TokenReview accepts it for our audience; a right is there when a SubjectAccessReview says so.
//! Answers, also negative ones, are remembered for a few seconds, under a hash of the token. That nothing is known,
//! because the apiserver is away, is never remembered.

mod memory;

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    http::{HeaderMap, StatusCode, header},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use common::{
    cluster::{self, ApiError, Cluster, GROUP},
    config::{ApiSettings, Readable},
};
use k8s_openapi::api::authentication::v1::UserInfo;
use lifecycle::Actor;
use sha2::{Digest as _, Sha256};
use tokio::sync::Semaphore;

use self::memory::Memory;
use crate::{Api, problem::Problem};

/// The longest token that is checked, in bytes. Those of ServiceAccounts have about a thousand.
const MAX_TOKEN_LENGTH: usize = 16 * 1024;

/// Maximum number of concurrent requests to the apiserver, for all callers together.
const MAX_CONCURRENT_REQUESTS: usize = 16;

/// What a route needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// A token of any caller.
    Token,
    /// The right to do this to a resource of [`GROUP`]; where it can be read without a token, as what.
    Right { verb: &'static str, resource: &'static str, open: Option<Readable> },
}

/// Who asks: nobody known where a route is open.
#[derive(Clone, Debug)]
pub(crate) struct Caller(Option<String>);

/// What is known for a few seconds.
#[derive(Debug)]
pub(crate) struct Access {
    /// Whose token it is.
    bearers: Memory<Hash, Arc<UserInfo>>,
    /// Tokens that were refused. Apart, so that a flood of them drives out nobody.
    refused: Memory<Hash, ()>,
    rights: Memory<(Hash, &'static str, &'static str), bool>,
    questions: Semaphore,
}

/// SHA-256 of a token and its audience.
type Hash = [u8; 32];

impl Caller {
    /// How the controls they record are signed.
    pub(crate) fn actor(&self) -> Actor {
        Actor::person(self.0.as_deref().unwrap_or("somebody"))
    }
}

impl Default for Access {
    fn default() -> Self {
        Self {
            bearers: Memory::default(),
            refused: Memory::default(),
            rights: Memory::default(),
            questions: Semaphore::new(MAX_CONCURRENT_REQUESTS),
        }
    }
}

/// Lets a request through to its route, or answers why not.
pub(crate) async fn admit(
    State((api, access, need)): State<(Api, Arc<Access>, Need)>,
    mut request: Request,
    next: Next,
) -> Response {
    let settings = api.settings.borrow().api.clone();
    match access.check(&api.cluster, &settings, request.headers(), need).await {
        Ok(asker) => {
            request.extensions_mut().insert(asker);
            next.run(request).await
        }
        Err(fault) => fault.into_response(),
    }
}

impl Access {
    async fn check(
        &self,
        cluster: &Cluster,
        settings: &ApiSettings,
        headers: &HeaderMap,
        need: Need,
    ) -> Result<Caller, Problem> {
        if let Need::Right { open: Some(readable), .. } = need
            && settings.open.contains(&readable)
        {
            return Ok(Caller(None));
        }
        let token = token(headers).ok_or_else(|| unauthorized("it carries no token", settings))?;
        let hash: Hash = Sha256::digest(format!("{}\0{token}", settings.audience)).into();
        let user = self.bearer(cluster, hash, token, settings).await?;
        if let Need::Right { verb, resource, .. } = need
            && !self.may(cluster, hash, &user, verb, resource).await?
        {
            let name = user.username.as_deref().unwrap_or_default();
            let why = format!("`{name}` may not {verb} `{resource}` of the API group `{GROUP}`");
            let mend = "ask who runs Namespace Manager to bind you to a role that allows it, such as its reader's or \
                        its operator's";
            return Err(Problem::new(StatusCode::FORBIDDEN, "the request is refused", why, mend));
        }
        Ok(Caller(user.username.clone()))
    }

    async fn bearer(
        &self,
        cluster: &Cluster,
        hash: Hash,
        token: &str,
        settings: &ApiSettings,
    ) -> Result<Arc<UserInfo>, Problem> {
        let refusal = || unauthorized("the token is not accepted", settings);
        if let Some(user) = self.bearers.recall(&hash) {
            return Ok(user);
        }
        if self.refused.recall(&hash).is_some() {
            return Err(refusal());
        }
        let _question = self.questions.acquire().await.map_err(|_| Problem::too_busy())?;
        match cluster::bearer(cluster, token, &settings.audience).await.map_err(unknown)? {
            Some(user) => {
                let user = Arc::new(user);
                self.bearers.keep(hash, user.clone());
                Ok(user)
            }
            None => {
                self.refused.keep(hash, ());
                Err(refusal())
            }
        }
    }

    async fn may(
        &self,
        cluster: &Cluster,
        hash: Hash,
        user: &UserInfo,
        verb: &'static str,
        resource: &'static str,
    ) -> Result<bool, Problem> {
        if let Some(may) = self.rights.recall(&(hash, verb, resource)) {
            return Ok(may);
        }
        let _question = self.questions.acquire().await.map_err(|_| Problem::too_busy())?;
        let may = cluster::may(cluster, user, verb, resource).await.map_err(unknown)?;
        self.rights.keep((hash, verb, resource), may);
        Ok(may)
    }
}

/// The bearer's token (RFC 6750 section 2.1), if there is exactly one that can be one.
fn token(headers: &HeaderMap) -> Option<&str> {
    let mut all = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(value), None) = (all.next(), all.next()) else { return None };
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    let token = token.trim();
    let can_be =
        !token.is_empty() && token.len() <= MAX_TOKEN_LENGTH && token.bytes().all(|byte| byte.is_ascii_graphic());
    (scheme.eq_ignore_ascii_case("bearer") && can_be).then_some(token)
}

fn unauthorized(why: &str, settings: &ApiSettings) -> Problem {
    let mend = format!(
        "send `Authorization: Bearer TOKEN` with a token from `kubectl create token NAME --audience {}`",
        settings.audience
    );
    Problem::new(StatusCode::UNAUTHORIZED, "the request is refused", why, mend)
}

/// The apiserver does not say: then it is not allowed (docs/design/protocol.md S14), and not remembered.
fn unknown(error: ApiError) -> Problem {
    let mend =
        "see whether the apiserver is well, and whether the API may create TokenReviews and SubjectAccessReviews";
    Problem::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "it is not known who asks, so nothing is answered",
        error.to_string(),
        mend,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(values: &[&str], expected: Option<&str>) {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header::AUTHORIZATION, value.parse().unwrap());
        }
        assert_eq!(token(&headers), expected, "{values:?}");
    }

    #[test]
    fn one_token_is_taken_and_nothing_that_cannot_be_one() {
        check(&["Bearer abc.def-_~+/="], Some("abc.def-_~+/="));
        check(&["bearer abc"], Some("abc"));
        check(&[], None);
        check(&["Bearer"], None);
        check(&["Bearer "], None);
        check(&["Basic abc"], None);
        check(&["Bearer a b"], None);
        check(&["Bearer a", "Bearer b"], None);
        check(&[&format!("Bearer {}", "a".repeat(MAX_TOKEN_LENGTH))], Some(&"a".repeat(MAX_TOKEN_LENGTH)));
        check(&[&format!("Bearer {}", "a".repeat(MAX_TOKEN_LENGTH + 1))], None);
    }
}
