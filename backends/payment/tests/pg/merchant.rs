//! What the payment service can rely on when it calls.

use std::time::Duration;

use payment::pg::{
    Access, CancelOutcome, ConfirmOutcome, PaymentGateway, PgStatus, QueryOutcome, SecretKey,
    Trouble,
};

use crate::{Bank, ORDER, TOTAL, cancel, confirm, gateway};

/// PY-02 PY-03 PY-04 PY-06
#[tokio::test]
async fn py_06_client_and_stand_in_understand_each_other() {
    let pg = Bank::new().open(&[]);
    let unknown = pg.gateway.by_order(ORDER).await;
    assert!(matches!(unknown, QueryOutcome::NotFound(_)), "{unknown:?}");
    let key = pg.check_out(ORDER);
    let QueryOutcome::Found(open) = pg.gateway.by_order(ORDER).await else { panic!() };
    assert_eq!(open.status, PgStatus::InProgress);
    let outcome = pg.gateway.confirm("confirm:1", confirm(&key, ORDER)).await;
    let ConfirmOutcome::Confirmed(paid) = outcome else { panic!("{outcome:?}") };
    assert_eq!((paid.status, paid.balance_amount), (PgStatus::Done, TOTAL));
    assert_eq!(pg.gateway.by_key(&key).await, QueryOutcome::Found(paid));
    let outcome = pg.gateway.cancel("cancel:1:1", cancel(&key)).await;
    let CancelOutcome::Cancelled(returned) = outcome else { panic!("{outcome:?}") };
    assert_eq!((returned.status, returned.returned()), (PgStatus::Canceled, TOTAL));
    assert_eq!(pg.gateway.by_order(ORDER).await, QueryOutcome::Found(returned));
    assert_eq!(pg.ledger(ORDER), (1, 1, 0));
}

/// the answer is lost after the charge, and the same key asks again.
#[tokio::test]
async fn a_06_a_lost_answer_is_charged_once() {
    let pg = Bank::new().open(&[]);
    let key = pg.check_out(ORDER);
    pg.arm("confirm", "drop_after", None);
    let lost = pg.gateway.confirm("confirm:1", confirm(&key, ORDER)).await;
    assert!(matches!(lost, ConfirmOutcome::InDoubt(Trouble::Lost(_))), "{lost:?}");
    let QueryOutcome::Found(found) = pg.gateway.by_order(ORDER).await else { panic!() };
    assert_eq!(found.status, PgStatus::Done);
    let again = pg.gateway.confirm("confirm:1", confirm(&key, ORDER)).await;
    assert!(matches!(again, ConfirmOutcome::Confirmed(_)), "{again:?}");
    assert_eq!(pg.ledger(ORDER), (1, 0, TOTAL));

    pg.arm("cancel", "drop_after", None);
    let lost = pg.gateway.cancel("cancel:1:1", cancel(&key)).await;
    assert!(matches!(lost, CancelOutcome::Retry(Trouble::Lost(_))), "{lost:?}");
    let again = pg.gateway.cancel("cancel:1:1", cancel(&key)).await;
    assert!(matches!(again, CancelOutcome::Cancelled(_)), "{again:?}");
    assert_eq!(pg.ledger(ORDER), (1, 1, 0));
}

/// nothing was done, and the same key does it.
#[tokio::test]
async fn a_06_a_call_that_never_came_is_made_again() {
    let pg = Bank::new().open(&[]);
    let key = pg.check_out(ORDER);
    for kind in ["drop_before", "garbage"] {
        pg.arm("query", kind, None);
        let outcome = pg.gateway.by_order(ORDER).await;
        assert!(matches!(outcome, QueryOutcome::NoAnswer(_)), "{outcome:?}");
    }
    pg.arm("confirm", "drop_before", None);
    let lost = pg.gateway.confirm("confirm:1", confirm(&key, ORDER)).await;
    assert!(matches!(lost, ConfirmOutcome::InDoubt(Trouble::Lost(_))), "{lost:?}");
    assert_eq!(pg.ledger(ORDER), (0, 0, 0));
    pg.arm("confirm", "garbage", None);
    let garbled = pg.gateway.confirm("confirm:1", confirm(&key, ORDER)).await;
    assert_eq!(garbled, ConfirmOutcome::InDoubt(Trouble::Garbled));
    let again = pg.gateway.confirm("confirm:1", confirm(&key, ORDER)).await;
    assert!(matches!(again, ConfirmOutcome::Confirmed(_)), "{again:?}");
    assert_eq!(pg.ledger(ORDER), (1, 0, TOTAL));
}

