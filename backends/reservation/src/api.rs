//! The service as others call it: its routes, who may use which, and the `OpenAPI` document.

use axum::Router;
use messaging::broker::Broker;
use service::app::Shared;
use service::keys::KeySet;
use service::proof::{SecuritySchemes, from_gateway, from_services};
use utoipa::OpenApi;

use crate::dead_letters::DeadLetters;
use crate::places::Places;
use crate::saga::Saga;
use crate::{booking, dead_letters, members, operations, places, reservations, search, store};

/// The `OpenAPI` document.
#[derive(Debug, OpenApi)]
#[openapi(
    info(title = "Reservation", description = "Lodging search, room look-up and reservations."),
    paths(
        places::list,
        places::show,
        places::list_rooms,
        places::show_room,
        reservations::list,
        reservations::show,
        booking::create,
        booking::approve,
        booking::cancel,
        booking::show_cancellable,
        booking::show_history,
        operations::list_attention,
        operations::show_operations,
        operations::redrive_step,
        operations::redrive_message,
        operations::compensate,
        operations::cancel,
        operations::settle_refund,
        operations::clear_attention,
        dead_letters::list_dead_letters,
        dead_letters::redrive_dead_letter,
        members::count_open
    ),
    // Parameters are not looked through for schemas.
    components(schemas(search::PlaceType, search::Sort, store::Sort)),
    modifiers(&SecuritySchemes),
    security(("gatewayProof" = [], "memberId" = [], "memberRole" = [])),
    tags(
        (name = "places", description = "What can be booked"),
        (name = "reservations", description = "What a member booked"),
        (name = "internal", description = "For other services")
    )
)]
pub(crate) struct Api;

/// Every route, each behind the proof it needs.
pub(crate) fn routes(saga: &Saga, broker: &Broker, keys: &KeySet, shared: &Shared) -> Router {
    let clock = &shared.clock;
    let places = places::routes(Places { cms: saga.cms.clone(), clock: clock.clone() });
    let of_members =
        places.merge(reservations::routes(shared.clone())).merge(booking::routes(saga.clone()));
    let letters = DeadLetters { broker: broker.clone(), clock: clock.clone() };
    let of_services = members::routes(shared.clone())
        .merge(operations::routes(saga.clone()))
        .merge(dead_letters::routes(letters));
    from_gateway(of_members, keys, clock).merge(from_services(of_services, keys, clock))
}
