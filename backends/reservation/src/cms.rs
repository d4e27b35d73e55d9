//! The CMS as this service sees it: typed calls in, our own terms out.
//!
//! What it says is read by [`wire`] and put into the terms of [`crate::place`], so that a change on
//! its side ends here. Nothing is kept: the CMS searches in memory within milliseconds, and an older
//! list offers rooms that are gone.

pub(crate) mod bookings;
mod wire;

use axum::http::{HeaderName, HeaderValue, StatusCode};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use service::code::Code;
use service::envelope::Payload;
use service::peer::{Limits, Peer, PeerError};
use service::problem::Problem;

use crate::place::{Found, PlaceDetail, RoomDetail};
use crate::search::Search;
use crate::stay::Stay;
use service::timing::Timing;

const API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// The CMS; cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Cms {
    peer: Peer,
}

/// A query parameter that is not encoded yet.
type Parameter = (&'static str, String);

impl Cms {
    /// The CMS at `base`, which knows this service by `key`.
    pub(crate) fn new(base: &str, key: HeaderValue, timing: &Timing) -> Result<Self, PeerError> {
        let Timing { cms_timeout: call, cms_retries: retries, .. } = *timing;
        let limits = Limits { connect: call, call, retries };
        Ok(Self { peer: Peer::new("cms", base, limits)?.with_header(API_KEY, key) })
    }

    /// One page of the lodgings that fit.
    pub(crate) async fn search(&self, search: &Search) -> Result<Found, Problem> {
        let target = target("/v1/lodgings", &wanted(search));
        let listed: wire::Listed = self.peer.get(&target).await.map_err(explain)?;
        Ok(listed.into())
    }

    /// One lodging, and its rooms that take so many `guests`, for a stay that is tonight unless told.
    pub(crate) async fn place(
        &self,
        place_id: i64,
        stay: Option<Stay>,
        guests: Option<i64>,
    ) -> Result<(PlaceDetail, Vec<RoomDetail>), Problem> {
        let mut parameters = nights(stay);
        parameters.extend(guests.map(|guests| ("guests", guests.to_string())));
        let target = target(&format!("/v1/lodgings/{place_id}"), &parameters);
        let Payload::<wire::Shown> { payload } = self.peer.get(&target).await.map_err(explain)?;
        Ok(payload.into())
    }
}

/// Leaves out what the customer left out, as a cursor is bound to what was sent.
fn wanted(search: &Search) -> Vec<Parameter> {
    let number = |name, value: Option<i64>| value.map(|value| (name, value.to_string()));
    let mut parameters = nights(search.stay);
    parameters.extend(search.types.iter().map(|kind| ("type", kind.code().to_owned())));
    parameters.extend(search.keyword.clone().map(|keyword| ("keyword", keyword)));
    parameters.extend(number("area", search.area));
    parameters.extend(number("guests", search.guests));
    parameters.extend(number("minPrice", search.min_price));
    parameters.extend(number("maxPrice", search.max_price));
    parameters.extend(search.available_only.then(|| ("availableOnly", "true".to_owned())));
    parameters.extend(search.sort.map(|sort| ("sort", sort.code().to_owned())));
    parameters.push(("size", search.size.to_string()));
    parameters.extend(search.cursor.clone().map(|cursor| ("cursor", cursor)));
    parameters
}

fn nights(stay: Option<Stay>) -> Vec<Parameter> {
    let Some(Stay { check_in, check_out }) = stay else { return Vec::new() };
    vec![("checkIn", check_in.to_string()), ("checkOut", check_out.to_string())]
}

fn target(path: &str, parameters: &[Parameter]) -> String {
    let pairs = parameters
        .iter()
        .map(|(name, value)| format!("{name}={}", utf8_percent_encode(value, NON_ALPHANUMERIC)));
    format!("{path}?{}", pairs.collect::<Vec<_>>().join("&"))
}

/// What the customer is told. Only the codes of the CMS are trusted and not the status alone: a
/// wrong `CMS_URL` answers 404 as well.
fn explain(error: PeerError) -> Problem {
    let code = if let PeerError::Refused { code, .. } = &error { code.as_str() } else { "" };
    match code {
        "PLACE_NOT_FOUND" => Problem::not_found("PLACE_NOT_FOUND", "there is no such lodging"),
        "INVALID_CURSOR" => {
            let detail = "the cursor was made for another filter or order; leave it out";
            Problem::new(StatusCode::BAD_REQUEST, "INVALID_CURSOR", detail)
        }
        _ => error.into_problem("CMS_UNAVAILABLE"),
    }
}