///
#[tokio::test]
async fn x_03_a_refusal_is_definite() {
    let pg = Bank::new().open(&[]);
    let key = pg.check_out(ORDER);
    pg.arm("confirm", "pg_code", Some("REJECT_CARD_PAYMENT"));
    for _ in 0..2 {
        let outcome = pg.gateway.confirm("confirm:1", confirm(&key, ORDER)).await;
        let ConfirmOutcome::Refused(refusal) = outcome else { panic!("{outcome:?}") };
        assert_eq!((refusal.status.as_u16(), refusal.code.as_str()), (403, "REJECT_CARD_PAYMENT"));
    }
    let QueryOutcome::Found(found) = pg.gateway.by_order(ORDER).await else { panic!() };
    assert_eq!(found.status, PgStatus::Aborted);
    assert_eq!(found.failure.unwrap().code, "REJECT_CARD_PAYMENT");
    // Another key finds out by looking.
    let other = pg.gateway.confirm("confirm:2", confirm(&key, ORDER)).await;
    assert!(matches!(other, ConfirmOutcome::LookUp(_)), "{other:?}");
    assert_eq!(pg.ledger(ORDER), (0, 0, 0));
}

/// a slow answer is given up, and the money is taken all the same, once.
#[tokio::test]
async fn x_04_a_slow_confirm_lands_after_its_client_gave_up() {
    let pg = Bank::new().open(&[("PG_LATENCY", "400ms-400ms")]);
    let key = pg.check_out(ORDER);
    let hasty = gateway(&pg.process, Duration::from_millis(200));
    let outcome = hasty.confirm("confirm:1", confirm(&key, ORDER)).await;
    assert_eq!(outcome, ConfirmOutcome::InDoubt(Trouble::TimedOut));
    let again = || pg.gateway.confirm("confirm:1", confirm(&key, ORDER));
    let mut outcome = again().await;
    while let ConfirmOutcome::InDoubt(Trouble::Told(refusal)) = &outcome {
        assert_eq!(refusal.code, "IDEMPOTENT_REQUEST_PROCESSING");
        outcome = again().await;
    }
    assert!(matches!(outcome, ConfirmOutcome::Confirmed(_)), "{outcome:?}");
    assert_eq!(pg.ledger(ORDER), (1, 0, TOTAL));
}

#[tokio::test]
async fn a_wrong_key_is_nobodys_refusal() {
    let pg = Bank::new().open(&[]);
    let key = pg.check_out(ORDER);
    let url = format!("{}/pg", pg.process.base().unwrap());
    let secret = SecretKey::parse("test_sk_of_another").unwrap();
    let limit = Duration::from_mins(1);
    let stranger = PaymentGateway::new(&Access { url, secret }, limit).unwrap();
    let outcome = stranger.confirm("confirm:1", confirm(&key, ORDER)).await;
    assert!(matches!(outcome, ConfirmOutcome::Misconfigured(_)), "{outcome:?}");
    let outcome = stranger.cancel("cancel:1:1", cancel(&key)).await;
    assert!(matches!(outcome, CancelOutcome::Misconfigured(_)), "{outcome:?}");
    let outcome = stranger.by_order(ORDER).await;
    assert!(matches!(outcome, QueryOutcome::Misconfigured(_)), "{outcome:?}");
}
