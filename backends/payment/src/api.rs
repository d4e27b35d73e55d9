//! The service as others call it: its routes behind their proof, and the `OpenAPI` document.

use axum::Router;
use service::app::Shared;
use service::keys::KeySet;
use service::proof::{SecuritySchemes, from_gateway};
use utoipa::OpenApi;

use crate::{payments, webhooks};

/// The `OpenAPI` document.
#[derive(Debug, OpenApi)]
#[openapi(
    info(title = "Payment", description = "Payments and refunds."),
    paths(payments::find, payments::show, webhooks::keep),
    modifiers(&SecuritySchemes),
    security(("gatewayProof" = [], "memberId" = [], "memberRole" = [])),
    tags(
        (name = "payments", description = "What a member paid"),
        (name = "webhooks", description = "For the payment gateway")
    )
)]
pub(crate) struct Api;

/// Every route, behind the gateway's proof.
pub(crate) fn routes(keys: &KeySet, shared: &Shared) -> Router {
    let routes = payments::routes(shared.clone()).merge(webhooks::routes(shared.clone()));
    from_gateway(routes, keys, &shared.clock)
}
