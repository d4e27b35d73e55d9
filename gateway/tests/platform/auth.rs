//! Login tokens (AU, GG-13, GF-14, A-15 … A-18).

use std::thread;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use redis::Commands;
use serde_json::{Value, json};
use tollgate_filters::auth::Token;

use crate::Shared;
use crate::http::{Answer, Request};
use crate::stack::{SERVICES, Stack, login_body};
use crate::tokens::{SECRETS, Tokens};

pub(crate) const SHARED: &[Shared] = &[
    ("au_01_a_login_gives_a_signed_token", au_01),
    ("au_02_session_and_member_are_stored", au_02),
    ("au_03_an_expired_token_is_replaced", au_03),
    ("au_04_a_request_without_a_good_token_ends_at_the_gateway", au_04),
    ("au_05_expired_is_not_invalid", au_05),
    ("au_06_the_member_is_the_tokens", au_06),
    ("au_07_the_session_and_the_member_are_looked_up", au_07),
    ("au_08_without_the_refresh_entry_nothing_is_renewed", au_08),
    ("au_09_a_new_token_is_on_every_answer", au_09),
    ("au_10_only_what_is_exempt_needs_no_token", au_10),
    ("au_11_services_are_told_the_member", au_11),
    ("au_12_prefix_login_token_filter", au_12),
    ("au_13_member_parameter_filter", au_13),
    ("au_14_member_response_filter", au_14),
    ("au_15_postfix_login_token_filter", au_15),
    ("au_16_logging_out", au_16_logout),
    ("au_16_logging_out_everywhere", au_16_logout_everywhere),
    ("au_16_a_login_ends_the_session_it_replaces", au_16_login_again),
    ("gg_13_every_route_but_the_login_demands_a_token", gg_13),
    ("gf_14_the_session_is_saved_before_the_upstream_is_asked", gf_14),
    ("a_15_fifty_parallel_requests_with_one_expired_token", a_15),
    ("a_16_a_replaced_token_that_comes_back_ends_the_session", a_16),
    ("a_17_a_member_cannot_be_made_up", a_17),
    ("a_18_services_refuse_whoever_comes_past_the_gateway", a_18),
    ("a_proof_holds_for_one_request", proof),
];

/// AU-01
fn au_01(stack: &Stack) {
    let account = stack.sign_up();
    let answer = stack.try_login(&account).check(200);
    let token = answer.token().unwrap();
    Tokens::saw(&token);
    assert_eq!(Tokens::header(&token), json!({ "typ": "JWT", "alg": "HS512", "kid": "k1" }));
    let claims = Tokens::claims(&token);
    assert_eq!((&claims["iss"], &claims["aud"]), (&json!("gateway"), &json!("travel-platform")));
    assert_eq!((&claims["sub"], &claims["role"]), (&json!(account.id.to_string()), &json!("USER")));
    assert_eq!(claims["gen"], 1);
    let (issued, expires) = (claims["iat"].as_i64().unwrap(), claims["exp"].as_i64().unwrap());
    assert_eq!(expires - issued, 30 * 60);
    let mut names: Vec<&String> = claims.as_object().unwrap().keys().collect();
    names.sort();
    assert_eq!(names, ["aud", "exp", "gen", "iat", "iss", "jti", "role", "sid", "sub"]);
    assert_eq!(answer.header("access-token-expires-at").unwrap(), (expires * 1000).to_string());
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.header("authorization"), None);
    for (name, _) in &answer.headers {
        assert!(!name.starts_with("x-auth-"), "{name} left the gateway");
    }
    stack.get("/members/me", &token).check(200);
}

