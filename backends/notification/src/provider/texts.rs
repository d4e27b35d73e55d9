//! Text messages by a provider's HTTP endpoint.

use axum::http::StatusCode;
use reqwest::Client;
use serde_json::json;
use service::causes::with_causes;
use service::tls::{self, TlsError};

use super::{Letter, Undelivered};

const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// Which provider, and how it knows the sender.
#[derive(Clone)]
pub(crate) struct TextsSettings {
    pub(crate) url: String,
    /// Sent as a bearer token, if there is one.
    pub(crate) key: Option<String>,
}

/// A provider of text messages; cheap to clone.
#[derive(Clone)]
pub(crate) struct Texts {
    client: Client,
    settings: TextsSettings,
}

/// No client can be set up.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SetUpError {
    #[error(transparent)]
    Tls(#[from] TlsError),
    #[error("no client of the provider can be set up")]
    Client(#[from] reqwest::Error),
}

impl Texts {
    /// The provider of the settings; it is not asked for anything yet.
    pub(crate) fn new(settings: TextsSettings) -> Result<Self, SetUpError> {
        let client = tls::client(&settings.url)?.build()?;
        Ok(Self { client, settings })
    }

    /// Sends a message. A repeat has the same idempotency key.
    pub(super) async fn send(&self, letter: &Letter<'_>) -> Result<(), Undelivered> {
        let request = self.client.post(&self.settings.url);
        let request = request.header(IDEMPOTENCY_KEY, letter.notification_id).json(&json!({
            "notificationId": letter.notification_id,
            "to": letter.destination,
            "text": letter.rendered.body,
        }));
        let request = match &self.settings.key {
            Some(key) => request.bearer_auth(key),
            None => request,
        };
        match request.send().await {
            Ok(answer) if answer.status().is_success() => Ok(()),
            Ok(answer) => Err(refused(answer.status())),
            Err(error) => Err(lost(&error)),
        }
    }
}

/// Only what the provider says of the message is for good: who may send is a matter of settings.
fn refused(status: StatusCode) -> Undelivered {
    let text = format!("text message: the provider says {status}");
    match status {
        StatusCode::BAD_REQUEST | StatusCode::GONE | StatusCode::UNPROCESSABLE_ENTITY => {
            Undelivered::Never(text)
        }
        StatusCode::REQUEST_TIMEOUT => Undelivered::Unknown(text),
        StatusCode::SERVICE_UNAVAILABLE => Undelivered::Later(text),
        _ if status.is_server_error() => Undelivered::Unknown(text),
        _ => Undelivered::Later(text),
    }
}

fn lost(error: &reqwest::Error) -> Undelivered {
    let text = with_causes("text message".to_owned(), error);
    // Nothing was sent before there was a connection.
    if error.is_connect() { Undelivered::Later(text) } else { Undelivered::Unknown(text) }
}

/// Without the key.
impl std::fmt::Debug for TextsSettings {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("TextsSettings").field("url", &self.url).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Texts {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Texts").field("settings", &self.settings).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::http::HeaderMap;
    use axum::routing::post;
    use tokio::net::TcpListener;
    use tokio::task::JoinSet;

    use super::*;
    use crate::code::Channel;
    use crate::template::Rendered;

    async fn send(url: &str) -> Result<(), Undelivered> {
        let settings = TextsSettings { url: url.to_owned(), key: Some("s3cret".to_owned()) };
        let texts = Texts::new(settings).unwrap();
        assert!(!format!("{texts:?}").contains("s3cret"));
        let rendered = Rendered { title: "제목".to_owned(), body: "본문".to_owned() };
        let letter = Letter {
            notification_id: "01970000-0000-7000-8000-000000000001",
            channel: Channel::Sms,
            destination: "01012345678",
            rendered: &rendered,
        };
        texts.send(&letter).await
    }

    /// NT-04 and 8.5: the provider gets the message with a key, and its answers are classified.
    #[tokio::test]
    async fn nt_04_a_provider_gets_the_message_and_its_answers_are_classified() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let answer = async |headers: HeaderMap, status: StatusCode, body: String| {
            let of = |name: &str| headers.get(name).unwrap().to_str().unwrap().to_owned();
            assert_eq!(of(IDEMPOTENCY_KEY), "01970000-0000-7000-8000-000000000001");
            assert_eq!(of("authorization"), "Bearer s3cret");
            assert!(body.contains("01012345678") && body.contains("본문"), "{body}");
            status
        };
        let mut router = Router::new();
        for code in [200, 202, 400, 401, 422, 429, 500, 503, 504] {
            let status = StatusCode::from_u16(code).unwrap();
            router = router.route(
                &format!("/{code}"),
                post(move |headers: HeaderMap, body: String| answer(headers, status, body)),
            );
        }
        let mut tasks = JoinSet::new();
        tasks.spawn(async { axum::serve(listener, router).await.unwrap() });
        for code in [200, 202] {
            send(&format!("{base}/{code}")).await.unwrap();
        }
        for (code, class) in [
            (400, "Never"),
            (422, "Never"),
            (401, "Later"),
            (429, "Later"),
            (503, "Later"),
            (500, "Unknown"),
            (504, "Unknown"),
        ] {
            let error = send(&format!("{base}/{code}")).await.unwrap_err();
            assert!(format!("{error:?}").starts_with(class), "{code}: {error:?}");
        }
        tasks.shutdown().await;
        let error = send(&base).await.unwrap_err();
        assert!(matches!(error, Undelivered::Later(_)), "nobody listens: {error:?}");
    }
}
