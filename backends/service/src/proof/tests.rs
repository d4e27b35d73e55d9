use axum::http::StatusCode;
use axum::http::header::HeaderName;
use axum::routing::{get, post};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use sha2::Sha256;

use super::*;
use crate::testing::{Answer, Headers, Signer, call};

/// Bytes 0 to 63.
const SECRET: &str =
    "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4vMDEyMzQ1Njc4OTo7PD0-Pw";
const TIME: i64 = 1_700_000_000;
const TARGET: &str = "/v1/members/me?x=1";
/// The gateway asserts the same two.
const MEMBER_SIGNATURE: &str = "0x8z2xCqd_nDIZYS2csEf7Ou0G1H0An1WiHYfEnmHto";
const NOBODY_SIGNATURE: &str = "OK1xwhk4etWXT65xBDhC9gDJvuUJlUIPI6IgFMRw3nk";
/// Of `POST /internal/x` by `member` with `{"memberId":42}`.
const SERVICE_SIGNATURE: &str = "s-bW4fCH2yl6q7myh1_NF1SklcV1iqpU-E-OJbg-K-k";
const BODY: &str = r#"{"memberId":42}"#;

fn keys() -> KeySet {
    let jwks = format!(r#"{{"keys":[{{"kty":"oct","kid":"k1","k":"{SECRET}"}}]}}"#);
    KeySet::from_json(&jwks).unwrap()
}

fn clock(seconds_later: i64) -> Clock {
    Clock::fixed(Timestamp::from_second(TIME + seconds_later).unwrap())
}

async fn whoami(member: Member) -> String {
    format!("{} {}", member.id, member.role.code())
}

async fn caller(CallingService(name): CallingService, body: String) -> String {
    format!("{name} {body}")
}

/// A service with an endpoint for members, one for everybody and one for services.
fn router(keys: &KeySet, clock: &Clock) -> Router {
    let inner = Router::new()
        .route("/v1/members/me", get(whoami).post(whoami))
        .route("/v1/open", get(|| async { "open" }));
    let internal = Router::new().route("/internal/x", post(caller));
    from_gateway(inner, keys, clock).merge(from_services(internal, keys, clock))
}

fn gateway_headers(signature: &str, id: &str, role: &str) -> Headers {
    vec![
        (GATEWAY_AUTH, format!("v1;kid=k1;t={TIME};sig={signature}")),
        (MEMBER_ID, id.to_owned()),
        (MEMBER_ROLE, role.to_owned()),
    ]
}

fn member_headers() -> Headers {
    gateway_headers(MEMBER_SIGNATURE, "42", "USER")
}

/// The headers of a member, with one replaced.
fn but(name: &'static str, value: impl Into<String>) -> Headers {
    let mut headers = member_headers();
    headers.retain(|(other, _)| *other != name);
    headers.push((name, value.into()));
    headers
}

fn service_headers() -> Headers {
    vec![(SERVICE_AUTH, format!("v1;svc=member;kid=k1;t={TIME};sig={SERVICE_SIGNATURE}"))]
}

async fn ask(seconds_later: i64, method: &str, target: &str, headers: &Headers) -> Answer {
    call(&router(&keys(), &clock(seconds_later)), method, target, headers, "").await.unwrap()
}

async fn tell(method: &str, target: &str, headers: &Headers, body: &str) -> Answer {
    call(&router(&keys(), &clock(0)), method, target, headers, body).await.unwrap()
}

#[track_caller]
fn check_refused(answer: &Answer, why: &str) {
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{why}: {}", answer.text);
}

fn hand_made(text: &str) -> String {
    let secret = URL_SAFE_NO_PAD.decode(SECRET).unwrap();
    let mut mac = Hmac::<Sha256>::new_from_slice(&secret).unwrap();
    mac.update(text.as_bytes());
    URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())
}

#[test]
fn signatures_are_those_of_the_documented_texts() {
    let member = "v1\n1700000000\nGET\n/v1/members/me?x=1\n42\nUSER\n";
    assert_eq!(hand_made(member), MEMBER_SIGNATURE);
    let nobody = "v1\n1700000000\nGET\n/v1/members/me?x=1\n-\n-\n";
    assert_eq!(hand_made(nobody), NOBODY_SIGNATURE);
    // sha256sum of the body
    let digest = "87ba05d320615b4e068edac63476b6043fae3a707e990ab1cce4c9eabd767d52";
    let service = format!("v1\n1700000000\nPOST\n/internal/x\nmember\n{digest}\n");
    assert_eq!(hand_made(&service), SERVICE_SIGNATURE);
}

