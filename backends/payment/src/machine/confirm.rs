//! Taking the money.

use super::{
    Announcement, Asked, CancelResult, ConfirmAnswer, ConfirmResult, Decision, Effect, Key, Next,
    Reason, Refund, RefundStatus, Row, Status, Verdict,
};

impl Decision {
    pub(super) fn confirm(self, key: Key, amount: i64, in_time: bool, is_leased: bool) -> Self {
        if key == Key::Other {
            let verdict = Verdict::Rejected(Reason::KeyMismatch);
            return self.row(Row::Y16).answer(ConfirmResult::Final(verdict));
        }
        if let Some(verdict) = self.payment.verdict {
            return self.row(Row::Y15).answer(ConfirmResult::Final(verdict));
        }
        match self.payment.status {
            Status::Ready => self.confirm_ready(amount, in_time, is_leased),
            Status::InProgress if is_leased => self.row(Row::Y18).answer(ConfirmResult::Pending),
            Status::InProgress => self.row(Row::Y18).then(Next::Query(Asked::Command)),
            Status::Aborted => self.refuse_late(Reason::CancelledBeforeConfirm),
            Status::Expired => self.refuse_late(Reason::Expired),
            Status::Canceled => self.refuse_late(Reason::Cancelled),
            // Charged without a verdict, and virtual accounts: neither is ever reached.
            Status::Done | Status::PartialCanceled | Status::WaitingForDeposit => {
                self.answer(ConfirmResult::Pending)
            }
        }
    }

    fn confirm_ready(self, amount: i64, in_time: bool, is_leased: bool) -> Self {
        if amount != self.payment.total {
            let aborted = self.row(Row::Y02b).effect(Effect::AdoptKey);
            return aborted.reject(Status::Aborted, Reason::AmountMismatch);
        }
        if !in_time {
            let aborted = self.row(Row::Y07).effect(Effect::AdoptKey);
            return aborted.reject(Status::Aborted, Reason::DeadlinePassed);
        }
        let mut started = self.row(Row::Y02).effect(Effect::AdoptKey);
        started.payment.status = Status::InProgress;
        // Whoever owns it asks on behalf of something else; the reconciler goes on from here.
        if is_leased { started.answer(ConfirmResult::Pending) } else { started.then(Next::Confirm) }
    }

    /// A command for a payment that ended without a result.
    fn refuse_late(mut self, reason: Reason) -> Self {
        let verdict = Verdict::Rejected(reason);
        self.payment.verdict = Some(verdict);
        self.row(Row::Y15b).effect(Effect::AdoptKey).answer(ConfirmResult::Final(verdict))
    }

    pub(super) fn confirm_answered(
        self,
        answer: ConfirmAnswer,
        is_repeat: bool,
        for_command: bool,
    ) -> Self {
        match self.payment.status {
            Status::InProgress => self.answered_in_progress(answer, is_repeat, for_command),
            Status::Ready | Status::Aborted | Status::Expired if answer == ConfirmAnswer::Done => {
                self.approve_late()
            }
            // Somebody else was faster, and its result stands.
            Status::Ready
            | Status::WaitingForDeposit
            | Status::Done
            | Status::Canceled
            | Status::PartialCanceled
            | Status::Aborted
            | Status::Expired => self.answer_if(for_command),
        }
    }

    fn answered_in_progress(
        self,
        answer: ConfirmAnswer,
        is_repeat: bool,
        for_command: bool,
    ) -> Self {
        match answer {
            ConfirmAnswer::Done => self.row(Row::Y03).approve(),
            ConfirmAnswer::Refused if is_repeat || self.payment.in_doubt => {
                self.then(Next::Query(Asked::Refusal { for_command }))
            }
            ConfirmAnswer::Refused => self.row(Row::Y04).reject(Status::Aborted, Reason::Refused),
            ConfirmAnswer::LookUp => self.then(Next::Query(Asked::LookUp { for_command })),
            ConfirmAnswer::Unknown => self.doubt(for_command),
            ConfirmAnswer::Misconfigured => {
                self.doubt(for_command).alert(super::Alert::Misconfigured)
            }
        }
    }

    /// Y05: nobody knows; the reconciler takes over.
    pub(super) fn doubt(mut self, for_command: bool) -> Self {
        self.payment.in_doubt = true;
        self.row(Row::Y05).answer_if(for_command)
    }

    /// A command is always answered: by what is final, or by PENDING.
    pub(super) fn answer_if(self, for_command: bool) -> Self {
        if !for_command {
            return self;
        }
        let result = self.payment.verdict.map_or(ConfirmResult::Pending, ConfirmResult::Final);
        self.answer(result)
    }

    /// The payment gateway has taken the money.
    pub(super) fn approve(mut self) -> Self {
        self.payment.status = Status::Done;
        self.payment.in_doubt = false;
        self.payment.verdict = Some(Verdict::Approved);
        self.answer(ConfirmResult::Final(Verdict::Approved)).publish(Announcement::Approved)
    }

    /// Y14: it has, although nobody counted on it any more.
    pub(super) fn approve_late(self) -> Self {
        let approved = self.row(Row::Y14).effect(Effect::AdoptKey).approve();
        approved.alert(super::Alert::LateApproval)
    }

    /// No money was taken, for good; refunds that waited for it have nothing to return.
    pub(super) fn reject(mut self, status: Status, reason: Reason) -> Self {
        let verdict = Verdict::Rejected(reason);
        self.payment.status = status;
        self.payment.in_doubt = false;
        self.payment.verdict = Some(verdict);
        let waiting: Vec<_> =
            self.payment.refunds.iter().filter(|refund| refund.is_open()).copied().collect();
        let rejected = self.answer(ConfirmResult::Final(verdict)).publish(Announcement::Rejected);
        waiting.into_iter().fold(rejected, |mut rejected, Refund { id, .. }| {
            rejected.change(id, |refund| refund.status = RefundStatus::Nothing);
            rejected.row(Row::Rf2).tell(id, CancelResult::NothingToRefund)
        })
    }

    pub(super) fn reconcile(self) -> Self {
        if self.payment.status == Status::InProgress {
            self.row(Row::Y06).then(Next::Query(Asked::Timer))
        } else {
            self
        }
    }

    pub(super) fn run_out(mut self) -> Self {
        if self.payment.status != Status::Ready {
            return self;
        }
        self.payment.status = Status::Expired;
        self.row(Row::Y09).publish(Announcement::Expired)
    }
}
