//! The service as others call it: its routes behind their proof, and the `OpenAPI` document.

use axum::Router;
use service::keys::KeySet;
use service::proof::{SecuritySchemes, from_gateway, from_services};
use utoipa::OpenApi;

use crate::internal::Operators;
use crate::{code, internal, notifications, preferences};

/// The `OpenAPI` document.
#[derive(Debug, OpenApi)]
#[openapi(
    info(title = "Notification", description = "Notifications and how they are delivered."),
    paths(
        notifications::list,
        notifications::show,
        notifications::mark_read,
        preferences::show,
        preferences::change,
        internal::list_of_event,
        internal::retry
    ),
    // Parameters are not looked through for schemas.
    components(schemas(code::Kind, code::Status)),
    modifiers(&SecuritySchemes),
    security(("gatewayProof" = [], "memberId" = [], "memberRole" = [])),
    tags(
        (name = "notifications", description = "What a member was told"),
        (name = "preferences", description = "What a member wants to be told, and how"),
        (name = "internal", description = "For operators")
    )
)]
pub(crate) struct Api;

/// Every route, each behind the proof it needs.
pub(crate) fn routes(keys: &KeySet, operators: &Operators) -> Router {
    let shared = &operators.shared;
    let of_members =
        notifications::routes(shared.clone()).merge(preferences::routes(shared.clone()));
    let of_operators = internal::routes(operators.clone());
    from_gateway(of_members, keys, &shared.clock).merge(from_services(
        of_operators,
        keys,
        &shared.clock,
    ))
}
