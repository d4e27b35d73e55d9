//! What a kill leaves: A-08, its part about the stand-in.

use payment::pg::{CancelOutcome, ConfirmOutcome, QueryOutcome, Trouble};
use service::testing::Process;

use crate::{BINARY, Bank, ORDER, SECRET, TOTAL, cancel, confirm};

/// `pg.confirm.after_charge`.
#[tokio::test]
async fn a_08_a_charge_and_its_key_survive() {
    let bank = Bank::new();
    let pg = bank.open(&[("CRASH_AT", "pg.confirm.after_charge:2")]);
    let (first, key) = (pg.check_out("order-0"), pg.check_out(ORDER));
    let early = pg.gateway.confirm("confirm:0", confirm(&first, "order-0")).await;
    assert!(matches!(early, ConfirmOutcome::Confirmed(_)), "{early:?}");
    let lost = pg.gateway.confirm("confirm:1", confirm(&key, ORDER)).await;
    assert!(matches!(lost, ConfirmOutcome::InDoubt(Trouble::Lost(_))), "{lost:?}");
    assert_eq!(pg.process.exit_code().unwrap(), None, "ended by a signal");

    let pg = bank.open(&[]);
    assert_eq!(pg.ledger(ORDER), (1, 0, TOTAL));
    let QueryOutcome::Found(found) = pg.gateway.by_order(ORDER).await else { panic!() };
    let again = pg.gateway.confirm("confirm:1", confirm(&key, ORDER)).await;
    assert_eq!(again, ConfirmOutcome::Confirmed(found));
    assert_eq!(pg.gateway.confirm("confirm:0", confirm(&first, "order-0")).await, early);
    assert_eq!(pg.ledger(ORDER), (1, 0, TOTAL));
}

/// `pg.cancel.after_refund`.
#[tokio::test]
async fn a_08_a_refund_and_its_key_survive() {
    let bank = Bank::new();
    let pg = bank.open(&[("CRASH_AT", "pg.cancel.after_refund")]);
    let key = pg.check_out(ORDER);
    let paid = pg.gateway.confirm("confirm:1", confirm(&key, ORDER)).await;
    assert!(matches!(paid, ConfirmOutcome::Confirmed(_)), "{paid:?}");
    let lost = pg.gateway.cancel("cancel:1:1", cancel(&key)).await;
    assert!(matches!(lost, CancelOutcome::Retry(Trouble::Lost(_))), "{lost:?}");
    assert_eq!(pg.process.exit_code().unwrap(), None, "ended by a signal");

    let pg = bank.open(&[]);
    assert_eq!(pg.ledger(ORDER), (1, 1, 0));
    let again = pg.gateway.cancel("cancel:1:1", cancel(&key)).await;
    assert!(matches!(again, CancelOutcome::Cancelled(_)), "{again:?}");
    let other = pg.gateway.cancel("cancel:2:1", cancel(&key)).await;
    assert!(matches!(other, CancelOutcome::LookUp(_)), "{other:?}");
    assert_eq!(pg.ledger(ORDER), (1, 1, 0));
}

/// A kill in the middle of a confirm charges nothing or everything, and frees its key.
#[tokio::test]
async fn a_08_a_kill_in_the_middle_frees_the_key() {
    let bank = Bank::new();
    let mut pg = bank.open(&[("PG_LATENCY", "1h-1h"), ("RUST_LOG", "info,pg=debug")]);
    let key = pg.check_out(ORDER);
    let (gateway, process) = (pg.gateway.clone(), &mut pg.process);
    let asked = confirm(&key, ORDER);
    let called = gateway.confirm("confirm:1", asked);
    let came = async {
        while process.get("/pg/admin/calls").unwrap().json.as_array().unwrap().is_empty() {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        outcome = called => panic!("{outcome:?}"),
        () = came => {}
    }
    pg.process.kill().unwrap();

    let pg = bank.open(&[]);
    assert_eq!(pg.ledger(ORDER), (0, 0, 0));
    let again = pg.gateway.confirm("confirm:1", asked).await;
    assert!(matches!(again, ConfirmOutcome::Confirmed(_)), "{again:?}");
    assert_eq!(pg.ledger(ORDER), (1, 0, TOTAL));
}

#[test]
fn an_unknown_point_is_told() {
    let process = Process::start(
        BINARY,
        &[("PG_SECRET_KEY", SECRET), ("CRASH_AT", "payment.confirm.after_pg")],
    );
    let log = process.unwrap().ended().unwrap();
    assert!(log.contains("pg.confirm.after_charge, pg.cancel.after_refund"), "{log}");
}
