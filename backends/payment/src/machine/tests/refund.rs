use super::*;

fn check_refund(payment: &Payment, number: u128, status: RefundStatus, n: u32) {
    let refund = payment.refund(id(number)).unwrap();
    assert_eq!((refund.status, refund.n), (status, n));
}

#[test]
fn y08_rf3_a_cancel_before_the_confirm_leaves_a_tombstone() {
    let effects = [told(1, CancelResult::NothingToRefund)];
    let rows = [Row::Y08, Row::Rf3];
    let after =
        check(&payment(Status::Ready), cancel(1), &rows, Status::Aborted, &effects, Next::Rest);
    check_refund(&after, 1, RefundStatus::Nothing, 1);
    let late = decide(&after, first_confirm());
    assert_eq!(late.rows, [Row::Y15b]);
}

///
#[test]
fn y10_rf2_a_cancel_during_the_confirm_waits_for_it() {
    let before = payment(Status::InProgress);
    let effects = [told(1, CancelResult::Pending)];
    let rows = [Row::Y10, Row::Rf2];
    let queued = check(&before, cancel(1), &rows, Status::InProgress, &effects, Next::Rest);
    check_unchanged(&queued, Event::RefundDue { refund: id(1) });

    let done = decide(&queued, answered(ConfirmAnswer::Done)).payment;
    let event = Event::RefundDue { refund: id(1) };
    let sent = check(&done, event, &[Row::Rf2], Status::Done, &[], Next::Cancel(id(1)));
    assert!(sent.refund(id(1)).unwrap().is_sent);

    let effects = [
        rejected(Reason::Refused),
        Effect::Publish(Announcement::Rejected),
        told(1, CancelResult::NothingToRefund),
    ];
    let event = answered(ConfirmAnswer::Refused);
    let rows = [Row::Y04, Row::Rf2];
    let refused = check(&queued, event, &rows, Status::Aborted, &effects, Next::Rest);
    check_refund(&refused, 1, RefundStatus::Nothing, 1);

    let returned = decide(&queued, seen(Asked::Timer, Seen::Returned)).payment;
    check_refund(&returned, 1, RefundStatus::Done, 1);
}

#[test]
fn rf1_a_refund_is_written_down_before_it_is_sent() {
    for status in [Status::Done, Status::PartialCanceled] {
        let before = payment(status);
        let after = check(&before, cancel(1), &[Row::Rf1], status, &[], Next::Cancel(id(1)));
        check_refund(&after, 1, RefundStatus::Requested, 1);
        assert_eq!(after.refund(id(1)).unwrap().amount, before.balance, "capped");
    }
}

#[test]
fn rf1_one_at_a_time() {
    let before = with(Status::Done, &[sent(RefundStatus::Refused)]);
    let effects = [told(2, CancelResult::Pending)];
    let after = check(&before, cancel(2), &[Row::Rf1], Status::Done, &effects, Next::Rest);
    check_unchanged(&after, Event::RefundDue { refund: id(2) });
    let leased = Event::Cancel { refund: id(1), amount: TOTAL, is_leased: true };
    let effects = [told(1, CancelResult::Pending)];
    let done = payment(Status::Done);
    check(&done, leased, &[Row::Rf1], Status::Done, &effects, Next::Rest);
}

#[test]
fn y13_rf3_where_nothing_was_charged_nothing_is_returned() {
    for status in [Status::Aborted, Status::Expired] {
        let effects = [told(1, CancelResult::NothingToRefund)];
        let rows = [Row::Y13, Row::Rf3];
        check(&payment(status), cancel(1), &rows, status, &effects, Next::Rest);
    }
}

#[test]
fn y12_rf4_what_was_returned_is_done() {
    let effects = [told(1, CancelResult::Cancelled)];
    let rows = [Row::Y12, Row::Rf4];
    let before = payment(Status::Canceled);
    let after = check(&before, cancel(1), &rows, Status::Canceled, &effects, Next::Rest);
    check_refund(&after, 1, RefundStatus::Done, 1);
}

/// PY-03
#[test]
fn y11_rf5_the_money_was_returned() {
    let effects = [told(1, CancelResult::Cancelled), Effect::Publish(Announcement::Cancelled)];
    let rows = [Row::Y11, Row::Rf5];
    for status in [RefundStatus::Requested, RefundStatus::Refused] {
        let before = with(Status::Done, &[sent(status)]);
        let whole = cancel_answered(CancelAnswer::Returned { balance: 0 });
        let after = check(&before, whole, &rows, Status::Canceled, &effects, Next::Rest);
        check_refund(&after, 1, RefundStatus::Done, 1);
        assert_eq!(after.balance, 0);
        let asked = Asked::Refund(id(1));
        let event = seen(asked, Seen::Returned);
        check(&before, event, &rows, Status::Canceled, &effects, Next::Rest);
    }
    let part = Refund { amount: 10_000, ..sent(RefundStatus::Requested) };
    let before = with(Status::Done, &[part, waiting(2)]);
    let event = cancel_answered(CancelAnswer::Returned { balance: 20_000 });
    let after = check(&before, event, &rows, Status::PartialCanceled, &effects, Next::Rest);
    assert_eq!(after.refund(id(2)).unwrap().amount, 20_000, "no more than is left");
}

