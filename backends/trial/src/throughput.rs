//! How many reservations a second come to a confirmed end, and what one costs.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use sqlx::{AnyConnection, Connection};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::booker::{Booker, Wish};
use crate::platform::{Platform, Service};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const ROOMS: usize = 600;
/// Before what is measured, so that connections stand and caches are warm.
const WARM_UP: Duration = Duration::from_secs(5);
/// How long the last ones may take.
const PATIENCE: Duration = Duration::from_mins(1);

const LAG_BUCKETS: &str = "message_end_to_end_seconds_bucket";

/// What was measured.
#[derive(Debug)]
pub struct Report {
    rate: u32,
    time: Duration,
    asked: usize,
    confirmed: usize,
    late: Duration,
    /// From the approve to the confirmation: half of them, 95 of 100, the slowest.
    waits: [Duration; 3],
    /// From what a message tells of to the commit of its offset: how many messages took up to so many
    /// seconds.
    lags: Lags,
    /// For each service, what one confirmed reservation costs.
    costs: Vec<(Service, Duration)>,
}

/// A cumulative histogram: how many lie up to each bound, the lowest bound first.
type Lags = Vec<(f64, f64)>;

/// Begins `rate` reservations a second for `time`, whether or not earlier ones have ended.
pub async fn measure(platform: &Platform, rate: u32, time: Duration) -> Result<Report> {
    let booker = platform.booker(1)?;
    let mut number = 0;
    drive(&booker, rate, WARM_UP, &mut number).await.join_all().await;
    settle(platform).await?;
    let before = used(platform)?;
    let lags_before = lags(platform).await?;
    let confirmed_before = confirmed(platform).await?.len();
    let first = number;
    let begun = drive(&booker, rate, time, &mut number).await;
    let ended = Instant::now();
    begun.join_all().await;
    settle(platform).await?;
    let late = ended.elapsed();
    let waits = confirmed(platform).await?;
    let mut waits = waits.get(confirmed_before..).unwrap_or_default().to_vec();
    let confirmed = waits.len();
    waits.sort_unstable();
    let of = |part: usize| waits.get(confirmed.saturating_sub(1) * part / 100).copied();
    let waits = [50, 95, 100].map(|part| of(part).unwrap_or_default());
    let count = u32::try_from(confirmed.max(1))?;
    let costs = used(platform)?.into_iter().zip(before);
    let costs = costs
        .map(|((service, now), (_, then))| (service, now.saturating_sub(then) / count))
        .collect();
    let mut lags = lags(platform).await?;
    for ((_, count), (_, before)) in lags.iter_mut().zip(lags_before) {
        *count -= before;
    }
    Ok(Report { rate, time, asked: number - first, confirmed, late, waits, lags, costs })
}

async fn drive(booker: &Booker, rate: u32, time: Duration, number: &mut usize) -> JoinSet<()> {
    let until = Instant::now() + time;
    let mut ticks = interval(Duration::from_secs(1) / rate);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut begun = JoinSet::new();
    while Instant::now() < until {
        ticks.tick().await;
        begun.spawn(book(booker.clone(), *number));
        *number += 1;
        while begun.try_join_next().is_some() {}
    }
    begun
}

/// What fails is missing among the confirmed.
async fn book(booker: Booker, number: usize) {
    let (room, day) = (number % ROOMS, number / ROOMS);
    let (Ok(room_id), Ok(ahead)) = (i64::try_from(room + 1), i32::try_from(day + 1)) else {
        return;
    };
    let check_in = booker.day(ahead);
    let check_out = booker.day_after(check_in, 1).to_string();
    let wish = Wish { room_id, check_in: check_in.to_string(), check_out };
    let Ok(reply) = booker.reserve(&wish, None).await else { return };
    let Some(pending) = reply.pending() else { return };
    let Ok(key) = booker.check_out(&pending).await else { return };
    drop(booker.approve(&pending, &key).await);
}

