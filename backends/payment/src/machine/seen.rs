//! What the payment gateway says when it is asked.

use uuid::Uuid;

use super::{
    Alert, Announcement, Asked, CancelResult, ConfirmResult, Decision, Effect, Next, Origin,
    Reason, Refund, RefundStatus, Row, Seen, Status,
};

impl Decision {
    pub(super) fn seen(
        self,
        asked: Asked,
        seen: Seen,
        (in_time, session_over): (bool, bool),
        fresh: Uuid,
    ) -> Self {
        match self.payment.status {
            Status::InProgress => {
                let is_repeated = asked == Asked::Command;
                let looked = self.seen_in_progress(asked, seen, (in_time, session_over), fresh);
                if is_repeated { looked.answer_at_last() } else { looked }
            }
            Status::Ready | Status::Aborted | Status::Expired => {
                self.seen_unpaid(seen, fresh).answer_asking(asked)
            }
            Status::Done | Status::PartialCanceled => {
                self.seen_charged(asked, seen, fresh).answer_asking(asked)
            }
            Status::Canceled | Status::WaitingForDeposit => self.answer_asking(asked),
        }
    }

    fn seen_in_progress(
        self,
        asked: Asked,
        seen: Seen,
        (in_time, session_over): (bool, bool),
        fresh: Uuid,
    ) -> Self {
        match seen {
            Seen::NoAnswer => match asked {
                Asked::LookUp { for_command } | Asked::Refusal { for_command } => {
                    self.doubt(for_command)
                }
                Asked::Command
                | Asked::Timer
                | Asked::Hint
                | Asked::Refund(_)
                | Asked::RefundRefusal(_) => self.row(Row::Y06),
            },
            Seen::Open => match asked {
                Asked::Refusal { .. } => {
                    self.row(Row::Y04).reject(Status::Aborted, Reason::Refused)
                }
                Asked::LookUp { for_command } => self.doubt(for_command),
                Asked::Command | Asked::Timer => self.still_open(in_time, session_over),
                Asked::Hint | Asked::Refund(_) | Asked::RefundRefusal(_) => self,
            },
            Seen::Done => self.row(Row::Y06).approve(),
            Seen::PartlyReturned { balance } => self.row(Row::Y06).approve().book(balance, fresh),
            Seen::Returned => {
                let mut returned = self;
                returned.payment.in_doubt = false;
                returned.book(0, fresh)
            }
            Seen::Aborted => self.row(Row::Y06).reject(Status::Aborted, Reason::Refused),
            Seen::Expired => self.row(Row::Y06).reject(Status::Expired, Reason::Expired),
        }
    }

    /// "Not yet" proves nothing until the payment gateway's session is over.
    fn still_open(mut self, in_time: bool, session_over: bool) -> Self {
        if session_over {
            return self.row(Row::Y06b).reject(Status::Aborted, Reason::NotDone);
        }
        if !in_time || self.payment.open_refund().is_some() {
            return self.row(Row::Y06);
        }
        // From here on there are two confirms, and the first may still land.
        self.payment.in_doubt = true;
        self.row(Row::Y06).then(Next::Confirm)
    }

    /// Y18: whatever became of it, the command is answered.
    fn answer_at_last(mut self) -> Self {
        self.rows.insert(0, Row::Y18);
        let is_answered =
            self.effects.iter().any(|effect| matches!(effect, Effect::ConfirmResult(_)));
        if is_answered || self.next != Next::Rest {
            return self;
        }
        self.answer(ConfirmResult::Pending)
    }

    /// Somebody else brought the payment to an end while a command waited.
    fn answer_asking(self, asked: Asked) -> Self {
        let is_answered =
            self.effects.iter().any(|effect| matches!(effect, Effect::ConfirmResult(_)));
        match asked {
            Asked::Command => self.answer_if(!is_answered),
            Asked::LookUp { for_command } | Asked::Refusal { for_command } => {
                self.answer_if(for_command && !is_answered)
            }
            Asked::Timer | Asked::Hint | Asked::Refund(_) | Asked::RefundRefusal(_) => self,
        }
    }

