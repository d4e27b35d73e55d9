use super::*;

///
#[test]
fn y06_the_reconciler_takes_over_what_the_payment_gateway_says() {
    let query = Next::Query(Asked::Timer);
    check(&doubted(), Event::ReconcileDue, &[Row::Y06], Status::InProgress, &[], query);
    check_unchanged(&payment(Status::Done), Event::ReconcileDue);

    let effects = [approved(), Effect::Publish(Announcement::Approved)];
    let event = seen(Asked::Timer, Seen::Done);
    check(&doubted(), event, &[Row::Y06], Status::Done, &effects, Next::Rest);
    let ends = [
        (Seen::Aborted, Status::Aborted, Reason::Refused),
        (Seen::Expired, Status::Expired, Reason::Expired),
    ];
    for (answer, status, reason) in ends {
        let effects = [rejected(reason), Effect::Publish(Announcement::Rejected)];
        let event = seen(Asked::Timer, answer);
        check(&doubted(), event, &[Row::Y06], status, &effects, Next::Rest);
    }
}

///
#[test]
fn y06_what_is_still_open_is_confirmed_again_before_the_deadline_only() {
    let event = seen(Asked::Timer, Seen::Open);
    let before = payment(Status::InProgress);
    let after = check(&before, event, &[Row::Y06], Status::InProgress, &[], Next::Confirm);
    assert!(after.in_doubt, "two confirms may be under way");

    let queued = with(Status::InProgress, &[waiting(1)]);
    check(&queued, event, &[Row::Y06], Status::InProgress, &[], Next::Rest);
    let late = Event::Seen {
        asked: Asked::Timer,
        seen: Seen::Open,
        in_time: false,
        session_over: false,
        fresh: fresh(),
    };
    check(&before, late, &[Row::Y06], Status::InProgress, &[], Next::Rest);
    let silence = seen(Asked::Timer, Seen::NoAnswer);
    check(&doubted(), silence, &[Row::Y06], Status::InProgress, &[], Next::Rest);
}

#[test]
fn y06b_only_after_the_session_is_over_it_is_given_up() {
    for in_time in [true, false] {
        let event = |seen| Event::Seen {
            asked: Asked::Timer,
            seen,
            in_time,
            session_over: true,
            fresh: fresh(),
        };
        let effects = [rejected(Reason::NotDone), Effect::Publish(Announcement::Rejected)];
        let rows = [Row::Y06b];
        check(&doubted(), event(Seen::Open), &rows, Status::Aborted, &effects, Next::Rest);
        // Silence is no answer, however long it lasts.
        let silence = event(Seen::NoAnswer);
        check(&doubted(), silence, &[Row::Y06], Status::InProgress, &[], Next::Rest);
    }
}

#[test]
fn y14_money_that_nobody_counted_on_is_approved() {
    let effects = [
        Effect::AdoptKey,
        approved(),
        Effect::Publish(Announcement::Approved),
        Effect::Alert(Alert::LateApproval),
    ];
    for status in [Status::Ready, Status::Aborted, Status::Expired] {
        let before = payment(status);
        let event = seen(Asked::Hint, Seen::Done);
        check(&before, event, &[Row::Y14], Status::Done, &effects, Next::Rest);
        let late = answered(ConfirmAnswer::Done);
        check(&before, late, &[Row::Y14], Status::Done, &effects, Next::Rest);
        for nothing in [Seen::NoAnswer, Seen::Open, Seen::Returned, Seen::Aborted, Seen::Expired] {
            check_unchanged(&before, seen(Asked::Hint, nothing));
        }
    }
}

#[test]
fn y14_money_that_was_returned_in_part_is_approved_too() {
    let event = seen(Asked::Hint, Seen::PartlyReturned { balance: 10_000 });
    let decision = decide(&payment(Status::Expired), event);
    assert_eq!(decision.rows, [Row::Y14, Row::Y17, Row::Rf11]);
    assert_eq!(decision.payment.status, Status::PartialCanceled);
    assert_eq!(decision.payment.balance, 10_000);
    assert!(decision.effects.contains(&approved()));
}

