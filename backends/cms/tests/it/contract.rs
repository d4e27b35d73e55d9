//! The service keeps to its own documents, whatever it is asked.

use serde_json::json;
use service::testing::openapi::{Contract, GeneratedRequest, over_tcp, run};
use tempfile::TempDir;

use crate::reservations::hold;
use crate::{Cms, KEY};

#[tokio::test]
async fn keeps_to_its_document() {
    let folder = TempDir::new().unwrap();
    let (cms, _) = Cms::serving(folder.path(), &[("CMS_LODGINGS", "60")]);
    let address = cms.0.address().unwrap();
    let contract = Contract::new(cms.0.get("/openapi.json").unwrap().json).unwrap();
    // Nothing lists reservations, so whoever makes requests up is told of some, and of the price.
    let mut contract = contract.weight("cancel", 1);
    for number in 0..40 {
        let held = hold(&cms, &format!("r{number}"), number);
        contract = contract.knows("externalId", format!("r{number}"));
        if number == 0 {
            for name in ["roomId", "checkIn", "checkOut", "guestCount", "amount"] {
                contract = contract.knows(name, held[name].clone());
            }
        }
    }

    let key = [("x-api-key", KEY.to_owned())];
    let ask = async |request: &GeneratedRequest| over_tcp(&address, request, &key).await;
    let report = run(&contract, 2500, ask).await;
    assert!(report.findings.is_empty(), "{report}");
    // These need a price and a state that go together; the other tests have them.
    let lucky = ["reserve", "completePayment"];
    let never = report.never_succeeded().into_iter().filter(|it| !lucky.contains(it));
    assert_eq!(never.collect::<Vec<_>>(), Vec::<&str>::new(), "{report}");

    let strangers = async |request: &GeneratedRequest| over_tcp(&address, request, &[]).await;
    let report = run(&contract, 200, strangers).await;
    assert!(report.findings.is_empty(), "{report}");
    assert_eq!(report.let_in(), contract.open(), "{report}");
}

#[tokio::test]
async fn its_admin_keeps_to_its_document() {
    let folder = TempDir::new().unwrap();
    let variables = [("CMS_LODGINGS", "60"), ("TEST_MODE", "1")];
    let (cms, _) = Cms::serving(folder.path(), &variables);
    let address = cms.0.admin_address().unwrap();
    let document = cms.0.admin("GET", "/openapi.json", "").unwrap().json;
    let contract = Contract::new(document).unwrap();
    // Filling the store takes its time, and has a test of its own.
    let contract = contract.weight("seed", 0).weight("reset", 0);
    let contract = contract
        .knows("roomIds", json!([1, 2, 3]))
        .knows("night", "2031-05-01")
        .knows("operation", "approve")
        .knows("kind", "delay")
        .knows("value", "1ms");
    let ask = async |request: &GeneratedRequest| over_tcp(&address, request, &[]).await;
    let report = run(&contract, 800, ask).await;
    assert!(report.findings.is_empty(), "{report}");
    assert_eq!(report.never_succeeded(), ["reset", "seed"], "{report}");
}
