//! The create, and the hold that nobody pays for: T02–T05, T07.

use super::{Announcement, CmsStatus, Decision, Effect, Failure, Row, Status};

impl Decision {
    pub(super) fn created(mut self, is_hold_over: bool) -> Self {
        if self.reservation.status != Status::Requested || is_hold_over {
            return self.noted();
        }
        self.reservation.cms = CmsStatus::Held;
        self.row(Row::T02).to(Status::PendingPayment).publish(Announcement::Created)
    }

    pub(super) fn not_created(self, row: Row, failure: Failure) -> Self {
        if self.reservation.status != Status::Requested {
            return self.noted();
        }
        let failed = self.row(row).release().fail(failure);
        // What the CMS refused stays refused; anything else is worth another reservation.
        if failure == Failure::HoldRefused { failed } else { failed.effect(Effect::FreeKey) }
    }

    pub(super) fn run_out(self) -> Self {
        if self.reservation.status != Status::PendingPayment {
            return self.noted();
        }
        self.row(Row::T07).to(Status::Expired).release().publish(Announcement::Expired)
    }
}
