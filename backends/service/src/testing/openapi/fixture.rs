//! A small service with its document, right or wrong in one way.

use std::error::Error;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::header::{CONTENT_TYPE, LOCATION};
use axum::http::{HeaderValue, Request, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::Deserialize;
use serde_json::{Value, json};
use tempfile::TempDir;
use utoipa::openapi::OpenApi;

use super::{Contract, GeneratedRequest, Report, run};
use crate::app::{App, Registry, Shared};
use crate::body::Json;
use crate::clock::Clock;
use crate::database::{Database, DatabaseUrl};
use crate::problem::Problem;
use crate::query::Query;
use crate::testing::{Answer, send};

/// What the service does otherwise than its document says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Defect {
    None,
    PanicsAtTheMostPages,
    RefusesTwins,
    TellsBooksAsText,
    TellsMoreThanIsDescribed,
    TellsPagesAsText,
    NamesAnotherCode,
    ForgetsLocation,
    TakesBooksWithoutPages,
    TakesAnySize,
    ServesAnotherMethod,
    IsAway,
}

#[derive(Debug, Clone)]
struct Shelf {
    books: Arc<Mutex<Vec<Value>>>,
    defect: Defect,
}

#[derive(Debug, Deserialize)]
struct NewBook {
    title: String,
    pages: i64,
    subtitle: Option<String>,
}

async fn list(State(shelf): State<Shelf>, mut query: Query) -> Result<Response, Problem> {
    let size = if shelf.defect == Defect::TakesAnySize {
        query.all("size").first().and_then(|text| text.parse().ok()).unwrap_or(1)
    } else {
        query.size()
    };
    query.finish()?;
    let books = shelf.books.lock().unwrap();
    let books: Vec<_> = books.iter().take(size).cloned().collect();
    Ok(axum::Json(json!({ "payload": books })).into_response())
}

async fn show(State(shelf): State<Shelf>, Path(id): Path<String>) -> Result<Response, Problem> {
    let id: i64 = id.parse().map_err(|_| {
        Problem::new(StatusCode::BAD_REQUEST, "INVALID_REQUEST", "an id is a whole number")
    })?;
    let books = shelf.books.lock().unwrap();
    let book = books.iter().find(|book| book["bookId"] == id).cloned();
    let is_misnamed = shelf.defect == Defect::NamesAnotherCode;
    let code = if is_misnamed { "NO_SUCH_BOOK" } else { "BOOK_NOT_FOUND" };
    let mut book = book.ok_or_else(|| Problem::not_found(code, "there is no such book"))?;
    if shelf.defect == Defect::TellsBooksAsText {
        return Ok(([(CONTENT_TYPE, "text/plain")], book.to_string()).into_response());
    }
    if shelf.defect == Defect::TellsMoreThanIsDescribed {
        book["price"] = json!(1);
    }
    if shelf.defect == Defect::TellsPagesAsText {
        book["pages"] = json!("many");
    }
    Ok(axum::Json(json!({ "payload": book })).into_response())
}

async fn add(State(shelf): State<Shelf>, Json(book): Json<NewBook>) -> Result<Response, Problem> {
    let defect = shelf.defect;
    if defect == Defect::IsAway {
        let wait = Duration::from_secs(1);
        return Err(Problem::unavailable("STORE_UNAVAILABLE", "come again", wait));
    }
    let least = if defect == Defect::TakesBooksWithoutPages { -10 } else { 1 };
    let length = book.title.chars().count();
    if !(least..=900).contains(&book.pages) || !(1..=30).contains(&length) {
        let detail = "a book has 1 to 900 pages and a title of 1 to 30 characters";
        return Err(Problem::new(StatusCode::BAD_REQUEST, "INVALID_REQUEST", detail));
    }
    assert!(defect != Defect::PanicsAtTheMostPages || book.pages < 900, "too thick");
    let mut books = shelf.books.lock().unwrap();
    if defect == Defect::RefusesTwins && books.iter().any(|other| other["title"] == book.title) {
        return Err(Problem::new(StatusCode::CONFLICT, "TWIN", "there is such a book"));
    }
    let id = books.len() + 1000;
    books.push(json!({
        "bookId": id, "title": book.title, "pages": book.pages.max(1), "subtitle": book.subtitle
    }));
    let mut response =
        (StatusCode::CREATED, axum::Json(json!({ "payload": { "bookId": id } }))).into_response();
    if defect != Defect::ForgetsLocation {
        let location = HeaderValue::from_str(&format!("/v1/books/{id}")).unwrap();
        response.headers_mut().insert(LOCATION, location);
    }
    Ok(response)
}

/// The service's router, and its store in a folder that must be kept.
pub(super) async fn service(defect: Defect) -> (Router, TempDir) {
    let folder = TempDir::new().unwrap();
    let url = DatabaseUrl::Sqlite(folder.path().join("test.db"));
    let database = Database::open(&url, &[]).await.unwrap();
    let shelf = Shelf { books: Arc::default(), defect };
    let mut one = get(show);
    if defect == Defect::ServesAnotherMethod {
        one = one.delete(async || StatusCode::NO_CONTENT);
    }
    let routes = Router::new()
        .route("/v1/books", get(list).post(add))
        .route("/v1/books/{bookId}", one)
        .with_state(shelf);
    let shared = Shared { database, clock: Clock::system(), registry: Registry::new() };
    let app = App::new(routes, &OpenApi::default(), shared).unwrap();
    (app.into_router(), folder)
}

/// Sends requests to a service with one defect.
pub(super) async fn try_out(defect: Defect, contract: &Contract) -> Report {
    let (router, _folder) = service(defect).await;
    run(contract, 1000, async |request| ask(&router, request).await).await
}

pub(super) async fn ask(
    router: &Router,
    request: &GeneratedRequest,
) -> Result<Answer, Box<dyn Error>> {
    let mut outgoing = Request::builder().method(request.method()).uri(request.target());
    for (name, value) in request.headers() {
        outgoing = outgoing.header(name, value.as_bytes());
    }
    send(router, outgoing.body(Body::from(request.body().to_vec()))?).await
}

pub(super) fn contract() -> Contract {
    Contract::new(document()).unwrap()
}

/// A document with nothing wrong in it, which [`Defect::None`] keeps to.
pub(super) fn document() -> Value {
    serde_json::from_str(include_str!("fixture.json")).unwrap()
}