/// AU-02
fn au_02(stack: &Stack) {
    let (account, token) = stack.member();
    stack.get("/members/me", &token).check(200);
    let Some(redis) = &stack.redis else { return };
    let mut redis = redis.connect();
    let session = stack.tokens.read(&token).session;
    let key = format!("auth:session:{session}");
    let fields: std::collections::HashMap<String, String> = redis.hgetall(&key).unwrap();
    assert_eq!((&*fields["memberId"], &*fields["role"]), (&*account.id.to_string(), "USER"));
    assert_eq!(&fields["gen"], "1");
    assert_eq!(fields["refreshHash"].len(), 64);
    for name in ["createdAt", "lastSeenAt", "userAgentHash"] {
        assert!(fields.contains_key(name), "{name}");
    }
    let life: i64 = redis.ttl(&key).unwrap();
    assert!((30 * 86400 - 60..=30 * 86400).contains(&life), "{life}");
    let bytes: usize = fields.iter().map(|(name, value)| name.len() + value.len()).sum();
    assert!(bytes < 400, "{bytes}");
    let member = format!("auth:member:{}", account.id);
    let status: String = redis.hget(&member, "status").unwrap();
    assert_eq!(status, "ACTIVE");
    let life: i64 = redis.ttl(&member).unwrap();
    assert!((1..=300).contains(&life), "{life}");
    let sessions: Vec<String> =
        redis.smembers(format!("auth:member-sessions:{}", account.id)).unwrap();
    assert_eq!(sessions, [session.to_string()]);
}

/// AU-03
fn au_03(stack: &Stack) {
    let (_, token) = stack.member();
    let answer = stack.get("/members/me", &stack.tokens.expired(&token)).check(200);
    let renewed = answer.token().unwrap();
    Tokens::saw(&renewed);
    assert_eq!(stack.tokens.read(&renewed).generation, 2);
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert!(answer.header("vary").unwrap().contains("Authorization"));
    assert_eq!(stack.get("/members/me", &renewed).check(200).token(), None);
}

/// AU-04
fn au_04(stack: &Stack) {
    let (_, token) = stack.member();
    let forged = format!("{}x", token.get(..token.len() - 1).unwrap());
    let lines: [(&str, Option<String>); 3] = [
        ("AUTH_TOKEN_MISSING", None),
        ("AUTH_TOKEN_INVALID", Some("garbled".to_owned())),
        ("AUTH_TOKEN_INVALID", Some(forged)),
    ];
    for (at, (code, token)) in (0..).zip(lines) {
        let path = format!("/echo/au-04-{at}");
        let request = stack.ask(&format!("GET {path}"));
        let request = match token {
            Some(token) => request.bearer(&token),
            None => request,
        };
        let answer = request.send().check_code(401, code);
        assert!(answer.header("www-authenticate").unwrap().starts_with("Bearer"));
        assert!(answer.header("proxy-status").unwrap().contains(code));
        assert_eq!(stack.log_of(&path)["attempts"], 0);
    }
    assert!(stack.echo.seen("au-04").is_empty());
}

/// AU-05
fn au_05(stack: &Stack) {
    let (_, token) = stack.member();
    let expired = stack.tokens.expired(&token);
    assert!(stack.get("/echo/x", &expired).check(200).token().is_some());
    let forged = format!("{}x", expired.get(..expired.len() - 1).unwrap());
    stack.get("/echo/x", &forged).check_code(401, "AUTH_TOKEN_INVALID");
}

/// AU-06
fn au_06(stack: &Stack) {
    let (one, token) = stack.member();
    let (other, _) = stack.member();
    let answer = stack
        .ask("GET /members/me")
        .bearer(&token)
        .header(format!("X-Member-Id: {}", other.id))
        .header("X-Member-Role: ADMIN")
        .send();
    assert_eq!(answer.check(200).payload()["memberId"], one.id);
}

/// AU-07
fn au_07(stack: &Stack) {
    let (account, token) = stack.member();
    if let Some(redis) = &stack.redis {
        let mut redis = redis.connect();
        let member = format!("auth:member:{}", account.id);
        let _: () = redis.del(&member).unwrap();
        stack.get("/echo/x", &token).check(200);
        let status: String = redis.hget(&member, "status").unwrap();
        assert_eq!(status, "ACTIVE", "the member service was asked");
        let _: () = redis.hset(&member, "status", "DORMANT").unwrap();
        stack.get("/echo/x", &token).check_code(403, "MEMBER_INACTIVE");
    } else {
        stack.ask("DELETE /members/me").bearer(&token).send().check(204);
    }
    stack.get("/echo/x", &token).check_code(401, "AUTH_SESSION_EXPIRED");
}

