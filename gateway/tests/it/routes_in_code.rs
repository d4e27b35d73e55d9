//! The same routes built in code (RC), as the example has them.

#[path = "../../examples/routes_in_code/services.rs"]
mod services;

use services::Addresses;

use tollgate::config::MemberService;

use crate::support::{Gateway, Upstream, log_in, member_service};

/// The gateway of the example in front of three upstreams, and a member who is logged in.
struct Platform {
    gateway: Gateway,
    member_line: String,
    member: Upstream,
    reservation: Upstream,
    planner: Upstream,
}

impl Platform {
    fn start() -> Self {
        let (member, reservation, planner) =
            (member_service(), Upstream::start(), Upstream::start());
        let addresses = Addresses {
            member: member.uri(),
            reservation: reservation.uri(),
            planner: planner.uri(),
        };
        let service =
            MemberService { host: "127.0.0.1".to_owned(), port: member.port(), is_tls: false };
        let routes = services::routes(&addresses).unwrap();
        let gateway = Gateway::with_auth(routes, services::auth(service));
        let member_line = log_in(&gateway);
        Self { gateway, member_line, member, reservation, planner }
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
        self.gateway.send(request).check_failure(404, "ROUTE_NOT_FOUND");
        for upstream in [&self.member, &self.reservation, &self.planner] {
            assert!(upstream.seen().iter().all(|seen| !request.ends_with(seen.target())));
        }
    }
}

/// RC-01
#[test]
fn rc_01_a_login_goes_to_the_member_service_and_comes_back_with_a_token() {
    let platform = Platform::start();
    let login = platform.member.only();
    assert_eq!((login.method(), login.target()), ("POST", "/v1/login"));
    assert!(login.text().contains("a@example.com"));
    assert_eq!(login.header("authorization"), None);
    platform.check_nobody_takes("GET /login");
    let routes = platform.gateway.admin("GET /routes").json();
    let shown = routes.as_array().unwrap().iter().find(|it| it["route_id"] == "member-service");
    let filters = shown.unwrap()["filters"].as_array().unwrap();
    let orders: Vec<&str> = filters
        .iter()
        .map(|it| it.as_str().unwrap().rsplit(' ').next().unwrap().trim_end_matches(']'))
        .collect();
    assert_eq!(orders, ["0", "1", "1", "2", "3"]);
}

#[test]
fn a_login_that_waits_for_100_is_told_to_go_on() {
    let platform = Platform::start();
    let body = r#"{"memberEmail":"a@example.com","password":"any"}"#;
    let mut client = platform.gateway.client();
    let length = body.len();
    client.write(format!(
        "POST /login HTTP/1.1\r\nHost: test\r\nContent-Length: {length}\r\n\
         Expect: 100-continue\r\n\r\n"
    ));
    let go_on = b"HTTP/1.1 100 Continue\r\n\r\n";
    assert_eq!(client.read_bytes(go_on.len()), go_on);
    client.write(body);
    let answer = client.read_answer();
    assert_eq!(answer.status, 200);
    assert!(answer.header("access-token").is_some());
    assert_eq!(platform.member.last().text(), body);
}

/// GG-13 RC-02
#[test]
fn gg_13_without_a_token_nobody_but_the_login_is_reached() {
    let platform = Platform::start();
    for path in ["/place", "/travels/3", "/travel-regions/3", "/reservation/9"] {
        platform.gateway.send(&format!("GET {path}")).check_failure(401, "AUTH_TOKEN_MISSING");
    }
    assert!(platform.reservation.seen().is_empty() && platform.planner.seen().is_empty());
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
