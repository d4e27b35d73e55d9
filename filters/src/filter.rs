//! Filters: what a route does to a request and to its answer.
//!
//! To add one, write `filter/<name>.rs` and add its two lines here: the module and its place in the
//! table.

mod add_request_header;
mod add_request_parameter;
mod add_response_header;
mod circuit_breaker;
mod fallback_headers;
mod logout;
mod member_parameter_filter;
mod member_response_filter;
mod postfix_login_token_filter;
mod prefix_login_token_filter;
mod prefix_path;
mod preserve_host_header;
mod redirect_to;
mod remove_request_header;
mod remove_request_parameter;
mod remove_response_header;
mod request_rate_limiter;
mod request_size;
mod retry;
mod rewrite_path;
mod save_session;
mod set_path;
mod set_request_header;
mod set_response_header;
mod set_status;
mod strip_prefix;

use std::fmt::{self, Debug, Display};
use std::ops::Deref;
use std::pin::Pin;

use pingora_http::ResponseHeader;

use crate::arguments::{Bound, FromArguments, UnitSettings, bind};
use crate::{Answer, Around, Entry, Exchange, Failure, Invalid, Parts};

pub use request_rate_limiter::written_limit;

/// The table of filters: [`ALL`], and a type that holds any of them in place.
macro_rules! filters {
    ($($module:ident::$name:ident),+ $(,)?) => {
        /// Every filter a route may name, in alphabetical order.
        pub const ALL: &[Definition] = &[$(Definition {
            name: $module::$name::NAME,
            aliases: $module::$name::ALIASES,
            build: |entry, settings| {
                bind::<$module::$name>(entry, settings).map(|bound| bound.map(Kind::$name))
            },
        }),+];

        #[derive(Debug)]
        enum Kind {
            $($name($module::$name),)+
            /// One that is not in the table.
            Other(Box<dyn Filter>),
        }

        impl Kind {
            fn as_filter(&self) -> &(dyn Filter + 'static) {
                match self {
                    $(Self::$name(unit) => unit,)+
                    Self::Other(unit) => &**unit,
                }
            }
        }
    };
}

filters! {
    add_request_header::AddRequestHeader,
    add_request_parameter::AddRequestParameter,
    add_response_header::AddResponseHeader,
    circuit_breaker::CircuitBreaker,
    fallback_headers::FallbackHeaders,
    logout::Logout,
    member_parameter_filter::MemberParameterFilter,
    member_response_filter::MemberResponseFilter,
    postfix_login_token_filter::PostfixLoginTokenFilter,
    prefix_login_token_filter::PrefixLoginTokenFilter,
    prefix_path::PrefixPath,
    preserve_host_header::PreserveHostHeader,
    redirect_to::RedirectTo,
    remove_request_header::RemoveRequestHeader,
    remove_request_parameter::RemoveRequestParameter,
    remove_response_header::RemoveResponseHeader,
    request_rate_limiter::RequestRateLimiter,
    request_size::RequestSize,
    retry::Retry,
    rewrite_path::RewritePath,
    save_session::SaveSession,
    set_path::SetPath,
    set_request_header::SetRequestHeader,
    set_response_header::SetResponseHeader,
    set_status::SetStatus,
    strip_prefix::StripPrefix,
}

/// A filter of [`ALL`] in place, or any other one in a box.
///
/// In place, because a request to one of many routes waits for each place in memory it goes to.
#[derive(Debug)]
pub struct AnyFilter(Kind);

/// Every route has room for some, so a filter boxes what it seldom reads.
const _: () = assert!(size_of::<AnyFilter>() <= 88);

impl Deref for AnyFilter {
    type Target = dyn Filter;

    fn deref(&self) -> &Self::Target {
        self.0.as_filter()
    }
}

impl Display for AnyFilter {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        Display::fmt(&**self, formatter)
    }
}

impl From<Box<dyn Filter>> for AnyFilter {
    fn from(unit: Box<dyn Filter>) -> Self {
        Self(Kind::Other(unit))
    }
}

