//! One bulkhead of the file, of either kind.

use std::time::Duration;

use tollgate_filters::breaker::{BulkheadConfig, Named};
use tollgate_filters::{Invalid, Span};

use super::blocks::{Base, Block, at_least, base, up_to};
use crate::config::context::{Context, Value};
use crate::config::reader::Section;
use crate::config::values;
use crate::gateway::cores;

/// What a block of `bulkhead` says.
#[derive(Debug)]
pub(super) struct BulkheadBlock {
    base: Option<Base>,
    most: Option<usize>,
}

impl Block for BulkheadBlock {
    type Config = BulkheadConfig;
    const OWN_NAME_FIRST: bool = false;

    fn read(section: &Section<'_, '_>) -> Self {
        section.get("writable-stack-trace-enabled", values::boolean);
        section.get("event-consumer-buffer-size", up_to(u32::MAX));
        let wait = section.get("max-wait-duration", at_least(Duration::ZERO));
        if wait.is_some_and(|wait| !wait.is_zero()) {
            let name = section.name_of("max-wait-duration");
            let problem = Invalid::new("invalid-value", format!("`{name}`: no call waits here"))
                .with_help("write 0, or leave it out: a call without a place is refused at once");
            section.context.complain(problem.or_at(section.key_span("max-wait-duration")));
        }
        let most = section.get("max-concurrent-calls", values::positive);
        Self { base: base(section), most }
    }

    fn base(&self) -> Option<&Base> {
        self.base.as_ref()
    }

    fn over(&self, inherited: BulkheadConfig) -> BulkheadConfig {
        let most = self.most.unwrap_or(inherited.max_concurrent_calls);
        BulkheadConfig { max_concurrent_calls: most }
    }
}

/// What a block of `thread-pool-bulkhead` says.
#[derive(Debug)]
pub(super) struct PoolBlock {
    base: Option<Base>,
    written: Pool,
    section: String,
    span: Span,
}

/// A pool of threads, of which only the number of its places counts here.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Pool {
    most: Option<usize>,
    core: Option<usize>,
    queue: Option<usize>,
}

/// `queueCapacity` where nobody says otherwise.
const QUEUE: usize = 100;

impl Block for PoolBlock {
    type Config = Pool;
    const OWN_NAME_FIRST: bool = false;

    fn read(section: &Section<'_, '_>) -> Self {
        // There are no threads to keep.
        section.get("keep-alive-duration", at_least(Duration::ZERO));
        section.get("writable-stack-trace-enabled", values::boolean);
        section.get("event-consumer-buffer-size", up_to(u32::MAX));
        drop(section.item("context-propagators"));
        Self {
            base: base(section),
            written: Pool {
                most: section.get("max-thread-pool-size", values::positive),
                core: section.get("core-thread-pool-size", values::positive),
                queue: section.get("queue-capacity", capacity),
            },
            section: section.path.clone(),
            span: section.span(),
        }
    }

    fn base(&self) -> Option<&Base> {
        self.base.as_ref()
    }

    fn over(&self, inherited: Pool) -> Pool {
        let Pool { most, core, queue } = self.written;
        Pool {
            most: most.or(inherited.most),
            core: core.or(inherited.core),
            queue: queue.or(inherited.queue),
        }
    }

    fn check(&self, config: &Pool, context: &Context<'_>) {
        let (Some(most), Some(core)) = (config.most, config.core) else { return };
        if most < core {
            let message = format!(
                "`{}`: `maxThreadPoolSize` {most} is less than `coreThreadPoolSize` {core}",
                self.section
            );
            let problem = Invalid::new("invalid-value", message)
                .with_help("leave `coreThreadPoolSize` out: no threads are kept here");
            context.error(problem.or_at(self.span));
        }
    }
}

fn capacity(value: &Value<'_>) -> Result<usize, Invalid> {
    let number = values::int(value)?;
    usize::try_from(number)
        .map_err(|_| Invalid::new("invalid-value", format!("`{number}` is negative")))
}

/// How many calls such pools take: those that run and those that wait for a thread.
pub(super) fn places(pools: Named<Pool>) -> Named<BulkheadConfig> {
    let place = |pool: Pool| BulkheadConfig {
        max_concurrent_calls: pool
            .most
            .unwrap_or_else(cores)
            .saturating_add(pool.queue.unwrap_or(QUEUE)),
    };
    pools.map(place)
}
