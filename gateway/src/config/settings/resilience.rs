//! `resilience4j`: circuit breakers, time limits and bulkheads, in the words of Resilience4j's
//! properties (`resilience.md` 2.6), and the switches that Spring Cloud has for them.

mod blocks;
mod breaker;
mod bulkhead;
mod time_limit;

use tollgate_filters::Invalid;
use tollgate_filters::breaker::Named;

use super::Settings;
use super::read::{labels, set};
use crate::config::reader::Section;
use crate::config::values;

use blocks::{Block, named};
use breaker::BreakerBlock;
use bulkhead::{BulkheadBlock, PoolBlock};
use time_limit::TimeLimitBlock;

/// How circuit breakers and bulkheads are shown in metrics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BreakerMetrics {
    /// `spring.cloud.circuitbreaker.resilience4j.micrometer.enabled`: whether they are shown.
    /// Default true.
    pub enabled: bool,
    /// `spring.cloud.circuitbreaker.resilience4j.default-group-tag`: the tag `group` of those that
    /// the file declares. `None` if `enable-group-meter-filter` is off: they have no such tag then.
    /// Default `none`.
    pub default_group: Option<String>,
    /// `resilience4j.circuitbreaker.tags`: labels that every series of a breaker gets.
    pub tags: Vec<(String, String)>,
    /// `resilience4j.bulkhead.tags`: labels that every series of a bulkhead gets.
    pub bulkhead_tags: Vec<(String, String)>,
}

impl Default for BreakerMetrics {
    fn default() -> Self {
        Self {
            enabled: true,
            default_group: Some("none".to_owned()),
            tags: Vec::new(),
            bulkhead_tags: Vec::new(),
        }
    }
}

/// Reads `resilience4j`. In a native file it also has what Spring Cloud says about time limits.
pub(in crate::config) fn resilience4j(root: &Section<'_, '_>, settings: &mut Settings) {
    let Some(section) = root.section("resilience4j") else { return };
    if section.context.strict {
        time_limiter_switches(&section, settings);
    }
    let metrics = &mut settings.breaker_metrics;
    let into = &mut settings.resilience;
    into.breakers = kind::<BreakerBlock>(&section, "circuitbreaker", &mut metrics.tags);
    let limits = kind::<TimeLimitBlock>(&section, "timelimiter", &mut Vec::new());
    into.time_limits = limits.map(Into::into);
    into.bulkheads = kind::<BulkheadBlock>(&section, "bulkhead", &mut metrics.bulkhead_tags);
    let pools = kind::<PoolBlock>(&section, "thread-pool-bulkhead", &mut Vec::new());
    into.thread_pool_bulkheads = bulkhead::places(pools);
    section.finish();
}

/// Reads one kind of things: its `configs`, its `instances`, its `tags`.
fn kind<B: Block>(
    section: &Section<'_, '_>,
    name: &'static str,
    tags: &mut Vec<(String, String)>,
) -> Named<B::Config> {
    let Some(all) = section.section(name) else { return Named::default() };
    if let Some(section) = all.section("tags") {
        *tags = labels(&section);
    }
    let named = named::<B>(&all);
    all.finish();
    named
}

/// Reads `spring.cloud.circuitbreaker`, the switches of Spring Cloud; `cloud` is `spring.cloud`.
pub(in crate::config) fn spring_circuit_breaker(cloud: &Section<'_, '_>, settings: &mut Settings) {
    let Some(section) = cloud.section("circuitbreaker") else { return };
    if let Some(bulkhead) = section.section("bulkhead") {
        if let Some(switch) = bulkhead.section("resilience4j") {
            if switch.get("enabled", values::boolean) == Some(false) {
                settings.resilience.bulkheads = Named::default();
                settings.resilience.thread_pool_bulkheads = Named::default();
            }
            switch.finish();
        }
        bulkhead.finish();
    }
    if let Some(resilience4j) = section.section("resilience4j") {
        switches(&resilience4j, settings);
        resilience4j.finish();
    }
    section.finish();
}

fn switches(section: &Section<'_, '_>, settings: &mut Settings) {
    time_limiter_switches(section, settings);
    let mut enabled = section.get("enabled", values::boolean);
    if let Some(reactive) = section.section("reactive") {
        let reactively = reactive.get("enabled", values::boolean);
        enabled = enabled.filter(|enabled| !enabled).or(reactively);
        reactive.finish();
    }
    if enabled == Some(false) {
        settings.units.filters_off.push("circuit-breaker".to_owned());
        let message = format!("`{}` switches circuit breakers off", section.path);
        let problem = Invalid::new("switched-off", message)
            .with_help("a route with the filter CircuitBreaker is refused");
        section.context.warn(problem.or_at(section.span()));
    }
    let metrics = &mut settings.breaker_metrics;
    if let Some(micrometer) = section.section("micrometer") {
        set(&mut metrics.enabled, micrometer.get("enabled", values::boolean));
        micrometer.finish();
    }
    if let Some(group) = section.text("default-group-tag") {
        metrics.default_group = Some(group);
    }
    if section.get("enable-group-meter-filter", values::boolean) == Some(false) {
        metrics.default_group = None;
    }
}

fn time_limiter_switches(section: &Section<'_, '_>, settings: &mut Settings) {
    let into = &mut settings.resilience;
    let disabled = section.get("disable-time-limiter", values::boolean);
    set(&mut into.time_limiter_disabled, disabled);
    let Some(map) = section.section("disable-time-limiter-map") else { return };
    for entry in map.all() {
        let Some(value) = map.context.value(&entry.value) else {
            let what = format!("`{}` must be true or false", map.name_of(&entry.key));
            map.context.error(Invalid::new("wrong-type", what).or_at(entry.span()));
            continue;
        };
        if let Some(disabled) = map.convert(&entry.key, &value, values::boolean) {
            into.time_limiter_disabled_of.insert(entry.key.to_string(), disabled);
        }
    }
}
