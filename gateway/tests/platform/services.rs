//! What the services answer through the gateway (MB, RS, TP, CM, RC-07).

use serde_json::{Value, json};

use crate::Shared;
use crate::http::Request;
use crate::stack::Stack;
use crate::tokens::Tokens;
use crate::wait::until;

pub(crate) const SHARED: &[Shared] = &[
    ("mb_01_signing_up", mb_01),
    ("mb_02_logging_in", mb_02),
    ("mb_03_looking_members_up", mb_03),
    ("mb_04_the_planner_knows_no_members", mb_04),
    ("withdrawing_ends_every_session", withdrawal),
    ("a_new_password_ends_every_session", password),
    ("rs_01_searching_lodgings", rs_01),
    ("rs_02_looking_rooms_up", rs_02),
    ("tp_01_travels", tp_01),
    ("tp_02_travel_regions", tp_02),
    ("tp_03_travel_plans", tp_03),
    ("nt_03_an_overlap_is_told", nt_03),
    ("cm_01_cm_02_the_cms_lists_and_shows_lodgings", cm),
    ("rc_07_the_routes_of_ours_are_reachable", rc_07),
];

/// MB-01
fn mb_01(stack: &Stack) {
    let account = stack.sign_up();
    let again = json!({
        "memberEmail": account.email.to_uppercase(), "password": "another password",
        "memberName": "x", "phoneNumber": "01099999999", "accountType": "LOCAL"
    });
    stack.ask("POST /members").json(&again).send().check_code(409, "MEMBER_EXIST");
    let bad = json!({ "memberEmail": "x", "password": "short" });
    let answer = stack.ask("POST /members").json(&bad).send().check_code(400, "INVALID_REQUEST");
    let fields: Vec<Value> =
        answer.json()["errors"].as_array().unwrap().iter().map(|it| it["field"].clone()).collect();
    for name in ["memberEmail", "password", "memberName", "phoneNumber"] {
        assert!(fields.contains(&json!(name)), "{name} in {fields:?}");
    }
}

/// MB-02
fn mb_02(stack: &Stack) {
    let account = stack.sign_up();
    let answer = stack.try_login(&account).check(200);
    Tokens::saw(&answer.token().unwrap());
    assert_eq!(answer.payload()["memberId"], account.id);
    let wrong = crate::stack::login_body(&account.email, "a wrong password");
    let answer = stack.ask("POST /login").json(&wrong).send().check_code(401, "LOGIN_FAILED");
    assert_eq!(answer.token(), None);
}

/// MB-03
fn mb_03(stack: &Stack) {
    let (account, token) = stack.member();
    let (other, _) = stack.member();
    let answer = stack.get(&format!("/members/{}", account.id), &token).check(200);
    let profile = answer.payload();
    assert_eq!(profile["memberEmail"], account.email);
    for name in profile.as_object().unwrap().keys() {
        assert!(!name.to_lowercase().contains("password"), "{name}");
    }
    stack.get(&format!("/members/{}", other.id), &token).check_code(404, "MEMBER_NOT_FOUND");
    stack.get("/members/999999999", &token).check_code(404, "MEMBER_NOT_FOUND");
}

/// MB-04
fn mb_04(stack: &Stack) {
    let (account, token) = stack.member();
    let trip = json!({ "startDate": "2030-01-01", "endDate": "2030-01-02", "regionNames": ["A"] });
    let answer = stack.ask("POST /travels").bearer(&token).json(&trip).send().check(201);
    let id = answer.payload()["travelId"].clone();
    let (_, other) = stack.member();
    stack.get(&format!("/travels/{id}"), &other).check_code(404, "TRAVEL_NOT_FOUND");
    let mine = stack.get(&format!("/travels/{id}"), &token).check(200).payload();
    assert!(!mine.to_string().contains(&account.email));
}

fn withdrawal(stack: &Stack) {
    let (account, token) = stack.member();
    let other = stack.log_in(&account);
    let answer = stack.ask("DELETE /members/me").bearer(&token).send().check(204);
    assert_eq!((answer.token(), answer.header("x-auth-revoke")), (None, None));
    for token in [token, other] {
        stack.get("/members/me", &token).check_code(401, "AUTH_SESSION_EXPIRED");
    }
    stack.try_login(&account).check_code(401, "LOGIN_FAILED");
}

