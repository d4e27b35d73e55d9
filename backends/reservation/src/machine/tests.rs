mod properties;

use service::code::Code;
mod rows;

use super::*;

/// A reservation on its way, as the table would have left it.
fn in_state(status: Status) -> Reservation {
    let is_charged =
        matches!(status, Status::Confirming | Status::Confirmed | Status::Compensating);
    let cms = match status {
        Status::Requested => CmsStatus::None,
        Status::PendingPayment | Status::Approving | Status::Confirming => CmsStatus::Held,
        Status::Confirmed => CmsStatus::Paid,
        Status::Cancelling | Status::Compensating => CmsStatus::Approved,
        Status::Cancelled | Status::Failed => CmsStatus::Cancelled,
        Status::Expired => CmsStatus::Expired,
    };
    let is_undone = status == Status::Compensating;
    let refund = if is_undone { RefundStatus::Requested } else { RefundStatus::None };
    let failure = (status == Status::Failed).then_some(Failure::PaymentRejected);
    let failure = if is_undone { Some(Failure::CmsApproveFailed) } else { failure };
    Reservation {
        status,
        refund,
        is_charged,
        is_cancel_requested: matches!(status, Status::Cancelling | Status::Cancelled),
        is_released: status.is_terminal(),
        cms,
        failure,
    }
}

fn flagged(status: Status) -> Reservation {
    Reservation { is_cancel_requested: true, ..in_state(status) }
}

fn approval() -> Approval {
    Approval { is_our_payment: true, is_our_amount: true, is_known_key: false, is_hold_long: true }
}

const APPROVED: Event = Event::Approved { is_ours: true };
const REJECTED: Event = Event::Rejected { is_our_key: true };
const RETURNED: Event = Event::Returned { is_ours: true, is_all: true };
const RETURNED_ELSEWHERE: Event = Event::Returned { is_ours: false, is_all: true };
const CANCEL: Event = Event::Cancel { is_in_window: true };

fn done(step: Step) -> Event {
    Event::StepDone { step, is_refundable: true }
}

fn released() -> Event {
    done(Step::ReleaseRoom { had_expired: false })
}
