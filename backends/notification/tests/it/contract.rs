//! The service keeps to its own document, whatever it is asked.

use service::testing::openapi::{Contract, GeneratedRequest, over_tcp, run};

use crate::{MEMBER, Notification, STORED};

#[tokio::test]
async fn keeps_to_its_document() {
    let service = Notification::serving();
    service.store(STORED).await;
    let address = service.process.address().unwrap();
    let contract = Contract::new(service.process.get("/openapi.json").unwrap().json).unwrap();
    let contract = contract.knows("sourceEventId", "01968a3e-0000-7000-8000-000000000002");

    let ask = async |request: &GeneratedRequest| {
        let proof = request.proof(&service.signer, "trial", MEMBER);
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
