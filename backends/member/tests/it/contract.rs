//! The service keeps to its own document, whatever it is asked.

use service::testing::openapi::{Contract, GeneratedRequest, over_tcp, run};
use tempfile::TempDir;

use crate::member::Member;

#[tokio::test]
async fn keeps_to_its_document() {
    let folder = TempDir::new().unwrap();
    let member = Member::serving(folder.path(), &[]);
    member.sign_up(1);
    member.sign_up(2);
    let address = member.process.address().unwrap();
    let contract = Contract::new(member.process.get("/openapi.json").unwrap().json).unwrap();

    let ask = async |request: &GeneratedRequest| {
        // One member withdraws, the other goes on asking.
        let id = if request.method() == "DELETE" { 2 } else { 1 };
        let proof = request.proof(&member.signer, "gateway", (id, "USER"));
        over_tcp(&address, request, &proof).await
    };
    let report = run(&contract, 1000, ask).await;
    assert!(report.findings.is_empty(), "{report}");
    // Nobody guesses the password of those who ask.
    assert_eq!(report.never_succeeded(), ["changePassword"], "{report}");

    let strangers = async |request: &GeneratedRequest| over_tcp(&address, request, &[]).await;
    let report = run(&contract, 200, strangers).await;
    assert!(report.findings.is_empty(), "{report}");
    assert_eq!(report.let_in(), contract.open(), "{report}");
}
