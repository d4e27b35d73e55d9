//! Messages that come again, and messages that nobody can read.

use messaging::broker::Record;
use messaging::topic::Topic;
use reqwest::Method;
use trial::platform::{Platform, Service};

use crate::stage::{eventually, on_each};

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
