//! Answers that went well: when, and what.

use axum::Json;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::clock::Clock;

/// One value.
#[derive(Debug, Serialize, ToSchema)]
pub struct One<T> {
    /// When the answer was made, as RFC 3339 in Korean time.
    #[schema(example = "2025-05-01T10:00:00.000+09:00")]
    timestamp: String,
    /// What was asked for.
    payload: T,
}

/// What a peer of ours answers with: the value inside the envelope.
#[derive(Debug, Deserialize)]
pub struct Payload<T> {
    /// What was asked for.
    pub payload: T,
}

/// A page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct Many<T> {
    /// When the answer was made, as RFC 3339 in Korean time.
    #[schema(example = "2025-05-01T10:00:00.000+09:00")]
    timestamp: String,
    /// The values of this page, in the order asked for.
    payload: Vec<T>,
    /// Where this page lies in the list.
    page: Page,
}

/// Where a page lies in its list.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Page {
    /// How many values a page may hold.
    #[schema(minimum = 1, maximum = 100)]
    pub size: usize,
    /// What to send as `cursor` for the next page; null on the last one.
    pub next_cursor: Option<String>,
    /// Whether there is a next page.
    pub has_next: bool,
    /// How many values the whole list holds, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total_count: Option<usize>,
}

impl<T> One<T> {
    /// Wraps `payload`.
    pub fn new(clock: &Clock, payload: T) -> Self {
        Self { timestamp: clock.stamp(), payload }
    }
}

impl<T> Many<T> {
    /// Wraps one page of a list.
    pub fn new(clock: &Clock, payload: Vec<T>, page: Page) -> Self {
        Self { timestamp: clock.stamp(), payload, page }
    }
}

impl Page {
    /// A page of `size` after which the list goes on at `next_cursor`, or ends.
    pub fn new(size: usize, next_cursor: Option<String>, total_count: Option<usize>) -> Self {
        Self { size, has_next: next_cursor.is_some(), next_cursor, total_count }
    }
}

impl<T: Serialize> IntoResponse for One<T> {
    fn into_response(self) -> Response {
        Json(self).into_response()
    }
}

impl<T: Serialize> IntoResponse for Many<T> {
    fn into_response(self) -> Response {
        Json(self).into_response()
    }
}
