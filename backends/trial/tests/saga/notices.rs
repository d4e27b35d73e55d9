//! What members are told of it.

use std::collections::BTreeMap;

use reqwest::Method;
use serde_json::{Value, json};
use trial::platform::Service;

use crate::stage::{Stage, eventually, on_each};

const MEMBER: i64 = 42;

/// The booker's deliveries: template and channel, and how each ended.
async fn told(stage: &Stage) -> Vec<(String, String)> {
    let target = (Method::GET, "/v1/notification?size=100");
    let reply = stage.platform.ask_for_member(Service::Notification, MEMBER, target, None);
    let Ok(reply) = reply.await else { return Vec::new() };
    let text = |item: &Value, name: &str| item[name].as_str().unwrap().to_owned();
    let items = reply.payload().as_array().cloned().unwrap_or_default();
    let mut told: Vec<_> = items
        .iter()
        .map(|item| {
            let which = format!("{} {}", text(item, "templateCode"), text(item, "channel"));
            (which, text(item, "status"))
        })
        .collect();
    told.sort();
    told
}

async fn wait_for(stage: &Stage, expected: &[(&str, &str)]) {
    let expected: Vec<_> =
        expected.iter().map(|(which, end)| ((*which).to_owned(), (*end).to_owned())).collect();
    let mut last = Vec::new();
    let found = eventually("everything is told", async || {
        last = told(stage).await;
        (last == expected).then_some(())
    });
    found.await;
}

/// Text messages about reservations, too: their address is in the event.
async fn with_text_messages(stage: &Stage) {
    let choice = json!({ "kind": "RESERVATION", "channel": "SMS", "enabled": true });
    let body = json!({ "preferences": [choice] });
    let target = (Method::POST, "/v1/notification/preferences");
    let reply = stage.platform.ask_for_member(Service::Notification, MEMBER, target, Some(body));
    assert_eq!(reply.await.unwrap().status, 204);
}

/// Nobody tells an e-mail address here, so what goes by mail is skipped.
const CONFIRMED: &[(&str, &str)] = &[
    ("PAYMENT_APPROVED EMAIL", "SKIPPED"),
    ("PAYMENT_APPROVED IN_APP", "SENT"),
    ("RESERVATION_CONFIRMED EMAIL", "SKIPPED"),
    ("RESERVATION_CONFIRMED IN_APP", "SENT"),
    ("RESERVATION_CONFIRMED SMS", "SENT"),
];

/// Each notification left at most once.
fn check_sink(stage: &Stage, expected: usize) {
    let mut times: BTreeMap<String, usize> = BTreeMap::new();
    for line in stage.platform.delivered().unwrap() {
        *times.entry(line["notificationId"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    assert!(times.values().all(|times| *times == 1), "{times:?}");
    assert_eq!(times.len(), expected);
}

/// A-01 A-02 NT-01 NT-02 NT-04
#[test]
fn nt_01_nt_02_members_are_told_of_money_and_room() {
    on_each(async |stage| {
        with_text_messages(stage).await;
        let pending = stage.approved(0).await;
        stage.check_confirmed(&pending).await;
        wait_for(stage, CONFIRMED).await;
        stage.booker.cancel(&pending.reservation_id).await.unwrap();
        stage.check_undone(&pending, "CANCELLED", "DONE").await;
        let mut all = CONFIRMED.to_vec();
        all.extend([
            ("PAYMENT_CANCELLED EMAIL", "SKIPPED"),
            ("PAYMENT_CANCELLED IN_APP", "SENT"),
            ("RESERVATION_CANCELLED EMAIL", "SKIPPED"),
            ("RESERVATION_CANCELLED IN_APP", "SENT"),
            ("RESERVATION_CANCELLED SMS", "SENT"),
        ]);
        all.sort_unstable();
        wait_for(stage, &all).await;
        check_sink(stage, 2);
        let lines = stage.platform.delivered().unwrap();
        assert_eq!(lines[0]["destination"], "01000000000", "{lines:?}");
        assert!(lines[0]["body"].as_str().unwrap().contains("확정"), "{lines:?}");
    });
}

/// A-23 NT-05 X-29
#[test]
fn a_23_what_happened_meanwhile_is_told_once() {
    on_each(async |stage| {
        with_text_messages(stage).await;
        stage.platform.kill(Service::Notification).unwrap();
        let pending = stage.approved(0).await;
        stage.check_confirmed(&pending).await;
        stage.platform.start_service(Service::Notification, &[]).unwrap();
        wait_for(stage, CONFIRMED).await;
        check_sink(stage, 1);
    });
}

/// it dies between record and offset, and between the sink and its own note of it.
#[test]
fn a_23_a_process_that_dies_tells_once() {
    on_each(async |stage| {
        with_text_messages(stage).await;
        let mut expected = Vec::new();
        for (number, point) in ["notification.record.before_offset", "notification.send.after_sink"]
            .into_iter()
            .enumerate()
        {
            stage.platform.kill(Service::Notification).unwrap();
            stage.platform.start_service(Service::Notification, &[("CRASH_AT", point)]).unwrap();
            let pending = stage.approved(number).await;
            stage.check_confirmed(&pending).await;
            stage.platform.ended(Service::Notification).unwrap();
            stage.platform.start_service(Service::Notification, &[]).unwrap();
            expected.extend(CONFIRMED);
            expected.sort_unstable();
            wait_for(stage, &expected).await;
            check_sink(stage, number + 1);
        }
    });
}
