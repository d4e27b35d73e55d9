//! The real binary over TCP: members that sign up and log in, crashes, and a gateway that is told.
#![cfg(test)]

mod contract;
mod member;

use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::Command;

use serde_json::{Value, json};
use service::testing::Headers;
use tempfile::TempDir;

use crate::member::Member;

const PASSWORD: &str = "correct horse";

/// MB-01 MB-02 MB-03
#[test]
fn mb_01_02_03_sign_up_log_in_look_up() {
    let folder = TempDir::new().unwrap();
    let member = Member::serving(folder.path(), &[]);
    let answer = member.sign_up(1);
    assert_eq!(answer.status, 201, "{}", answer.text);
    let id = answer.json["payload"]["memberId"].as_i64().unwrap();
    assert_eq!(answer.header("location"), format!("/members/{id}"));
    let again = member.sign_up(1);
    assert_eq!((again.status.as_u16(), &again.json["code"]), (409, &json!("MEMBER_EXIST")));

    let answer = member.log_in(1, PASSWORD);
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(answer.header("x-auth-member-id"), id.to_string());
    let answer = member.log_in(1, "wrong horse");
    assert_eq!((answer.status.as_u16(), &answer.json["code"]), (401, &json!("LOGIN_FAILED")));
    assert_eq!(answer.header("x-auth-member-id"), "");

    let answer = member.ask("GET", "/v1/members/me", Some(id), "");
    assert_eq!(answer.json["payload"]["memberEmail"], "m1@example.com");
    assert!(!answer.text.contains("argon2"), "{}", answer.text);
    let answer = member.ask("GET", "/v1/members/77", Some(77), "");
    assert_eq!((answer.status.as_u16(), &answer.json["code"]), (404, &json!("MEMBER_NOT_FOUND")));
}

/// MB-04: the id, the role and the status are all that another service learns.
#[test]
fn mb_04_other_services_get_the_id_and_nothing_personal() {
    let folder = TempDir::new().unwrap();
    let member = Member::serving(folder.path(), &[]);
    member.sign_up(1);
    let target = "/internal/v1/members/1/auth-view";
    let headers = member.signer.service("planner", "GET", target, b"");
    let answer = member.process.request("GET", target, &headers, "").unwrap();
    let expected = json!({ "memberId": 1, "role": "USER", "status": "ACTIVE" });
    assert_eq!(answer.json["payload"], expected, "{}", answer.text);
}

/// A-18
#[test]
fn a_18_a_direct_call_is_refused() {
    let folder = TempDir::new().unwrap();
    let mut member = Member::serving(folder.path(), &[]);
    member.sign_up(1);
    let spoofed: Headers =
        vec![("X-Member-Id", "1".to_owned()), ("X-Member-Role", "ADMIN".to_owned())];
    for (method, target) in [
        ("POST", "/v1/members"),
        ("POST", "/v1/login"),
        ("GET", "/v1/members/me"),
        ("GET", "/v1/members/1"),
        ("POST", "/v1/members/1/nickname"),
        ("POST", "/v1/members/me/password"),
        ("DELETE", "/v1/members/me"),
        ("GET", "/internal/v1/members/1/auth-view"),
    ] {
        for headers in [&[], spoofed.as_slice()] {
            let answer = member.process.request(method, target, headers, "").unwrap();
            assert_eq!(answer.status, 401, "{method} {target}");
            assert_eq!(answer.json["code"], "UNTRUSTED_CALLER");
        }
    }
    let log = member.process.wait_for("UNTRUSTED_CALLER").unwrap();
    assert!(log.contains("no proof was sent"), "the operator is not told why: {log}");
    for path in ["/healthz", "/readyz", "/metrics", "/openapi.json"] {
        assert_eq!(member.process.get(path).unwrap().status, 200, "{path}");
    }
}

#[test]
fn keys_are_changed_while_it_runs() {
    let folder = TempDir::new().unwrap();
    let mut member = Member::serving(folder.path(), &[]);
    member.sign_up(1);
    member.change_keys();
    // A file is looked at once a second, when a request comes.
    let holds = || member.ask("GET", "/v1/members/me", Some(1), "").status == 200;
    member.process.wait_until("the new keys hold", holds).unwrap();
    member.process.wait_for("the keys were read again").unwrap();
}

#[test]
fn members_survive_a_kill() {
    let folder = TempDir::new().unwrap();
    let member = Member::serving(folder.path(), &[]);
    member.sign_up(1);
    member.sign_up(2);
    let body = json!({ "currentPassword": PASSWORD, "newPassword": "battery staple" });
    let answer = member.ask("POST", "/v1/members/me/password", Some(2), &body.to_string());
    assert_eq!((answer.status.as_u16(), answer.header("x-auth-revoke")), (204, "member"));
    member.process.kill().unwrap();

    let member = Member::serving(folder.path(), &[]);
    assert_eq!(member.log_in(1, PASSWORD).status, 200);
    assert_eq!(member.log_in(2, PASSWORD).status, 401);
    assert_eq!(member.log_in(2, "battery staple").status, 200);
    assert_eq!(member.sign_up(3).json["payload"]["memberId"], 3);
    member.process.signal("TERM").unwrap();
    assert_eq!(member.process.exit_code().unwrap(), Some(0));
}