fn password(stack: &Stack) {
    let (account, token) = stack.member();
    let change =
        json!({ "currentPassword": account.password, "newPassword": "the hidden password, new" });
    let request = stack.ask("POST /members/me/password").bearer(&token).json(&change);
    request.send().check(204);
    stack.get("/members/me", &token).check_code(401, "AUTH_SESSION_EXPIRED");
    stack.try_login(&account).check_code(401, "LOGIN_FAILED");
}

/// NT-03: from the planner through the broker to the member, in the application and by e-mail.
fn nt_03(stack: &Stack) {
    let (_, token) = stack.member();
    let trip = json!({ "startDate": "2030-01-01", "endDate": "2030-01-02", "regionNames": ["A"] });
    let create = || stack.ask("POST /travels").bearer(&token).json(&trip).send();
    create().check(201);
    create().check_code(409, "TRAVEL_OVERLAP");
    until("the overlap is told", || {
        let told = stack.get("/notification?size=10", &token).check(200).payload();
        let told = told.as_array().unwrap().iter().map(|notice| {
            let text = |name| notice[name].as_str().unwrap().to_owned();
            [text("templateCode"), text("channel"), text("status")]
        });
        let mut told: Vec<_> = told.collect();
        told.sort_unstable();
        let expected = ["EMAIL", "IN_APP"].map(|channel| ["TRAVEL_OVERLAP", channel, "SENT"]);
        (told == expected).then_some(())
    });
}

/// RS-01
fn rs_01(stack: &Stack) {
    let (_, token) = stack.member();
    let answer = stack.get("/place?size=5", &token).check(200).json();
    let items = answer["payload"].as_array().unwrap();
    assert_eq!((items.len(), &answer["page"]["hasNext"]), (5, &json!(true)));
    for item in items {
        for name in ["placeId", "placeTypeName", "placeName", "startPrice", "availabilityRoomCount"]
        {
            assert!(item.get(name).is_some(), "{name} in {item}");
        }
    }
    let cursor = answer["page"]["nextCursor"].as_str().unwrap();
    let next = stack.get(&format!("/place?size=5&cursor={cursor}"), &token).check(200).payload();
    assert_ne!(next[0]["placeId"], items[0]["placeId"]);
    let other = format!("/place?size=5&area=0&cursor={cursor}");
    stack.get(&other, &token).check_code(400, "INVALID_CURSOR");
    stack.get("/place?guests=0&size=x", &token).check_code(400, "INVALID_REQUEST");
    stack.get("/place/999999999", &token).check_code(404, "PLACE_NOT_FOUND");
}

/// RS-02
fn rs_02(stack: &Stack) {
    let (_, token) = stack.member();
    let places = stack.get("/place?size=1", &token).check(200).payload();
    let place = &places[0]["placeId"];
    let rooms = stack.get(&format!("/place/{place}/rooms"), &token).check(200).payload();
    let room = &rooms[0];
    for name in [
        "roomId",
        "placeId",
        "roomName",
        "bedType",
        "capacity",
        "available",
        "totalAmount",
        "currency",
    ] {
        assert!(room.get(name).is_some(), "{name} in {room}");
    }
    assert_eq!(room["nights"].as_array().unwrap().len(), 1);
    let one = stack.get(&format!("/place/{place}/rooms/{}", room["roomId"]), &token);
    assert_eq!(&one.check(200).payload(), room);
    let none = stack.get(&format!("/place/{place}/rooms/999999999"), &token);
    none.check_code(404, "ROOM_NOT_FOUND");
}

fn travel(stack: &Stack, token: &str, regions: &[&str]) -> String {
    let trip =
        json!({ "startDate": "2030-05-01", "endDate": "2030-05-03", "regionNames": regions });
    let answer = stack.ask("POST /travels").bearer(token).json(&trip).send().check(201);
    answer.payload()["travelId"].to_string()
}

