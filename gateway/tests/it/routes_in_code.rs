//! The same routes built in code (RC), as the example has them.

#[path = "../../examples/routes_in_code/services.rs"]
mod services;

use services::Addresses;

use crate::support::{Gateway, Upstream};

/// The gateway of the example in front of three upstreams.
struct Platform {
    gateway: Gateway,
    member: Upstream,
    reservation: Upstream,
    planner: Upstream,
}

impl Platform {
    fn start() -> Self {
        let (member, reservation, planner) =
            (Upstream::start(), Upstream::start(), Upstream::start());
        let addresses = Addresses {
            member: member.uri(),
            reservation: reservation.uri(),
            planner: planner.uri(),
        };
        let gateway = Gateway::from_routes(services::routes(&addresses).unwrap());
        Self { gateway, member, reservation, planner }
    }

    #[track_caller]
    fn check_reaches(&self, service: &Upstream, request: &str, expected: &str) {
        let answer = self.gateway.send(request);
        assert_eq!(answer.status, 200, "{request}: {}", answer.text());
        let seen = service.last();
        assert_eq!(format!("{} {}", seen.method(), seen.target()), expected);
    }

    #[track_caller]
    fn check_nobody_takes(&self, request: &str) {
        self.gateway.send(request).check_failure(404, "ROUTE_NOT_FOUND");
        for upstream in [&self.member, &self.reservation, &self.planner] {
            assert!(upstream.seen().iter().all(|seen| !request.ends_with(seen.target())));
        }
    }
}

/// RC-01 (without its login filters)
#[test]
fn rc_01_a_login_goes_to_the_member_service() {
    let platform = Platform::start();
    platform.check_reaches(&platform.member, "POST /login\n\n{}", "POST /v1/login");
    assert_eq!(platform.member.only().text(), "{}");
    platform.check_nobody_takes("GET /login");
}

/// RC-02
#[test]
fn rc_02_places_are_read_from_the_reservation_service() {
    let platform = Platform::start();
    platform.check_reaches(&platform.reservation, "GET /place?area=1", "GET /v1/place?area=1");
    platform.check_nobody_takes("POST /place");
}

/// RC-03
#[test]
fn rc_03_travels_are_the_planners() {
    let platform = Platform::start();
    for method in ["GET", "POST", "DELETE"] {
        platform.check_reaches(
            &platform.planner,
            &format!("{method} /travels/3"),
            &format!("{method} /v2/travels/3"),
        );
    }
    platform.check_nobody_takes("PATCH /travels/4");
}

/// RC-04
#[test]
fn rc_04_travel_regions_cannot_be_deleted_here() {
    let platform = Platform::start();
    for method in ["GET", "POST"] {
        platform.check_reaches(
            &platform.planner,
            &format!("{method} /travel-regions/3"),
            &format!("{method} /v2/travel-regions/3"),
        );
    }
    platform.check_nobody_takes("DELETE /travel-regions/4");
}

/// RC-05
#[test]
fn rc_05_travel_plans_have_an_exact_path() {
    let platform = Platform::start();
    for method in ["GET", "POST", "DELETE"] {
        platform.check_reaches(
            &platform.planner,
            &format!("{method} /travel-plans/5/plans"),
            &format!("{method} /v2/travel-plans/5/plans"),
        );
    }
    platform.check_nobody_takes("GET /travel-plans/5");
    platform.check_nobody_takes("GET /travel-plans/5/plans/1");
}

/// RC-06
#[test]
fn rc_06_reservations_are_the_reservation_services() {
    let platform = Platform::start();
    for method in ["GET", "POST", "DELETE"] {
        platform.check_reaches(
            &platform.reservation,
            &format!("{method} /reservation/9"),
            &format!("{method} /v1/reservation/9"),
        );
    }
    platform.check_nobody_takes("PUT /reservation/8");
}
