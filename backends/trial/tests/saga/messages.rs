//! Messages that come again, and messages that nobody can read.

use messaging::broker::Record;
use messaging::topic::Topic;
use reqwest::Method;
use serde_json::Value;
use trial::platform::{Platform, Service};
use uuid::Uuid;

use crate::stage::{Stage, eventually, on_each};

/// What a service counts of a topic, over all labels.
async fn counted(platform: &Platform, service: Service, metric: &str, topic: Topic) -> u64 {
    let text = platform.metrics(service).await.unwrap();
    let (start, label) = (format!("{metric}{{"), format!("topic=\"{}\"", topic.name()));
    let of_topic = text.lines().filter(|line| line.starts_with(&start) && line.contains(&label));
    of_topic.map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap()).sum()
}

/// How many messages of a topic had their effect before, as a service counts them.
async fn duplicates(platform: &Platform, service: Service, topic: Topic) -> u64 {
    counted(platform, service, "messages_duplicate_total", topic).await
}

/// Waits until the reservation service has counted so many contradictions, or more.
async fn contradictions(platform: &Platform, least: u64) {
    eventually("contradictions are counted", async || {
        let text = platform.metrics(Service::Reservation).await.unwrap();
        let counted = text.lines().find_map(|line| line.strip_prefix("saga_contradiction_total "));
        (counted.unwrap().parse::<u64>().unwrap() >= least).then_some(())
    })
    .await;
}

/// A-10 X-13: everything that was ever asked of payment is asked once more, and everything it ever
/// answered is told once more.
#[test]
fn a_10_what_is_replayed_changes_nothing() {
    on_each(async |stage| {
        let kept = stage.approved(0).await;
        let undone = stage.approved(1).await;
        stage.check_confirmed(&kept).await;
        stage.check_confirmed(&undone).await;
        stage.booker.cancel(&undone.reservation_id).await.unwrap();
        stage.check_undone(&undone, "CANCELLED", "DONE").await;
        let broker = stage.platform.broker().await.unwrap();
        for (topic, reader, expected) in [
            (Topic::PaymentConfirmRequest, Service::Payment, 2),
            (Topic::PaymentCancelRequest, Service::Payment, 1),
            (Topic::PaymentConfirmResponse, Service::Reservation, 2),
            (Topic::PaymentCancelResponse, Service::Reservation, 1),
        ] {
            let before = duplicates(&stage.platform, reader, topic).await;
            let records = stage.platform.records(topic.name(), topic.partitions()).await.unwrap();
            assert_eq!(records.len(), expected, "{}", topic.name());
            broker.publish(records).await.unwrap();
            let expected = before + u64::try_from(expected).unwrap();
            eventually("all of them are counted as duplicates", async || {
                (duplicates(&stage.platform, reader, topic).await == expected).then_some(())
            })
            .await;
            eventually("nothing is behind", async || {
                let lag = counted(&stage.platform, reader, "consumer_lag", topic).await;
                (lag == 0).then_some(())
            })
            .await;
        }
        stage.check_confirmed(&kept).await;
        stage.check_undone(&undone, "CANCELLED", "DONE").await;
        assert_eq!(stage.charges(&undone.reservation_id).await, 1);
        assert_eq!(stage.platform.dead_letters().await.unwrap(), 0);
    });
}

