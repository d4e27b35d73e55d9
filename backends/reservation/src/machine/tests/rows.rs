//! Each row of the table does what it says.

use super::*;

/// From where, by what, to where, what is written, and by which rows.
#[track_caller]
fn check(
    from: &Reservation,
    event: Event,
    to: Status,
    effects: &[Effect],
    rows: &[Row],
) -> Reservation {
    let decision = decide(from, event);
    assert_eq!(decision.reservation.status, to, "{from:?} {event:?}");
    assert_eq!(decision.effects, effects, "{from:?} {event:?}");
    assert_eq!(decision.rows, rows, "{from:?} {event:?}");
    decision.reservation
}

#[track_caller]
fn check_refused(from: &Reservation, event: Event, refusal: Refusal) {
    check_verdict(from, event, Verdict::Refused(refusal));
    assert_eq!(decide(from, event).effects, []);
}

#[track_caller]
fn check_verdict(from: &Reservation, event: Event, verdict: Verdict) {
    let decision = decide(from, event);
    assert_eq!(decision.verdict, verdict, "{from:?} {event:?}");
    assert_eq!(&decision.reservation, from);
}

const REQUESTED: Effect = Effect::Publish(Announcement::CancellationRequested);
const FAILED: Effect = Effect::Publish(Announcement::Failed);
const CANCELLED: Effect = Effect::Publish(Announcement::Cancelled);

/// T01, T02
#[test]
fn t01_t02_a_reservation_is_asked_for_and_created() {
    let requested = request();
    assert_eq!(requested.effects, [Effect::Publish(Announcement::Requested)]);
    let from = requested.reservation;
    let created = [Effect::Publish(Announcement::Created)];
    let held = Event::Created { is_hold_over: false };
    let to = check(&from, held, Status::PendingPayment, &created, &[Row::T02]);
    assert_eq!(to.cms, CmsStatus::Held);
    check_verdict(&from, Event::Created { is_hold_over: true }, Verdict::Noted);
}

/// T03, T04, T05
#[test]
fn t03_t04_t05_what_cannot_be_created_is_released() {
    let from = in_state(Status::Requested);
    let refused = [Effect::Release, FAILED];
    let to = check(&from, Event::HoldRefused, Status::Failed, &refused, &[Row::T03]);
    assert_eq!(to.failure, Some(Failure::HoldRefused));
    let freed = [Effect::Release, FAILED, Effect::FreeKey];
    let to = check(&from, Event::PaymentNotCreated, Status::Failed, &freed, &[Row::T04]);
    assert_eq!(to.failure, Some(Failure::PaymentCreateFailed));
    let to = check(&from, Event::CreateTimedOut, Status::Failed, &freed, &[Row::T05]);
    assert_eq!((to.failure, to.is_released), (Some(Failure::CreateTimeout), false));
    check_verdict(&in_state(Status::PendingPayment), Event::CreateTimedOut, Verdict::Noted);
}

/// T06
#[test]
fn t06_an_approve_asks_payment_once() {
    let from = in_state(Status::PendingPayment);
    let effects = [Effect::RequestConfirm, Effect::Publish(Announcement::Approved)];
    let approve = Event::Approve(approval());
    let to = check(&from, approve, Status::Approving, &effects, &[Row::T06]);
    check_refused(&to, approve, Refusal::ApprovalInProgress);
    let again = Event::Approve(Approval { is_known_key: true, ..approval() });
    check_verdict(&to, again, Verdict::Duplicate);
    check_verdict(&in_state(Status::Failed), again, Verdict::Duplicate);
    check_refused(&in_state(Status::Failed), approve, Refusal::InvalidState);
    check_refused(&in_state(Status::Requested), approve, Refusal::InvalidState);
    check_refused(&in_state(Status::Expired), approve, Refusal::HoldExpired);
    let late = Event::Approve(Approval { is_hold_long: false, ..approval() });
    check_refused(&from, late, Refusal::HoldExpired);
}

///
#[test]
fn a_25_an_approve_of_another_amount_or_payment_is_refused() {
    let from = in_state(Status::PendingPayment);
    let amount = Event::Approve(Approval { is_our_amount: false, ..approval() });
    check_refused(&from, amount, Refusal::AmountMismatch);
    let payment = Event::Approve(Approval { is_our_payment: false, ..approval() });
    check_refused(&from, payment, Refusal::PaymentMismatch);
}

