//! The stand-in keeps to its own document, whatever it is asked.

use payment::pg::{ConfirmOutcome, SecretKey};
use service::testing::openapi::{Contract, GeneratedRequest, over_tcp, run};

use crate::{Bank, ORDER, SECRET, confirm};

#[tokio::test]
async fn keeps_to_its_document() {
    let pg = Bank::new().open(&[]);
    let address = pg.process.address().unwrap();
    let contract = Contract::new(pg.process.get("/openapi.json").unwrap().json).unwrap();
    let key = pg.check_out(ORDER);
    let proof = SecretKey::parse(SECRET).unwrap().authorization();
    // What moves money can hardly be made up: some of it repeats what was paid here.
    let paid = pg.gateway.confirm("contract", confirm(&key, ORDER)).await;
    assert!(matches!(paid, ConfirmOutcome::Confirmed(_)), "{paid:?}");
    let contract = contract
        .knows("paymentKey", key.as_str())
        .knows("orderId", ORDER)
        // Faults that wait or drop the connection are not the document's.
        .weight("armFault", 0);

    let ask = async |request: &GeneratedRequest| {
        let mut headers = vec![("authorization", proof.clone())];
        if request.target().ends_with("/confirm") {
            headers.push(("idempotency-key", "contract".to_owned()));
        }
        over_tcp(&address, request, &headers).await
    };
    let report = run(&contract, 2000, ask).await;
    assert!(report.findings.is_empty(), "{report}");
    assert_eq!(report.never_succeeded(), ["armFault"], "{report}");

    let strangers = async |request: &GeneratedRequest| over_tcp(&address, request, &[]).await;
    let report = run(&contract, 400, strangers).await;
    assert!(report.findings.is_empty(), "{report}");
    // Left out above, but a stray POST where faults are taken back finds it.
    let is_asked = |operation: &&str| *operation != "armFault";
    // For everybody `confirm` is no key and what cannot be decoded no path: 405 and 400.
    let is_secret = |operation: &&str| *operation != "findByKey";
    let let_in: Vec<_> = report.let_in().into_iter().filter(is_asked).filter(is_secret).collect();
    let open: Vec<_> = contract.open().into_iter().filter(is_asked).collect();
    assert_eq!(let_in, open, "{report}");
}
