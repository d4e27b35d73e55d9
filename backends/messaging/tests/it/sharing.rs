//! Members of a group (7.7).

use std::collections::HashSet;

use tokio::sync::oneshot;

use crate::harness::{Listener, Stage, eventually, on_each_broker, record};

fn keys() -> Vec<String> {
    (0..40).map(|number| format!("k{number}")).collect()
}

/// 7.7.2: members share the partitions; whoever comes gets a share, whoever goes leaves it to the
/// others, and no record is lost.
#[tokio::test(flavor = "multi_thread")]
async fn members_share_and_take_over() {
    on_each_broker(async |stage: Stage| {
        let (one, two) = (stage.process("1").await, stage.process("2").await);
        let (first, second) = (Listener::content(), Listener::content());
        one.consume(&first);
        let batch = |title: &str| keys().iter().map(|key| record(key, title)).collect::<Vec<_>>();
        one.publish(batch("alone")).await;
        eventually("one member does all", async || first.count() == 40).await;
        let (stop, told) = oneshot::channel::<()>();
        two.consume_until(&second, async move { drop(told.await) });
        let mut sent = 40;
        eventually("both work", async || {
            one.publish(batch("both")).await;
            sent += 40;
            eventually("all are handled", async || first.count() + second.count() >= sent).await;
            second.count() > 0
        })
        .await;
        stop.send(()).unwrap();
        let before = second.count();
        let mut rounds = 0;
        eventually("the first works alone again", async || {
            let had = first.count();
            one.publish(batch("again")).await;
            sent += 40;
            rounds += 1;
            eventually("all are handled", async || first.count() + second.count() >= sent).await;
            first.count() == had + 40
        })
        .await;
        assert!(second.count() - before < 40 * rounds);
        // Some came twice while partitions moved.
        eventually("every record is handled", async || {
            let handled: HashSet<_> = first.seen().into_iter().chain(second.seen()).collect();
            handled.len() == 3 * keys().len()
        })
        .await;
        one.end().await;
        two.end().await;
    })
    .await;
}

/// a record that is in flight when its partition moves, and does not end in time, comes again
/// to the next owner.
#[tokio::test(flavor = "multi_thread")]
async fn x_32_a_record_in_flight_moves_with_its_partition() {
    on_each_broker(async |stage: Stage| {
        let (one, two) = (stage.process("1").await, stage.process("2").await);
        let (first, second) = (Listener::content(), Listener::content());
        first.stuck.lock().unwrap().extend(keys());
        one.consume(&first);
        one.publish(keys().iter().map(|key| record(key, "x")).collect()).await;
        eventually("all partitions are in flight", async || first.count() == 3).await;
        two.consume(&second);
        eventually("the second gets some of it", async || second.count() > 0).await;
        let seen = first.seen();
        eventually("a record came again", async || {
            second.seen().iter().any(|message| seen.contains(message))
        })
        .await;
        one.end().await;
        eventually("the second gets the rest", async || {
            second.seen().into_iter().collect::<HashSet<_>>().len() == 40
        })
        .await;
        assert!(two.dead_letters().await.is_empty());
        two.end().await;
    })
    .await;
}
