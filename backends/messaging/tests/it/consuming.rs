//! What becomes of a record (7.5, 7.6).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use jiff::Timestamp;
use messaging::consumer::Trouble;
use messaging::dead_letter;
use messaging::payload::TravelEvent;

use crate::harness::{
    Listener, Stage, TOPIC, event, eventually, header, on_each_broker, raw, record,
};

/// KF-09, X-10: what is committed does not come again, what is not does, in its order.
#[tokio::test(flavor = "multi_thread")]
async fn kf_09_x_10_what_was_not_committed_comes_again() {
    on_each_broker(async |stage: Stage| {
        let process = stage.process("1").await;
        for title in ["one", "two", "three"] {
            process.publish(vec![record("a", title)]).await;
        }
        let listener = Listener::content();
        let works = process.consume(&listener);
        eventually("three are handled", async || listener.count() == 3).await;
        eventually("commits are told", async || process.counted("offset_committed") >= 3).await;
        works.abort();
        process.end().await;

        let process = stage.process("1").await;
        let listener = Listener::content();
        listener.stuck.lock().unwrap().push("a".to_owned());
        process.consume(&listener);
        process.publish(vec![record("a", "four"), record("a", "five")]).await;
        eventually("the fourth is in flight", async || listener.count() == 1).await;
        process.end().await;

        let process = stage.process("1").await;
        let again = Listener::content();
        process.consume(&again);
        eventually("both come", async || again.count() == 2).await;
        assert_eq!(again.titles("a"), ["four", "five"]);
        assert_eq!(listener.titles("a"), ["four"]);
        process.end().await;
    })
    .await;
}

/// a record nobody can read is put aside with the reason, and the others go on; once an
/// operator sends it again it is handled.
#[tokio::test(flavor = "multi_thread")]
async fn a_11_x_14_poison_is_put_aside_and_can_be_sent_again() {
    on_each_broker(async |stage: Stage| {
        let process = stage.process("1").await;
        let broken = Arc::new(AtomicUsize::new(1));
        let is_broken = Arc::clone(&broken);
        let listener = Listener::new(move |record| {
            let event: TravelEvent = record.payload()?;
            if event.title == "odd" && is_broken.load(Ordering::SeqCst) == 1 {
                return Err(Trouble::Permanent("odd".to_owned()));
            }
            Ok(())
        });
        let version = String::from_utf8(record("a", "v2").body).unwrap();
        let version = version.replace("\"version\":1", "\"version\":2");
        let unknown = String::from_utf8(record("a", "?").body).unwrap();
        let unknown = unknown.replace("TravelCreated", "TravelForgotten");
        process
            .publish(vec![
                record("a", "good"),
                raw("a", b"{"),
                raw("a", b"{\"id\":1}"),
                raw("a", version.as_bytes()),
                raw("a", unknown.as_bytes()),
                record("a", "odd"),
                record("a", "better"),
            ])
            .await;
        process.consume(&listener);
        eventually("both good ones are handled", async || listener.count() == 3).await;
        assert_eq!(listener.titles("a"), ["good", "odd", "better"]);
        let letters = process.dead_letters().await;
        let reasons: Vec<_> = letters.iter().map(|letter| header(letter, "dlt-reason")).collect();
        assert_eq!(reasons, ["NOT_JSON", "SCHEMA_VIOLATION", "UNKNOWN_VERSION", "PERMANENT"]);
        eventually("the rest is counted", async || process.counted("messages_consumed_total") >= 7)
            .await;
        assert_eq!(process.counted("messages_dlt_total"), 4);
        assert_eq!(process.counted("messages_skipped_total"), 1);
        let letter = &letters[0];
        assert_eq!((letter.body.as_slice(), letter.key.as_deref()), (&b"{"[..], Some(&b"a"[..])));
        assert_eq!(header(letter, "dlt-original-topic"), TOPIC.name());
        assert_eq!(header(letter, "dlt-original-offset"), "1");
        assert_eq!(header(letter, "dlt-group"), "notification");
        assert_eq!(header(letter, "dlt-attempts"), "1");
        assert_eq!(header(letter, "event-type"), "TravelCreated");
        assert!(header(letter, "dlt-first-seen").parse::<Timestamp>().is_ok());
        assert!(header(letter, "dlt-exception").contains("not JSON"));

        broken.store(0, Ordering::SeqCst);
        let log = &process.bus.broker;
        assert!(dead_letter::redrive(log, TOPIC, 3, Timestamp::now()).await.unwrap());
        assert!(!dead_letter::redrive(log, TOPIC, 99, Timestamp::now()).await.unwrap());
        eventually("it is handled now", async || listener.count() == 4).await;
        assert_eq!(process.dead_letters().await.len(), 4);
        process.end().await;
    })
    .await;
}

