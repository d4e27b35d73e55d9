//! The rules against a store in the process.

use http::HeaderMap;
use pingora_http::ResponseHeader;

use super::testing::{Rules, keys};
use super::{MemberStatus, SessionStore, Token};
use crate::testing::{head, now};
use crate::{Exchange, ExchangeState, Failure};

/// What came of one request: the failure's code, and the token that was renewed.
struct Outcome {
    code: Option<&'static str>,
    member: Option<i64>,
    renewed: Option<String>,
    answer: HeaderMap,
}

fn send(rules: &Rules, token: &str) -> Outcome {
    send_lines(rules, &format!("Authorization: Bearer {token}"))
}

fn send_lines(rules: &Rules, lines: &str) -> Outcome {
    let mut request = head(&format!("GET /a\n{lines}"));
    let mut state = ExchangeState::default();
    let authenticator = &rules.authenticator;
    let mut exchange =
        Exchange::new(&mut request, &mut state).with_authenticator(Some(authenticator));
    let passed = now(authenticator.demand(&mut exchange, "/a"));
    let member = exchange.auth_state().identity().map(|identity| identity.member_id);
    let mut answer = ResponseHeader::build(200, None).unwrap();
    authenticator.attach(&mut exchange, &mut answer);
    if passed.is_ok() {
        assert!(!request.headers.contains_key("authorization"), "the token went upstream");
    }
    let renewed =
        answer.headers.get("access-token").map(|token| token.to_str().unwrap().to_owned());
    let code = passed.err().map(|failure: Failure| failure.code());
    Outcome { code, member, renewed, answer: answer.headers.clone() }
}

#[track_caller]
fn check_code(rules: &Rules, token: &str, expected: &str) {
    let outcome = send(rules, token);
    assert_eq!(outcome.code, Some(expected));
    assert_eq!(outcome.renewed, None);
}

fn read(rules: &Rules, text: &str) -> Token {
    rules.keys.load().verify(text, &rules.settings.token, rules.seconds()).unwrap()
}

const LIFE: i64 = 30 * 60;

#[test]
fn a_token_of_a_live_session_passes_and_is_not_replaced() {
    let rules = Rules::new();
    let outcome = send(&rules, &rules.log_in(42));
    assert_eq!((outcome.code, outcome.member, outcome.renewed), (None, Some(42), None));
}

#[test]
fn the_edges_of_a_tokens_life() {
    let rules = Rules::new();
    let token = rules.log_in(42);
    rules.wait(LIFE + 4);
    assert_eq!(send(&rules, &token).renewed, None, "within the leeway");
    rules.wait(1);
    assert!(send(&rules, &token).renewed.is_some());
}

#[test]
fn an_expired_token_is_replaced_and_the_answer_is_not_to_be_stored() {
    let rules = Rules::new();
    let token = rules.log_in(42);
    rules.wait(LIFE + 5);
    let outcome = send(&rules, &token);
    let renewed = read(&rules, &outcome.renewed.unwrap());
    assert_eq!((renewed.generation, renewed.session), (2, read(&rules, &token).session));
    let answer = outcome.answer;
    assert_eq!(answer["access-token-expires-at"], ((rules.seconds() + LIFE) * 1000).to_string());
    assert_eq!(answer["cache-control"], "no-store");
    assert_eq!(answer["vary"], "Authorization");
    let exposed: Vec<_> = answer.get_all("access-control-expose-headers").iter().collect();
    assert_eq!(exposed, ["Access-Token", "Access-Token-Expires-At"]);
}

#[test]
fn a_parallel_request_gets_a_token_of_the_same_generation_and_later_ones_revoke() {
    let rules = Rules::new();
    let old = rules.log_in(42);
    rules.wait(LIFE + 5);
    let first = send(&rules, &old).renewed.unwrap();
    rules.wait(9);
    let second = send(&rules, &old).renewed.unwrap();
    assert_eq!(read(&rules, &second).generation, 2);
    assert_ne!(first, second);
    rules.wait(1);
    check_code(&rules, &old, "AUTH_TOKEN_REUSED");
    check_code(&rules, &first, "AUTH_SESSION_REVOKED");
    check_code(&rules, &old, "AUTH_SESSION_REVOKED");
}

