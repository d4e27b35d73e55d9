//! The service keeps to its own document, whatever it is asked.

use service::testing::openapi::{Contract, GeneratedRequest, over_tcp, run};
use tempfile::TempDir;

use crate::{Cms, KEY};

#[tokio::test]
async fn keeps_to_its_document() {
    let folder = TempDir::new().unwrap();
    let (cms, _) = Cms::serving(folder.path(), &[("CMS_LODGINGS", "60")]);
    let address = cms.0.address().unwrap();
    let contract = Contract::new(cms.0.get("/openapi.json").unwrap().json).unwrap();

    let key = [("x-api-key", KEY.to_owned())];
    let ask = async |request: &GeneratedRequest| over_tcp(&address, request, &key).await;
    let report = run(&contract, 1500, ask).await;
    assert!(report.findings.is_empty(), "{report}");
    assert_eq!(report.never_succeeded(), Vec::<&str>::new(), "{report}");

    let strangers = async |request: &GeneratedRequest| over_tcp(&address, request, &[]).await;
    let report = run(&contract, 200, strangers).await;
    assert!(report.findings.is_empty(), "{report}");
    assert_eq!(report.let_in(), contract.open(), "{report}");
}
