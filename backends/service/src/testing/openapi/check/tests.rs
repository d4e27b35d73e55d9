use axum::http::StatusCode;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use serde_json::json;

use super::*;
use crate::testing::openapi::fixture::contract;

/// Any request that is served, made up for one operation.
fn request(contract: &Contract, operation_id: &str) -> GeneratedRequest {
    let mut runner = TestRunner::deterministic();
    let requests = contract.requests();
    let mut drawn = (0..1000).map(|_| requests.new_tree(&mut runner).unwrap().current());
    let wanted = |request: &GeneratedRequest| {
        request.operation_id() == operation_id && request.is_served && request.forbidden.is_none()
    };
    drawn.find(wanted).unwrap()
}

fn answer(status: u16, media: &'static str, body: &Value) -> Answer {
    let mut headers = axum::http::HeaderMap::new();
    headers.insert("content-type", media.parse().unwrap());
    let status = StatusCode::from_u16(status).unwrap();
    Answer { status, headers, text: body.to_string(), json: body.clone() }
}

#[track_caller]
fn check(answer: &Answer, told: &[&str]) {
    let contract = contract();
    let findings = contract.check(&request(&contract, "showBook"), answer);
    let reasons: Vec<_> = findings.iter().map(|finding| finding.reason.as_str()).collect();
    assert_eq!(reasons, told);
}

fn problem(status: u16, code: &str) -> Value {
    json!({
        "type": "about:blank", "title": "Not Found", "status": status, "detail": "none",
        "instance": "/", "code": code, "timestamp": "2025-05-01T10:00:00.000+09:00",
        "traceId": "4bf9"
    })
}

#[test]
fn a_documented_answer_is_fine() {
    let book = json!({ "payload": { "bookId": 1, "title": "a", "pages": 1 } });
    check(&answer(200, "application/json; charset=utf-8", &book), &[]);
    check(&answer(404, PROBLEM, &problem(404, "BOOK_NOT_FOUND")), &[]);
}

#[test]
fn a_body_fits_its_schema_and_holds_nothing_more() {
    let mut book = json!({ "payload": { "bookId": 1, "title": "a", "pages": 0, "price": 1 } });
    let told = "body/payload/pages: 0 is less than the minimum of 1";
    check(&answer(200, "application/json", &book), &[told]);
    book["payload"]["pages"] = json!(1);
    let told = "body/payload: Unevaluated properties are not allowed ('price' was unexpected)";
    check(&answer(200, "application/json", &book), &[told]);
    let mut cut = answer(200, "application/json", &book);
    cut.text.truncate(10);
    check(&cut, &["the body is no JSON"]);
}

#[test]
fn a_problem_tells_its_status_and_a_code_of_the_description() {
    let told = ["the problem's status is not 404", "the description of 404 does not name `GONE`"];
    check(&answer(404, PROBLEM, &problem(410, "GONE")), &told);
    check(&answer(404, "text/html", &json!(null)), &["`text/html` is not documented"]);
}

#[test]
fn an_undocumented_failure_is_a_failure() {
    check(&answer(502, PROBLEM, &problem(502, "X")), &["502 is not documented"]);
    check(&answer(500, PROBLEM, &problem(500, "INTERNAL_ERROR")), &["500 for a request"]);
}

#[test]
fn headers_fit() {
    let contract = contract();
    let added = json!({ "payload": { "bookId": 1 } });
    let mut answer = answer(201, "application/json", &added);
    let request = request(&contract, "addBook");
    assert_eq!(contract.check(&request, &answer)[0].reason, "`Location` is missing");
    answer.headers.insert("location", "elsewhere".parse().unwrap());
    let reason = &contract.check(&request, &answer)[0].reason;
    assert_eq!(reason, "`Location`: \"elsewhere\" does not match \"^/v1/books/[0-9]+$\"");
    answer.headers.insert("location", "/v1/books/1".parse().unwrap());
    assert!(contract.check(&request, &answer).is_empty());
}