/// One step in a route's chain.
///
/// Built once with the route table and shared by every request: it holds configuration, never a
/// request's state. Its text form is what the admin listener shows for it, without the brackets:
/// `PrefixPath prefix = '/v1'`.
///
/// Every hook is an ordinary call. One that has to wait for a store returns [`Hook::Wait`]; the
/// others cost no allocation.
pub trait Filter: Debug + Display + Send + Sync {
    /// Runs before an upstream is chosen, in ascending order.
    fn on_request<'a>(&'a self, _exchange: &'a mut Exchange<'_>) -> Hook<'a, Flow> {
        Hook::Ready(Ok(Flow::Continue))
    }

    /// Runs when the upstream's head arrived, in reverse order unless [`Filter::post_order`] says
    /// otherwise. Never runs on an answer the gateway made.
    fn on_response<'a>(
        &'a self,
        _exchange: &'a mut Exchange<'_>,
        _head: &'a mut ResponseHeader,
    ) -> Hook<'a, ()> {
        Hook::Ready(Ok(()))
    }

    /// Runs on every answer right before it is sent, those the gateway made included, in reverse
    /// order. For headers a client must see whatever happened, such as a renewed token.
    fn on_answer(&self, _exchange: &mut Exchange<'_>, _head: &mut ResponseHeader) {}

    /// Whether [`Filter::on_request`] changes the request or what is known about it. Behind `Retry`
    /// only filters that do are worth going back for.
    fn changes_request(&self) -> bool {
        true
    }

    /// Runs once, when the table with the filter is put into use. For what the filter shares with
    /// those of other tables: a state that is known by name, a store.
    fn prepare(&self, _parts: &Parts) {}

    /// Where the filter stands in the chain, if not at its place in the list.
    fn order(&self) -> Option<i32> {
        None
    }

    /// Where the filter stands on the way back. Filters that name a post order run after all
    /// others, ascending.
    fn post_order(&self) -> Option<i32> {
        None
    }
}

/// The outcome of a hook, now or later.
pub enum Hook<'a, T> {
    /// The hook is done.
    Ready(Result<T, Failure>),
    /// The hook waits for something; the caller awaits it.
    Wait(Pin<Box<dyn Future<Output = Result<T, Failure>> + Send + 'a>>),
}

impl<T: Debug> Debug for Hook<'_, T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ready(outcome) => formatter.debug_tuple("Ready").field(outcome).finish(),
            Self::Wait(_) => formatter.write_str("Wait"),
        }
    }
}

impl Hook<'_, Flow> {
    /// Goes on with the next filter if `outcome` is fine.
    pub fn after(outcome: Result<(), Failure>) -> Self {
        Self::Ready(outcome.map(|()| Flow::Continue))
    }
}

/// What a filter decided about a request.
#[derive(Debug)]
pub enum Flow {
    /// Go on with the next filter.
    Continue,
    /// Answer now; nothing is sent upstream and no later filter runs.
    Respond(Box<Answer>),
    /// As [`Flow::Respond`], with the document that tells a client why it is refused. Nothing failed
    /// that a retry could mend: for what stands around the filter the request has ended well.
    Refuse(Box<Failure>),
    /// Go on, and ask this when what is behind the filter has ended.
    Around(Box<dyn Around>),
    /// The request goes through the route table again under another path, and nothing behind the
    /// filter runs. This hears how that ended.
    Forward {
        /// The path; the query stays.
        path: String,
        /// What to tell those that look for the cause.
        cause: Box<Failure>,
        /// Hears how that ended.
        call: Box<dyn Around>,
    },
    /// Read the request body, of so many bytes at most, and ask the same filter again. It finds the
    /// body in [`crate::ExchangeState::body`]; 64 KiB is the most that can be read.
    ReadBody {
        /// What is longer is [`crate::RequestBody::TooLong`].
        limit: usize,
    },
}

/// One row of [`ALL`]: a filter's name and how it is built from a route file.
#[derive(Debug, Clone, Copy)]
pub struct Definition {
    name: &'static str,
    aliases: &'static [&'static str],
    build: fn(&Entry, &mut UnitSettings<'_>) -> Result<Bound<Kind>, Invalid>,
}

