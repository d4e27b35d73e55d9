//! The service as others call it: its routes behind the gateway's proof, and the `OpenAPI` document.

use axum::Router;
use service::app::Shared;
use service::clock::Clock;
use service::keys::KeySet;
use service::problem::Problem;
use service::proof::{Member, SecuritySchemes, from_gateway};
use service::query;
use utoipa::OpenApi;

use crate::store::{Store, TravelKey};
use crate::{plans, regions, travels};

/// What the handlers share.
#[derive(Debug, Clone)]
pub(crate) struct Planner {
    pub(crate) store: Store,
    pub(crate) clock: Clock,
}

/// The `OpenAPI` document.
#[derive(Debug, OpenApi)]
#[openapi(
    info(title = "Travel planner", description = "Travels, their regions and plans."),
    paths(
        travels::list,
        travels::create,
        travels::show,
        travels::rename,
        travels::reschedule,
        travels::remove,
        regions::list,
        regions::replace,
        regions::remove,
        plans::list,
        plans::append,
        plans::remove_several,
        plans::show,
        plans::edit,
        plans::reorder,
        plans::sort_by_distance,
        plans::remove
    ),
    modifiers(&SecuritySchemes),
    security(("gatewayProof" = [], "memberId" = [], "memberRole" = [])),
    tags(
        (name = "travels", description = "Trips of a member"),
        (name = "regions", description = "Where a travel leads"),
        (name = "plans", description = "What is to be visited on which day")
    )
)]
pub(crate) struct Api;

/// Every route, behind the gateway's proof.
pub(crate) fn routes(keys: &KeySet, shared: &Shared) -> Router {
    let Shared { database, clock, .. } = shared;
    let store = Store::new(database.clone(), clock.clone());
    let routes = travels::routes().merge(regions::routes()).merge(plans::routes());
    from_gateway(routes.with_state(Planner { store, clock: clock.clone() }), keys, clock)
}

/// Which travel is asked for, and by whom; 400 unless `travel_id` is an id.
pub(crate) fn travel_key(member: Member, travel_id: &str) -> Result<TravelKey, Problem> {
    Ok(TravelKey { member_id: member.id, travel_id: query::id("travelId", travel_id)? })
}

#[cfg(test)]
mod tests;