/// AU-08
fn au_08(stack: &Stack) {
    let (_, token) = stack.member();
    if let Some(redis) = &stack.redis {
        let key = format!("auth:session:{}", stack.tokens.read(&token).session);
        let _: () = redis.connect().hdel(key, "refreshHash").unwrap();
        let answer = stack.get("/echo/x", &stack.tokens.expired(&token));
        assert_eq!(answer.check_code(401, "AUTH_REFRESH_EXPIRED").token(), None);
        stack.get("/echo/x", &token).check(200);
    }
    let old = stack.tokens.read(&token);
    let back = 31 * 86400;
    let old = Token { issued_at: old.issued_at - back, expires_at: old.expires_at - back, ..old };
    let answer = stack.get("/echo/x", &stack.tokens.sign(&old));
    assert_eq!(answer.check_code(401, "AUTH_REFRESH_EXPIRED").token(), None);
}

/// AU-09
fn au_09(stack: &Stack) {
    let answers = [
        ("GET /travels/999999999", 404),
        ("GET /untold/x", 200),
        ("GET /checked/x?memberId=1", 403),
    ];
    for (line, status) in answers {
        let (_, token) = stack.member();
        let answer = stack.ask(line).bearer(&stack.tokens.expired(&token)).send().check(status);
        let renewed = answer.token().unwrap();
        stack.get("/echo/x", &renewed).check(200);
    }
    let (_, token) = stack.member();
    let answer = stack
        .ask("GET /echo/x")
        .bearer(&stack.tokens.expired(&token))
        .header("Answer-Status: 503")
        .header("Answer-Cache-Control: public, max-age=60")
        .header("Answer-Vary: Accept")
        .header("Answer-Access-Control-Expose-Headers: X-A")
        .send();
    assert!(answer.clone().check(503).token().is_some());
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let all = |name: &str| -> Vec<String> {
        let lines = answer.headers.iter().filter(|(known, _)| known == name);
        lines.map(|(_, value)| value.clone()).collect()
    };
    assert_eq!(all("vary").join(", "), "Accept, Authorization");
    let exposed = all("access-control-expose-headers").join(", ");
    assert_eq!(exposed, "X-A, Access-Token, Access-Token-Expires-At");
}

/// AU-10
fn au_10(stack: &Stack) {
    for line in [
        "GET /place",
        "GET /place/1/rooms",
        "GET /travels",
        "POST /travel-regions/1/regions",
        "DELETE /travel-plans/1/plans",
        "GET /reservation",
        "GET /members/me",
        "GET /members",
        "GET /payment/1",
        "GET /notification",
        "POST /logout",
        "GET /echo/x",
    ] {
        stack.ask(line).send().check_code(401, "AUTH_TOKEN_MISSING");
    }
    stack.ask("POST /login").text("{}").send().check_code(400, "INVALID_REQUEST");
    stack.ask("POST /members").text("{}").send().check_code(400, "INVALID_REQUEST");
    stack.ask("POST /webhooks/toss").text("{}").send();
    stack.ask("GET /nowhere").send().check_code(404, "ROUTE_NOT_FOUND");
    stack.ask("GET /login").send().check_code(404, "ROUTE_NOT_FOUND");
}

/// AU-11
fn au_11(stack: &Stack) {
    let (account, token) = stack.member();
    let head = stack.get("/echo/x?y=1", &token).check(200).json();
    assert_eq!(values(&head, "x-member-id"), [account.id.to_string()]);
    assert_eq!(values(&head, "x-member-role"), ["USER"]);
    assert_eq!(values(&head, "x-gateway-auth").len(), 1);
    assert_eq!(values(&head, "authorization"), Vec::<String>::new());
    let head = stack.get("/forging/x", &token).check(200).json();
    assert_eq!(values(&head, "x-member-id"), [account.id.to_string()]);
    assert_eq!(values(&head, "x-member-role"), ["USER"]);
    assert_eq!(values(&head, "x-gateway-auth").len(), 1);
    let head = stack.get("/untold/x", &token).check(200).json();
    for name in ["x-member-id", "x-member-role", "x-gateway-auth", "authorization"] {
        assert_eq!(values(&head, name), Vec::<String>::new(), "{name}");
    }
    let head = stack.ask("GET /webhooks/echo").send().check(200).json();
    assert_eq!(values(&head, "x-member-id"), Vec::<String>::new());
    assert_eq!(values(&head, "x-gateway-auth").len(), 1);
}