#[test]
fn what_is_signed_here_is_the_same() {
    let subject = Subject { id: "42", role: "USER" };
    let proof = sign_gateway(&keys(), &clock(0), ("GET", TARGET), subject);
    assert_eq!(proof, format!("v1;kid=k1;t=1700000000;sig={MEMBER_SIGNATURE}"));
    let proof = sign_gateway(&keys(), &clock(0), ("GET", TARGET), Subject::NOBODY);
    assert_eq!(proof, format!("v1;kid=k1;t=1700000000;sig={NOBODY_SIGNATURE}"));
    let signed = ("POST", "/internal/x", BODY.as_bytes());
    let proof = sign_service(&keys(), &clock(0), "member", signed);
    assert_eq!(proof, format!("v1;svc=member;kid=k1;t=1700000000;sig={SERVICE_SIGNATURE}"));
}

#[tokio::test]
async fn a_member_is_who_the_gateway_says() {
    assert_eq!(ask(0, "GET", TARGET, &member_headers()).await.text, "42 USER");
}

#[tokio::test]
async fn nobody_is_let_in_where_nobody_is_needed() {
    let signer = Signer::new().unwrap().at(&clock(0));
    let router = router(signer.keys(), &clock(0));
    let headers = signer.gateway("GET", "/v1/open", None);
    assert_eq!(call(&router, "GET", "/v1/open", &headers, "").await.unwrap().text, "open");
    let headers = signer.gateway("GET", TARGET, None);
    check_refused(&call(&router, "GET", TARGET, &headers, "").await.unwrap(), "no member");
    // Written out, nobody is `-`.
    let answer = ask(0, "GET", TARGET, &gateway_headers(NOBODY_SIGNATURE, "-", "-")).await;
    check_refused(&answer, "no member");
}

#[tokio::test]
async fn a_proof_holds_for_a_minute_either_way() {
    for (seconds_later, status) in [(-61, 401), (-60, 200), (60, 200), (61, 401)] {
        let answer = ask(seconds_later, "GET", TARGET, &member_headers()).await;
        assert_eq!(answer.status.as_u16(), status, "{seconds_later}");
    }
    let headers = but(GATEWAY_AUTH, format!("v1;kid=k1;t={};sig={MEMBER_SIGNATURE}", i64::MIN));
    check_refused(&ask(0, "GET", TARGET, &headers).await, "long ago");
}

#[tokio::test]
async fn every_part_of_a_request_is_bound() {
    check_refused(&ask(0, "POST", TARGET, &member_headers()).await, "method");
    for target in ["/v1/members/me", "/v1/members/me?x=2", "/v1/members/me?x=1&", "/v1/open?x=1"] {
        check_refused(&ask(0, "GET", target, &member_headers()).await, target);
    }
    let time = format!("v1;kid=k1;t={};sig={MEMBER_SIGNATURE}", TIME + 1);
    let another = Signer::new().unwrap().at(&clock(0));
    let (_, wrong_key) = another.gateway("GET", TARGET, Some((42, "USER"))).remove(0);
    for headers in [
        but(MEMBER_ID, "43"),
        but(MEMBER_ROLE, "ADMIN"),
        but(GATEWAY_AUTH, time),
        but(GATEWAY_AUTH, wrong_key.replace("kid=test", "kid=k1")),
        but(GATEWAY_AUTH, wrong_key),
        member_headers().into_iter().take(1).collect(),
        member_headers().into_iter().take(2).collect(),
        member_headers().into_iter().skip(1).collect(),
    ] {
        check_refused(&ask(0, "GET", TARGET, &headers).await, &format!("{headers:?}"));
    }
}

#[tokio::test]
async fn a_header_sent_twice_is_refused() {
    for name in [GATEWAY_AUTH, MEMBER_ID, MEMBER_ROLE] {
        let mut headers = member_headers();
        let again = headers.iter().find(|(other, _)| *other == name).cloned();
        headers.extend(again);
        check_refused(&ask(0, "GET", TARGET, &headers).await, name);
    }
    let headers = [service_headers(), service_headers()].concat();
    check_refused(&tell("POST", "/internal/x", &headers, BODY).await, "twice");
}

#[tokio::test]
async fn malformed_headers_are_refused() {
    let (s, n) = (MEMBER_SIGNATURE, "v1;kid=k1;t=1700000000;sig=");
    for header in [
        String::new(),
        "v1".to_owned(),
        s.to_owned(),
        n.to_owned(),
        format!("{n}{s};"),
        format!("{n}{s};more=1"),
        format!("{n}{s}="),
        format!("{n} {s}"),
        format!("v2;kid=k1;t={TIME};sig={s}"),
        format!("v1;t={TIME};kid=k1;sig={s}"),
        format!("v1;kid=k1;t=+{TIME};sig={s}"),
        format!("v1;kid=k1;t=0{TIME};sig={s}"),
        format!("v1;kid=k1;t={TIME}.0;sig={s}"),
        format!("v1;kid=;t={TIME};sig={s}"),
        format!("v1; kid=k1; t={TIME}; sig={s}"),
        format!("v1;svc=member;kid=k1;t={TIME};sig={s}"),
    ] {
        let answer = ask(0, "GET", TARGET, &but(GATEWAY_AUTH, header.clone())).await;
        check_refused(&answer, &header);
    }
}