///
#[test]
fn rf6_in_doubt_it_is_asked_first_and_then_sent_with_the_same_key() {
    let before = with(Status::Done, &[sent(RefundStatus::Requested)]);
    let effects = [told(1, CancelResult::Pending)];
    let event = cancel_answered(CancelAnswer::Unknown);
    let after = check(&before, event, &[Row::Rf6], Status::Done, &effects, Next::Rest);
    // Told once only.
    check(&after, event, &[Row::Rf6], Status::Done, &[], Next::Rest);

    let asked = Asked::Refund(id(1));
    let due = Event::RefundDue { refund: id(1) };
    check(&after, due, &[Row::Rf6], Status::Done, &[], Next::Query(asked));
    let event = seen(asked, Seen::NoAnswer);
    check(&after, event, &[Row::Rf6], Status::Done, &[], Next::Rest);
    let event = seen(asked, Seen::Done);
    let again = check(&after, event, &[], Status::Done, &[], Next::Cancel(id(1)));
    check_refund(&again, 1, RefundStatus::Requested, 1);
}

#[test]
fn rf6_a_fault_of_configuration_leaves_the_refund_as_it_is() {
    let before = with(Status::Done, &[sent(RefundStatus::Requested)]);
    let effects = [told(1, CancelResult::Pending), Effect::Alert(Alert::Misconfigured)];
    let event = cancel_answered(CancelAnswer::Misconfigured);
    let after = check(&before, event, &[Row::Rf6], Status::Done, &effects, Next::Rest);
    check_refund(&after, 1, RefundStatus::Requested, 1);
}

///
#[test]
fn rf7_rf8_a_refusal_counts_only_when_the_money_is_still_there() {
    let before = with(Status::Done, &[sent(RefundStatus::Requested)]);
    let asked = Asked::RefundRefusal(id(1));
    let event = cancel_answered(CancelAnswer::Refused);
    check(&before, event, &[], Status::Done, &[], Next::Query(asked));

    let effects = [
        told(1, CancelResult::Rejected),
        Effect::Publish(Announcement::CancelFailed),
        Effect::Alert(Alert::RefundRefused),
    ];
    let event = seen(asked, Seen::Done);
    let refused = check(&before, event, &[Row::Rf7], Status::Done, &effects, Next::Rest);
    check_refund(&refused, 1, RefundStatus::Refused, 2);

    let due = Event::RefundDue { refund: id(1) };
    let query = Next::Query(Asked::Refund(id(1)));
    check(&refused, due, &[Row::Rf8], Status::Done, &[], query);
    let again = check(&refused, event, &[Row::Rf8], Status::Done, &[], Next::Rest);
    check_refund(&again, 1, RefundStatus::Refused, 3);

    let effects = [told(1, CancelResult::Cancelled), Effect::Publish(Announcement::Cancelled)];
    let rows = [Row::Y11, Row::Rf5];
    let event = seen(asked, Seen::Returned);
    check(&before, event, &rows, Status::Canceled, &effects, Next::Rest);
    let silence = seen(asked, Seen::NoAnswer);
    let after = decide(&before, silence);
    assert_eq!(after.rows, [Row::Rf6]);
    check_refund(&after.payment, 1, RefundStatus::Requested, 1);
}

#[test]
fn rf9_only_a_refused_refund_is_settled_by_hand() {
    let event = Event::Settled { refund: id(1) };
    let before = with(Status::Done, &[sent(RefundStatus::Refused)]);
    let effects = [told(1, CancelResult::Cancelled)];
    let after = check(&before, event, &[Row::Rf9], Status::Done, &effects, Next::Rest);
    check_refund(&after, 1, RefundStatus::Done, 1);
    assert!(after.refund(id(1)).unwrap().is_by_hand);
    for status in [RefundStatus::Requested, RefundStatus::Done, RefundStatus::Nothing] {
        check_unchanged(&with(Status::Done, &[sent(status)]), event);
    }
}

#[test]
fn rf10_a_repeated_command_is_answered_as_it_stands() {
    let answers = [
        (RefundStatus::Requested, CancelResult::Pending),
        (RefundStatus::Refused, CancelResult::Rejected),
        (RefundStatus::Done, CancelResult::Cancelled),
    ];
    for (status, result) in answers {
        let before = with(Status::Done, &[sent(status)]);
        let effects = [told(1, result)];
        check(&before, cancel(1), &[Row::Rf10], Status::Done, &effects, Next::Rest);
    }
    let before = with(Status::Expired, &[sent(RefundStatus::Nothing)]);
    let effects = [told(1, CancelResult::NothingToRefund)];
    check(&before, cancel(1), &[Row::Rf10], Status::Expired, &effects, Next::Rest);
}

#[test]
fn rf12_what_had_nothing_to_return_is_asked_again_once_money_came() {
    let nothing = Refund { is_sent: false, ..sent(RefundStatus::Nothing) };
    let before = with(Status::Done, &[nothing]);
    let after = check(&before, cancel(1), &[Row::Rf12], Status::Done, &[], Next::Cancel(id(1)));
    check_refund(&after, 1, RefundStatus::Requested, 1);
}
