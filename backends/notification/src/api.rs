//! The service as others call it: its routes behind their proof, and the `OpenAPI` document.

use axum::Router;
use service::app::Shared;
use service::keys::KeySet;
use service::proof::{SecuritySchemes, from_gateway};
use utoipa::OpenApi;

use crate::{code, notifications, preferences};

/// The `OpenAPI` document.
#[derive(Debug, OpenApi)]
#[openapi(
    info(title = "Notification", description = "Notifications and how they are delivered."),
    paths(
        notifications::list,
        notifications::show,
        notifications::mark_read,
        preferences::show,
        preferences::change
    ),
    // Parameters are not looked through for schemas.
    components(schemas(code::Kind, code::Status)),
    modifiers(&SecuritySchemes),
    security(("gatewayProof" = [], "memberId" = [], "memberRole" = [])),
    tags(
        (name = "notifications", description = "What a member was told"),
        (name = "preferences", description = "What a member wants to be told, and how")
    )
)]
pub(crate) struct Api;

/// Every route, behind the gateway's proof.
pub(crate) fn routes(keys: &KeySet, shared: &Shared) -> Router {
    let routes = notifications::routes(shared.clone());
    from_gateway(routes.merge(preferences::routes(shared.clone())), keys, &shared.clock)
}
