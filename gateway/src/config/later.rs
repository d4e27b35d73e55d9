//! Keys of Spring Cloud Gateway that have no effect here yet. Each leaves the list with the feature
//! that it belongs to.

use super::names::relaxed_equal;

/// Whether a key is one of Spring Cloud Gateway's that has no effect here yet.
pub(super) fn is_later(name: &str) -> bool {
    let below = name.strip_prefix(SPRING_CLOUD_GATEWAY).unwrap_or(name).trim_start_matches('.');
    let below = below.strip_prefix("server.webflux.").unwrap_or(below);
    LATER.iter().any(|key| {
        let mut written = below.split('.');
        key.split('.').all(|part| written.next().is_some_and(|name| relaxed_equal(name, part)))
    })
}

/// The prefix of all its keys, old and new.
pub(super) const SPRING_CLOUD_GATEWAY: &str = "spring.cloud.gateway";

/// Keys of Spring Cloud Gateway (`global.md` 12) that have no effect here yet.
const LATER: &[&str] = &[
    "actuator",
    "discovery",
    "filter.add-request-headers-if-not-present",
    "filter.cache-request-body",
    "filter.dedupe-response-header",
    "filter.json-to-grpc",
    "filter.local-response-cache",
    "filter.map-request-header",
    "filter.modify-request-body",
    "filter.modify-response-body",
    "filter.remove-hop-by-hop.order",
    "filter.remove-json-attributes-response-body",
    "filter.request-header-size",
    "filter.request-header-to-request-uri",
    "filter.rewrite-location-response-header",
    "filter.rewrite-request-parameter",
    "filter.rewrite-response-header",
    "filter.secure-headers",
    "filter.set-request-host-header",
    "filter.set-request-uri",
    "filter.token-relay",
    "function",
    "global-filter",
    "globalcors",
    "handler-mapping",
    "httpclient.compression",
    "httpclient.max-header-size",
    "httpclient.max-initial-line-length",
    "httpclient.pool",
    "httpclient.proxy",
    "httpclient.ssl",
    "httpclient.websocket",
    "httpclient.wiretap",
    "httpserver",
    "json-to-grpc",
    "observability",
    "predicate.cloud-foundry-route-service",
    "predicate.read-body",
    "predicate.version",
    "predicate.xforwarded-remote-addr",
    "redis",
    "redis-route-definition-repository",
    "restrictive-property-accessor",
    "route-filter-cache-enabled",
    "route-refresh-listener",
    "stream",
    "streaming-media-types",
    "version",
    "x-forwarded.order",
];