/// T07
#[test]
fn t07_a_hold_that_nobody_pays_runs_out() {
    let effects = [Effect::Release, Effect::Publish(Announcement::Expired)];
    let from = in_state(Status::PendingPayment);
    check(&from, Event::HoldRanOut, Status::Expired, &effects, &[Row::T07]);
    check_verdict(&in_state(Status::Approving), Event::HoldRanOut, Verdict::Noted);
}

/// T08, T13, T17, T18
#[test]
fn t08_t13_t17_t18_a_cancel_is_accepted_now_and_done_when_it_can_be() {
    let release = [REQUESTED, Effect::Release];
    for (status, to, effects, row) in [
        (Status::PendingPayment, Status::Cancelling, &release[..], Row::T08),
        (Status::Approving, Status::Approving, &[REQUESTED], Row::T13),
        (Status::Confirming, Status::Confirming, &[REQUESTED, Effect::Wake], Row::T17),
        (Status::Confirmed, Status::Cancelling, &release, Row::T18),
    ] {
        let to = check(&in_state(status), CANCEL, to, effects, &[row]);
        assert!(to.is_cancel_requested);
        check_verdict(&to, CANCEL, Verdict::Duplicate);
    }
}

/// RS-07
#[test]
fn rs_07_what_cannot_be_cancelled_says_why() {
    check_refused(&in_state(Status::Requested), CANCEL, Refusal::ReservationInProgress);
    let late = Event::Cancel { is_in_window: false };
    check_refused(&in_state(Status::Confirmed), late, Refusal::CancelWindowClosed);
    for status in [Status::Compensating, Status::Failed, Status::Expired] {
        check_refused(&in_state(status), CANCEL, Refusal::NotCancellable);
    }
    for status in [Status::Cancelling, Status::Cancelled] {
        check_verdict(&in_state(status), CANCEL, Verdict::Duplicate);
    }
    let asked = |status, is_in_window| cancellable(&in_state(status), is_in_window);
    assert_eq!(asked(Status::PendingPayment, false), Cancellable::Free);
    assert_eq!(asked(Status::Confirming, false), Cancellable::Deferred);
    assert_eq!(asked(Status::Confirmed, true), Cancellable::Refunded);
    assert_eq!(asked(Status::Confirmed, false), Cancellable::No(ReasonNot::WindowClosed));
}

/// T09
#[test]
fn t09_money_leads_on_to_the_booking() {
    let effects = [Effect::AdoptKey, Effect::OpenBookingSteps];
    for status in [Status::PendingPayment, Status::Approving] {
        let to = check(&in_state(status), APPROVED, Status::Confirming, &effects, &[Row::T09]);
        assert!(to.is_charged);
    }
}

/// T10, T19
#[test]
fn t10_money_for_somebody_who_cancelled_is_released_and_returned() {
    let effects = [Effect::AdoptKey, Effect::Release];
    let from = flagged(Status::Approving);
    let to = check(&from, APPROVED, Status::Cancelling, &effects, &[Row::T10]);
    assert!(to.is_charged);
    let effects = [Effect::Refund(RefundReason::Customer), CANCELLED];
    let to = check(&to, released(), Status::Cancelled, &effects, &[Row::T19]);
    assert_eq!(to.refund, RefundStatus::Requested);
}

/// T11
#[test]
fn t11_a_refusal_ends_it_unless_it_is_about_another_key() {
    let from = in_state(Status::Approving);
    let to = check(&from, REJECTED, Status::Failed, &[Effect::Release, FAILED], &[Row::T11]);
    assert_eq!(to.failure, Some(Failure::PaymentRejected));
    let effects = [Effect::Release, CANCELLED];
    let to = check(&flagged(Status::Approving), REJECTED, Status::Cancelled, &effects, &[Row::T11]);
    assert_eq!(to.failure, None);
    check_verdict(&from, Event::Rejected { is_our_key: false }, Verdict::Noted);
}

/// T12
#[test]
fn t12_pending_is_only_noted() {
    check(&in_state(Status::Approving), Event::Pending, Status::Approving, &[], &[Row::T12]);
    check_verdict(&in_state(Status::Failed), Event::Pending, Verdict::Noted);
}