///
#[test]
fn y17_rf11_money_returned_by_others_is_taken_over() {
    let effects = [
        told(99, CancelResult::Cancelled),
        Effect::Alert(Alert::ReturnedOutside),
        Effect::Publish(Announcement::Cancelled),
    ];
    for status in [Status::InProgress, Status::Done, Status::PartialCanceled] {
        let before = payment(status);
        let event = seen(Asked::Hint, Seen::Returned);
        let rows = [Row::Y17, Row::Rf11];
        let after = check(&before, event, &rows, Status::Canceled, &effects, Next::Rest);
        let refund = after.refund(fresh()).unwrap();
        assert_eq!((refund.origin, refund.status), (Origin::Outside, RefundStatus::Done));
        assert_eq!((refund.amount, after.balance), (before.balance, 0));
    }
}

#[test]
fn y17_a_part_returned_by_others_is_taken_over() {
    let event = seen(Asked::Hint, Seen::PartlyReturned { balance: 20_000 });
    let effects = [Effect::Alert(Alert::PartlyReturnedOutside)];
    let rows = [Row::Y17, Row::Rf11];
    let before = payment(Status::Done);
    let after = check(&before, event, &rows, Status::PartialCanceled, &effects, Next::Rest);
    assert_eq!(after.balance, 20_000);
    // Known by now.
    check_unchanged(&after, event);
}

#[test]
fn y17_explains_itself_by_a_refund_of_ours() {
    let before = with(Status::Done, &[sent(RefundStatus::Requested)]);
    let event = seen(Asked::Hint, Seen::Returned);
    let effects = [told(1, CancelResult::Cancelled), Effect::Publish(Announcement::Cancelled)];
    let rows = [Row::Y11, Row::Rf5];
    let after = check(&before, event, &rows, Status::Canceled, &effects, Next::Rest);
    assert_eq!(after.refunds.len(), 1);
}

///
#[test]
fn a_26_what_was_announced_and_is_not_so_changes_nothing() {
    check_unchanged(&payment(Status::Done), seen(Asked::Hint, Seen::Done));
    check_unchanged(&payment(Status::InProgress), seen(Asked::Hint, Seen::Open));
    check_unchanged(&payment(Status::Canceled), seen(Asked::Hint, Seen::Done));
}

#[test]
fn what_cannot_be_is_told() {
    for answer in [Seen::Open, Seen::Aborted, Seen::Expired] {
        let before = payment(Status::Done);
        let effects = [Effect::Alert(Alert::Contradiction)];
        check(&before, seen(Asked::Hint, answer), &[], Status::Done, &effects, Next::Rest);
    }
    let more = seen(Asked::Hint, Seen::PartlyReturned { balance: 25_000 });
    let before = payment(Status::PartialCanceled);
    let effects = [Effect::Alert(Alert::Contradiction)];
    check(&before, more, &[], Status::PartialCanceled, &effects, Next::Rest);
}

#[test]
fn y18_a_repeated_command_is_answered_whatever_is_found() {
    let wait = [(Seen::NoAnswer, true), (Seen::Open, false)];
    for (answer, in_time) in wait {
        let asked = Asked::Command;
        let event =
            Event::Seen { asked, seen: answer, in_time, session_over: false, fresh: fresh() };
        let rows = [Row::Y18, Row::Y06];
        check(&doubted(), event, &rows, Status::InProgress, &[PENDING], Next::Rest);
    }
    let again = seen(Asked::Command, Seen::Open);
    let rows = [Row::Y18, Row::Y06];
    check(&doubted(), again, &rows, Status::InProgress, &[], Next::Confirm);
    let effects = [approved(), Effect::Publish(Announcement::Approved)];
    let event = seen(Asked::Command, Seen::Done);
    check(&doubted(), event, &rows, Status::Done, &effects, Next::Rest);
}
