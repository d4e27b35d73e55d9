//! The declarative form of the travel platform's routes (RY).

use crate::support::{Gateway, Upstream, log_in, member_service, secrets};

/// The gateway of the fixture with a route for the login, the ports of three upstreams, and a member
/// who is logged in.
struct Platform {
    gateway: Gateway,
    member_line: String,
    _member: Upstream,
    planner: Upstream,
    reservation: Upstream,
}

impl Platform {
    fn start() -> Self {
        let (planner, reservation) = (Upstream::start(), Upstream::start());
        let member = member_service();
        let file = include_str!("fixtures/routes-yaml.yaml")
            .replace("http://localhost:8080", &planner.uri())
            .replace("http://localhost:8081", &member.uri())
            .replace("http://localhost:8082", &reservation.uri());
        let login = format!(
            "  - {{ id: login, uri: '{}', predicates: [Path=/login, Method=POST], filters: [PrefixPath=/v1, \
             MemberParameterFilter, PrefixLoginTokenFilter, MemberResponseFilter, \
             PostfixLoginTokenFilter] }}\n",
            member.uri()
        );
        let gateway = Gateway::with_environment(&(file + &login), secrets());
        let member_line = log_in(&gateway);
        Self { gateway, member_line, _member: member, planner, reservation }
    }

    #[track_caller]
    fn check_reaches(&self, service: &Upstream, request: &str, expected: &str) {
        let answer = self.gateway.send(&format!("{request}\n{}", self.member_line));
        assert_eq!(answer.status, 200, "{request}: {}", answer.text());
        let seen = service.last();
        assert_eq!(format!("{} {}", seen.method(), seen.target()), expected);
    }

    #[track_caller]
    fn check_nobody_takes(&self, request: &str) {
        let before = self.planner.seen().len() + self.reservation.seen().len();
        self.gateway.send(request).check_failure(404, "ROUTE_NOT_FOUND");
        assert_eq!(before, self.planner.seen().len() + self.reservation.seen().len());
    }
}

/// RY-01 A-20
#[test]
fn ry_01_places_are_read_from_the_reservation_service() {
    let platform = Platform::start();
    platform.gateway.send("GET /place").check_failure(401, "AUTH_TOKEN_MISSING");
    let other = format!("GET /place?memberId=1\n{}", platform.member_line);
    platform.gateway.send(&other).check_failure(403, "MEMBER_MISMATCH");
    platform.check_reaches(&platform.reservation, "GET /place?area=1", "GET /v1/place?area=1");
    platform.check_reaches(&platform.reservation, "GET /place/7/rooms", "GET /v1/place/7/rooms");
    platform.check_nobody_takes("POST /place?area=1");
}

/// RY-02
#[test]
fn ry_02_travels_are_the_planners() {
    let platform = Platform::start();
    for method in ["GET", "POST", "DELETE"] {
        platform.check_reaches(
            &platform.planner,
            &format!("{method} /travels/3?x=1"),
            &format!("{method} /v2/travels/3?x=1"),
        );
    }
    platform.check_nobody_takes("PATCH /travels/3");
}

/// RY-03
#[test]
fn ry_03_travel_regions_are_the_planners() {
    let platform = Platform::start();
    for method in ["GET", "POST", "DELETE"] {
        platform.check_reaches(
            &platform.planner,
            &format!("{method} /travel-regions/3"),
            &format!("{method} /v2/travel-regions/3"),
        );
    }
    platform.check_nobody_takes("PATCH /travel-regions/3");
}

/// RY-04
#[test]
fn ry_04_travel_plans_are_the_planners() {
    let platform = Platform::start();
    for method in ["GET", "POST", "DELETE"] {
        platform.check_reaches(
            &platform.planner,
            &format!("{method} /travel-plans/5/plans"),
            &format!("{method} /v2/travel-plans/5/plans"),
        );
    }
    platform.check_nobody_takes("PATCH /travel-plans/5/plans");
}

/// RY-05
#[test]
fn ry_05_reservations_are_the_reservation_services() {
    let platform = Platform::start();
    for method in ["GET", "POST", "DELETE"] {
        platform.check_reaches(
            &platform.reservation,
            &format!("{method} /reservation/9"),
            &format!("{method} /v1/reservation/9"),
        );
    }
    platform.check_nobody_takes("PATCH /reservation/9");
}