/// A-11 X-14: a record that nobody can read stands between two commands.
#[test]
fn a_11_poison_stops_nobody() {
    on_each(async |stage| {
        let (first, second) = (stage.pending(0).await, stage.pending(1).await);
        stage.approve(&first).await;
        let topic = Topic::PaymentConfirmRequest;
        let poison = |body: &str| Record {
            topic: topic.name().to_owned(),
            // It stands before the second command.
            key: Some(second.reservation_id.clone().into_bytes()),
            headers: Vec::new(),
            body: body.as_bytes().to_vec(),
        };
        let broker = stage.platform.broker().await.unwrap();
        broker.publish(vec![poison("{ half a message")]).await.unwrap();
        stage.approve(&second).await;
        stage.check_confirmed(&first).await;
        stage.check_confirmed(&second).await;
        let target = format!("/internal/v1/dead-letters?topic={}", topic.name());
        let ask = async |method, target: &str| {
            stage.platform.ask(Service::Reservation, method, target, None).await.unwrap()
        };
        let letters = ask(Method::GET, &target).await;
        let list = letters.payload().as_array().unwrap_or_else(|| panic!("{letters}"));
        assert_eq!(list.len(), 1, "{letters}");
        assert_eq!(list[0]["reason"], "NOT_JSON");
        assert_eq!(list[0]["body"], "{ half a message");
        assert_eq!(list[0]["key"], second.reservation_id);
        assert_eq!(stage.platform.dead_letters().await.unwrap(), 1);
        // Nothing has changed for it: it comes back.
        let redrive =
            format!("/internal/v1/dead-letters/{}/{}/redrive", topic.name(), list[0]["offset"]);
        assert_eq!(ask(Method::POST, &redrive).await.status, 202);
        eventually("it is a dead letter again", async || {
            (ask(Method::GET, &target).await.payload().as_array()?.len() == 2).then_some(())
        })
        .await;
        let unknown = redrive.replace(&format!("/{}/", list[0]["offset"]), "/4711/");
        let reply = ask(Method::POST, &unknown).await;
        assert_eq!((reply.status.as_u16(), reply.code()), (404, "DEAD_LETTER_NOT_FOUND"));
    });
}

/// payment says first this and then that. What came first stays, and somebody is told.
#[test]
fn x_18_the_first_of_two_results_wins() {
    on_each(async |stage| {
        let paid = stage.approved(0).await;
        stage.check_confirmed(&paid).await;
        stage.pg_fault(Stage::once("confirm", "pg_code", "REJECT_CARD_PAYMENT")).await;
        let refused = stage.approved(1).await;
        stage.check_undone(&refused, "FAILED", "NONE").await;

        let topic = Topic::PaymentConfirmResponse;
        let results = stage.platform.records(topic.name(), topic.partitions()).await.unwrap();
        let of = |id: &str| {
            let mut own =
                results.iter().filter(|record| record.key.as_deref() == Some(id.as_bytes()));
            let record = own.next().unwrap();
            let body: Value = serde_json::from_slice(&record.body).unwrap();
            (record.clone(), body)
        };
        // Each is told the outcome of the other one, under its own names.
        let swapped = |id: &str, other: &str| {
            let ((mut record, mut body), (_, told)) = (of(id), of(other));
            body["id"] = Uuid::now_v7().to_string().into();
            for member in ["status", "value", "code", "result", "method", "approvedAt", "failure"] {
                match told["payload"].get(member) {
                    Some(value) => body["payload"][member] = value.clone(),
                    None => drop(body["payload"].as_object_mut().unwrap().remove(member)),
                }
            }
            record.body = body.to_string().into_bytes();
            record
        };
        let (paid_id, refused_id) = (&paid.reservation_id, &refused.reservation_id);
        let broker = stage.platform.broker().await.unwrap();
        broker.publish(vec![swapped(paid_id, refused_id)]).await.unwrap();
        contradictions(&stage.platform, 1).await;
        stage.check_confirmed(&paid).await;
        let seen = stage.operations(paid_id).await;
        assert_eq!(seen["attention"][0]["kind"], "CONTRADICTION", "{seen}");

        // Money of which nobody knew is asked back, and payment says that none was taken.
        broker.publish(vec![swapped(refused_id, paid_id)]).await.unwrap();
        contradictions(&stage.platform, 2).await;
        stage.wait_for(refused_id, "FAILED", "REQUESTED").await;
        let seen = stage.operations(refused_id).await;
        assert_eq!(seen["attention"][0]["kind"], "CONTRADICTION", "{seen}");
        assert_eq!(stage.money(refused_id).await, (0, 0));
        assert_eq!(stage.platform.dead_letters().await.unwrap(), 0);
    });
}
