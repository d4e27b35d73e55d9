//! The admin listener.

use serde_json::json;

use crate::support::{Gateway, Upstream};

#[test]
fn tells_that_it_is_alive_and_ready() {
    let upstream = Upstream::start();
    let gateway = Gateway::with_filters(&upstream, &[]);
    let alive = gateway.admin("GET /healthz");
    assert_eq!((alive.status, alive.json()), (200, json!({ "status": "UP" })));
    let ready = gateway.admin("GET /readyz");
    assert_eq!(ready.status, 200);
    assert_eq!(ready.json()["routes"], 1);
    assert_eq!(ready.json()["config"]["result"], "applied");
}

#[test]
fn shows_routes_in_the_verbose_form_with_their_place_in_the_file() {
    let gateway = Gateway::start(
        "routes:\n- id: a\n  uri: http://127.0.0.1\n  predicates: [Path=/a, Method=GET]\n  \
         filters: [PrefixPath=/v1]\n  metadata: { response-timeout: 5 }\n",
    );
    let routes = gateway.admin("GET /routes").json();
    let expected = json!([{
        "predicate": "(Paths: [/a], match trailing slash: true && Methods: [GET])",
        "metadata": { "response-timeout": 5 },
        "route_id": "a",
        "filters": ["[[PrefixPath prefix = '/v1'], order = 1]"],
        "uri": "http://127.0.0.1:80",
        "order": 0,
        "source": { "file": "routes.yaml", "line": 2 },
    }]);
    assert_eq!(routes, expected);
}

#[test]
fn names_its_endpoints_where_it_has_none() {
    let gateway = Gateway::to("http://127.0.0.1:1");
    let answer = gateway.admin("GET /nothing");
    assert_eq!(answer.status, 404);
    assert!(answer.text().contains("/readyz"), "{}", answer.text());
}

#[test]
fn does_not_serve_routes_on_the_admin_listener() {
    // L16
    let upstream = Upstream::start();
    let gateway = Gateway::with_filters(&upstream, &[]);
    assert_eq!(gateway.admin("GET /get").status, 404);
    assert!(upstream.seen().is_empty());
}
