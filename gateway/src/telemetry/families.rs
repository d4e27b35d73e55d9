//! What our own collectors hand to Prometheus: families of metrics, and their labels.

use prometheus::proto::{Gauge, LabelPair, Metric, MetricFamily, MetricType, Summary};

/// A family of metrics, all of one kind.
pub(super) fn family(
    name: String,
    help: &str,
    kind: MetricType,
    metrics: Vec<Metric>,
) -> MetricFamily {
    let mut family = MetricFamily::default();
    family.set_name(name);
    family.set_help(help.to_owned());
    family.set_field_type(kind);
    family.set_metric(metrics);
    family
}

/// Labels in the order they are given.
pub(super) fn labels<N, V>(pairs: impl IntoIterator<Item = (N, V)>) -> Vec<LabelPair>
where
    N: Into<String>,
    V: Into<String>,
{
    let label = |(name, value): (N, V)| {
        let mut pair = LabelPair::default();
        pair.set_name(name.into());
        pair.set_value(value.into());
        pair
    };
    pairs.into_iter().map(label).collect()
}

/// A number that goes up and down.
pub(super) fn gauge(labels: Vec<LabelPair>, value: f64) -> Metric {
    let mut gauge = Gauge::default();
    gauge.set_value(value);
    let mut metric = Metric::from_gauge(gauge);
    metric.set_label(labels);
    metric
}

/// How often something happened, and its sum.
pub(super) fn summary(labels: Vec<LabelPair>, count: u64, sum: f64) -> Metric {
    let mut summary = Summary::default();
    summary.set_sample_count(count);
    summary.set_sample_sum(sum);
    let mut metric = Metric::from_label(labels);
    metric.set_summary(summary);
    metric
}
