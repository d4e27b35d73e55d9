//! What an upstream's answer goes through before the client has it.

use http::{HeaderName, header};
use pingora_core::{Error, ErrorType, Result};
use pingora_http::ResponseHeader;
use pingora_proxy::Session;

use super::around::Back;
use super::context::Context;

/// Takes an upstream's answer through the filters and what stands around them.
pub(super) async fn take(
    session: &mut Session,
    head: &mut ResponseHeader,
    context: &mut Context,
) -> Result<()> {
    if let Some(snapshot) = &context.snapshot {
        drop_hop_by_hop(head, &snapshot.hop_by_hop);
    }
    if !context.state.pending.is_empty()
        && let Err(failure) = context.add_pending(head)
    {
        return Err(context.fail(failure));
    }
    if !context.around.is_empty() {
        context.state.is_repeatable = !session.as_ref().retry_buffer_truncated();
    }
    if let Back::Instead(ended) = context.on_response(session.req_header_mut(), head, 0).await {
        let mut error = Error::new(ErrorType::HTTPStatus(head.status.as_u16()));
        context.follow(ended, &mut error);
        return Err(error);
    }
    if let Err(failure) = context.heed(session.req_header_mut(), head).await {
        return Err(context.fail(failure));
    }
    context.on_answer(session.req_header_mut(), head);
    Ok(())
}

static ALWAYS_DROPPED: [HeaderName; 2] = [header::CONNECTION, header::UPGRADE];

/// Drops what belongs to the upstream's connection (`global.md` 6.5), without touching framing.
fn drop_hop_by_hop(head: &mut ResponseHeader, listed: &[HeaderName]) {
    // Most answers have none: one walk over the names is less than looking each one up.
    if !head.headers.keys().any(|name| listed.contains(name) || ALWAYS_DROPPED.contains(name)) {
        return;
    }
    let nominated: Vec<HeaderName> = head
        .headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| HeaderName::from_bytes(name.trim().as_bytes()).ok())
        .filter(|name| !matches!(*name, header::CONTENT_LENGTH | header::TRANSFER_ENCODING))
        .collect();
    for name in nominated.iter().chain(listed).chain(&ALWAYS_DROPPED) {
        head.remove_header(name);
    }
}
