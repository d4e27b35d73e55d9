use serde_json::json;

use super::*;
use crate::testing::openapi::fixture::document;

/// Puts `value` at a place of a right document and looks for the one thing that is then wrong.
#[track_caller]
fn check(pointer: &str, value: Value, told: &str) {
    let mut document = document();
    let (owner, key) = pointer.rsplit_once('/').unwrap();
    let owner = document.pointer_mut(owner).unwrap().as_object_mut().unwrap();
    owner.insert(key.replace("~1", "/"), value);
    check_faults(&document, told);
}

/// Takes one place out of a right document.
#[track_caller]
fn check_without(pointer: &str, told: &str) {
    let mut document = document();
    let (owner, key) = pointer.rsplit_once('/').unwrap();
    let owner = document.pointer_mut(owner).unwrap().as_object_mut().unwrap();
    owner.shift_remove(&key.replace("~1", "/")).unwrap();
    check_faults(&document, told);
}

#[track_caller]
fn check_faults(document: &Value, told: &str) {
    let faults = validate(document);
    assert!(faults.iter().any(|fault| fault == told), "{told:?} is not among {faults:#?}");
}

#[test]
fn a_right_document_has_no_faults() {
    assert_eq!(validate(&document()), Vec::<String>::new());
}

#[test]
fn the_form_is_that_of_the_official_schema() {
    check_without("/info/title", r#"/info: "title" is a required property"#);
    check("/openapi", json!("3.0.3"), r#"/openapi: value does not match "^3\.1\.\d+(-.+)?$""#);
    check(
        "/info/colour",
        json!(1),
        "/info: Unevaluated properties are not allowed ('colour' was unexpected)",
    );
    check_faults(&json!(7), "the document: value is not of type \"object\"");
}

#[test]
fn references_lead_somewhere() {
    let told = "`$ref` #/components/schemas/Nobody leads nowhere in this document";
    let nobody = json!({ "$ref": "#/components/schemas/Nobody" });
    check("/components/schemas/NewBook/properties/title", nobody, told);
    let elsewhere = json!({ "$ref": "https://elsewhere.example/schema.json" });
    let told = "`$ref` https://elsewhere.example/schema.json leads nowhere in this document";
    check("/components/schemas/Book/properties", json!({ "a": elsewhere }), told);
}

#[test]
fn schemas_are_json_schemas() {
    let title = "/components/schemas/NewBook/properties/title";
    check(
        &format!("{title}/type"),
        json!("text"),
        "/components/schemas/NewBook/properties/title/type: \
         value is not of type \"array\", or \
         value is not one of \"array\", \"boolean\" or 5 other candidates",
    );
    let told = "/components/schemas/NewBook: value is not a \"regex\"";
    check(&format!("{title}/pattern"), json!("("), told);
    let told = format!("{title}: OpenAPI 3.1 has no schema keyword `nullable`");
    check(&format!("{title}/nullable"), json!(true), &told);
    let told =
        "/paths/~1v1~1books/get/parameters/0/schema/minimum: value is not of type \"number\"";
    check("/paths/~1v1~1books/get/parameters/0/schema/minimum", json!("1"), told);
}

#[test]
fn path_parameters_are_those_of_the_path() {
    let parameters = "/paths/~1v1~1books~1{bookId}/parameters";
    let told = "GET /v1/books/{bookId}: {bookId} is not declared as a path parameter";
    check(parameters, json!([]), told);
    let parameter = |name: &str, is_required: bool| {
        let schema = json!({ "type": "integer" });
        json!([{ "name": name, "in": "path", "required": is_required, "schema": schema }])
    };
    let told = "GET /v1/books/{bookId}: path parameter `bookId` must be required";
    check(parameters, parameter("bookId", false), told);
    let told = "GET /v1/books/{bookId}: no {shelfId} in the path";
    check(parameters, parameter("shelfId", true), told);
}

#[test]
fn every_operation_tells_how_it_ends() {
    let post = "/paths/~1v1~1books/post";
    check_without(&format!("{post}/responses/201"), "POST /v1/books: no answer with 2xx");
    let only = json!({ "201": { "description": "Added" } });
    let told = "POST /v1/books: no answer with 4xx or 5xx";
    check(&format!("{post}/responses"), only, told);
    let told = "POST /v1/books: 400 is not told as application/problem+json";
    check(&format!("{post}/responses/400"), json!({ "description": "Bad" }), told);
}

#[test]
fn operations_have_ids_of_their_own() {
    let post = "/paths/~1v1~1books/post/operationId";
    check_without(post, "POST /v1/books: no operationId");
    let told = "POST /v1/books: operationId `listBooks` belongs to GET /v1/books";
    check(post, json!("listBooks"), told);
}

#[test]
fn security_schemes_exist() {
    let told = "POST /v1/books: there is no security scheme `key`";
    check("/paths/~1v1~1books/post/security", json!([{ "key": [] }]), told);
    check("/security", json!([{ "key": [] }]), "the document: there is no security scheme `key`");
}

#[test]
fn examples_fit() {
    let schema = "/components/schemas/NewBook";
    check(
        &format!("{schema}/properties/title/example"),
        json!(""),
        "/components/schemas/NewBook/properties/title: the example \"\" does not fit: \
         \"\" is shorter than 1 character",
    );
    check(
        &format!("{schema}/example"),
        json!({ "title": "a" }),
        "/components/schemas/NewBook: the example {\"title\":\"a\"} does not fit: \
         \"pages\" is a required property",
    );
    check(
        "/paths/~1v1~1books/get/parameters/0/example",
        json!(0),
        "/paths/~1v1~1books/get/parameters/0/schema: the example 0 does not fit: \
         0 is less than the minimum of 1",
    );
    check(
        "/paths/~1v1~1books/post/requestBody/content/application~1json/examples",
        json!({ "thin": { "value": { "title": "a", "pages": 0 } } }),
        "/paths/~1v1~1books/post/requestBody/content/application~1json/schema: \
         the example {\"title\":\"a\",\"pages\":0} does not fit: 0 is less than the minimum of 1",
    );
}
