use std::cell::RefCell;

use serde_json::json;

use super::*;
use crate::testing::openapi::fixture::{Defect, ask, contract, document, service, try_out};

/// What a service with one defect is found to do wrong, and where.
async fn check(defect: Defect, rule: Rule, operation_id: &str) -> Finding {
    let report = try_out(defect, &contract()).await;
    let found: Vec<_> = report
        .findings
        .iter()
        .map(|finding| (finding.rule, finding.operation_id.as_str()))
        .collect();
    assert_eq!(found, [(rule, operation_id)], "{defect:?}: {report}");
    report.findings.into_iter().next().unwrap()
}

#[tokio::test]
async fn a_service_that_keeps_to_its_document_passes() {
    let report = try_out(Defect::None, &contract()).await;
    assert!(report.findings.is_empty(), "{report}");
    assert_eq!(report.cases, 1000);
    assert_eq!(report.never_succeeded(), Vec::<&str>::new(), "{report}");
    for status in [200, 400, 404] {
        assert!(report.statuses["showBook"].contains_key(&status), "{report}");
    }
    for status in [201, 400, 413, 415] {
        assert!(report.statuses["addBook"].contains_key(&status), "{report}");
    }
}

#[tokio::test]
async fn every_defect_is_found() {
    for (defect, rule, operation_id) in [
        (Defect::RefusesTwins, Rule::Status, "addBook"),
        (Defect::TellsBooksAsText, Rule::MediaType, "showBook"),
        (Defect::TellsMoreThanIsDescribed, Rule::Body, "showBook"),
        (Defect::TellsPagesAsText, Rule::Body, "showBook"),
        (Defect::NamesAnotherCode, Rule::Code, "showBook"),
        (Defect::ForgetsLocation, Rule::Header, "addBook"),
        (Defect::TakesBooksWithoutPages, Rule::Leniency, "addBook"),
        (Defect::TakesAnySize, Rule::Leniency, "listBooks"),
        (Defect::ServesAnotherMethod, Rule::Stray, "showBook"),
        (Defect::IsAway, Rule::ServerError, "addBook"),
    ] {
        check(defect, rule, operation_id).await;
    }
}

#[tokio::test]
async fn a_finding_tells_the_smallest_request_that_shows_it() {
    let finding = check(Defect::PanicsAtTheMostPages, Rule::ServerError, "addBook").await;
    assert_eq!(finding.reason, "500 for a request");
    let told = "POST /v1/books\ncontent-type: application/json\n\n\
                {\"title\":\"도서\",\"pages\":900}\n\n500 Internal Server Error\n";
    assert!(finding.exchange.starts_with(told), "{finding}");
}

#[tokio::test]
async fn an_operation_that_lets_strangers_in_is_named() {
    let report = try_out(Defect::None, &contract()).await;
    assert_eq!(report.let_in(), ["addBook", "listBooks", "showBook"]);
    assert_eq!(contract().open(), Vec::<&str>::new());
    let mut document = document();
    document["security"] = json!([{ "proof": [] }]);
    document["paths"]["/v1/books"]["get"]["security"] = json!([{}, { "proof": [] }]);
    document["paths"]["/v1/books"]["post"]["security"] = json!([]);
    document["paths"]["/v1/books/{bookId}"]["get"].as_object_mut().unwrap().remove("security");
    assert_eq!(Contract::new(document).unwrap().open(), ["addBook", "listBooks"]);
}

#[tokio::test]
async fn a_documented_503_can_be_allowed() {
    let report = try_out(Defect::IsAway, &contract().allow_unavailable()).await;
    assert!(report.findings.is_empty(), "{report}");
    assert_eq!(report.never_succeeded(), ["addBook", "showBook"]);
    assert!(report.to_string().starts_with("0 findings in 1000 requests, seed 20261123\n"));
}

#[tokio::test]
async fn no_answer_is_a_finding() {
    let report = run(&contract(), 20, async |_| Err::<Answer, _>("cut off")).await;
    let rules: Vec<_> = report.findings.iter().map(|finding| finding.rule).collect();
    assert_eq!(rules, [Rule::Silence; 3], "{report}");
    assert!(report.to_string().contains("cut off"));
}

#[tokio::test]
async fn the_same_seed_makes_the_same_requests() {
    let requests = async |contract: Contract| {
        let (router, _folder) = service(Defect::None).await;
        let requests = RefCell::new(Vec::new());
        let ask = async |request: &GeneratedRequest| {
            requests.borrow_mut().push(request.to_string());
            ask(&router, request).await
        };
        run(&contract, 50, ask).await;
        requests.into_inner()
    };
    let first = requests(contract()).await;
    assert_eq!(first, requests(contract()).await);
    assert_ne!(first, requests(contract().seed(1)).await);
}

#[tokio::test]
async fn an_operation_can_be_left_out() {
    let contract = contract().weight("addBook", 0);
    let report = try_out(Defect::None, &contract).await;
    assert!(!report.statuses["addBook"].contains_key(&201), "{report}");
    assert!(report.statuses["listBooks"].contains_key(&200), "{report}");
}

#[tokio::test]
async fn what_is_known_is_asked_for() {
    let contract = contract().knows("bookId", 4242);
    let targets = RefCell::new(Vec::new());
    let ask = async |request: &GeneratedRequest| {
        targets.borrow_mut().push(request.target().to_owned());
        Err::<Answer, _>("cut off")
    };
    run(&contract, 50, ask).await;
    let targets = targets.into_inner();
    assert!(targets.iter().any(|target| target.starts_with("/v1/books/4242")), "{targets:?}");
}
