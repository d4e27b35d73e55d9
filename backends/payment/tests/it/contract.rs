//! The service keeps to its own document, whatever it is asked.

use serde_json::{Value, json};
use service::testing::openapi::{Contract, GeneratedRequest, over_tcp, run};

use crate::{MEMBER, Payment, WEBHOOK};

#[tokio::test]
async fn keeps_to_its_document() {
    let service = Payment::serving();
    service.store().await;
    let address = service.process.address().unwrap();
    let document = service.process.get("/openapi.json").unwrap().json;
    let contract = Contract::new(with_suggestions(document)).unwrap();

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

/// Nothing lists payments, so whoever makes keys up is told some that exist.
fn with_suggestions(mut document: Value) -> Value {
    let mut suggest = |path: &str, parameter: usize, value: &str| {
        let schema = &mut document["paths"][path]["get"]["parameters"][parameter]["schema"];
        schema["example"] = json!(value);
    };
    suggest("/v1/payment/{paymentId}", 0, "01968a3e-0000-7000-8000-000000000001");
    suggest("/v1/payment", 0, "01968a3e-0000-7000-9000-000000000001");
    suggest("/v1/payment", 1, "key-1");
    document
}
