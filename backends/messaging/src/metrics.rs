//! What is counted about messages (7.9).

use std::time::Duration;

use prometheus::{
    GaugeVec, HistogramOpts, HistogramVec, IntCounterVec, IntGaugeVec, Opts, Registry,
};
use service::metrics::register;

use crate::broker::Slot;
use crate::topic::Topic;

/// Seconds, from a look into the inbox to a saga that waited for a deadline.
const BOUNDS: &[f64] =
    &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0, 600.0];

/// Handles of what is counted; cheap to clone.
#[derive(Debug, Clone)]
pub struct Metrics {
    published: IntCounterVec,
    consumed: IntCounterVec,
    duplicate: IntCounterVec,
    dead: IntCounterVec,
    skipped: IntCounterVec,
    processing: HistogramVec,
    end_to_end: HistogramVec,
    lag: IntGaugeVec,
    committed: IntGaugeVec,
    pending: IntGaugeVec,
    oldest: GaugeVec,
}

impl Metrics {
    /// Registers what is counted here.
    pub fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let of_group = &["topic", "type", "group"];
        let of_type = &["topic", "type"];
        let of_slot = &["topic", "partition", "group"];
        let seconds = |name, help| HistogramOpts::new(name, help).buckets(BOUNDS.to_vec());
        let counter = |name, help, labels| -> Result<IntCounterVec, prometheus::Error> {
            register(registry, IntCounterVec::new(Opts::new(name, help), labels)?)
        };
        let gauge = |name, help, labels| -> Result<IntGaugeVec, prometheus::Error> {
            register(registry, IntGaugeVec::new(Opts::new(name, help), labels)?)
        };
        let histogram = |name, help| -> Result<HistogramVec, prometheus::Error> {
            register(registry, HistogramVec::new(seconds(name, help), of_type)?)
        };
        let oldest = "Age of the oldest message that is not published.";
        let oldest = GaugeVec::new(Opts::new("outbox_oldest_seconds", oldest), &["service"])?;
        Ok(Self {
            published: counter(
                "messages_published_total",
                "Messages that were published.",
                of_type,
            )?,
            consumed: counter("messages_consumed_total", "Messages that were handled.", of_group)?,
            duplicate: counter(
                "messages_duplicate_total",
                "Messages that had their effect before.",
                of_group,
            )?,
            dead: counter("messages_dlt_total", "Messages that nobody can read.", of_group)?,
            skipped: counter(
                "messages_skipped_total",
                "Messages of types that are for others.",
                &["topic", "group"],
            )?,
            processing: histogram(
                "message_processing_seconds",
                "From a message's arrival to the commit of its offset.",
            )?,
            end_to_end: histogram(
                "message_end_to_end_seconds",
                "From what a message tells of to the commit of its offset.",
            )?,
            lag: gauge("consumer_lag", "Messages that were not handled yet.", of_slot)?,
            committed: gauge("offset_committed", "The first message not handled.", of_slot)?,
            pending: gauge("outbox_pending", "Messages that are not published.", &["service"])?,
            oldest: register(registry, oldest)?,
        })
    }

    pub(crate) fn published(&self, topic: &str, kind: &str) {
        self.published.with_label_values(&[topic, kind]).inc();
    }

    /// `kind` is one of the topic's, or `unknown`: whoever writes records names no labels.
    pub(crate) fn consumed(&self, topic: Topic, kind: &str, group: &str) {
        self.consumed.with_label_values(&[topic.name(), kind, group]).inc();
    }

    pub(crate) fn duplicate(&self, topic: Topic, kind: &str, group: &str) {
        self.duplicate.with_label_values(&[topic.name(), kind, group]).inc();
    }

    pub(crate) fn dead(&self, topic: Topic, kind: &str, group: &str) {
        self.dead.with_label_values(&[topic.name(), kind, group]).inc();
    }

    pub(crate) fn skipped(&self, topic: Topic, group: &str) {
        self.skipped.with_label_values(&[topic.name(), group]).inc();
    }

    pub(crate) fn took(&self, topic: Topic, kind: &str, processing: Duration, all: Duration) {
        let labels = [topic.name(), kind];
        self.processing.with_label_values(&labels).observe(processing.as_secs_f64());
        self.end_to_end.with_label_values(&labels).observe(all.as_secs_f64());
    }

    pub(crate) fn lag(&self, slot: &Slot, group: &str, lag: i64) {
        let partition = slot.partition.to_string();
        self.lag.with_label_values(&[&*slot.topic, &partition, group]).set(lag);
    }

    pub(crate) fn committed(&self, slot: &Slot, group: &str, offset: i64) {
        let partition = slot.partition.to_string();
        self.committed.with_label_values(&[&*slot.topic, &partition, group]).set(offset);
    }

    /// What a member no longer works on is told by another.
    pub(crate) fn forget(&self, slot: &Slot, group: &str) {
        let partition = slot.partition.to_string();
        let labels = [&*slot.topic, &partition, group];
        // It may never have been told.
        drop(self.lag.remove_label_values(&labels));
        drop(self.committed.remove_label_values(&labels));
    }

    pub(crate) fn outbox(&self, service: &str, pending: i64, oldest: Duration) {
        self.pending.with_label_values(&[service]).set(pending);
        self.oldest.with_label_values(&[service]).set(oldest.as_secs_f64());
    }
}
