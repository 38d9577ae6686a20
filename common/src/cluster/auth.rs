//! Asking the apiserver who somebody is, and what they may do.

use k8s_openapi::api::{
    authentication::v1::{TokenReview, TokenReviewSpec, UserInfo},
    authorization::v1::{ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec},
};
use kube::{Api, api::PostParams};

use super::{ApiError, Cluster, api_error::within};

/// The API group of what people may be allowed to do here. Nothing of it exists as an object.
pub const GROUP: &str = "namespace-manager.io";

/// Who bears a token, if it was made for this audience and is accepted.
///
/// # Errors
/// When it is not known.
pub async fn bearer(cluster: &Cluster, token: &str, audience: &str) -> Result<Option<UserInfo>, ApiError> {
    let spec = TokenReviewSpec { token: Some(token.to_owned()), audiences: Some(vec![audience.to_owned()]) };
    let review = TokenReview { spec, ..TokenReview::default() };
    let reviews: Api<TokenReview> = Api::all(cluster.client.clone());
    let answer = within("ask whose token it is", reviews.create(&PostParams::default(), &review)).await?;
    let status = answer.status.unwrap_or_default();
    // An apiserver that knows nothing of audiences leaves them out, and would accept tokens made for others.
    let is_for_us = status.audiences.is_some_and(|all| all.iter().any(|known| known == audience));
    let user = status.user.filter(|user| user.username.as_ref().is_some_and(|name| !name.is_empty()));
    Ok(user.filter(|_| status.authenticated == Some(true) && is_for_us))
}

/// Whether a user may do this to a resource of [`GROUP`].
///
/// # Errors
/// When it is not known.
pub async fn may(cluster: &Cluster, user: &UserInfo, verb: &str, resource: &str) -> Result<bool, ApiError> {
    let attributes = ResourceAttributes {
        group: Some(GROUP.to_owned()),
        resource: Some(resource.to_owned()),
        verb: Some(verb.to_owned()),
        ..ResourceAttributes::default()
    };
    let spec = SubjectAccessReviewSpec {
        user: user.username.clone(),
        groups: user.groups.clone(),
        uid: user.uid.clone(),
        extra: user.extra.clone(),
        resource_attributes: Some(attributes),
        ..SubjectAccessReviewSpec::default()
    };
    let review = SubjectAccessReview { spec, ..SubjectAccessReview::default() };
    let reviews: Api<SubjectAccessReview> = Api::all(cluster.client.clone());
    let answer = within("ask what they may do", reviews.create(&PostParams::default(), &review)).await?;
    Ok(answer.status.is_some_and(|status| status.allowed && status.denied != Some(true)))
}
