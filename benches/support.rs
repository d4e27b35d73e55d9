//! What the measurements share: route files, the load generator, processes and their CPU time,
//! and what may be said about a handful of ratios.

pub mod generator;
pub mod process;
pub mod statistics;

use std::net::SocketAddr;

use anyhow::{Context, Result};

use crate::process::post;

/// The path below which route `number` of [`many_routes`] serves; all are equally long.
pub fn service_path(number: usize) -> String {
    format!("/service-{number:05}")
}

/// A route file with so many routes of the common kind: a path, its prefix stripped, and a header
/// added to the answer.
pub fn many_routes(count: usize, backend: SocketAddr) -> String {
    let filters = |number| {
        format!(
            "    filters:\n      - StripPrefix=1\n      - AddResponseHeader=X-Service, {number}\n"
        )
    };
    let mut file = "routes:\n".to_owned();
    file.extend((0..count).map(|number| path_route(number, backend) + &filters(number)));
    file
}

/// A route file with so many routes that ask for a path and do nothing to it.
pub fn path_routes(count: usize, backend: SocketAddr) -> String {
    let mut file = "routes:\n".to_owned();
    file.extend((0..count).map(|number| path_route(number, backend)));
    file
}

fn path_route(number: usize, backend: SocketAddr) -> String {
    let path = service_path(number);
    format!(
        "  - id: service-{number:05}\n    uri: http://{backend}\n    predicates:\n      \
         - Path={path}/**\n"
    )
}

/// A route file with one route that takes every path and does nothing to it.
pub fn plain_route(backend: SocketAddr) -> String {
    format!("routes:\n  - id: plain\n    uri: http://{backend}\n    predicates: [Path=/**]\n")
}

/// Login tokens for all but `/login`, `/ready` and `exempt`. More keys of `auth` may follow it.
pub fn auth_section(member_service: SocketAddr, exempt: &[&str]) -> String {
    let paths = ["/login", "/ready"].iter().chain(exempt);
    let exempt: Vec<String> = paths.map(|path| format!("{{ path: {path} }}")).collect();
    let exempt = exempt.join(", ");
    format!("auth:\n  member-service: http://{member_service}\n  exempt: [{exempt}]\n")
}

/// The backend in the place of the member service.
pub fn login_route(backend: SocketAddr) -> String {
    format!(
        "  - id: login\n    order: -1\n    uri: http://{backend}\n    predicates: [Path=/login]\n    \
         filters: [MemberParameterFilter, MemberResponseFilter, PostfixLoginTokenFilter]\n"
    )
}

/// The token of a login.
///
/// # Errors
///
/// There is no answer, or none with a token.
pub fn log_in(address: SocketAddr) -> Result<String> {
    let body = r#"{"memberEmail":"load@example.com","password":"any"}"#;
    let answer = post(address, "/login", body)?;
    let token = answer.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("access-token").then(|| value.trim().to_owned())
    });
    token.with_context(|| format!("no token in: {answer}"))
}

/// A key set that protects nothing.
pub const KEYS: &str = "{\"keys\":[{\"kty\":\"oct\",\"kid\":\"bench\",\"k\":\"\
    AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"}]}";