/// AU-12
fn au_12(stack: &Stack) {
    let (_, token) = stack.member();
    stack.ask("GET /checked/x").send().check_code(401, "AUTH_TOKEN_MISSING");
    stack.get("/checked/x", "garbled").check_code(401, "AUTH_TOKEN_INVALID");
    let head = stack.get("/checked/x", &token).check(200).json();
    assert_eq!(values(&head, "authorization"), Vec::<String>::new());
    let account = stack.sign_up();
    for junk in ["garbled".to_owned(), stack.tokens.expired(&token)] {
        let body = login_body(&account.email, &account.password);
        stack.ask("POST /login").bearer(&junk).json(&body).send().check(200);
    }
}

/// AU-13
fn au_13(stack: &Stack) {
    let (account, token) = stack.member();
    let own = account.id;
    stack.get(&format!("/checked/x?memberId={own}"), &token).check(200);
    stack.get("/checked/x?memberId=1&memberId=2", &token).check_code(403, "MEMBER_MISMATCH");
    let head = stack.get("/parameter/x?a=1", &token).check(200).json();
    assert_eq!(head["target"], format!("/parameter/x?a=1&memberId={own}"));
    stack.get("/parameter/x?memberId=1", &token).check_code(403, "MEMBER_MISMATCH");
    for body in ["{", "[]", "{}", r#"{"memberEmail":"x","password":"y"}"#] {
        let answer = stack.ask("POST /login").text(body).send();
        assert!(matches!(&*answer.code(), "MALFORMED_JSON" | "INVALID_REQUEST"), "{body}");
        assert_eq!(answer.status, 400);
    }
    let long = json!({ "memberEmail": "a@b.test", "password": "x", "more": "x".repeat(17 << 10) });
    stack.ask("POST /login").json(&long).send().check_code(400, "INVALID_REQUEST");
    let upper = login_body(&account.email.to_uppercase(), &account.password);
    stack.ask("POST /login").json(&upper).send().check(200);
}

/// AU-14
fn au_14(stack: &Stack) {
    let (account, token) = stack.member();
    let other = stack.log_in(&account);
    let answer = stack
        .ask("GET /checked/x")
        .bearer(&token)
        .header("Answer-X-Auth-Revoke: member")
        .header("Answer-X-Auth-Member-Id: 7")
        .header("Answer-X_Auth_Anything: 7")
        .send()
        .check(200);
    assert!(!answer.headers.iter().any(|(name, _)| name.replace('_', "-").starts_with("x-auth-")));
    for token in [token, other] {
        stack.get("/echo/x", &token).check_code(401, "AUTH_SESSION_EXPIRED");
    }
    let wrong = login_body(&account.email, "another password");
    let answer = stack.ask("POST /login").json(&wrong).send().check_code(401, "LOGIN_FAILED");
    assert_eq!(answer.token(), None);
    // A route that is not told who the member is cannot end its sessions.
    let (_, token) = stack.member();
    let untold = stack.ask("GET /untold/x").bearer(&token).header("Answer-X-Auth-Revoke: member");
    assert_eq!(untold.send().check(200).header("x-auth-revoke"), None);
    stack.get("/echo/x", &token).check(200);
    // The global rule does the same where the filter is not.
    let (_, token) = stack.member();
    stack
        .ask("GET /echo/x")
        .bearer(&token)
        .header("Answer-X-Auth-Revoke: member")
        .send()
        .check(200);
    stack.get("/echo/x", &token).check_code(401, "AUTH_SESSION_EXPIRED");
}

/// AU-15
fn au_15(stack: &Stack) {
    let (_, token) = stack.member();
    let answer = stack.get("/checked/x", &stack.tokens.expired(&token)).check(200);
    assert_eq!(answer.headers.iter().filter(|(name, _)| name == "access-token").count(), 1);
    stack.get("/checked/x", &answer.token().unwrap()).check(200);
    let order = stack.admin("GET /routes").send().json();
    let login =
        order.as_array().unwrap().iter().find(|route| route["route_id"] == "member-service");
    assert_eq!(login.unwrap()["filters"].as_array().unwrap().len(), 8, "{login:?}");
}

