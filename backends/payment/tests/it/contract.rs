//! The service keeps to its own document, whatever it is asked.

use service::testing::openapi::{Contract, GeneratedRequest, over_tcp, run};

use crate::fake_pg::FakePg;
use crate::{MEMBER, Payment};

/// Payments that were made without a service.
const PAYMENT: &str = "01968a3e-0000-7000-8000-000000000001";
const ORDER: &str = "01968a3e-0000-7000-9000-000000000001";
const REFUSED: &str = "01968a3e-0000-7000-a000-000000000004";

async fn keeps_to_its_document(service: &Payment) {
    service.store().await;
    let address = service.process.address().unwrap();
    let contract = Contract::new(service.process.get("/openapi.json").unwrap().json).unwrap();
    // Nothing lists payments, so whoever makes requests up is told of one.
    let contract = contract
        .knows("paymentId", PAYMENT)
        .knows("orderId", ORDER)
        .knows("attention", true)
        .knows("paymentKey", "key-1")
        .knows("refundId", REFUSED);

    let ask = async |request: &GeneratedRequest| {
        let proof = request.proof(&service.signer, "reservation", MEMBER);
        over_tcp(&address, request, &proof).await
    };
    let report = run(&contract, 2500, ask).await;
    assert!(report.findings.is_empty(), "{report}");
    // Its amount is guessed by whoever has just read the right one.
    let never = report.never_succeeded();
    let never: Vec<_> = never.into_iter().filter(|name| *name != "confirmPayment").collect();
    assert_eq!(never, Vec::<&str>::new(), "{report}");

    let strangers = async |request: &GeneratedRequest| over_tcp(&address, request, &[]).await;
    let report = run(&contract, 300, strangers).await;
    assert!(report.findings.is_empty(), "{report}");
    assert_eq!(report.let_in(), contract.open(), "{report}");
}

#[tokio::test]
async fn it_keeps_to_its_document() {
    keeps_to_its_document(&Payment::serving(&[])).await;
}

#[tokio::test]
async fn it_keeps_to_its_document_in_test_mode() {
    let pg = FakePg::start();
    pg.check_out(ORDER, 15_000);
    pg.edit(ORDER, |order| {
        order.key = "key-1".to_owned();
        order.charges = 1;
        order.give_back(5_000);
    });
    let base = pg.base();
    let service = Payment::serving(&[("PG_URL", &base), ("TEST_MODE", "1")]);
    keeps_to_its_document(&service).await;
}