#[test]
fn a_replaced_token_is_good_until_it_expires() {
    let rules = Rules::new();
    let first = rules.token(42);
    let first = Token { expires_at: first.expires_at + 3600, ..first };
    let text = rules.log_in(42);
    let session = read(&rules, &text).session;
    rules.wait(LIFE + 5);
    assert!(send(&rules, &text).renewed.is_some());
    let long = rules.sign(&Token { session, ..first });
    assert_eq!(send(&rules, &long).code, None);
}

#[test]
fn a_session_ends_for_good() {
    let rules = Rules::new();
    let token = rules.log_in(42);
    rules.wait(30 * 24 * 3600);
    check_code(&rules, &token, "AUTH_SESSION_EXPIRED");
    rules.wait(LIFE + 1);
    check_code(&rules, &token, "AUTH_REFRESH_EXPIRED");
}

#[test]
fn a_member_is_asked_for_when_nothing_is_remembered() {
    let rules = Rules::new();
    let token = rules.log_in(42);
    rules.wait(5 * 60);
    for _ in 0..2 {
        assert_eq!(send(&rules, &token).code, None);
    }
    assert_eq!(*rules.members.asked.lock().unwrap(), 1);
    rules.wait(5 * 60);
    *rules.members.is_down.lock().unwrap() = true;
    check_code(&rules, &token, "MEMBER_UNAVAILABLE");
    *rules.members.is_down.lock().unwrap() = false;
    rules.members.known.lock().unwrap().insert(42, MemberStatus::Dormant);
    check_code(&rules, &token, "MEMBER_INACTIVE");
    rules.members.known.lock().unwrap().insert(42, MemberStatus::Active);
    check_code(&rules, &token, "AUTH_SESSION_EXPIRED");
}

#[test]
fn a_new_key_logs_nobody_out_and_an_old_one_does_when_it_goes() {
    let rules = Rules::new();
    let token = rules.log_in(42);
    rules.keys.store(keys(&["two", "one"]).into());
    assert_eq!(send(&rules, &token).code, None);
    let newer = rules.log_in(43);
    rules.keys.store(keys(&["two"]).into());
    check_code(&rules, &token, "AUTH_TOKEN_INVALID");
    assert_eq!(send(&rules, &newer).code, None);
}

#[test]
fn exactly_one_bearer_line() {
    let rules = Rules::new();
    let token = rules.log_in(42);
    for lines in [
        "X-A: 1".to_owned(),
        format!("Authorization: Bearer {token}\nAuthorization: Bearer {token}"),
        format!("Authorization: Basic {token}"),
        format!("Authorization: {token}"),
        "Authorization: Bearer ".to_owned(),
        format!("Proxy-Authorization: Bearer {token}"),
        format!("Cookie: Access-Token={token}"),
    ] {
        assert_eq!(send_lines(&rules, &lines).code, Some("AUTH_TOKEN_MISSING"), "{lines}");
    }
    assert_eq!(send_lines(&rules, &format!("authorization: bEARER {token}")).code, None);
}

#[test]
fn a_session_is_only_its_members() {
    let rules = Rules::new();
    let session = read(&rules, &rules.log_in(42)).session;
    let forged = rules.sign(&Token { session, ..rules.token(43) });
    check_code(&rules, &forged, "AUTH_SESSION_EXPIRED");
}

#[test]
fn ending_all_sessions_of_a_member_spares_others() {
    let rules = Rules::new();
    let (one, two, other) = (rules.log_in(42), rules.log_in(42), rules.log_in(43));
    now(rules.store.end_all(42)).unwrap();
    check_code(&rules, &one, "AUTH_SESSION_EXPIRED");
    check_code(&rules, &two, "AUTH_SESSION_EXPIRED");
    assert_eq!(send(&rules, &other).code, None);
}
