//! The service keeps to its own document, whatever it is asked.

use service::testing::Headers;
use service::testing::openapi::{Contract, GeneratedRequest, over_tcp, run};

use crate::fake_cms::FakeCms;
use crate::{MEMBER, Reservation, good};

#[tokio::test]
async fn keeps_to_its_document() {
    let service = Reservation::beside(&FakeCms::start(good));
    service.store(include_str!("reservation.sql")).await;
    let address = service.process.address().unwrap();
    let contract = Contract::new(service.process.get("/openapi.json").unwrap().json).unwrap();

    let proof = |request: &GeneratedRequest| -> Headers {
        let (method, target) = (request.method(), request.target());
        if target.starts_with("/internal/") {
            return service.signer.service("member", method, target, request.body());
        }
        service.signer.gateway(method, target, Some(MEMBER))
    };
    let ask = async |request: &GeneratedRequest| over_tcp(&address, request, &proof(request)).await;
    let report = run(&contract, 1500, ask).await;
    assert!(report.findings.is_empty(), "{report}");
    assert_eq!(report.never_succeeded(), Vec::<&str>::new(), "{report}");

    let strangers = async |request: &GeneratedRequest| over_tcp(&address, request, &[]).await;
    let report = run(&contract, 300, strangers).await;
    assert!(report.findings.is_empty(), "{report}");
    assert_eq!(report.let_in(), contract.open(), "{report}");
}