/// AU-16
fn au_16_logout(stack: &Stack) {
    let (account, token) = stack.member();
    let other = stack.log_in(&account);
    let answer = stack.ask("POST /logout").bearer(&token).send().check(204);
    assert_eq!((answer.token(), answer.body.as_str()), (None, ""));
    stack.get("/echo/x", &token).check_code(401, "AUTH_SESSION_REVOKED");
    let again = stack.tokens.expired(&token);
    stack.get("/echo/x", &again).check_code(401, "AUTH_SESSION_REVOKED");
    stack.get("/echo/x", &other).check(200);
    stack.ask("POST /logout").bearer(&token).send().check_code(401, "AUTH_SESSION_REVOKED");
    let expired = stack.tokens.expired(&other);
    assert_eq!(stack.ask("POST /logout").bearer(&expired).send().check(204).token(), None);
    stack.get("/echo/x", &other).check_code(401, "AUTH_SESSION_REVOKED");
}

/// AU-16
fn au_16_logout_everywhere(stack: &Stack) {
    let (account, one) = stack.member();
    let tokens = [stack.log_in(&account), stack.log_in(&account)];
    stack.ask("POST /logout?all=true").bearer(&one).send().check(204);
    for token in tokens {
        stack.get("/echo/x", &token).check_code(401, "AUTH_SESSION_EXPIRED");
    }
    stack.get("/echo/x", &stack.log_in(&account)).check(200);
}

/// AU-16
fn au_16_login_again(stack: &Stack) {
    let (account, token) = stack.member();
    let body = login_body(&account.email, &account.password);
    let answer = stack.ask("POST /login").bearer(&token).json(&body).send().check(200);
    let new = answer.token().unwrap();
    Tokens::saw(&new);
    assert_ne!(stack.tokens.read(&new).session, stack.tokens.read(&token).session);
    stack.get("/echo/x", &token).check_code(401, "AUTH_SESSION_EXPIRED");
    stack.get("/echo/x", &new).check(200);
}

/// GG-13
fn gg_13(stack: &Stack) {
    let (_, token) = stack.member();
    let routes = stack.admin("GET /routes").send().json();
    assert!(routes.as_array().unwrap().len() >= 11);
    for path in ["/place", "/travels", "/reservation", "/notification", "/members/me"] {
        stack.ask(&format!("GET {path}")).send().check_code(401, "AUTH_TOKEN_MISSING");
        stack.get(path, &token).check(200);
    }
}

/// GF-14 SVS-01
fn gf_14(stack: &Stack) {
    let (_, token) = stack.member();
    let expired = stack.tokens.expired(&token);
    let answer = stack.get("/saved/gf-14", &expired).check(200);
    assert_eq!(stack.echo.seen("gf-14").len(), 1);
    let Some(redis) = &stack.redis else {
        assert_eq!(stack.tokens.read(&answer.token().unwrap()).generation, 2);
        return;
    };
    let session = stack.tokens.read(&token).session;
    let mut redis = redis.connect();
    let key = format!("auth:session:{session}");
    let (generation, seen): (u64, i64) = redis.hmget(&key, &["gen", "lastSeenAt"]).unwrap();
    let created: i64 = redis.hget(&key, "createdAt").unwrap();
    assert_eq!(generation, 2);
    assert!(seen >= created);
}

/// A-15
fn a_15(stack: &Stack) {
    let (_, token) = stack.member();
    let expired = stack.tokens.expired(&token);
    let answers: Vec<Answer> = thread::scope(|scope| {
        let all: Vec<_> =
            (0..50).map(|_| scope.spawn(|| stack.get("/echo/a-15", &expired))).collect();
        all.into_iter().map(|one| one.join().unwrap()).collect()
    });
    let mut ids = std::collections::HashSet::new();
    for answer in answers {
        let renewed = answer.check(200).token().unwrap();
        Tokens::saw(&renewed);
        let renewed = stack.tokens.read(&renewed);
        assert_eq!(renewed.generation, 2);
        ids.insert(renewed.id);
    }
    assert_eq!(ids.len(), 50, "each has a token of its own");
}

