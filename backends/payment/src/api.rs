//! The service as others call it: its routes behind their proof, and the `OpenAPI` document.

use axum::Router;
use service::keys::KeySet;
use service::proof::{SecuritySchemes, from_gateway, from_services};
use utoipa::OpenApi;

use crate::desk::Desk;
use crate::test_mode::TestApi;
use crate::{attention, internal, payments, refunds, test_mode, webhooks};

/// The `OpenAPI` document.
#[derive(Debug, OpenApi)]
#[openapi(
    info(title = "Payment", description = "Payments and refunds."),
    paths(
        payments::find,
        payments::show,
        webhooks::keep,
        internal::create,
        internal::show_by_key,
        internal::show_by_order,
        refunds::list,
        refunds::show,
        refunds::settle,
        attention::list_attention,
        attention::clear_attention,
    ),
    modifiers(&SecuritySchemes),
    security(("gatewayProof" = [], "memberId" = [], "memberRole" = [])),
    tags(
        (name = "payments", description = "What a member paid"),
        (name = "webhooks", description = "For the payment gateway"),
        (name = "internal", description = "For the reservation service only"),
        (name = "operations", description = "For operators only"),
    )
)]
struct Api;

/// Every route, behind the proof it asks for.
pub(crate) fn routes(keys: &KeySet, desk: &Desk, is_test: bool) -> Router {
    let shared = &desk.shared;
    let outer = payments::routes(shared.clone()).merge(webhooks::routes(desk.clone()));
    let mut inner = internal::routes().merge(refunds::routes()).merge(attention::routes());
    if is_test {
        inner = inner.merge(test_mode::routes());
    }
    let inner = inner.with_state(desk.clone());
    from_gateway(outer, keys, &shared.clock).merge(from_services(inner, keys, &shared.clock))
}

/// The `OpenAPI` document of what [`routes`] serves.
pub(crate) fn document(is_test: bool) -> utoipa::openapi::OpenApi {
    let document = Api::openapi();
    if is_test { document.merge_from(TestApi::openapi()) } else { document }
}
