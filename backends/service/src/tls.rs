//! HTTP clients that can speak TLS.
//!
//! Left to itself the library would take another implementation of cryptography than the gateway
//! has, or end the process for want of one; whoever needs a client begins here.

use reqwest::redirect::Policy;
use reqwest::{Client, ClientBuilder};
use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::BuilderVerifierExt;

/// TLS cannot be set up, for example because the system trusts nobody.
#[derive(Debug, thiserror::Error)]
#[error("TLS cannot be set up; install the system's certificates, such as ca-certificates")]
pub struct TlsError(#[from] rustls::Error);

/// The beginnings of a client for `base`, which follows no redirects and uses no proxy.
///
/// The system's certificates are read only where `https://` is called: a machine without any can
/// run everything else.
pub fn client(base: &str) -> Result<ClientBuilder, TlsError> {
    let config = ClientConfig::builder_with_provider(ring::default_provider().into())
        .with_safe_default_protocol_versions()?;
    let config = if base.starts_with("https:") {
        config.with_platform_verifier()?
    } else {
        config.with_root_certificates(RootCertStore::empty())
    };
    #[expect(clippy::disallowed_methods, reason = "this is what others begin with")]
    let client = Client::builder();
    let config = config.with_no_client_auth();
    Ok(client.tls_backend_preconfigured(config).redirect(Policy::none()).no_proxy())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_is_made_for_both_schemes() {
        client("http://127.0.0.1:1").unwrap().build().unwrap();
        match client("https://api.tosspayments.com") {
            Ok(client) => drop(client.build().unwrap()),
            // As on a machine without certificates.
            Err(error) => assert!(error.to_string().contains("ca-certificates")),
        }
    }
}
