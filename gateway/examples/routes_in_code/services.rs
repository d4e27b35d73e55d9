//! The routes of a travel platform: each service describes its own, one table holds them all.

use http::Method;
use tollgate::builder::{InvalidRoute, RouteBuilder};
use tollgate::config::{Auth, ExemptRequests, MemberService};
use tollgate_filters::Route;

/// Where the services listen.
#[derive(Debug, Clone)]
pub(crate) struct Addresses {
    /// Members and their login.
    pub(crate) member: String,
    /// Places and reservations.
    pub(crate) reservation: String,
    /// Travels, their regions and their plans.
    pub(crate) planner: String,
}

impl Default for Addresses {
    fn default() -> Self {
        Self {
            member: "http://localhost:8081".to_owned(),
            reservation: "http://localhost:8082".to_owned(),
            planner: "http://localhost:8080".to_owned(),
        }
    }
}

const LOGIN_PATH: &str = "/login";

/// All routes.
///
/// # Errors
///
/// What is wrong with them, such as an id that two services use.
pub(crate) fn routes(addresses: &Addresses) -> Result<Vec<Route>, Vec<InvalidRoute>> {
    member(&addresses.member)
        .and(reservation(&addresses.reservation))
        .and(planner(&addresses.planner))
        .build()
}

/// The login filters have the numbers of their way in; the way back has its own order.
fn member(uri: &str) -> RouteBuilder {
    RouteBuilder::new().route("member-service", |route| {
        route
            .path(LOGIN_PATH)
            .method("POST")
            .filter("PrefixPath=/v1")
            .filter_at(0, "MemberParameterFilter")
            .filter_at(1, "PrefixLoginTokenFilter")
            .filter_at(2, "MemberResponseFilter")
            .filter_at(3, "PostfixLoginTokenFilter")
            .uri(uri)
    })
}

/// Login tokens for all routes but the login.
pub(crate) fn auth(member_service: MemberService) -> Auth {
    let login = ExemptRequests { path: LOGIN_PATH.to_owned(), methods: vec![Method::POST] };
    Auth { member_service, exempt: vec![login], ..Auth::default() }
}

fn reservation(uri: &str) -> RouteBuilder {
    RouteBuilder::new()
        .route("places-service", |route| {
            route.path("/place/**").method("GET").filter("PrefixPath=/v1").uri(uri)
        })
        .route("reservations-service", |route| {
            route
                .path("/reservation/**")
                .method("GET,POST,DELETE")
                .filter("PrefixPath=/v1")
                .uri(uri)
        })
}

fn planner(uri: &str) -> RouteBuilder {
    RouteBuilder::new()
        .route("travels-service", |route| {
            route.path("/travels/**").method("GET,POST,DELETE").filter("PrefixPath=/v2").uri(uri)
        })
        .route("travel-regions-service", |route| {
            route.path("/travel-regions/**").method("GET,POST").filter("PrefixPath=/v2").uri(uri)
        })
        .route("travel-plans-service", |route| {
            route
                .path("/travel-plans/{travelId}/plans")
                .method("GET,POST,DELETE")
                .filter("PrefixPath=/v2")
                .uri(uri)
        })
}