/// TP-01
fn tp_01(stack: &Stack) {
    let (_, token) = stack.member();
    let id = travel(stack, &token, &["서울", "부산"]);
    let trip = stack.get(&format!("/travels/{id}"), &token).check(200).payload();
    assert_eq!(trip["status"], "UPCOMING");
    let rename = stack.ask(&format!("POST /travels/{id}/name")).bearer(&token);
    rename.json(&json!({ "travelName": "Spring" })).send().check(204);
    let overlap =
        json!({ "startDate": "2030-05-03", "endDate": "2030-05-04", "regionNames": ["A"] });
    let overlap = stack.ask("POST /travels").bearer(&token).json(&overlap);
    overlap.send().check_code(409, "TRAVEL_OVERLAP");
    let list = stack.get("/travels", &token).check(200).payload();
    assert_eq!(list.as_array().unwrap().len(), 1);
    stack.ask(&format!("DELETE /travels/{id}")).bearer(&token).send().check(204);
    stack.get(&format!("/travels/{id}"), &token).check_code(404, "TRAVEL_NOT_FOUND");
}

/// TP-02
fn tp_02(stack: &Stack) {
    let (_, token) = stack.member();
    let id = travel(stack, &token, &["서울", "부산"]);
    let path = format!("/travel-regions/{id}/regions");
    let regions = stack.get(&path, &token).check(200).payload();
    assert_eq!(regions.as_array().unwrap().len(), 2);
    let replace = stack.ask(&format!("POST {path}")).bearer(&token);
    replace.json(&json!({ "regionNames": ["제주"] })).send().check(204);
    let regions = stack.get(&path, &token).check(200).payload();
    assert_eq!(regions[0]["regionName"], "제주");
    let last = stack.ask(&format!("DELETE {path}/{}", regions[0]["regionId"])).bearer(&token);
    last.send().check_code(409, "LAST_REGION");
}

/// TP-03
fn tp_03(stack: &Stack) {
    let (_, token) = stack.member();
    let id = travel(stack, &token, &["부산"]);
    let path = format!("/travel-plans/{id}/plans");
    let mut plans = Vec::new();
    for number in 1..=2 {
        let plan = json!({
            "locationName": format!("Place {number}"), "longitude": 129.0, "latitude": 35.0,
            "locationAddress": "a", "locationRoadAddress": "b", "planDate": "2030-05-01"
        });
        let answer =
            stack.ask(&format!("POST {path}")).bearer(&token).json(&plan).send().check(201);
        plans.push(answer.payload()["planId"].to_string());
    }
    let list = stack.get(&format!("{path}?date=2030-05-01"), &token).check(200).payload();
    assert_eq!((&list[0]["planOrder"], &list[1]["planOrder"]), (&json!(1), &json!(2)));
    let first = stack.ask(&format!("DELETE {path}?planIds={}", plans[0])).bearer(&token);
    first.send().check(204);
    let list = stack.get(&path, &token).check(200).payload();
    assert_eq!(list[0]["planOrder"], 1);
    stack.get(&format!("{path}/{}", plans[0]), &token).check_code(404, "PLAN_NOT_FOUND");
}

/// CM-01 CM-02
fn cm(stack: &Stack) {
    let cms = stack.service("cms");
    let ask =
        |line: &str| Request::new(cms, line).header(format!("X-Api-Key: {}", stack.api_key()));
    let list = ask("GET /v1/lodgings?size=3").send().check(200).json();
    assert_eq!(list["page"]["totalCount"], 60);
    let id = &list["payload"][0]["placeId"];
    let one = ask(&format!("GET /v1/lodgings/{id}")).send().check(200).payload();
    assert_eq!(one["rooms"].as_array().unwrap().len(), 10);
}

/// RC-07
fn rc_07(stack: &Stack) {
    let (account, token) = stack.member();
    stack.get(&format!("/members/{}", account.id), &token).check(200);
    let nothing = "/payment/0196e6a0-0000-7000-8000-000000000000";
    stack.get(nothing, &token).check_code(404, "NOT_FOUND_PAYMENT");
    stack.get("/notification", &token).check(200);
    let event = json!({ "eventType": "PAYMENT_STATUS_CHANGED", "createdAt": "2025-05-01T10:00:00.000000", "data": {} });
    stack.ask("POST /webhooks/toss").json(&event).send().check(200);
    stack.ask("POST /logout").bearer(&token).send().check(204);
}