    fn seen_unpaid(self, seen: Seen, fresh: Uuid) -> Self {
        match seen {
            Seen::Done => self.approve_late(),
            // Money was taken, and some of it is still there.
            Seen::PartlyReturned { balance } => self.approve_late().book(balance, fresh),
            Seen::NoAnswer | Seen::Open | Seen::Returned | Seen::Aborted | Seen::Expired => self,
        }
    }

    fn seen_charged(self, asked: Asked, seen: Seen, fresh: Uuid) -> Self {
        let known = self.payment.balance;
        let balance = match seen {
            Seen::NoAnswer => None,
            Seen::Done => Some(self.payment.total),
            Seen::PartlyReturned { balance } => Some(balance),
            Seen::Returned => Some(0),
            // It has forgotten what it took; nothing was returned by that.
            Seen::Open | Seen::Aborted | Seen::Expired => {
                return self.alert(Alert::Contradiction).not_returned(asked);
            }
        };
        match balance {
            None => self.unanswered(asked),
            Some(balance) if balance < known => {
                let booked = self.book(balance, fresh);
                booked.go_on(asked)
            }
            Some(balance) if balance > known => self.alert(Alert::Contradiction),
            Some(_) => self.not_returned(asked),
        }
    }

    /// Some was returned, and perhaps not what the query was for.
    fn go_on(self, asked: Asked) -> Self {
        match asked {
            Asked::Refund(id) | Asked::RefundRefusal(id)
                if self.payment.refund(id).is_some_and(Refund::is_open) =>
            {
                self.not_returned(asked)
            }
            Asked::Refund(_)
            | Asked::RefundRefusal(_)
            | Asked::Command
            | Asked::Timer
            | Asked::Hint
            | Asked::LookUp { .. }
            | Asked::Refusal { .. } => self,
        }
    }

    /// Takes over what the payment gateway says is left, and finds out who returned the rest: the
    /// refund that was sent there, or somebody else.
    pub(super) fn book(mut self, balance: i64, fresh: Uuid) -> Self {
        let returned = self.payment.balance - balance;
        let own = self.payment.open_refund().copied();
        let own = own.filter(|refund| refund.is_sent && refund.amount <= returned);
        let outside = returned - own.map_or(0, |refund| refund.amount);
        self.payment.balance = balance;
        self.payment.status = if balance == 0 { Status::Canceled } else { Status::PartialCanceled };
        let mut booked = self;
        if let Some(Refund { id, .. }) = own {
            booked.change(id, |refund| refund.status = RefundStatus::Done);
            booked = booked.row(Row::Y11).row(Row::Rf5).tell(id, CancelResult::Cancelled);
            booked = booked.publish(Announcement::Cancelled);
        }
        if outside > 0 {
            booked = booked.returned_outside(outside, fresh, own.is_none());
        }
        booked.end_waiting()
    }

    /// Y17 with RF11.
    fn returned_outside(mut self, amount: i64, id: Uuid, is_news: bool) -> Self {
        self.payment.refunds.push(Refund {
            id,
            origin: Origin::Outside,
            amount,
            status: RefundStatus::Done,
            n: 1,
            is_sent: false,
            is_answered: true,
            is_by_hand: false,
        });
        let taken_over = self.row(Row::Y17).row(Row::Rf11);
        if taken_over.payment.balance > 0 {
            return taken_over.alert(Alert::PartlyReturnedOutside);
        }
        let told = taken_over
            .effect(Effect::CancelResult(id, CancelResult::Cancelled))
            .alert(Alert::ReturnedOutside);
        if is_news { told.publish(Announcement::Cancelled) } else { told }
    }

    /// What is left for refunds that wait their turn.
    fn end_waiting(mut self) -> Self {
        let balance = self.payment.balance;
        for refund in self.payment.refunds.iter_mut().filter(|refund| refund.is_open()) {
            refund.amount = refund.amount.min(balance);
        }
        if balance > 0 {
            return self;
        }
        let waiting: Vec<_> =
            self.payment.refunds.iter().filter(|refund| refund.is_open()).copied().collect();
        waiting.into_iter().fold(self, |mut ended, Refund { id, .. }| {
            ended.change(id, |refund| refund.status = RefundStatus::Done);
            ended.row(Row::Rf4).tell(id, CancelResult::Cancelled)
        })
    }
}
