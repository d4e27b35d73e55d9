//! The stand-in as others call it.

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{MethodRouter, get, post};
use service::faults::{Faults, FaultsApi, strike};
use service::problem::ProblemDocument;
use utoipa::OpenApi;
use utoipa::openapi::OpenApi as Document;

use crate::auth::{self, SecretKeyScheme};
use crate::desk::Desk;
use crate::error::Told;
use crate::jobs::{self, Jobs};
use crate::reception::{Reception, find_subject, receive};
use crate::{admin, cancel, checkout, confirm, query};

/// What faults can strike.
const OPERATIONS: &[&str] = &[CONFIRM, CANCEL, QUERY];
const CONFIRM: &str = "confirm";
const CANCEL: &str = "cancel";
const QUERY: &str = "query";

/// The `OpenAPI` document.
#[derive(Debug, OpenApi)]
#[openapi(
    info(
        title = "Payment gateway",
        description = "Stands in for Toss Payments: the same operations under /pg, with a ledger of its own."
    ),
    paths(
        checkout::open,
        checkout::authenticate,
        confirm::confirm,
        cancel::cancel,
        query::by_key,
        query::by_order,
        admin::ledger,
        admin::calls,
        admin::webhooks,
        cancel::cancel_from_console
    ),
    components(schemas(Told, ProblemDocument)),
    modifiers(&SecretKeyScheme),
    tags(
        (name = "checkout", description = "Plays the window in which a client pays"),
        (name = "payments", description = "As the merchant calls them"),
        (name = "console", description = "For tests and operators")
    )
)]
struct Api;

/// The `OpenAPI` document with everything.
pub(crate) fn document() -> Document {
    Api::openapi().nest("/pg", FaultsApi::openapi())
}

/// Every route; those of the merchant need its secret key.
pub(crate) fn routes(desk: &Desk, faults: &Faults, jobs: &Jobs) -> Router {
    let confirm = moving(post(confirm::confirm), CONFIRM, desk, faults, jobs);
    let cancel = moving(post(cancel::cancel), CANCEL, desk, faults, jobs);
    Router::new()
        .route("/pg/v1/payments/confirm", confirm)
        .route("/pg/v1/payments/{paymentKey}/cancel", cancel)
        .route("/pg/v1/payments/{paymentKey}", telling(get(query::by_key), desk, faults))
        .route("/pg/v1/payments/orders/{orderId}", telling(get(query::by_order), desk, faults))
        .with_state(desk.clone())
        .merge(checkout::routes(desk.clone()))
        .merge(admin::routes(desk.clone()))
        .merge(Router::new().nest("/pg", faults.routes(OPERATIONS)))
}

/// What moves money. The last layer comes first: the merchant is asked for its key, a call is worked
/// on to its end, it is noted and its idempotency key marked, and only then something goes wrong or
/// takes its time.
fn moving(
    call: MethodRouter<Desk>,
    operation: &'static str,
    desk: &Desk,
    faults: &Faults,
    jobs: &Jobs,
) -> MethodRouter<Desk> {
    let reception = Reception { desk: desk.clone(), operation };
    call.route_layer(from_fn_with_state(faults.on(operation), strike))
        .route_layer(from_fn_with_state(reception, receive))
        .route_layer(from_fn_with_state(jobs.clone(), jobs::finish))
        .route_layer(from_fn_with_state(desk.secret.clone(), auth::check))
}

/// What tells of payments.
fn telling(call: MethodRouter<Desk>, desk: &Desk, faults: &Faults) -> MethodRouter<Desk> {
    call.route_layer(from_fn_with_state(faults.on(QUERY), strike))
        .route_layer(from_fn_with_state(desk.clone(), find_subject))
        .route_layer(from_fn_with_state(desk.secret.clone(), auth::check))
}