#[tokio::test]
async fn members_that_cannot_be_are_refused_though_they_are_signed() {
    let signer = Signer::new().unwrap().at(&clock(0));
    let router = router(signer.keys(), &clock(0));
    for (id, role) in [(0, "USER"), (-1, "USER"), (42, "ROOT"), (42, "-"), (42, "user")] {
        let headers = signer.gateway("GET", TARGET, Some((id, role)));
        let answer = call(&router, "GET", TARGET, &headers, "").await.unwrap();
        check_refused(&answer, &format!("{id} {role}"));
    }
}

#[tokio::test]
async fn a_service_is_known_by_name_and_its_body_is_handed_on() {
    let answer = tell("POST", "/internal/x", &service_headers(), BODY).await;
    assert_eq!((answer.status.as_u16(), answer.text), (200, format!("member {BODY}")));
}

#[tokio::test]
async fn every_part_of_a_services_request_is_bound() {
    let headers = service_headers();
    check_refused(&tell("POST", "/internal/x", &headers, r#"{"memberId":43}"#).await, "body");
    check_refused(&tell("POST", "/internal/x", &headers, "").await, "no body");
    check_refused(&tell("POST", "/internal/x?x=1", &headers, BODY).await, "query");
    check_refused(&tell("PUT", "/internal/x", &headers, BODY).await, "method");
    check_refused(&tell("POST", "/internal/x", &Headers::new(), BODY).await, "no proof");
    check_refused(&tell("POST", "/internal/x", &member_headers(), BODY).await, "the gateway's");
    let (name, header) = service_headers().remove(0);
    for (from, to) in [
        ("svc=member", "svc=payment"),
        ("svc=member;", ""),
        ("svc=member", "svc="),
        ("svc=member", "svc=mem ber"),
        ("kid=k1", "kid=k2"),
        ("t=1700000000", "t=1700000001"),
        ("t=1700000000", "t=1700000061"),
    ] {
        let headers = vec![(name, header.replace(from, to))];
        check_refused(&tell("POST", "/internal/x", &headers, BODY).await, to);
    }
}

#[tokio::test]
async fn a_services_proof_opens_no_door_for_members() {
    check_refused(&ask(0, "GET", TARGET, &service_headers()).await, "a service");
}

#[tokio::test]
async fn a_body_that_is_too_large_is_not_read() {
    let body = "x".repeat(LIMIT_BYTES + 1);
    let signer = Signer::new().unwrap().at(&clock(0));
    let headers = signer.service("member", "POST", "/internal/x", body.as_bytes());
    let router = router(signer.keys(), &clock(0));
    let answer = call(&router, "POST", "/internal/x", &headers, &body).await.unwrap();
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn a_nested_router_checks_the_target_as_it_arrived() {
    let inner = Router::new().route("/members/me", get(whoami));
    let router = Router::new().nest("/v1", from_gateway(inner, &keys(), &clock(0)));
    let answer = call(&router, "GET", TARGET, &member_headers(), "").await.unwrap();
    assert_eq!(answer.text, "42 USER");
}

#[tokio::test]
async fn without_a_gate_nobody_is_believed() {
    let router = Router::new().route("/v1/members/me", get(whoami));
    let answer = call(&router, "GET", TARGET, &member_headers(), "").await.unwrap();
    check_refused(&answer, "no gate");
}

#[test]
fn the_schemes_are_described() {
    let mut api = OpenApi::default();
    SecuritySchemes.modify(&mut api);
    let json: serde_json::Value = serde_json::from_str(&api.to_json().unwrap()).unwrap();
    let schemes = &json["components"]["securitySchemes"];
    for (scheme, header) in [
        ("gatewayProof", GATEWAY_AUTH),
        ("memberId", MEMBER_ID),
        ("memberRole", MEMBER_ROLE),
        ("serviceProof", SERVICE_AUTH),
    ] {
        assert_eq!(schemes[scheme]["type"], "apiKey");
        let name = schemes[scheme]["name"].as_str().unwrap();
        assert_eq!(name.parse::<HeaderName>().unwrap(), header);
    }
}