/// A-16
fn a_16(stack: &Stack) {
    let (_, token) = stack.member();
    let stale = stack.tokens.expired(&token);
    let second = stack.get("/echo/x", &stale).check(200).token().unwrap();
    let third = stack.tokens.expired(&second);
    let third = stack.get("/echo/x", &third).check(200).token().unwrap();
    // Two generations back is beyond any grace.
    let answer = stack.get("/echo/x", &stale).check_code(401, "AUTH_TOKEN_REUSED");
    assert_eq!(answer.token(), None);
    stack.get("/echo/x", &third).check_code(401, "AUTH_SESSION_REVOKED");
    let counted =
        stack.metric("tollgate_errors_total{code=\"AUTH_TOKEN_REUSED\",routeId=\"echo\"}");
    assert!(counted >= 1.0);
}

/// A-17
fn a_17(stack: &Stack) {
    let (account, token) = stack.member();
    let spoofed = [
        "X-Member-Id: 1",
        "x-member-id: 1",
        "X_Member_Id: 1",
        "X-Member_Id: 1",
        "X-MEMBER-ROLE: ADMIN",
        "X-Gateway-Auth: v1;kid=p1;t=1;sig=x",
        "X_Gateway_Auth: x",
        "X-Service-Auth: v1;svc=member;kid=p1;t=1;sig=x",
        "Connection: close, X-Member-Id, X-Gateway-Auth",
    ];
    let mut request = stack.ask("GET /echo/a-17").bearer(&token);
    for line in spoofed {
        request = request.header(line).header(line);
    }
    let head = request.send().check(200).json();
    let mut names: Vec<String> = head["headers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| line[0].as_str().unwrap().replace('_', "-"))
        .filter(|name| {
            ["x-member", "x-gateway-", "x-service"].iter().any(|it| name.starts_with(it))
        })
        .collect();
    names.sort();
    assert_eq!(names, ["x-gateway-auth", "x-member-id", "x-member-role"]);
    assert_eq!(values(&head, "x-member-id"), [account.id.to_string()]);
    assert_eq!(values(&head, "x-member-role"), ["USER"]);
}

/// A-18 TP-04
fn a_18(stack: &Stack) {
    let paths = [
        ("member", "/v1/members/me"),
        ("reservation", "/v1/place"),
        ("planner", "/v2/travels"),
        ("payment", "/v1/payment/x"),
        ("notification", "/v1/notification"),
        ("cms", "/v1/lodgings"),
        ("member", "/internal/v1/members/1/auth-view"),
        ("reservation", "/internal/v1/members/1/open-reservations"),
    ];
    for (service, path) in paths {
        let request = Request::new(stack.service(service), &format!("GET {path}"));
        let request = request.header("X-Member-Id: 1").header("X-Member-Role: ADMIN");
        request.send().check_code(401, "UNTRUSTED_CALLER");
    }
    for service in SERVICES {
        let open = Request::new(stack.service(service), "GET /healthz");
        open.send().check(200);
    }
}

/// A proof is for one method, one target and one member, for a minute.
fn proof(stack: &Stack) {
    let (_, token) = stack.member();
    let head = stack.get("/echo/x", &token).check(200).json();
    let proof = values(&head, "x-gateway-auth").remove(0);
    let (member, role) =
        (values(&head, "x-member-id").remove(0), values(&head, "x-member-role").remove(0));
    SECRETS.lock().unwrap().push(proof.clone());
    let request = Request::new(stack.service("member"), "GET /v1/members/me")
        .header(format!("X-Gateway-Auth: {proof}"))
        .header(format!("X-Member-Id: {member}"))
        .header(format!("X-Member-Role: {role}"));
    request.send().check_code(401, "UNTRUSTED_CALLER");
    assert!(URL_SAFE_NO_PAD.decode(proof.rsplit('=').next().unwrap()).unwrap().len() == 32);
}

/// The values of a header that reached the echo.
fn values(head: &Value, name: &str) -> Vec<String> {
    let lines = head["headers"].as_array().unwrap().iter();
    let lines = lines.filter(|line| line[0] == name);
    lines.map(|line| line[1].as_str().unwrap().to_owned()).collect()
}