/// trouble with one message is tried again in place, then the message is left to a worker.
#[tokio::test(flavor = "multi_thread")]
async fn x_15_transient_trouble_ends_in_a_durable_hand_over() {
    on_each_broker(async |stage: Stage| {
        let process = stage.process("1").await;
        let listener = Listener::new(|record| {
            if record.envelope.correlation_id == "bad" {
                return Err(Trouble::Transient("not now".into()));
            }
            Ok(())
        });
        process.consume(&listener);
        process.publish(vec![record("bad", "one"), record("good", "two")]).await;
        eventually("it is handed over", async || !listener.handed_over.lock().unwrap().is_empty())
            .await;
        assert_eq!(listener.titles("bad").len(), 4, "once and three times again");
        process.publish(vec![record("bad", "three")]).await;
        eventually("the next comes", async || listener.handed_over.lock().unwrap().len() == 2)
            .await;
        assert!(process.dead_letters().await.is_empty());
        process.end().await;
    })
    .await;
}

/// an outage stops the partition and nothing else, for as long as it takes; nothing is lost and
/// nothing is a dead letter.
#[tokio::test(flavor = "multi_thread")]
async fn x_16_an_outage_pauses_the_partition() {
    on_each_broker(async |stage: Stage| {
        let process = stage.process("1").await;
        let left = Arc::new(AtomicUsize::new(8));
        let counter = Arc::clone(&left);
        let listener = Listener::new(move |record| {
            let is_out = || {
                counter.try_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1)).is_ok()
            };
            if record.envelope.correlation_id == "a" && is_out() {
                return Err(Trouble::Infrastructure("no database".into()));
            }
            Ok(())
        });
        process.consume(&listener);
        process.publish(vec![record("a", "one"), record("a", "two")]).await;
        let mut was_down = false;
        eventually("both are handled", async || {
            was_down |= process.bus.health.check().is_err();
            listener.titles("a").last().is_some_and(|title| title == "two")
        })
        .await;
        assert!(was_down, "the process is not ready meanwhile");
        assert_eq!(left.load(Ordering::SeqCst), 0);
        assert_eq!(listener.count(), 10);
        assert_eq!(process.bus.health.check(), Ok(()));
        assert!(process.dead_letters().await.is_empty());
        process.end().await;
    })
    .await;
}

/// C2: what was handled is not handled again because the next one has to wait.
#[tokio::test(flavor = "multi_thread")]
async fn c2_what_was_handled_is_committed_before_a_wait() {
    on_each_broker(async |stage: Stage| {
        let process = stage.process("1").await;
        let listener =
            Listener::new(|record| match record.payload::<TravelEvent>()?.title.as_str() {
                "last" => Err(Trouble::Infrastructure("no database".into())),
                _ => Ok(()),
            });
        let titles = ["one", "two", "three", "four", "five", "last"];
        process.publish(titles.map(|title| record("a", title)).to_vec()).await;
        process.consume(&listener);
        eventually("five are committed", async || process.counted("offset_committed") == 5).await;
        eventually("the sixth waits", async || process.bus.health.check().is_err()).await;
        assert_eq!(listener.titles("a")[..6], titles);
        process.end().await;
    })
    .await;
}

/// C5: a handler that panics, or never ends, loses no record.
#[tokio::test(flavor = "multi_thread")]
async fn c5_a_panic_loses_no_record() {
    on_each_broker(async |stage: Stage| {
        let process = stage.process("1").await;
        let panics = AtomicUsize::new(2);
        let listener = Listener::new(move |_| {
            let left = panics.try_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1));
            assert!(left.is_err(), "on purpose");
            Ok(())
        });
        process.consume(&listener);
        process.publish(vec![record("a", "one"), record("a", "two")]).await;
        eventually("both are handled", async || listener.count() == 4).await;
        assert_eq!(listener.titles("a"), ["one", "one", "one", "two"]);
        process.end().await;
    })
    .await;
}

/// C4: within a partition one after the other, partitions side by side.
#[tokio::test(flavor = "multi_thread")]
async fn c4_partitions_do_not_wait_for_each_other() {
    on_each_broker(async |stage: Stage| {
        let process = stage.process("1").await;
        let listener = Listener::content();
        listener.stuck.lock().unwrap().push("a".to_owned());
        process.consume(&listener);
        let keys: Vec<_> = (0..30).map(|number| format!("k{number}")).collect();
        process.publish(vec![record("a", "stuck")]).await;
        process.publish(keys.iter().map(|key| record(key, "x")).collect()).await;
        // Keys of two of the three partitions get through.
        eventually("others are handled", async || listener.count() >= 12).await;
        assert!(listener.count() < 31);
        assert_eq!(event("x").title, "x");
        process.end().await;
    })
    .await;
}
