//! The service keeps to its own document, whatever it is asked.

use service::testing::openapi::{Contract, GeneratedRequest, over_tcp, run};

use crate::{MEMBER, Payment, WEBHOOK};

#[tokio::test]
async fn keeps_to_its_document() {
    let service = Payment::serving();
    service.store().await;
    let address = service.process.address().unwrap();
    let contract = Contract::new(service.process.get("/openapi.json").unwrap().json).unwrap();
    // Nothing lists payments, so whoever makes requests up is told of one.
    let contract = contract
        .knows("paymentId", "01968a3e-0000-7000-8000-000000000001")
        .knows("orderId", "01968a3e-0000-7000-9000-000000000001")
        .knows("paymentKey", "key-1");

    let ask = async |request: &GeneratedRequest| {
        let (method, target) = (request.method(), request.target());
        let member = Some(MEMBER).filter(|_| !target.starts_with(WEBHOOK));
        let proof = service.signer.gateway(method, target, member);
        over_tcp(&address, request, &proof).await
    };
    let report = run(&contract, 1500, ask).await;
    assert!(report.findings.is_empty(), "{report}");
    assert_eq!(report.never_succeeded(), Vec::<&str>::new(), "{report}");

    let strangers = async |request: &GeneratedRequest| over_tcp(&address, request, &[]).await;
    let report = run(&contract, 300, strangers).await;
    assert!(report.findings.is_empty(), "{report}");
    assert_eq!(report.let_in(), contract.open(), "{report}");
}