impl Definition {
    /// The name a route file uses.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Whether a route file means this filter.
    fn is_named(&self, name: &str) -> bool {
        self.name == name || self.aliases.contains(&name)
    }
}

/// Builds the filter that `entry` names.
///
/// # Errors
///
/// An unknown name, or arguments the filter refuses. What only fails per request is a warning
/// outside native files, and the filter that comes back fails every request.
pub fn build(entry: &Entry, settings: &mut UnitSettings<'_>) -> Result<AnyFilter, Invalid> {
    let Some(definition) = ALL.iter().find(|definition| definition.is_named(&entry.name)) else {
        return Err(entry.unknown("filter", ALL.iter().map(Definition::name)));
    };
    Ok(match (definition.build)(entry, settings)? {
        Bound::Unit(kind) => AnyFilter(kind),
        Bound::FailsPerRequest(why) => {
            let unit: Box<dyn Filter> = Box::new(AlwaysFails { text: entry.to_string(), why });
            unit.into()
        }
    })
}

/// Stands in for a filter of a Spring file that the reference gateway loads and that fails there
/// on every request.
#[derive(Debug)]
struct AlwaysFails {
    text: String,
    why: String,
}

impl Display for AlwaysFails {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

impl Filter for AlwaysFails {
    fn on_request<'a>(&'a self, _: &'a mut Exchange<'_>) -> Hook<'a, Flow> {
        Hook::Ready(Err(Failure::Filter(self.why.clone())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::check_filter_table;

    /// Every file of the folder: a file that is not listed in [`ALL`] fails the count.
    const SOURCES: &[(&str, &str)] = &[
        ("AddRequestHeader", include_str!("filter/add_request_header.rs")),
        ("AddRequestParameter", include_str!("filter/add_request_parameter.rs")),
        ("AddResponseHeader", include_str!("filter/add_response_header.rs")),
        ("FallbackHeaders", include_str!("filter/fallback_headers.rs")),
        ("Logout", include_str!("filter/logout.rs")),
        ("MemberParameterFilter", include_str!("filter/member_parameter_filter.rs")),
        ("MemberResponseFilter", include_str!("filter/member_response_filter.rs")),
        ("PostfixLoginTokenFilter", include_str!("filter/postfix_login_token_filter.rs")),
        ("PrefixLoginTokenFilter", include_str!("filter/prefix_login_token_filter.rs")),
        ("PrefixPath", include_str!("filter/prefix_path.rs")),
        ("PreserveHostHeader", include_str!("filter/preserve_host_header.rs")),
        ("RedirectTo", include_str!("filter/redirect_to.rs")),
        ("RemoveRequestHeader", include_str!("filter/remove_request_header.rs")),
        ("RemoveRequestParameter", include_str!("filter/remove_request_parameter.rs")),
        ("RemoveResponseHeader", include_str!("filter/remove_response_header.rs")),
        ("RequestRateLimiter", include_str!("filter/request_rate_limiter.rs")),
        ("RequestSize", include_str!("filter/request_size.rs")),
        ("RewritePath", include_str!("filter/rewrite_path.rs")),
        ("SaveSession", include_str!("filter/save_session.rs")),
        ("SetPath", include_str!("filter/set_path.rs")),
        ("SetRequestHeader", include_str!("filter/set_request_header.rs")),
        ("SetResponseHeader", include_str!("filter/set_response_header.rs")),
        ("SetStatus", include_str!("filter/set_status.rs")),
        ("StripPrefix", include_str!("filter/strip_prefix.rs")),
    ];

    /// What these do shows only over an attempt and what follows it.
    const WITHOUT_TABLE: &[&str] = &["CircuitBreaker", "Retry"];

    #[test]
    fn every_header_table_tells_the_truth() {
        for (name, source) in SOURCES {
            assert!(ALL.iter().any(|definition| definition.name == *name), "{name} is not listed");
            check_filter_table(source);
        }
        assert_eq!(SOURCES.len() + WITHOUT_TABLE.len(), ALL.len());
    }

    #[test]
    fn names_are_sorted_and_unique() {
        assert!(ALL.iter().map(Definition::name).is_sorted_by(|a, b| a < b));
    }
}
