use std::collections::HashSet;

use axum::extract::Path;
use axum::routing::get;
use serde_json::{Value, json};
use service::database::Database;
use service::testing::{Answer, Headers, Signer, call, on_each_database};
use sqlx::{AssertSqlSafe, Row};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::*;
use crate::password::Cost;
use crate::schema::STEPS;
use crate::testing::Caller::{Admin, Nobody, User};
use crate::testing::{CHEAP, Client, PASSWORD, TODAY, cheap, check_problem, email, serve, wish};

async fn execute(database: &Database, sql: &str) {
    sqlx::query(AssertSqlSafe(sql.to_owned())).execute(database.pool()).await.unwrap();
}

/// A member's column as it is stored.
async fn stored(database: &Database, id: i64, column: &str) -> Option<String> {
    let sql = format!("SELECT {column} FROM members WHERE member_id = $1");
    let row = sqlx::query(AssertSqlSafe(sql)).bind(id).fetch_one(database.pool()).await.unwrap();
    row.try_get(0).unwrap()
}

fn count(answers: &[Answer], status: u16) -> usize {
    answers.iter().filter(|answer| answer.status == status).count()
}

/// Workers whose hashes cost more than those of other tests.
fn stronger() -> Passwords {
    Passwords::new(Cost { passes: 2, ..CHEAP }, 2).unwrap()
}

/// MB-01
#[tokio::test]
async fn mb_01_signs_up_once_per_address() {
    on_each_database(STEPS, async |database| {
        let client = Client::new(&database);
        let mut body = wish(1);
        body["nickName"] = json!("나그네");
        body["birthday"] = json!("1991-08-09");
        body["gender"] = json!("M");
        body["accountType"] = json!("LOCAL");
        body["age"] = json!(7);
        let answer = client.post("/v1/members", Nobody, &body).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
        assert_eq!(answer.header("location"), "/members/1");
        assert_eq!(answer.json["payload"], json!({ "memberId": 1 }));

        let mut again = wish(2);
        again["memberEmail"] = json!("M1@Example.Com");
        check_problem(&client.post("/v1/members", Nobody, &again).await, 409, "MEMBER_EXIST");
        let mut again = wish(2);
        again["nickName"] = json!("나그네");
        let answer = client.post("/v1/members", Nobody, &again).await;
        check_problem(&answer, 409, "MEMBER_NICKNAME_DUPLICATED");
        let mut again = wish(2);
        again["phoneNumber"] = body["phoneNumber"].clone();
        let answer = client.post("/v1/members", Nobody, &again).await;
        check_problem(&answer, 409, "MEMBER_PHONE_DUPLICATED");
        assert_eq!(client.sign_up(2).await, 2, "a refused sign-up takes no id");
    })
    .await
    .unwrap();
}

/// MB-01
#[tokio::test]
async fn mb_01_tells_every_fault_of_a_sign_up_and_repeats_no_password() {
    on_each_database(STEPS, async |database| {
        let client = Client::new(&database);
        let body = json!({
            "memberEmail": "mail", "password": "secret", "memberName": "", "nickName": "0123456789abcdef",
            "phoneNumber": "0212345678", "birthday": "2025-05-01", "gender": "X", "accountType": "KAKAO",
        });
        let answer = client.post("/v1/members", Nobody, &body).await;
        check_problem(&answer, 400, "INVALID_REQUEST");
        let errors = answer.json["errors"].as_array().unwrap();
        let fields: Vec<_> = errors.iter().map(|error| error["field"].as_str().unwrap()).collect();
        let expected = "memberEmail password memberName nickName phoneNumber birthday gender accountType";
        assert_eq!(fields.join(" "), expected);
        assert!(!answer.text.contains("secret"), "{}", answer.text);

        let answer = client.post("/v1/members", Nobody, &json!({})).await;
        assert_eq!(answer.json["errors"].as_array().unwrap().len(), 4, "{}", answer.text);
        let number = client.post("/v1/members", Nobody, &json!({ "password": 1_234_567_890_i64 })).await;
        check_problem(&number, 400, "INVALID_REQUEST");
        assert!(!number.text.contains("1234567890"), "{}", number.text);
        let text = client.send("POST", "/v1/members", Nobody, "{").await;
        check_problem(&text, 400, "MALFORMED_JSON");
        for birthday in ["1899-12-31", "20000101", "2000-02-30", "2000-01-01T00:00:00", "x"] {
            let mut body = wish(1);
            body["birthday"] = json!(birthday);
            check_problem(&client.post("/v1/members", Nobody, &body).await, 400, "INVALID_REQUEST");
        }
    })
    .await
    .unwrap();
}