/// T14
#[test]
fn t14_a_missing_result_is_asked_for_and_never_guessed() {
    let from = in_state(Status::Approving);
    for seen in [Seen::NoAnswer, Seen::Open] {
        check(&from, Event::Seen(seen), Status::Approving, &[], &[Row::T14]);
    }
    let unknown = [Effect::Alert(Alert::PaymentUnknown)];
    check(&from, Event::Seen(Seen::NotFound), Status::Approving, &unknown, &[Row::T14]);
    let charged = Event::Seen(Seen::Charged { is_ours: true });
    let taken = [Effect::AdoptKey, Effect::OpenBookingSteps];
    check(&from, charged, Status::Confirming, &taken, &[Row::T14, Row::T09]);
    let effects = [Effect::AdoptKey, Effect::Release];
    let cancelled = flagged(Status::Approving);
    check(&cancelled, charged, Status::Cancelling, &effects, &[Row::T14, Row::T10]);
    let effects = [Effect::Release, FAILED];
    check(&from, Event::Seen(Seen::Refused), Status::Failed, &effects, &[Row::T14, Row::T11]);
    let rows = [Row::T14, Row::T29];
    let to = check(&from, Event::Seen(Seen::Returned), Status::Failed, &effects, &rows);
    assert_eq!((to.is_charged, to.refund), (true, RefundStatus::Done));
}

/// T15
#[test]
fn t15_a_booking_that_is_paid_is_confirmed() {
    let from = in_state(Status::Confirming);
    let approved = check(&from, done(Step::CmsApprove), Status::Confirming, &[], &[]);
    assert_eq!(approved.cms, CmsStatus::Approved);
    let effects = [Effect::Publish(Announcement::Confirmed)];
    let paid = done(Step::CmsPaymentComplete);
    let to = check(&approved, paid, Status::Confirmed, &effects, &[Row::T15]);
    assert_eq!(to.cms, CmsStatus::Paid);
}

/// T15b
#[test]
fn t15b_a_cancel_between_the_steps_releases() {
    let from = flagged(Status::Confirming);
    let impossible = Event::BookingImpossible;
    for event in [Event::StepBegins, done(Step::CmsApprove), done(Step::CmsPaymentComplete)] {
        check(&from, event, Status::Cancelling, &[Effect::Release], &[Row::T15b]);
    }
    for event in [impossible, Event::Compensate] {
        check(&from, event, Status::Cancelling, &[Effect::Release], &[Row::T15b]);
    }
    check_verdict(&in_state(Status::Confirming), Event::StepBegins, Verdict::Noted);
}

/// T16, T22
#[test]
fn t16_t22_a_paid_stay_without_a_room_is_undone() {
    let effects = [Effect::Release, Effect::Refund(RefundReason::CmsApproveFailed)];
    let from = in_state(Status::Confirming);
    let impossible = Event::BookingImpossible;
    let undone = check(&from, impossible, Status::Compensating, &effects, &[Row::T16]);

    let room_first = check(&undone, released(), Status::Compensating, &[], &[]);
    let to = check(&room_first, RETURNED, Status::Failed, &[FAILED], &[Row::T20, Row::T22]);
    assert_eq!((to.failure, to.refund), (Some(Failure::CmsApproveFailed), RefundStatus::Done));

    let money_first = check(&undone, RETURNED, Status::Compensating, &[], &[Row::T20]);
    check(&money_first, released(), Status::Failed, &[FAILED], &[Row::T22]);
}

/// T19
#[test]
fn t19_what_was_cancelled_is_returned_once() {
    let free = flagged(Status::Cancelling);
    check(&free, released(), Status::Cancelled, &[CANCELLED], &[Row::T19]);
    let paid = Reservation { is_charged: true, ..free };
    let refunded = [Effect::Refund(RefundReason::Customer), CANCELLED];
    check(&paid, released(), Status::Cancelled, &refunded, &[Row::T19]);
    let step = Step::ReleaseRoom { had_expired: false };
    let for_nothing = Event::StepDone { step, is_refundable: false };
    let to = check(&paid, for_nothing, Status::Cancelled, &[CANCELLED], &[Row::T19]);
    assert_eq!(to.refund, RefundStatus::None);
    let returned = Reservation { refund: RefundStatus::Done, ..paid };
    check(&returned, released(), Status::Cancelled, &[CANCELLED], &[Row::T19]);
}

