//! A while of trouble: customers who reserve, pay, cancel or walk away, while calls are lost,
//! delayed and doubled, and processes are killed.

use std::error::Error;
use std::time::Duration;

use fastrand::Rng;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::booker::{Booker, Pending, Reply, Wish};
use crate::platform::{Platform, Service};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// How many customers there are at a time.
const CUSTOMERS: u64 = 8;
/// Of each kind of fault at each operation.
const PROBABILITY: f64 = 0.02;
/// How often a customer sends again what was not answered.
const PATIENCE: usize = 12;
const ROOMS: i64 = 600;

/// Lets customers loose for `time`, with trouble that `seed` decides on; how many reservations they
/// wanted. Afterwards everything runs, and nothing goes wrong any more.
pub async fn rage(platform: &Platform, time: Duration, seed: u64) -> Result<usize> {
    let until = Instant::now() + time;
    let mut dice = Rng::with_seed(seed);
    arm(platform).await?;
    let booker = platform.booker(1)?;
    let mut customers = JoinSet::new();
    for number in 0..CUSTOMERS {
        let dice = Rng::with_seed(dice.u64(..));
        let member = i64::try_from(number)? + 1;
        customers.spawn(customer(booker.as_member(member), dice, until));
    }
    while Instant::now() < until {
        pause(Duration::from_millis(dice.u64(1_500..4_000))).await;
        trouble(platform, &mut dice).await?;
    }
    let mut wanted = 0;
    for count in customers.join_all().await {
        wanted += count;
    }
    disarm(platform).await?;
    Ok(wanted)
}

/// One process dies, or nobody can publish for a while.
async fn trouble(platform: &Platform, dice: &mut Rng) -> Result<()> {
    let number = dice.usize(..=Service::ALL.len());
    let Some(service) = Service::ALL.get(number).copied() else {
        return platform.stop_storage(Duration::from_millis(dice.u64(200..1_200))).await;
    };
    platform.kill(service)?;
    platform.start_service(service, &[])?;
    match service {
        // What was armed has died with it.
        Service::Cms | Service::Pg => arm(platform).await,
        Service::Payment | Service::Reservation | Service::Notification => Ok(()),
    }
}

const FAULTS: &str = "/admin/faults";

fn armed(reply: &Reply) -> Result<()> {
    if reply.status.is_success() { Ok(()) } else { Err(format!("not armed: {reply}").into()) }
}

/// Faults of every kind that leaves the truth to be found out.
async fn arm(platform: &Platform) -> Result<()> {
    disarm(platform).await?;
    for operation in ["reserve", "approve", "payment-complete", "cancel", "look-up", "room"] {
        for (kind, value) in faults() {
            let fault = fault(operation, kind, &value);
            armed(&platform.ask_cms_admin(Method::POST, FAULTS, Some(fault)).await?)?;
        }
    }
    let expired = fault("approve", "expire_hold", &Value::Null);
    armed(&platform.ask_cms_admin(Method::POST, FAULTS, Some(expired)).await?)?;
    for operation in ["confirm", "cancel", "query"] {
        let codes =
            [("pg_code", json!("PROVIDER_ERROR")), ("pg_code", json!("REJECT_CARD_PAYMENT"))];
        let codes = codes.into_iter().filter(|_| operation == "confirm");
        for (kind, value) in faults().into_iter().chain(codes) {
            let fault = fault(operation, kind, &value);
            armed(&platform.ask_pg(Method::POST, FAULTS, Some(fault)).await?)?;
        }
    }
    Ok(())
}

async fn disarm(platform: &Platform) -> Result<()> {
    platform.ask_cms_admin(Method::DELETE, FAULTS, None).await?;
    platform.ask_pg(Method::DELETE, FAULTS, None).await?;
    Ok(())
}

fn faults() -> Vec<(&'static str, Value)> {
    vec![
        ("delay", json!("700ms")),
        ("delay_after", json!("700ms")),
        ("drop_before", Value::Null),
        ("drop_after", Value::Null),
        ("garbage", Value::Null),
        ("duplicate", Value::Null),
        ("status", json!("503 OUT_OF_ORDER")),
    ]
}

fn fault(operation: &str, kind: &str, value: &Value) -> Value {
    json!({ "operation": operation, "kind": kind, "value": value, "probability": PROBABILITY })
}

/// How many reservations one customer wanted.
async fn customer(booker: Booker, mut dice: Rng, until: Instant) -> usize {
    let mut wanted = 0;
    while Instant::now() < until {
        wanted += 1;
        let Some(pending) = reserve(&booker, &mut dice).await else { continue };
        let fate = dice.u8(..100);
        if fate < 8 {
            // Walks away.
            continue;
        }
        if fate < 16 {
            cancel(&booker, &pending).await;
            continue;
        }
        let Some(key) = check_out(&booker, &pending).await else { continue };
        let approved = insist(&booker, Ask::Approve(&pending, &key)).await;
        let is_approved = approved.is_some_and(|reply| reply.status == StatusCode::ACCEPTED);
        if is_approved && fate < 40 {
            pause(Duration::from_millis(dice.u64(..1_500))).await;
            cancel(&booker, &pending).await;
        }
    }
    wanted
}

async fn reserve(booker: &Booker, dice: &mut Rng) -> Option<Pending> {
    let check_in = booker.day(dice.i32(1..60));
    let wish = Wish {
        room_id: dice.i64(1..=ROOMS),
        check_in: check_in.to_string(),
        check_out: booker.day_after(check_in, dice.i32(1..4)).to_string(),
    };
    let key = dice.u64(..).to_string();
    insist(booker, Ask::Reserve(&wish, &key)).await?.pending()
}

async fn cancel(booker: &Booker, pending: &Pending) {
    // Whatever the answer is, the journal has it.
    drop(insist(booker, Ask::Cancel(&pending.reservation_id)).await);
}

async fn check_out(booker: &Booker, pending: &Pending) -> Option<String> {
    for _ in 0..PATIENCE {
        match booker.check_out(pending).await {
            Ok(key) if !key.is_empty() => return Some(key),
            Ok(_) | Err(_) => pause(Duration::from_millis(200)).await,
        }
    }
    None
}

/// What a customer asks for.
#[derive(Debug, Clone, Copy)]
enum Ask<'a> {
    Reserve(&'a Wish, &'a str),
    Approve(&'a Pending, &'a str),
    Cancel(&'a str),
}

/// Sends again what was not answered, or not for good.
async fn insist(booker: &Booker, ask: Ask<'_>) -> Option<Reply> {
    for _ in 0..PATIENCE {
        let answer = match ask {
            Ask::Reserve(wish, key) => booker.reserve(wish, Some(key)).await,
            Ask::Approve(pending, key) => booker.approve(pending, key).await,
            Ask::Cancel(id) => booker.cancel(id).await,
        };
        if let Ok(reply) = answer {
            let is_passing = reply.status.is_server_error()
                || matches!(reply.code(), "RESERVATION_IN_PROGRESS" | "CONCURRENT_MODIFICATION");
            if !is_passing {
                return Some(reply);
            }
        }
        pause(Duration::from_millis(250)).await;
    }
    None
}

#[expect(clippy::disallowed_methods, reason = "customers take their time, and so does trouble")]
async fn pause(time: Duration) {
    sleep(time).await;
}
