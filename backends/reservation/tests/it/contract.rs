//! The service keeps to its own document, whatever it is asked.

use messaging::topic::Topic;
use service::testing::Headers;
use service::testing::openapi::{Contract, GeneratedRequest, over_tcp, run};

use crate::fake_cms::FakeCms;
use crate::{MEMBER, Reservation, good};

#[tokio::test]
async fn keeps_to_its_document() {
    let service = Reservation::beside(&FakeCms::start(good));
    service.store(include_str!("reservation.sql")).await;
    let topic = Topic::PaymentConfirmResponse;
    service.bury(topic).await;
    let address = service.process.address().unwrap();
    let contract = Contract::new(service.process.get("/openapi.json").unwrap().json).unwrap();
    let contract = contract
        .knows("messageId", "01968a3e-0000-7000-b000-000000000001")
        .knows("kind", "cms_approve")
        .knows("attention", true)
        .knows("paymentId", "01968a3e-0000-7000-8000-000000000002")
        .knows("paymentKey", "key")
        .knows("amount", 220_000)
        .knows("topic", topic.name())
        .knows("offset", 0)
        .weight("approveReservation", 20)
        .knows("roomId", 921)
        .knows("clientPhoneNumber", "01000000000")
        .weight("compensate", 20)
        .weight("redriveStep", 40)
        .weight("cancelForBooker", 5)
        .weight("settleRefund", 20)
        .weight("createReservation", 20);

    let proof = |request: &GeneratedRequest| -> Headers {
        let (method, target) = (request.method(), request.target());
        if target.starts_with("/internal/") {
            return service.signer.service("member", method, target, request.body());
        }
        service.signer.gateway(method, target, Some(MEMBER))
    };
    let ask = async |request: &GeneratedRequest| over_tcp(&address, request, &proof(request)).await;
    let report = run(&contract, 3000, ask).await;
    assert!(report.findings.is_empty(), "{report}");
    assert_eq!(report.never_succeeded(), Vec::<&str>::new(), "{report}");

    let strangers = async |request: &GeneratedRequest| over_tcp(&address, request, &[]).await;
    let report = run(&contract, 300, strangers).await;
    assert!(report.findings.is_empty(), "{report}");
    assert_eq!(report.let_in(), contract.open(), "{report}");
}