/// MB-01
#[tokio::test]
async fn mb_01_of_parallel_sign_ups_one_wins() {
    on_each_database(STEPS, async |database| {
        let client = Client::new(&database);
        for (field, code) in [
            ("memberEmail", "MEMBER_EXIST"),
            ("nickName", "MEMBER_NICKNAME_DUPLICATED"),
            ("phoneNumber", "MEMBER_PHONE_DUPLICATED"),
        ] {
            let shared = match field {
                "memberEmail" => json!("same@example.com"),
                "nickName" => json!("same"),
                _ => json!("01099999999"),
            };
            let mut tasks = JoinSet::new();
            for number in 0..12 {
                let mut body = wish(number);
                body[field] = shared.clone();
                body["memberName"] = json!(field);
                let headers = client.signer.gateway("POST", "/v1/members", None);
                let router = client.router.clone();
                tasks.spawn(async move {
                    let body = body.to_string();
                    call(&router, "POST", "/v1/members", &headers, &body).await.unwrap()
                });
            }
            let answers = tasks.join_all().await;
            assert_eq!(count(&answers, 201), 1, "{field}");
            for lost in answers.iter().filter(|answer| answer.status != 201) {
                check_problem(lost, 409, code);
            }
            // Their addresses and numbers are used again.
            execute(&database, "DELETE FROM members").await;
        }
    })
    .await
    .unwrap();
}

/// MB-02
#[tokio::test]
async fn mb_02_only_the_right_password_logs_in() {
    on_each_database(STEPS, async |database| {
        let client = Client::new(&database);
        let id = client.sign_up(1).await;
        let answer = client.log_in(1, PASSWORD).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        assert_eq!(answer.header("x-auth-member-id"), id.to_string());
        assert_eq!(answer.header("x-auth-member-role"), "USER");
        let expected = json!({ "memberId": id, "memberEmail": email(1), "memberName": "Member 1",
            "nickName": null, "memberRole": "USER" });
        assert_eq!(answer.json["payload"], expected);
        let in_capitals = json!({ "memberEmail": "M1@EXAMPLE.COM", "password": PASSWORD });
        assert_eq!(client.post("/v1/login", Nobody, &in_capitals).await.status, 200);

        execute(
            &database,
            "INSERT INTO members (member_id, member_email, member_name, member_role, account_type, \
             status, joined_at, modified_at, version) VALUES (900, 'm9@example.com', 'K', 'USER', \
             'KAKAO', 'ACTIVE', '2025-01-01T00:00:00.000Z', '2025-01-01T00:00:00.000Z', 1)",
        )
        .await;
        let mut told = HashSet::new();
        for answer in [
            client.log_in(1, "wrong horse").await,
            client.log_in(2, PASSWORD).await,
            client.log_in(9, PASSWORD).await,
        ] {
            check_problem(&answer, 401, "LOGIN_FAILED");
            assert_eq!(answer.header("x-auth-member-id"), "");
            told.insert((answer.json["detail"].to_string(), answer.headers.len()));
        }
        assert_eq!(told.len(), 1, "the answers tell which addresses are known: {told:?}");
    })
    .await
    .unwrap();
}

