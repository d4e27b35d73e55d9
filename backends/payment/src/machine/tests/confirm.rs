use super::*;

#[test]
fn y01_a_payment_begins_ready() {
    let Decision { rows, payment, effects, next } = create(TOTAL);
    assert_eq!(rows, [Row::Y01]);
    assert_eq!((payment.status, payment.balance), (Status::Ready, TOTAL));
    assert_eq!(effects, [Effect::Publish(Announcement::Created)]);
    assert_eq!(next, Next::Rest);
}

#[test]
fn y02_a_command_in_time_starts_the_confirm() {
    let ready = payment(Status::Ready);
    let started = [Effect::AdoptKey];
    check(&ready, first_confirm(), &[Row::Y02], Status::InProgress, &started, Next::Confirm);
    let event = Event::Confirm { key: Key::First, amount: TOTAL, in_time: true, is_leased: true };
    let left = [Effect::AdoptKey, PENDING];
    check(&ready, event, &[Row::Y02], Status::InProgress, &left, Next::Rest);
}

#[test]
fn y02b_another_amount_is_refused_before_the_payment_gateway_is_asked() {
    let event = Event::Confirm { key: Key::First, amount: 1, in_time: false, is_leased: false };
    let effects = [
        Effect::AdoptKey,
        rejected(Reason::AmountMismatch),
        Effect::Publish(Announcement::Rejected),
    ];
    check(&payment(Status::Ready), event, &[Row::Y02b], Status::Aborted, &effects, Next::Rest);
}

#[test]
fn y03_the_money_was_taken() {
    let effects = [approved(), Effect::Publish(Announcement::Approved)];
    for before in [payment(Status::InProgress), doubted()] {
        let event = answered(ConfirmAnswer::Done);
        let done = check(&before, event, &[Row::Y03], Status::Done, &effects, Next::Rest);
        assert_eq!((done.in_doubt, done.verdict), (false, Some(Verdict::Approved)));
    }
}

#[test]
fn y04_a_definite_refusal_ends_it() {
    let effects = [rejected(Reason::Refused), Effect::Publish(Announcement::Rejected)];
    let event = answered(ConfirmAnswer::Refused);
    let before = payment(Status::InProgress);
    check(&before, event, &[Row::Y04], Status::Aborted, &effects, Next::Rest);
}

#[test]
fn y04_after_an_attempt_in_doubt_a_refusal_is_looked_into() {
    let asked = Asked::Refusal { for_command: true };
    let event = answered(ConfirmAnswer::Refused);
    check(&doubted(), event, &[], Status::InProgress, &[], Next::Query(asked));
    let event = Event::ConfirmAnswered {
        answer: ConfirmAnswer::Refused,
        is_repeat: true,
        for_command: true,
    };
    let fresh = payment(Status::InProgress);
    check(&fresh, event, &[], Status::InProgress, &[], Next::Query(asked));

    let effects = [approved(), Effect::Publish(Announcement::Approved)];
    let event = seen(asked, Seen::Done);
    check(&doubted(), event, &[Row::Y06], Status::Done, &effects, Next::Rest);
    let effects = [rejected(Reason::Refused), Effect::Publish(Announcement::Rejected)];
    let event = seen(asked, Seen::Open);
    check(&doubted(), event, &[Row::Y04], Status::Aborted, &effects, Next::Rest);
    let event = seen(asked, Seen::NoAnswer);
    check(&doubted(), event, &[Row::Y05], Status::InProgress, &[PENDING], Next::Rest);
}

///
#[test]
fn y05_an_unknown_outcome_is_in_doubt() {
    let before = payment(Status::InProgress);
    let event = answered(ConfirmAnswer::Unknown);
    let after = check(&before, event, &[Row::Y05], Status::InProgress, &[PENDING], Next::Rest);
    assert!(after.in_doubt);
    let event = Event::ConfirmAnswered {
        answer: ConfirmAnswer::Unknown,
        is_repeat: true,
        for_command: false,
    };
    check(&before, event, &[Row::Y05], Status::InProgress, &[], Next::Rest);
}