/// T20
#[test]
fn t20_returned_money_is_noted_in_every_end() {
    for status in [Status::Cancelling, Status::Cancelled, Status::Failed, Status::Expired] {
        for refund in [RefundStatus::None, RefundStatus::Requested, RefundStatus::Failed] {
            let from = Reservation { refund, ..in_state(status) };
            for event in [RETURNED, RETURNED_ELSEWHERE] {
                let to = check(&from, event, status, &[], &[Row::T20]);
                assert_eq!(to.refund, RefundStatus::Done);
                check_verdict(&to, event, Verdict::Duplicate);
            }
            let foreign = Event::Returned { is_ours: false, is_all: false };
            check_verdict(&from, foreign, Verdict::Noted);
        }
    }
}

/// T20b
#[test]
fn t20b_nothing_to_return_is_an_end_unless_money_was_taken() {
    let nothing = Event::NothingToRefund { is_ours: true };
    let open = Reservation { refund: RefundStatus::Requested, ..in_state(Status::Failed) };
    let to = check(&open, nothing, Status::Failed, &[], &[Row::T20b]);
    assert_eq!(to.refund, RefundStatus::Nothing);
    let charged = Reservation { is_charged: true, ..open };
    let alert = [Effect::Alert(Alert::Contradiction)];
    let to = check(&charged, nothing, Status::Failed, &alert, &[Row::T20b]);
    assert_eq!(to.refund, RefundStatus::Requested);
    check_verdict(&charged, Event::NothingToRefund { is_ours: false }, Verdict::Noted);
}

/// T21
#[test]
fn t21_a_refund_that_is_refused_is_told_and_goes_on() {
    let open = Reservation { refund: RefundStatus::Requested, ..in_state(Status::Cancelled) };
    let alert = [Effect::Alert(Alert::RefundFailed)];
    let rejected = Event::RefundRejected { is_ours: true };
    let to = check(&open, rejected, Status::Cancelled, &alert, &[Row::T21]);
    assert_eq!(to.refund, RefundStatus::Failed);
    check_verdict(&to, rejected, Verdict::Duplicate);
    check_verdict(&open, Event::RefundRejected { is_ours: false }, Verdict::Noted);
    check_verdict(&open, Event::RefundPending, Verdict::Noted);
    check(&to, RETURNED, Status::Cancelled, &[], &[Row::T20]);
}

/// T23
#[test]
fn t23_money_that_comes_late_is_returned() {
    let refund = [Effect::AdoptKey, Effect::Refund(RefundReason::LateApproval)];
    for status in [Status::Failed, Status::Expired, Status::Cancelled] {
        let from = in_state(status);
        let to = check(&from, APPROVED, status, &refund, &[Row::T23]);
        assert_eq!((to.is_charged, to.refund), (true, RefundStatus::Requested));
        check_verdict(&to, APPROVED, Verdict::Duplicate);
        let nothing = Reservation { refund: RefundStatus::Nothing, ..from.clone() };
        check(&nothing, APPROVED, status, &refund, &[Row::T23]);
        let asked = Reservation { refund: RefundStatus::Requested, ..from };
        check(&asked, APPROVED, status, &[Effect::AdoptKey], &[Row::T23]);
    }
}

/// T24, T25, T26 X-18
#[test]
fn t24_t25_t26_a_further_result_changes_nothing() {
    for status in [Status::Confirming, Status::Confirmed, Status::Compensating] {
        check_verdict(&in_state(status), APPROVED, Verdict::Duplicate);
        check_verdict(&in_state(status), REJECTED, Verdict::Contradiction);
        assert_eq!(decide(&in_state(status), REJECTED).rows, [Row::T26]);
    }
    let from = in_state(Status::Cancelling);
    let to = check(&from, APPROVED, Status::Cancelling, &[Effect::AdoptKey], &[Row::T24]);
    assert!(to.is_charged);
    for status in [Status::Failed, Status::Expired, Status::Cancelled] {
        check(&in_state(status), REJECTED, status, &[], &[Row::T25]);
    }
}

