//! E-mail by SMTP (RFC 5321).

use std::error::Error;

use lettre::message::header::ContentType;
use lettre::message::{Mailbox, Message};
use lettre::transport::smtp;
use lettre::{AsyncSmtpTransport, AsyncTransport, Tokio1Executor};
use service::causes::with_causes;

use super::{Letter, Undelivered};

type Transport = AsyncSmtpTransport<Tokio1Executor>;

/// Which mail server, and in whose name. The URL may hold a password.
#[derive(Clone)]
pub(crate) struct MailSettings {
    url: String,
    from: Mailbox,
}

/// A mail server; cheap to clone.
#[derive(Clone)]
pub(crate) struct Mail {
    transport: Transport,
    from: Mailbox,
}

impl MailSettings {
    /// `smtp://HOST:PORT`, with `?tls=required` for STARTTLS, or `smtps://HOST:PORT`, each with
    /// `USER:PASSWORD@` if needed.
    pub(crate) fn new(url: &str, from: Mailbox) -> Result<Self, smtp::Error> {
        Transport::from_url(url)?;
        Ok(Self { url: url.to_owned(), from })
    }
}

impl Mail {
    /// The mail server of the settings; it is not asked for anything yet.
    pub(crate) fn new(settings: &MailSettings) -> Result<Self, smtp::Error> {
        let transport = Transport::from_url(&settings.url)?.build();
        Ok(Self { transport, from: settings.from.clone() })
    }

    /// Sends a message. The id of a repeat is the same, so that mail servers and readers can tell.
    pub(super) async fn send(&self, letter: &Letter<'_>) -> Result<(), Undelivered> {
        let never = |error: &dyn Error| Undelivered::Never(format!("no such e-mail: {error}"));
        let to: Mailbox = letter.destination.parse().map_err(|error| never(&error))?;
        let id = format!("<{}@{}>", letter.notification_id, self.from.email.domain());
        let message = Message::builder()
            .from(self.from.clone())
            .to(to)
            .message_id(Some(id))
            .subject(&letter.rendered.title)
            .header(ContentType::TEXT_HTML)
            .body(letter.rendered.body.clone())
            .map_err(|error| never(&error))?;
        self.transport.send(message).await.map(drop).map_err(|error| undelivered(&error))
    }
}

/// Only what a mail server says of the address or the mailbox (RFC 3463: 5.1 and 5.2) is for good. A
/// plain 550 may be about the sender, and then about every message.
fn undelivered(error: &smtp::Error) -> Undelivered {
    let text = with_causes(format!("mail: {error}"), error);
    if error.status().is_none() {
        return Undelivered::Unknown(text);
    }
    let mut words = text.split_ascii_whitespace();
    let is_of_mailbox = words.any(|word| word.starts_with("5.1.") || word.starts_with("5.2."));
    if is_of_mailbox { Undelivered::Never(text) } else { Undelivered::Later(text) }
}

/// Without the password.
impl std::fmt::Debug for MailSettings {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("MailSettings").field("from", &self.from).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Mail {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Mail").field("from", &self.from).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
