//! What the gateway itself makes of a request that filters are done with, once per attempt.

use http::{Uri, header};
use pingora_core::Result;
use pingora_http::RequestHeader;
use pingora_proxy::Session;
use tollgate_filters::{Failure, FramingEdit};

use super::context::Context;
use super::forwarding::Downstream;
use crate::clock;

/// Writes what is the gateway's to write, and takes away what belongs to the client's connection.
pub(super) fn prepare(
    session: &Session,
    request: &mut RequestHeader,
    context: &mut Context,
) -> Result<()> {
    let Some(snapshot) = context.snapshot.as_ref() else { return Ok(()) };
    to_origin_form(request);
    let downstream = Downstream {
        peer: context.peer,
        local: session.server_addr().and_then(|address| address.as_inet().copied()),
        is_tls: false,
        host: context.host.as_ref(),
        original_targets: &context.state.original_targets,
    };
    snapshot.forwarding.apply(request, &downstream);
    for name in &snapshot.hop_by_hop {
        request.remove_header(name);
    }
    if context.state.framing == FramingEdit::WithoutLength {
        request.remove_header(&header::CONTENT_LENGTH);
    }
    if context.state.preserve_host {
        // Filters may have added more; the first goes upstream (`filters.md` 3.7).
        let Some(host) = request.headers.get(header::HOST).cloned() else {
            let problem = "there is no `Host` that could be preserved".to_owned();
            return Err(context.fail(Failure::Filter(problem)));
        };
        if request.headers.get_all(header::HOST).iter().nth(1).is_some() {
            request.insert_header("Host", host)?;
        }
    } else if let Some(destination) = context.destination() {
        request.insert_header("Host", destination.host.clone())?;
    }
    vouch(request, context);
    Ok(())
}

/// Tells the upstream who sent a request, in the place of whatever filters wrote.
fn vouch(request: &mut RequestHeader, context: &mut Context) {
    let identity = context.state.auth.as_ref().and_then(|state| state.identity());
    let tells_identity = context.plan().is_some_and(|plan| plan.tells_identity);
    let auth = context.snapshot.as_ref().and_then(|snapshot| snapshot.auth.as_ref());
    let Some(auth) = auth.filter(|auth| auth.tells_identity && tells_identity) else { return };
    // A head cannot be so full: the guard limits it.
    let _is_written = auth.keys.load().vouch(request, identity, clock::unix_millis() / 1000);
}

/// Upstreams get the path and query, whatever form the client used.
fn to_origin_form(request: &mut RequestHeader) {
    let target = request.raw_path();
    if target.starts_with(b"/") && request.uri.authority().is_none() {
        return;
    }
    let path = request.uri.path_and_query().map_or("/", |target| target.as_str());
    let path = if path.starts_with('/') { path } else { "/" };
    if let Ok(uri) = Uri::builder().path_and_query(path.to_owned()).build() {
        request.set_uri(uri);
    }
}
