//! How long things may take and how often they are tried.
//!
//! The setting `timing.<name>` is the variable `TIMING_<NAME>`. A duration is a number with its unit,
//! as in `2s`, `250ms`, `15m` or `1m 30s`; a count is a whole number.
//!
//! | variable              | default | what                                                   |
//! |-----------------------|---------|--------------------------------------------------------|
//! | `TIMING_CMS_TIMEOUT`  | `2s`    | one call of the CMS, from connecting to the last byte  |
//! | `TIMING_CMS_RETRIES`  | `1`     | further attempts at calls that may be repeated         |

use std::time::Duration;

use jiff::SignedDuration;
use service::settings::Reader;

/// Every timing of this service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Timing {
    pub(crate) cms_timeout: Duration,
    pub(crate) cms_retries: u32,
}

impl Timing {
    pub(crate) const DEFAULT: Self = Self { cms_timeout: Duration::from_secs(2), cms_retries: 1 };
    const MOST_RETRIES: u32 = 10;

    /// Reads the environment; faults are recorded in `reader`.
    pub(crate) fn read(reader: &mut Reader<'_>) -> Self {
        let cms_timeout = duration(reader, "TIMING_CMS_TIMEOUT", Self::DEFAULT.cms_timeout);
        let expected = format!("a whole number from 0 to {}", Self::MOST_RETRIES);
        let cms_retries =
            reader.value("TIMING_CMS_RETRIES", Self::DEFAULT.cms_retries, &expected, |text| {
                text.parse().ok().filter(|retries| *retries <= Self::MOST_RETRIES)
            });
        Self { cms_timeout, cms_retries }
    }
}

fn duration(reader: &mut Reader<'_>, name: &str, default: Duration) -> Duration {
    reader.value(name, default, "a duration such as 2s or 250ms", |text| {
        let duration: SignedDuration = text.parse().ok()?;
        duration.try_into().ok().filter(|duration: &Duration| !duration.is_zero())
    })
}

#[cfg(test)]
mod tests {
    use service::settings::Variables;

    use super::*;

    fn read<const N: usize>(pairs: [(&str, &str); N]) -> Result<Timing, String> {
        let variables = Variables::from(pairs);
        let mut reader = variables.reader();
        let timing = Timing::read(&mut reader);
        reader
            .finish(Some(timing))
            .map_err(|faults| faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
    }

    /// B.3
    #[test]
    fn defaults_are_those_of_the_table() {
        let timing = read([]).unwrap();
        assert_eq!(timing.cms_timeout, Duration::from_secs(2));
        assert_eq!(timing.cms_retries, 1);
    }

    #[test]
    fn durations_carry_their_unit() {
        for (text, milliseconds) in [("250ms", 250), ("2s", 2000), ("1m 30s", 90_000)] {
            let timing = read([("TIMING_CMS_TIMEOUT", text)]).unwrap();
            assert_eq!(timing.cms_timeout, Duration::from_millis(milliseconds), "{text}");
        }
    }

    #[test]
    fn names_what_cannot_be_used() {
        for text in ["2", "0s", "-2s", "soon", ""] {
            let fault =
                format!("`TIMING_CMS_TIMEOUT`: `{text}` is not a duration such as 2s or 250ms");
            assert_eq!(read([("TIMING_CMS_TIMEOUT", text)]).unwrap_err(), fault);
        }
        let fault = "`TIMING_CMS_RETRIES`: `11` is not a whole number from 0 to 10";
        assert_eq!(read([("TIMING_CMS_RETRIES", "11")]).unwrap_err(), fault);
    }
}
