use std::collections::BTreeSet;

use serde_json::json;

use crate::harness::{Client, MEMBER, check_problem, on_stores};

const TARGET: &str = "/v1/notification/preferences";

/// What a member gets, as `KIND CHANNEL`.
async fn enabled(client: &Client, member: i64) -> BTreeSet<String> {
    let answer = client.send_as(Some(member), "GET", TARGET, "").await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let preferences = answer.json["payload"]["preferences"].as_array().unwrap();
    assert_eq!(preferences.len(), 15);
    let enabled = preferences.iter().filter(|preference| preference["enabled"] == true);
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    enabled.map(|each| format!("{} {}", text(&each["kind"]), text(&each["channel"]))).collect()
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

///
#[tokio::test]
async fn in_app_and_email_are_on_unless_told() {
    on_stores(async |client, _| {
        let expected = set(&[
            "RESERVATION IN_APP",
            "RESERVATION EMAIL",
            "PAYMENT IN_APP",
            "PAYMENT EMAIL",
            "TRAVEL_PLANNER IN_APP",
            "TRAVEL_PLANNER EMAIL",
        ]);
        assert_eq!(enabled(&client, MEMBER).await, expected);
    })
    .await;
}

#[tokio::test]
async fn what_is_sent_changes_and_the_rest_stays() {
    on_stores(async |client, _| {
        let choose = async |choices: &[(&str, &str, bool)]| {
            let choices = choices.iter().map(
                |(kind, channel, enabled)| json!({ "kind": kind, "channel": channel, "enabled": enabled }),
            );
            let body = json!({ "preferences": choices.collect::<Vec<_>>() }).to_string();
            let answer = client.post(TARGET, &body).await;
            assert_eq!((answer.status.as_u16(), answer.text.as_str()), (204, ""));
        };
        let others = enabled(&client, MEMBER + 1).await;
        choose(&[
            ("RESERVATION", "EMAIL", false),
            ("RESERVATION", "SMS", true),
            ("PAYMENT", "EMAIL", false),
            ("PAYMENT", "IN_APP", false),
            ("TRAVEL_PLANNER", "IN_APP", false),
            ("TRAVEL_PLANNER", "EMAIL", false),
        ])
        .await;
        assert_eq!(enabled(&client, MEMBER).await, set(&["RESERVATION IN_APP", "RESERVATION SMS"]));
        choose(&[("RESERVATION", "SMS", false), ("PAYMENT", "EMAIL", true)]).await;
        choose(&[]).await;
        assert_eq!(enabled(&client, MEMBER).await, set(&["RESERVATION IN_APP", "PAYMENT EMAIL"]));
        assert_eq!(enabled(&client, MEMBER + 1).await, others);
    })
    .await;
}

#[tokio::test]
async fn every_fault_is_told_and_nothing_changed() {
    on_stores(async |client, _| {
        let before = enabled(&client, MEMBER).await;
        let body = json!({ "preferences": [
            { "kind": "PAYMENT", "channel": "EMAIL", "enabled": false },
            { "kind": "MAIL", "channel": "PIGEON" },
            { "kind": "PAYMENT", "channel": "EMAIL", "enabled": true },
            {}
        ]});
        let answer = client.post(TARGET, &body.to_string()).await;
        check_problem(&answer, 400, "INVALID_REQUEST");
        let errors = answer.json["errors"].as_array().unwrap();
        let fields: Vec<_> = errors.iter().map(|error| error["field"].as_str().unwrap()).collect();
        assert_eq!(
            fields,
            [
                "preferences[1].kind",
                "preferences[1].channel",
                "preferences[1].enabled",
                "preferences[2]",
                "preferences[3].kind",
                "preferences[3].channel",
                "preferences[3].enabled"
            ]
        );
        check_problem(&client.post(TARGET, "{}").await, 400, "INVALID_REQUEST");
        check_problem(&client.post(TARGET, "[").await, 400, "MALFORMED_JSON");
        check_problem(&client.post(TARGET, "").await, 415, "UNSUPPORTED_MEDIA_TYPE");
        let many = json!({ "preferences": vec![json!({}); 16] });
        let answer = client.post(TARGET, &many.to_string()).await;
        check_problem(&answer, 400, "INVALID_REQUEST");
        assert_eq!(answer.json["errors"].as_array().unwrap().len(), 1);
        assert_eq!(enabled(&client, MEMBER).await, before);
    })
    .await;
}
