//! Notifications as the member they are for sees them.

use serde::Serialize;
use service::problem::Problem;
use service::stored::{read_code, read_instant};
use utoipa::ToSchema;

use crate::code::{Channel, Kind, Status};
use crate::store::Row;

/// One delivery of one notice on one channel.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct NotificationDetail {
    #[schema(format = "uuid")]
    notification_id: String,
    kind: Kind,
    #[schema(example = "RESERVATION_CONFIRMED")]
    template_code: String,
    channel: Channel,
    /// Address it goes to; null when nobody knows one.
    destination: Option<String>,
    /// Null until it was worded.
    title: Option<String>,
    /// Null until it was worded.
    body: Option<String>,
    status: Status,
    /// When it was delivered.
    #[schema(format = DateTime)]
    sent_at: Option<String>,
    /// When the member read it.
    #[schema(format = DateTime)]
    read_at: Option<String>,
    #[schema(format = DateTime)]
    created_at: String,
}

impl NotificationDetail {
    /// Shows what is stored; 500 when it cannot be read.
    pub(crate) fn new(row: Row) -> Result<Self, Problem> {
        Ok(Self {
            kind: read_code(&row.kind)?,
            channel: read_code(&row.channel)?,
            status: read_code(&row.status)?,
            sent_at: row.sent_at.as_deref().map(read_instant).transpose()?,
            read_at: row.read_at.as_deref().map(read_instant).transpose()?,
            created_at: read_instant(&row.created_at)?,
            notification_id: row.notification_id,
            template_code: row.template_code,
            destination: row.destination,
            title: row.rendered_title,
            body: row.rendered_body,
        })
    }
}