/// T27
#[test]
fn t27_an_open_refund_is_asked_for_and_sent_again() {
    for refund in [RefundStatus::Requested, RefundStatus::Failed] {
        let from = Reservation { refund, ..in_state(Status::Cancelled) };
        let again = [Effect::RepeatRefund];
        for seen in [Seen::NoAnswer, Seen::Open, Seen::Charged { is_ours: true }, Seen::Refused] {
            check(&from, Event::Seen(seen), Status::Cancelled, &again, &[Row::T27]);
        }
        let alert = [Effect::Alert(Alert::PaymentUnknown)];
        check(&from, Event::Seen(Seen::NotFound), Status::Cancelled, &alert, &[Row::T27]);
        let rows = [Row::T27, Row::T20];
        let to = check(&from, Event::Seen(Seen::Returned), Status::Cancelled, &[], &rows);
        assert_eq!(to.refund, RefundStatus::Done);
        check_verdict(&to, Event::Seen(Seen::Returned), Verdict::Noted);
    }
}

/// T28
#[test]
fn t28_money_returned_elsewhere_releases_the_room() {
    let effects = [Effect::Release, Effect::Alert(Alert::CancelledElsewhere)];
    for status in [Status::Confirming, Status::Confirmed] {
        let from = in_state(status);
        let to = check(&from, RETURNED_ELSEWHERE, Status::Cancelling, &effects, &[Row::T28]);
        assert_eq!(to.refund, RefundStatus::Done);
        check(&to, released(), Status::Cancelled, &[CANCELLED], &[Row::T19]);
    }
}

/// T29
#[test]
fn t29_a_payment_cancelled_before_its_approval_ends_it() {
    let effects = [Effect::Release, FAILED];
    for status in [Status::PendingPayment, Status::Approving] {
        let from = in_state(status);
        let to = check(&from, RETURNED_ELSEWHERE, Status::Failed, &effects, &[Row::T29]);
        assert_eq!(to.failure, Some(Failure::PaymentCancelledElsewhere));
        assert_eq!((to.is_charged, to.refund), (true, RefundStatus::Done));
        // The approval that it overtook returns nothing twice.
        check_verdict(&to, APPROVED, Verdict::Duplicate);
    }
    let from = flagged(Status::Approving);
    let effects = [Effect::Release, CANCELLED];
    check(&from, RETURNED_ELSEWHERE, Status::Cancelled, &effects, &[Row::T29]);
}

/// T30
#[test]
fn t30_a_result_before_the_end_of_the_create_is_kept() {
    for event in [APPROVED, REJECTED, Event::Pending, RETURNED, Event::RefundPending] {
        let from = in_state(Status::Requested);
        check(&from, event, Status::Requested, &[Effect::KeepResult], &[Row::T30]);
    }
}

/// T31
#[test]
fn t31_an_operator_gives_a_booking_up() {
    let effects = [Effect::Release, Effect::Refund(RefundReason::Operator)];
    let from = in_state(Status::Confirming);
    let to = check(&from, Event::Compensate, Status::Compensating, &effects, &[Row::T31]);
    assert_eq!(to.failure, Some(Failure::Operator));
    check_refused(&in_state(Status::Confirmed), Event::Compensate, Refusal::InvalidState);
}

/// T33
#[test]
fn t33_a_refund_that_payment_does_not_know_is_settled_by_hand() {
    let refund = RefundStatus::Failed;
    let from = Reservation { refund, ..in_state(Status::Expired) };
    let to = check(&from, Event::SettledByHand, Status::Expired, &[], &[Row::T33]);
    assert_eq!(to.refund, RefundStatus::Done);
    check_refused(&to, Event::SettledByHand, Refusal::InvalidState);
    let undone = in_state(Status::Compensating);
    let undone = Reservation { refund, is_released: true, ..undone };
    check(&undone, Event::SettledByHand, Status::Failed, &[FAILED], &[Row::T33, Row::T22]);
}

/// an approval of another payment or amount is told, and no money is counted.
#[test]
fn x_17_an_approval_that_is_not_ours_changes_nothing() {
    for status in Status::ALL.iter().copied().filter(|status| *status != Status::Requested) {
        let decision = decide(&in_state(status), Event::Approved { is_ours: false });
        assert_eq!(decision.effects, [Effect::Alert(Alert::ResultMismatch)], "{status:?}");
        assert_eq!(decision.reservation, in_state(status));
    }
}