/// Waits until nothing is under way.
async fn settle(platform: &Platform) -> Result<()> {
    let until = Instant::now() + PATIENCE;
    let mut ticks = interval(Duration::from_millis(50));
    loop {
        ticks.tick().await;
        let mut store = store(platform).await?;
        let open: i64 = sqlx::query_scalar(
            "SELECT COUNT(*) FROM reservations WHERE status IN ('REQUESTED', 'APPROVING', 'CONFIRMING')",
        )
        .fetch_one(&mut store)
        .await?;
        store.close().await?;
        if open == 0 {
            return Ok(());
        }
        if Instant::now() > until {
            return Err(format!("{open} have not ended after {PATIENCE:?}").into());
        }
    }
}

/// How long each confirmed reservation took from its approve on, the earliest confirmed first.
async fn confirmed(platform: &Platform) -> Result<Vec<Duration>> {
    let mut store = store(platform).await?;
    let rows: Vec<(String, String)> = sqlx::query_as(
        "SELECT a.at, c.at FROM reservation_history c \
         JOIN reservation_history a ON a.reservation_id = c.reservation_id AND a.cause = 'T06' \
         WHERE c.cause = 'T15' ORDER BY c.at",
    )
    .fetch_all(&mut store)
    .await?;
    store.close().await?;
    let waits = rows.iter().map(|(approved, confirmed)| {
        let (approved, confirmed): (jiff::Timestamp, jiff::Timestamp) =
            (approved.parse()?, confirmed.parse()?);
        Ok(Duration::try_from(confirmed.duration_since(approved))?)
    });
    waits.collect()
}

/// What the services that listen have counted, all topics together.
async fn lags(platform: &Platform) -> Result<Lags> {
    let mut sums = Lags::new();
    for service in [Service::Reservation, Service::Payment, Service::Notification] {
        let text = platform.metrics(service).await?;
        let buckets = text.lines().filter(|line| line.starts_with(LAG_BUCKETS));
        for line in buckets {
            let (_, rest) = line.split_once("le=\"").ok_or("a bucket without a bound")?;
            let (bound, _) = rest.split_once('"').ok_or("a bucket without a bound")?;
            let bound: f64 = bound.parse()?;
            let count: f64 = line.rsplit(' ').next().unwrap_or_default().parse()?;
            match sums.iter_mut().find(|(known, _)| known.total_cmp(&bound).is_eq()) {
                Some((_, sum)) => *sum += count,
                None => sums.push((bound, count)),
            }
        }
    }
    sums.sort_by(|(one, _), (other, _)| one.total_cmp(other));
    Ok(sums)
}

/// The lowest bound up to which a share of all lies.
fn within(lags: &Lags, share: f64) -> f64 {
    let all = lags.last().map_or(0.0, |(_, count)| *count);
    lags.iter().find(|(_, count)| *count >= all * share).map_or(f64::INFINITY, |(bound, _)| *bound)
}

async fn store(platform: &Platform) -> Result<AnyConnection> {
    sqlx::any::install_default_drivers();
    Ok(AnyConnection::connect(&platform.database(Service::Reservation)?).await?)
}

fn used(platform: &Platform) -> Result<Vec<(Service, Duration)>> {
    Service::ALL.iter().map(|service| Ok((*service, platform.processor_time(*service)?))).collect()
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rate, time, asked, confirmed, late, waits, lags, costs } = self;
        let [half, most, all] = waits;
        let done = f64::from(u32::try_from(*confirmed).unwrap_or(u32::MAX)) / time.as_secs_f64();
        writeln!(
            formatter,
            "{rate}/s for {time:?}: {asked} asked for, {confirmed} confirmed, {done:.1}/s"
        )?;
        writeln!(formatter, "  the last one {late:?} after the last was asked for")?;
        writeln!(
            formatter,
            "  approve to confirmed: median {half:?}, p95 {most:?}, slowest {all:?}"
        )?;
        let (most, all) = (within(lags, 0.99), within(lags, 1.0));
        let count = lags.last().map_or(0.0, |(_, count)| *count);
        writeln!(
            formatter,
            "  {count} messages handled: 99 of 100 within {most} s, every one within {all} s"
        )?;
        write!(formatter, "  processor time for each:")?;
        for (service, cost) in costs {
            write!(formatter, " {} {cost:.2?}", service.name())?;
        }
        let own = costs.iter().filter(|(service, _)| !service.is_stand_in());
        let own: Duration = own.map(|(_, cost)| *cost).sum();
        writeln!(formatter, "; without stand-ins {own:.2?}")
    }
}
