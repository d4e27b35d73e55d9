//! The service keeps to its own document, whatever it is asked.

use jiff::ToSpan;
use service::clock::Clock;
use service::testing::openapi::{Contract, GeneratedRequest, over_tcp, run};
use tempfile::TempDir;

use crate::planner::{MEMBER, Planner};
use crate::travel;

#[tokio::test]
async fn keeps_to_its_document() {
    let folder = TempDir::new().unwrap();
    let planner = Planner::serving(folder.path());
    let address = planner.process.address().unwrap();
    let document = planner.process.get("/openapi.json").unwrap().json;
    let contract = Contract::new(document.clone()).unwrap();
    let ask = async |request: &GeneratedRequest| {
        over_tcp(&address, request, &request.proof(&planner.signer, "gateway", MEMBER)).await
    };

    // A travel that is gone teaches nothing of its plans, so at first they stay.
    let today = Clock::system().today();
    let travel = travel(&today.to_string(), &today.saturating_add(10.days()).to_string());
    planner.change("POST", "/v2/travels", &travel, 201);
    let weights = [
        ("deleteTravel", 0),
        ("rescheduleTravel", 20),
        ("appendPlan", 40),
        ("editPlan", 30),
        ("movePlan", 20),
        ("deletePlan", 4),
        ("deletePlans", 8),
    ];
    let lasting = Contract::new(document).unwrap();
    let lasting =
        weights.into_iter().fold(lasting, |lasting, (id, weight)| lasting.weight(id, weight));
    let report = run(&lasting, 3000, ask).await;
    assert!(report.findings.is_empty(), "{report}");
    let barren = report.never_succeeded();
    assert!(barren.is_empty() || barren == ["deleteTravel"], "{report}");

    let report = run(&contract, 1000, ask).await;
    assert!(report.findings.is_empty(), "{report}");
    assert!(!report.never_succeeded().contains(&"deleteTravel"), "{report}");

    let strangers = async |request: &GeneratedRequest| over_tcp(&address, request, &[]).await;
    let report = run(&contract, 300, strangers).await;
    assert!(report.findings.is_empty(), "{report}");
    assert_eq!(report.let_in(), contract.open(), "{report}");
}