#[test]
fn y05_a_code_that_says_nothing_is_looked_up() {
    let before = payment(Status::InProgress);
    let asked = Asked::LookUp { for_command: true };
    let event = answered(ConfirmAnswer::LookUp);
    check(&before, event, &[], Status::InProgress, &[], Next::Query(asked));
    for answer in [Seen::Open, Seen::NoAnswer] {
        let event = seen(asked, answer);
        let after = check(&before, event, &[Row::Y05], Status::InProgress, &[PENDING], Next::Rest);
        assert!(after.in_doubt);
    }
}

#[test]
fn a_fault_of_configuration_is_never_a_refusal() {
    let effects = [PENDING, Effect::Alert(Alert::Misconfigured)];
    let event = answered(ConfirmAnswer::Misconfigured);
    let before = payment(Status::InProgress);
    check(&before, event, &[Row::Y05], Status::InProgress, &effects, Next::Rest);
}

///
#[test]
fn y07_after_the_deadline_nothing_is_charged() {
    let event = Event::Confirm { key: Key::First, amount: TOTAL, in_time: false, is_leased: false };
    let effects = [
        Effect::AdoptKey,
        rejected(Reason::DeadlinePassed),
        Effect::Publish(Announcement::Rejected),
    ];
    check(&payment(Status::Ready), event, &[Row::Y07], Status::Aborted, &effects, Next::Rest);
}

#[test]
fn y09_time_runs_out_for_what_nobody_paid() {
    let effects = [Effect::Publish(Announcement::Expired)];
    let ready = payment(Status::Ready);
    check(&ready, Event::TimeRanOut, &[Row::Y09], Status::Expired, &effects, Next::Rest);
    for status in [Status::InProgress, Status::Done, Status::Aborted] {
        check_unchanged(&payment(status), Event::TimeRanOut);
    }
}

#[test]
fn y15_a_stored_result_is_published_again() {
    for status in [Status::Done, Status::PartialCanceled, Status::Canceled] {
        check(&payment(status), confirm(), &[Row::Y15], status, &[approved()], Next::Rest);
    }
    let verdict = Some(Verdict::Rejected(Reason::Refused));
    let refused = Payment { verdict, ..payment(Status::Aborted) };
    let effects = [rejected(Reason::Refused)];
    check(&refused, confirm(), &[Row::Y15], Status::Aborted, &effects, Next::Rest);
}

///
#[test]
fn y15b_what_ended_without_a_result_is_refused_by_its_state() {
    let reasons = [
        (Status::Aborted, Reason::CancelledBeforeConfirm),
        (Status::Expired, Reason::Expired),
        (Status::Canceled, Reason::Cancelled),
    ];
    for (status, reason) in reasons {
        let before = Payment { verdict: None, ..payment(status) };
        let effects = [Effect::AdoptKey, rejected(reason)];
        let after = check(&before, first_confirm(), &[Row::Y15b], status, &effects, Next::Rest);
        assert_eq!(after.verdict, Some(Verdict::Rejected(reason)));
        check(&after, confirm(), &[Row::Y15], status, &[rejected(reason)], Next::Rest);
    }
}

///
#[test]
fn y16_another_key_is_refused_and_nothing_is_kept_of_it() {
    let event = Event::Confirm { key: Key::Other, amount: TOTAL, in_time: true, is_leased: false };
    for status in [Status::Ready, Status::InProgress, Status::Done, Status::Canceled] {
        let before = payment(status);
        let effects = [rejected(Reason::KeyMismatch)];
        let after = check(&before, event, &[Row::Y16], status, &effects, Next::Rest);
        assert_eq!(after, before);
    }
}

#[test]
fn y18_a_repeat_while_it_runs_is_looked_up_or_told_to_wait() {
    let before = payment(Status::InProgress);
    let query = Next::Query(Asked::Command);
    check(&before, confirm(), &[Row::Y18], Status::InProgress, &[], query);
    let event = Event::Confirm { key: Key::Same, amount: TOTAL, in_time: true, is_leased: true };
    check(&before, event, &[Row::Y18], Status::InProgress, &[PENDING], Next::Rest);
}

#[test]
fn an_answer_for_what_somebody_else_has_ended_tells_how_it_ended() {
    let event = answered(ConfirmAnswer::Refused);
    check(&payment(Status::Done), event, &[], Status::Done, &[approved()], Next::Rest);
}
