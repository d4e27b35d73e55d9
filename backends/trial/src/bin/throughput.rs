//! `throughput [RATE [SECONDS]]`: reservations a second that come to a confirmed end (60 for 60 s), on
//! embedded parts, or on the `PostgreSQL` and Kafka that `DATABASE_URL` and `KAFKA_BROKERS` name.

use std::error::Error;
use std::io::{self, Write};
use std::time::Duration;

use service::settings::Variables;
use trial::backing::Backing;
use trial::platform::Platform;
use trial::profile::DEFAULTS;
use trial::throughput::measure;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let mut number = |default: u32| arguments.next().map_or(Ok(default), |text| text.parse());
    let (rate, seconds) = (number(60)?, number(60)?);
    let variables = Variables::of_process();
    let backing = Backing::named(&variables).unwrap_or_else(Backing::embedded);
    let platform = Platform::start(backing, DEFAULTS)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let time = Duration::from_secs(seconds.into());
    let report = runtime.block_on(measure(&platform, rate, time))?;
    Ok(write!(io::stdout(), "{report}")?)
}