/// MB-02
#[tokio::test]
async fn mb_02_a_login_without_address_or_password_is_invalid() {
    on_each_database(STEPS, async |database| {
        let client = Client::new(&database);
        let long = "x".repeat(129);
        for body in [
            json!({}),
            json!({ "memberEmail": "a@example.com" }),
            json!({ "password": PASSWORD }),
            json!({ "memberEmail": "a@example.com", "password": "" }),
            json!({ "memberEmail": "a@example.com", "password": long }),
            json!({ "memberEmail": "mail", "password": PASSWORD }),
            json!({ "memberEmail": 1, "password": PASSWORD }),
            json!({ "memberEmail": "a@example.com", "password": PASSWORD, "consent": "yes" }),
        ] {
            let answer = client.post("/v1/login", Nobody, &body).await;
            check_problem(&answer, 400, "INVALID_REQUEST");
        }
    })
    .await
    .unwrap();
}

/// MB-02: neither the work nor the time tells whether an address is known.
#[tokio::test]
async fn mb_02_an_unknown_address_takes_as_long_as_a_wrong_password() {
    const ROUNDS: usize = 8;
    const PAIRS: usize = 15;
    on_each_database(STEPS, async |database| {
        // Enough for hashing to be most of the time, as it is in use.
        let cost = Cost { memory_kib: 512, passes: 2 };
        let client = Client::with(&database, TODAY, Passwords::new(cost, 2).unwrap(), None);
        client.sign_up(1).await;
        let time = async |number| {
            let began = Instant::now();
            check_problem(&client.log_in(number, "wrong horse").await, 401, "LOGIN_FAILED");
            began.elapsed()
        };
        let mut ratios = Vec::new();
        // Other processes may disturb a round, but not all of them in the same way.
        for _ in 0..ROUNDS {
            let (mut known, mut unknown) = (Vec::new(), Vec::new());
            for _ in 0..PAIRS {
                known.push(time(1).await);
                unknown.push(time(2).await);
            }
            known.sort_unstable();
            unknown.sort_unstable();
            let ratio = known[PAIRS / 2].as_secs_f64() / unknown[PAIRS / 2].as_secs_f64();
            ratios.push(ratio);
            if (0.8..=1.25).contains(&ratio) {
                return;
            }
        }
        panic!("the times differ: {ratios:?}");
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn a_password_that_waits_too_long_is_given_up() {
    on_each_database(STEPS, async |database| {
        // A pool without workers is one whose workers are all taken.
        let none = Passwords::new(CHEAP, 0).unwrap();
        let client = Client::with(&database, TODAY, none, None);
        tokio::time::pause();
        let answer = client.post("/v1/members", Nobody, &wish(1)).await;
        tokio::time::resume();
        check_problem(&answer, 503, "TIMEOUT");
        assert_eq!(answer.header("retry-after"), "1");
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn a_hash_of_another_cost_is_replaced_at_login() {
    on_each_database(STEPS, async |database| {
        let id = Client::new(&database).sign_up(1).await;
        let old = stored(&database, id, "password_hash").await;
        let stronger = Client::with(&database, TODAY, stronger(), None);
        check_problem(&stronger.log_in(1, "wrong horse").await, 401, "LOGIN_FAILED");
        assert_eq!(stored(&database, id, "password_hash").await, old);
        assert_eq!(stronger.log_in(1, PASSWORD).await.status, 200);
        let new = stored(&database, id, "password_hash").await.unwrap();
        assert!(new.contains("t=2"), "{new}");
        assert_eq!(stronger.log_in(1, PASSWORD).await.status, 200);
        assert_eq!(stored(&database, id, "password_hash").await.unwrap(), new);
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn parallel_logins_all_go_well() {
    on_each_database(STEPS, async |database| {
        Client::new(&database).sign_up(1).await;
        // The first of them replaces the hash under the others' feet.
        let client = Client::with(&database, TODAY, stronger(), None);
        let body = json!({ "memberEmail": email(1), "password": PASSWORD }).to_string();
        let mut tasks = JoinSet::new();
        for _ in 0..6 {
            let headers = client.signer.gateway("POST", "/v1/login", None);
            let (router, body) = (client.router.clone(), body.clone());
            tasks.spawn(async move {
                call(&router, "POST", "/v1/login", &headers, &body).await.unwrap()
            });
        }
        assert_eq!(count(&tasks.join_all().await, 200), 6);
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn a_dormant_member_wakes_up_with_consent_only() {
    on_each_database(STEPS, async |database| {
        let client = Client::new(&database);
        let id = client.sign_up(1).await;
        execute(&database, "UPDATE members SET status = 'DORMANT', dormant_at = joined_at").await;
        execute(
            &database,
            "INSERT INTO pending_revocations SELECT member_id, joined_at FROM members",
        )
        .await;
        check_problem(&client.log_in(1, "wrong horse").await, 401, "LOGIN_FAILED");
        let answer = client.log_in(1, PASSWORD).await;
        check_problem(&answer, 403, "MEMBER_DORMANT");
        assert_eq!(answer.header("x-auth-member-id"), "");
        assert_eq!(client.status(id).await, "DORMANT");
        let rename = json!({ "nickName": "new" });
        let target = format!("/v1/members/{id}/nickname");
        check_problem(&client.post(&target, User(id), &rename).await, 403, "MEMBER_DORMANT");

        let consent =
            |password| json!({ "memberEmail": email(1), "password": password, "consent": true });
        let answer = client.post("/v1/login", Nobody, &consent("wrong horse")).await;
        check_problem(&answer, 401, "LOGIN_FAILED");
        assert_eq!(client.status(id).await, "DORMANT");
        assert_eq!(client.post("/v1/login", Nobody, &consent(PASSWORD)).await.status, 200);
        assert_eq!(client.status(id).await, "ACTIVE");
        let profile = client.get("/v1/members/me", User(id)).await;
        assert_eq!(profile.json["payload"]["dormancyDate"], Value::Null);
        // The session it has now is not the one that was to be ended.
        let left = sqlx::query("SELECT member_id FROM pending_revocations");
        assert!(left.fetch_all(database.pool()).await.unwrap().is_empty());
    })
    .await
    .unwrap();
}

/// MB-03
#[tokio::test]
async fn mb_03_shows_a_member_without_its_secrets() {
    on_each_database(STEPS, async |database| {
        let client = Client::new(&database);
        let mut body = wish(1);
        body["birthday"] = json!("1991-08-09");
        body["gender"] = json!("F");
        client.post("/v1/members", Nobody, &body).await;
        client.log_in(1, PASSWORD).await;
        let expected = json!({
            "memberId": 1, "memberEmail": email(1), "memberName": "Member 1", "nickName": null,
            "phoneNumber": "01000000001", "birthday": "1991-08-09", "age": 33, "gender": "F",
            "memberRole": "USER", "accountType": "LOCAL", "status": "ACTIVE",
            "joinDate": "2025-05-01T10:00:00.000+09:00",
            "lastLoginDate": "2025-05-01T10:00:00.000+09:00", "dormancyDate": null,
        });
        for (target, caller) in
            [("/v1/members/me", User(1)), ("/v1/members/1", User(1)), ("/v1/members/1", Admin(7))]
        {
            let answer = client.get(target, caller).await;
            assert_eq!(answer.json["payload"], expected, "{target}: {}", answer.text);
        }
    })
    .await
    .unwrap();
}

/// MB-03
#[tokio::test]
async fn mb_03_a_member_that_is_not_there_or_not_ones_own_is_not_found() {
    on_each_database(STEPS, async |database| {
        let client = Client::new(&database);
        let (first, second) = (client.sign_up(1).await, client.sign_up(2).await);
        let other = format!("/v1/members/{second}");
        for (target, caller) in [
            (other.as_str(), User(first)),
            ("/v1/members/99", User(99)),
            ("/v1/members/me", User(99)),
            ("/v1/members/99", Admin(first)),
        ] {
            check_problem(&client.get(target, caller).await, 404, "MEMBER_NOT_FOUND");
        }
        check_problem(&client.auth_view(99).await, 404, "MEMBER_NOT_FOUND");
        for target in ["/v1/members/0", "/v1/members/x", "/v1/members/-1"] {
            check_problem(&client.get(target, User(first)).await, 400, "INVALID_REQUEST");
        }
    })
    .await
    .unwrap();
}

/// MB-04: other services get the id and what decides about tokens, nothing personal.
#[tokio::test]
async fn mb_04_other_services_learn_nothing_personal() {
    on_each_database(STEPS, async |database| {
        let client = Client::new(&database);
        let id = client.sign_up(1).await;
        let view = client.auth_view(id).await.json["payload"].clone();
        assert_eq!(view, json!({ "memberId": id, "role": "USER", "status": "ACTIVE" }));
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn a_nickname_belongs_to_one_member() {
    on_each_database(STEPS, async |database| {
        let client = Client::new(&database);
        let (first, second) = (client.sign_up(1).await, client.sign_up(2).await);
        let rename = async |id: i64, caller, name: &str| {
            let target = format!("/v1/members/{id}/nickname");
            client.post(&target, caller, &json!({ "nickName": name })).await
        };
        assert_eq!(rename(first, User(first), "나그네").await.status, 204);
        assert_eq!(rename(first, User(first), "나그네").await.status, 204, "its own");
        let answer = rename(second, User(second), "나그네").await;
        check_problem(&answer, 409, "MEMBER_NICKNAME_DUPLICATED");
        assert_eq!(rename(first, User(first), "other").await.status, 204);
        assert_eq!(rename(second, User(second), "나그네").await.status, 204, "given back");
        for caller in [User(second), Admin(second)] {
            check_problem(&rename(first, caller, "mine").await, 404, "MEMBER_NOT_FOUND");
        }
        for name in ["", "0123456789abcdef", "a\nb"] {
            check_problem(&rename(first, User(first), name).await, 400, "INVALID_REQUEST");
        }
        assert_eq!(stored(&database, first, "nick_name").await.unwrap(), "other");
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn of_parallel_renames_one_wins() {
    on_each_database(STEPS, async |database| {
        let client = Client::new(&database);
        let mut ids = Vec::new();
        for number in 0..8 {
            ids.push(client.sign_up(number).await);
        }
        let mut tasks = JoinSet::new();
        for id in ids {
            let target = format!("/v1/members/{id}/nickname");
            let headers = client.signer.gateway("POST", &target, User(id).named());
            let router = client.router.clone();
            tasks.spawn(async move {
                call(&router, "POST", &target, &headers, r#"{"nickName":"one"}"#).await.unwrap()
            });
        }
        let answers = tasks.join_all().await;
        assert_eq!((count(&answers, 204), count(&answers, 409)), (1, 7));
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn another_password_ends_all_sessions() {
    const NEW: &str = "battery staple";
    on_each_database(STEPS, async |database| {
        let client = Client::new(&database);
        let id = client.sign_up(1).await;
        let change = async |current: &str, new: &str| {
            let body = json!({ "currentPassword": current, "newPassword": new });
            client.post("/v1/members/me/password", User(id), &body).await
        };
        let answer = change("wrong horse", NEW).await;
        check_problem(&answer, 400, "INVALID_REQUEST");
        assert_eq!(answer.json["errors"][0]["field"], "currentPassword");
        assert_eq!(answer.header("x-auth-revoke"), "");
        check_problem(&change(PASSWORD, "too short").await, 400, "INVALID_REQUEST");
        assert_eq!(client.log_in(1, PASSWORD).await.status, 200);

        let answer = change(PASSWORD, NEW).await;
        assert_eq!((answer.status.as_u16(), answer.header("x-auth-revoke")), (204, "member"));
        check_problem(&client.log_in(1, PASSWORD).await, 401, "LOGIN_FAILED");
        assert_eq!(client.log_in(1, NEW).await.status, 200);
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn of_parallel_password_changes_one_wins() {
    on_each_database(STEPS, async |database| {
        let client = Client::new(&database);
        let id = client.sign_up(1).await;
        let mut tasks = JoinSet::new();
        for number in 0..6 {
            let target = "/v1/members/me/password";
            let headers = client.signer.gateway("POST", target, User(id).named());
            let new = format!("new password {number}");
            let body = json!({ "currentPassword": PASSWORD, "newPassword": new }).to_string();
            let router = client.router.clone();
            tasks.spawn(async move {
                (new, call(&router, "POST", target, &headers, &body).await.unwrap())
            });
        }
        let answers = tasks.join_all().await;
        let (won, lost): (Vec<_>, Vec<_>) =
            answers.into_iter().partition(|(_, answer)| answer.status == 204);
        assert_eq!(won.len(), 1);
        // Who read the old hash lost the race; who read the new one had the wrong password.
        assert!(lost.iter().all(|(_, answer)| [409, 400].contains(&answer.status.as_u16())));
        assert_eq!(client.log_in(1, &won[0].0).await.status, 200);
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn a_withdrawn_member_leaves_its_id_only() {
    on_each_database(STEPS, async |database| {
        let client = Client::new(&database);
        let mut body = wish(1);
        body["nickName"] = json!("나그네");
        body["birthday"] = json!("1991-08-09");
        body["gender"] = json!("M");
        client.post("/v1/members", Nobody, &body).await;
        let answer = client.send("DELETE", "/v1/members/me", User(1), "").await;
        assert_eq!((answer.status.as_u16(), answer.header("x-auth-revoke")), (204, "member"));
        for column in [
            "member_email",
            "member_name",
            "nick_name",
            "phone_number",
            "birthday",
            "gender",
            "password_hash",
        ] {
            assert_eq!(stored(&database, 1, column).await, None, "{column}");
        }
        assert_eq!(client.status(1).await, "WITHDRAWN");
        check_problem(&client.log_in(1, PASSWORD).await, 401, "LOGIN_FAILED");
        let again = client.send("DELETE", "/v1/members/me", User(1), "").await;
        check_problem(&again, 404, "MEMBER_NOT_FOUND");
        assert_eq!(again.header("x-auth-revoke"), "");
        check_problem(&client.get("/v1/members/me", User(1)).await, 404, "MEMBER_NOT_FOUND");
        let answer = client.get("/v1/members/1", Admin(7)).await;
        check_problem(&answer, 404, "MEMBER_NOT_FOUND");
        assert_eq!(client.sign_up(1).await, 2, "everything may be used again");
    })
    .await
    .unwrap();
}

/// Says how many reservations are open: as many as the member's id, less one.
async fn open_reservations(Path(member_id): Path<i64>) -> Result<String, StatusCode> {
    match member_id {
        3 => Err(StatusCode::INTERNAL_SERVER_ERROR),
        4 => Ok("not what was agreed".to_owned()),
        id => Ok(json!({ "timestamp": "", "payload": { "count": id - 1 } }).to_string()),
    }
}

/// Q-54
#[tokio::test]
async fn q_54_a_member_with_open_reservations_stays() {
    on_each_database(STEPS, async |database| {
        let target = "/internal/v1/members/{memberId}/open-reservations";
        let routes = Router::new().route(target, get(open_reservations));
        let keys = Signer::new().unwrap().keys().clone();
        let (base, tasks) = serve(from_services(routes, &keys, &Clock::system())).await;
        let reservations = Reservations::new(&base, keys, Clock::system()).unwrap();
        let client = Client::with(&database, TODAY, cheap(), Some(reservations));
        for number in 1..=5 {
            client.sign_up(number).await;
        }
        let withdraw = async |id| client.send("DELETE", "/v1/members/me", User(id), "").await;
        let refused = withdraw(2).await;
        check_problem(&refused, 409, "MEMBER_HAS_OPEN_RESERVATIONS");
        assert_eq!(refused.header("x-auth-revoke"), "");
        check_problem(&withdraw(3).await, 503, "RESERVATION_UNAVAILABLE");
        check_problem(&withdraw(4).await, 502, "UPSTREAM_PROTOCOL");
        for id in 2..=4 {
            assert_eq!(client.status(id).await, "ACTIVE");
        }
        assert_eq!(withdraw(1).await.status, 204);
        drop(tasks);
        check_problem(&withdraw(5).await, 503, "RESERVATION_UNAVAILABLE");
        assert_eq!(client.status(5).await, "ACTIVE");
    })
    .await
    .unwrap();
}

/// A-18
#[tokio::test]
async fn a_18_nothing_is_served_without_the_right_proof() {
    on_each_database(STEPS, async |database| {
        let client = Client::new(&database);
        let id = client.sign_up(1).await;
        let body = wish(2).to_string();
        let view = format!("/internal/v1/members/{id}/auth-view");
        let contact = format!("/internal/v1/members/{id}/contact");
        let endpoints = [
            ("POST", "/v1/members"),
            ("POST", "/v1/login"),
            ("GET", "/v1/members/me"),
            ("GET", "/v1/members/1"),
            ("POST", "/v1/members/1/nickname"),
            ("POST", "/v1/members/me/password"),
            ("DELETE", "/v1/members/me"),
            ("GET", view.as_str()),
            ("GET", contact.as_str()),
        ];
        for (method, target) in endpoints {
            let is_internal = target.starts_with("/internal/");
            let sent = if method == "POST" { body.as_str() } else { "" };
            let spoofed: Headers =
                vec![("x-member-id", id.to_string()), ("x-member-role", "ADMIN".to_owned())];
            let wrong_kind = if is_internal {
                client.signer.gateway(method, target, User(id).named())
            } else {
                client.signer.service("payment", method, target, sent.as_bytes())
            };
            let elsewhere = client.signer.gateway(method, "/v1/elsewhere", User(id).named());
            for headers in [Headers::new(), spoofed, wrong_kind, elsewhere] {
                let answer = call(&client.router, method, target, &headers, sent).await.unwrap();
                check_problem(&answer, 401, "UNTRUSTED_CALLER");
            }
            let needs_member = !is_internal && !["/v1/members", "/v1/login"].contains(&target);
            if needs_member {
                let answer = client.send(method, target, Nobody, sent).await;
                check_problem(&answer, 401, "UNTRUSTED_CALLER");
            }
        }
        assert_eq!(client.status(id).await, "ACTIVE");
        assert_eq!(client.sign_up(2).await, id + 1, "nobody signed up");
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn paths_and_methods_of_nobody_are_told_as_such() {
    on_each_database(STEPS, async |database| {
        let client = Client::new(&database);
        check_problem(&client.get("/v1/nothing", Nobody).await, 404, "NOT_FOUND");
        let answer = client.get("/v1/login", Nobody).await;
        check_problem(&answer, 405, "METHOD_NOT_ALLOWED");
        assert_eq!(answer.header("allow"), "POST");
        let large = json!({ "memberEmail": "x".repeat(70_000) });
        let answer = client.post("/v1/members", Nobody, &large).await;
        check_problem(&answer, 413, "REQUEST_TOO_LARGE");
    })
    .await
    .unwrap();
}

#[test]
fn every_answer_of_an_error_is_a_problem() {
    let api: Value = serde_json::from_str(&Api::openapi().to_json().unwrap()).unwrap();
    let operations = api["paths"].as_object().unwrap().values();
    let operations: Vec<_> =
        operations.flat_map(|path| path.as_object().unwrap().values()).collect();
    assert_eq!(operations.len(), 9);
    for operation in operations {
        let id = &operation["operationId"];
        assert!(operation["security"].is_array(), "{id}");
        for (status, answer) in operation["responses"].as_object().unwrap() {
            let is_error = status.parse::<u16>().unwrap() >= 400;
            let is_problem = answer["content"]["application/problem+json"].is_object();
            assert_eq!(is_error, is_problem, "{id} {status}");
        }
    }
}

/// NT-04: whoever sends notices learns an address, and only that of an active member.
#[tokio::test]
async fn nt_04_a_service_learns_where_a_member_is_reached() {
    on_each_database(STEPS, async |database| {
        let client = Client::new(&database);
        let id = client.sign_up(1).await;
        let ask = async |id: i64| {
            let target = format!("/internal/v1/members/{id}/contact");
            let headers = client.signer.service("notification", "GET", &target, b"");
            call(&client.router, "GET", &target, &headers, "").await.unwrap()
        };
        let answer = ask(id).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        assert_eq!(answer.json["payload"], json!({ "memberId": id, "email": email(1) }));
        check_problem(&ask(id + 1).await, 404, "MEMBER_NOT_FOUND");
        let left = client.send("DELETE", "/v1/members/me", User(id), "").await;
        assert_eq!(left.status, 204, "{}", left.text);
        assert_eq!(ask(id).await.json["payload"]["email"], json!(null));
    })
    .await
    .unwrap();
}
