//! What a [`Failure`] is in the reference gateway: an exception with a class, a message and causes
//! (`resilience.md` 2.6). Route files name classes, and a fallback is told which one it was.

mod class;

use std::borrow::Cow;

pub use class::Class;

use crate::invalid::nearest;
use crate::status::status_name;
use crate::{Failure, Invalid};
use class::Kind;

/// Whether a class with this fully qualified name is known.
pub fn is_known(class: &str) -> bool {
    Class::named(class).is_some()
}

/// Says that no class has this name. An error in native files, a warning elsewhere: the application
/// that the file comes from may have had it.
pub fn unknown(field: &'static str, class: &str) -> Invalid {
    let help = match nearest(class, Class::names()) {
        Some(name) => format!("did you mean `{name}`?"),
        None => "write the full name of a class that a gateway sees, such as `java.io.IOException`"
            .to_owned(),
    };
    let message = format!("no exception `{class}` is known");
    Invalid { field: Some(field), ..Invalid::new("unknown-exception", message) }
        .with_help(help)
        .per_request()
}

/// Whether a failure is an instance of a class. Its causes do not matter.
pub fn is_instance(failure: &Failure, class: Class) -> bool {
    class_of(failure).is_a(class)
}

/// Whether a failure, or what directly caused it, is an instance of a class.
pub fn is_instance_or_cause(failure: &Failure, class: Class) -> bool {
    is_instance(failure, class) || cause_of(failure).is_some_and(|cause| cause.is_a(class))
}

/// The class of a failure.
pub fn class_of(failure: &Failure) -> Class {
    Class::of(describe(failure).0)
}

/// What the message of an exception is made of.
enum Message<'f> {
    /// A text that tells nothing of this one.
    Fixed(&'static str),
    /// A text of the failure's own.
    Text(&'f str),
    /// The text form of the failure.
    Form,
    /// A status and its name.
    Status(u16),
    /// A status, its name and why.
    Reason(u16, &'f str),
    /// No instance of a service.
    Instance(u16, &'f str),
    /// A host that has no address.
    Host(&'f str),
    /// The text form of another exception.
    Last(&'f Failure),
}

/// Class and message of a failure.
fn describe(failure: &Failure) -> (Kind, Message<'_>) {
    match failure {
        Failure::UpstreamRefused(_) => (Kind::AnnotatedConnect, Message::Fixed(REFUSED)),
        Failure::ConnectTimeout(_) => {
            (Kind::ConnectTimeout, Message::Fixed("connection timed out"))
        }
        Failure::UpstreamDns(host) => (Kind::UnknownHost, Message::Host(host)),
        Failure::UpstreamTls(_) => (Kind::SslHandshake, Message::Fixed("TLS handshake failed")),
        Failure::UpstreamReset(_) => {
            let text = "Connection prematurely closed BEFORE response";
            (Kind::PrematureClose, Message::Fixed(text))
        }
        Failure::UpstreamProtocol(_) => {
            (Kind::IllegalArgument, Message::Fixed("the answer is not valid HTTP"))
        }
        Failure::UpstreamTimeout(text) => (Kind::ResponseStatus, Message::Reason(504, late(text))),
        Failure::Filter(text) | Failure::Predicate(text) => {
            (Kind::IllegalArgument, Message::Text(text))
        }
        Failure::NoInstance(service) | Failure::NoInstanceNotFound(service) => {
            (Kind::NotFound, Message::Instance(failure.status(), service))
        }
        Failure::TimeLimit(_) => (Kind::Timeout, Message::Form),
        Failure::CircuitOpen(..) => (Kind::CallNotPermitted, Message::Form),
        Failure::BulkheadFull(_) => (Kind::BulkheadFull, Message::Form),
        Failure::UpstreamStatus(status) => (Kind::BreakerStatusCode, Message::Status(*status)),
        Failure::RetryExhausted(last) => (Kind::RetryExhausted, Message::Last(last)),
        Failure::RateLimited { .. } => {
            (Kind::TooManyRequests, Message::Fixed("429 Too Many Requests"))
        }
        Failure::RouteNotFound => (Kind::NoResourceFound, Message::Status(404)),
        Failure::ForwardLoop(_) => (Kind::StackOverflowError, Message::Form),
        Failure::BadTarget(_)
        | Failure::BadFraming(_)
        | Failure::BadHost(_)
        | Failure::UriTooLong
        | Failure::HeadersTooLarge
        | Failure::RequestTooLarge
        | Failure::TokenMissing(_)
        | Failure::TokenInvalid(_)
        | Failure::SessionExpired
        | Failure::SessionRevoked
        | Failure::RefreshExpired
        | Failure::TokenReused
        | Failure::MemberInactive
        | Failure::MemberMismatch
        | Failure::StoreUnavailable(_)
        | Failure::MemberUnavailable(_)
        | Failure::LoginThrottled(_)
        | Failure::BadLogin(_)
        | Failure::MalformedJson
        | Failure::NoRateLimitKey(_)
        | Failure::LimiterUnavailable(_) => {
            (Kind::ResponseStatus, Message::Status(failure.status()))
        }
    }
}

/// The class of what directly caused a failure.
fn cause_of(failure: &Failure) -> Option<Class> {
    if let Failure::RetryExhausted(last) = failure {
        return Some(class_of(last));
    }
    own_cause(failure).map(|(kind, _)| Class::of(kind))
}

/// The cause that a failure has of itself, and its message.
fn own_cause(failure: &Failure) -> Option<(Kind, Cow<'_, str>)> {
    if let Failure::UpstreamTimeout(text) = failure {
        return Some((Kind::GatewayTimeout, late(text).into()));
    }
    if matches!(failure, Failure::UpstreamRefused(_)) {
        return Some((Kind::Connect, REFUSED.into()));
    }
    let no_name = || (Kind::DnsErrorCause, "Query failed with NXDOMAIN".into());
    matches!(failure, Failure::UpstreamDns(_)).then(no_name)
}

/// What is told of a late answer. Other texts than the reference's may hold addresses.
fn late(text: &str) -> &str {
    if text.starts_with(LATE) { text } else { LATE }
}

const LATE: &str = "Response took longer than timeout";

const REFUSED: &str = "finishConnect(..) failed with error(-111): Connection refused";

/// The message of a failure, without addresses of upstreams.
pub fn message_of(failure: &Failure) -> Cow<'_, str> {
    let named = |status: u16| match status_name(status) {
        Some(name) => format!("{status} {name}"),
        None => status.to_string(),
    };
    match describe(failure).1 {
        Message::Fixed(text) | Message::Text(text) => text.into(),
        Message::Form => failure.to_string().into(),
        Message::Status(status) => named(status).into(),
        Message::Reason(status, why) => format!("{} \"{why}\"", named(status)).into(),
        Message::Instance(status, service) => {
            format!("{} \"Unable to find instance for {service}\"", named(status)).into()
        }
        Message::Host(host) => format!("Failed to resolve '{host}'").into(),
        Message::Last(last) => format!("{}: {}", class_of(last).name(), message_of(last)).into(),
    }
}

/// The class and the message of what a failure came from in the end; the failure's own, if it has no
/// cause.
pub fn root_of(failure: &Failure) -> (Class, Cow<'_, str>) {
    if let Failure::RetryExhausted(last) = failure {
        return root_of(last);
    }
    match own_cause(failure) {
        Some((kind, message)) => (Class::of(kind), message),
        None => (class_of(failure), message_of(failure)),
    }
}

#[cfg(test)]
mod tests;
