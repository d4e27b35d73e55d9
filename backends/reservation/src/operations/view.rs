//! What operators are shown.

use serde::Serialize;
use service::problem::Problem;
use service::stored::read_instant;
use utoipa::ToSchema;

use crate::reservation::ReservationDetail;
use crate::store::history::{self, AlertRow};
use crate::store::record::Record;
use crate::store::steps;

/// Something an operator has to look at.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AlertView {
    reservation_id: String,
    #[schema(example = "REFUND_FAILED")]
    kind: String,
    detail: String,
    #[schema(format = DateTime)]
    created_at: String,
}

/// A call of the CMS, or a result that waits.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct StepView {
    #[schema(example = "cms_approve")]
    kind: String,
    /// `OPEN`, `DONE` or `CLOSED`.
    state: String,
    attempts: i64,
    #[schema(format = DateTime)]
    next_attempt_at: String,
    /// Until when somebody works on it.
    #[schema(format = DateTime)]
    leased_until: Option<String>,
    last_error: Option<String>,
    #[schema(format = DateTime)]
    created_at: String,
    #[schema(format = DateTime)]
    updated_at: String,
}

/// Something that happened, also when it changed nothing.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct EntryView {
    seq: i64,
    from: Option<String>,
    to: String,
    /// Rows of the table of transitions, or `NOTED` or `DUPLICATE`.
    cause: String,
    actor: String,
    message_id: Option<String>,
    note: Option<String>,
    #[schema(format = DateTime)]
    at: String,
}

/// The last refund command.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RefundView {
    refund_id: String,
    amount: Option<i64>,
    #[schema(example = "CUSTOMER")]
    reason_code: Option<String>,
}

/// Everything that is known of a reservation.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OperationsView {
    reservation: ReservationDetail,
    member_id: i64,
    #[schema(example = "PAID")]
    cms_status: String,
    cms_reservation_id: Option<String>,
    payment_key: Option<String>,
    #[schema(format = DateTime)]
    charged_at: Option<String>,
    #[schema(format = DateTime)]
    released_at: Option<String>,
    #[schema(format = DateTime)]
    approve_deadline: Option<String>,
    #[schema(format = DateTime)]
    confirm_deadline: Option<String>,
    /// When a timer looks at it next.
    #[schema(format = DateTime)]
    due_at: Option<String>,
    refund: Option<RefundView>,
    steps: Vec<StepView>,
    history: Vec<EntryView>,
    attention: Vec<AlertView>,
}

impl AlertView {
    pub(super) fn new(row: AlertRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            reservation_id: row.reservation_id,
            kind: row.kind,
            detail: row.detail,
            created_at: read_instant(&row.created_at)?,
        })
    }
}

impl OperationsView {
    pub(super) fn new(
        record: Record,
        steps: Vec<steps::StepRow>,
        history: Vec<history::EntryRow>,
        alerts: Vec<AlertRow>,
    ) -> Result<Self, Problem> {
        let at = |text: Option<String>| text.as_deref().map(read_instant).transpose();
        let step = |row: steps::StepRow| {
            Ok(StepView {
                kind: row.kind,
                state: row.state,
                attempts: row.attempts,
                next_attempt_at: read_instant(&row.next_attempt_at)?,
                leased_until: at(row.leased_until)?,
                last_error: row.last_error,
                created_at: read_instant(&row.created_at)?,
                updated_at: read_instant(&row.updated_at)?,
            })
        };
        let entry = |row: history::EntryRow| {
            Ok(EntryView {
                seq: row.seq,
                from: row.from_status,
                to: row.to_status,
                cause: row.cause,
                actor: row.actor,
                message_id: row.message_id,
                note: row.note,
                at: read_instant(&row.at)?,
            })
        };
        let refund = record.refund_id.map(|refund_id| RefundView {
            refund_id,
            amount: record.refund_amount,
            reason_code: record.refund_reason,
        });
        Ok(Self {
            reservation: ReservationDetail::new(record.shown)?,
            member_id: record.member_id,
            cms_status: record.cms_status,
            cms_reservation_id: record.cms_reservation_id,
            payment_key: record.payment_key,
            charged_at: at(record.charged_at)?,
            released_at: at(record.released_at)?,
            approve_deadline: at(record.approve_deadline)?,
            confirm_deadline: at(record.confirm_deadline)?,
            due_at: at(record.due_at)?,
            refund,
            steps: steps.into_iter().map(step).collect::<Result<_, sqlx::Error>>()?,
            history: history.into_iter().map(entry).collect::<Result<_, sqlx::Error>>()?,
            attention: alerts.into_iter().map(AlertView::new).collect::<Result<_, _>>()?,
        })
    }
}
