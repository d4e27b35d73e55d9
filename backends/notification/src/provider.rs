//! Those who deliver (NT-04, 8.2): a mail server, a provider of text messages, and the file that stands
//! in for whichever there is none of.

mod mail;
mod texts;

use std::future::Future;
use std::time::Duration;

use tokio::time::timeout;

use crate::code::Channel;
use crate::sink::Sink;
use crate::template::Rendered;

pub(crate) use self::mail::{Mail, MailSettings};
pub(crate) use self::texts::{Texts, TextsSettings};

/// A message to be delivered.
#[derive(Debug)]
pub(crate) struct Letter<'a> {
    pub(crate) notification_id: &'a str,
    pub(crate) channel: Channel,
    pub(crate) destination: &'a str,
    pub(crate) rendered: &'a Rendered,
}

/// Why a message is not known to be delivered (8.5).
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Undelivered {
    /// It was not, and never will be.
    #[error("{0}")]
    Never(String),
    /// It was not, and may be later.
    #[error("{0}")]
    Later(String),
    /// It may have been.
    #[error("{0}")]
    Unknown(String),
}

/// Who delivers on which channel; cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Providers {
    pub(crate) mail: Option<Mail>,
    pub(crate) texts: Option<Texts>,
    /// How long either may take for a message: less than its lease.
    pub(crate) limit: Duration,
    pub(crate) sink: Sink,
}

impl Providers {
    /// Hands a message to whoever delivers it.
    pub(crate) async fn deliver(&self, letter: &Letter<'_>) -> Result<(), Undelivered> {
        match letter.channel {
            Channel::Email if let Some(mail) = &self.mail => self.within(mail.send(letter)).await,
            Channel::Sms if let Some(texts) = &self.texts => self.within(texts.send(letter)).await,
            Channel::InApp | Channel::Email | Channel::Sms | Channel::Push | Channel::Webhook => {
                let taken = self.sink.take(letter).await.map(drop);
                let path = self.sink.path().display();
                taken.map_err(|error| Undelivered::Later(format!("{path}: {error}")))
            }
        }
    }

    /// A connection that was given up is closed with what waits for it.
    async fn within(
        &self,
        sending: impl Future<Output = Result<(), Undelivered>>,
    ) -> Result<(), Undelivered> {
        let late = |_| Err(Undelivered::Unknown(format!("no answer within {:?}", self.limit)));
        timeout(self.limit, sending).await.unwrap_or_else(late)
    }
}
