//! The errors of the merchant's operations in the `OpenAPI` document.

use std::collections::BTreeMap;

use utoipa::IntoResponses;
use utoipa::openapi::{Content, Ref, RefOr, Response, ResponseBuilder};

/// Every error: what the payment gateway says, and what the stand-in itself cannot.
#[derive(Debug)]
pub(crate) struct Errors;

/// Status, what the payment gateway says, what the stand-in says.
const ERRORS: &[(&str, &str)] = &[
    ("400", "In the payment gateway's words; or INVALID_REQUEST, MALFORMED_JSON"),
    ("401", "In the payment gateway's words"),
    ("403", "In the payment gateway's words"),
    ("404", "In the payment gateway's words"),
    ("405", "METHOD_NOT_ALLOWED: `confirm` is no key"),
    ("409", "In the payment gateway's words"),
    ("413", "REQUEST_TOO_LARGE"),
    ("415", "UNSUPPORTED_MEDIA_TYPE"),
    ("500", "In the payment gateway's words; or INTERNAL_ERROR"),
    ("503", "STORE_UNAVAILABLE or TIMEOUT, with Retry-After"),
];

impl IntoResponses for Errors {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let content = |schema: &str| Content::new(Some(Ref::from_schema_name(schema)));
        let answer = |(status, description): &(&str, &str)| {
            let answer = ResponseBuilder::new()
                .description(*description)
                .content("application/json", content("PgError"))
                .content("application/problem+json", content("Problem"));
            ((*status).to_owned(), RefOr::T(answer.build()))
        };
        ERRORS.iter().map(answer).collect()
    }
}