#[test]
fn a_revocation_survives_a_kill_until_the_gateway_takes_it() {
    let folder = TempDir::new().unwrap();
    let member = Member::serving(folder.path(), &[]);
    member.sign_up(1);
    member.process.kill().unwrap();
    member::let_time_pass(folder.path());

    // Nobody listens at the gateway's place.
    let away = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", away.local_addr().unwrap());
    drop(away);
    let mut member = Member::serving(folder.path(), &[("GATEWAY_ADMIN_URL", &url)]);
    member.process.wait_for("the gateway ends no sessions now").unwrap();
    let answer = member.log_in(1, PASSWORD);
    assert_eq!((answer.status.as_u16(), &answer.json["code"]), (403, &json!("MEMBER_DORMANT")));
    member.process.kill().unwrap();

    let gateway = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", gateway.local_addr().unwrap());
    let _member = Member::serving(folder.path(), &[("GATEWAY_ADMIN_URL", &url)]);
    let (mut stream, _) = gateway.accept().unwrap();
    let mut told = String::new();
    while !told.ends_with('}') {
        let mut part = [0; 1024];
        let length = stream.read(&mut part).unwrap();
        assert_ne!(length, 0, "{told}");
        told.push_str(std::str::from_utf8(&part[..length]).unwrap());
    }
    stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").unwrap();
    assert!(told.starts_with("POST /internal/sessions/revoke HTTP/1.1\r\n"), "{told}");
    assert!(told.contains("\r\nx-service-auth: v1;svc=member;kid="), "{told}");
    let (_, body) = told.split_once("\r\n\r\n").unwrap();
    assert_eq!(serde_json::from_str::<Value>(body).unwrap(), json!({ "memberId": 1 }));
}

#[test]
fn the_first_administrator_is_made_once() {
    let folder = TempDir::new().unwrap();
    let who = [("ADMIN_EMAIL", "Root@Example.com"), ("ADMIN_PASSWORD", "battery staple")];
    let member = Member::serving(folder.path(), &who);
    let body = json!({ "memberEmail": "root@example.com", "password": "battery staple" });
    let answer = member.ask("POST", "/v1/login", None, &body.to_string());
    assert_eq!(answer.header("x-auth-member-role"), "ADMIN", "{}", answer.text);
    member.sign_up(2);
    let log = member.process.log();
    member.process.kill().unwrap();
    assert!(log.contains("RESERVATION_URL is not set"), "{log}");

    let changed = [("ADMIN_EMAIL", "root@example.com"), ("ADMIN_PASSWORD", "another password")];
    let member = Member::serving(folder.path(), &changed);
    let answer = member.ask("POST", "/v1/login", None, &body.to_string());
    assert_eq!(answer.status, 200, "the password is its own affair");
    member.process.kill().unwrap();

    let member = Member::serving(
        folder.path(),
        &[("ADMIN_EMAIL", "m2@example.com"), ("ADMIN_PASSWORD", PASSWORD)],
    );
    let answer = member.log_in(2, PASSWORD);
    assert_eq!(answer.header("x-auth-member-role"), "USER");
    let log = member.process.log();
    assert!(log.contains("it is not appointed"), "{log}");
    assert!(!log.contains("m2@example.com"), "{log}");
}

#[test]
fn logs_hold_nothing_secret_or_personal() {
    let folder = TempDir::new().unwrap();
    let mut member = Member::serving(folder.path(), &[("RUST_LOG", "trace")]);
    member.sign_up(1);
    member.sign_up(1);
    member.log_in(1, PASSWORD);
    member.log_in(1, "wrong horse");
    let odd = r#"{"memberEmail":"M1@example.com","password":["wrong horse"]}"#;
    member.ask("POST", "/v1/login", None, odd);
    member.ask("POST", "/v1/members", None, &member::wish(1).to_string().replace("M1", "1\\n"));
    member.ask("DELETE", "/v1/members/me", Some(1), "");
    let log = member.process.wait_for("\"withdrew\"").unwrap();
    let keys = member.signer.jwks().split('"').max_by_key(|part| part.len()).unwrap();
    for secret in [PASSWORD, "wrong horse", "m1@", "M1@", "argon2", "Member 1", "01000000001", keys]
    {
        let line = log.lines().find(|line| line.contains(secret));
        assert_eq!(line, None, "{secret}");
    }
}

#[test]
fn it_does_not_start_without_keys() {
    let output = Command::new(env!("CARGO_BIN_EXE_member")).env_clear().output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains("`GATEWAY_PROOF_KEYS`: set it or `GATEWAY_PROOF_KEYS_FILE`"), "{text}");
}
