//! `GET /routes`: the routes in use, in the order they are tried, in the verbose form of Spring
//! Cloud Gateway's actuator (`global.md` 9) with the place in the file.

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Map, Value, json};
use tollgate_filters::{MetadataValue, Predicate, Route};

use super::Admin;

pub(super) fn routes() -> Router<Admin> {
    Router::new().route("/routes", get(list))
}

async fn list(State(admin): State<Admin>) -> Json<Value> {
    Json(admin.current.load().table.routes().map(shown).collect())
}

fn shown(route: &Route) -> Value {
    let mut object = Map::new();
    object.insert("predicate".to_owned(), Value::String(conjunction(&route.predicates)));
    if !route.metadata.is_empty() {
        object.insert("metadata".to_owned(), map(&route.metadata));
    }
    object.insert("route_id".to_owned(), json!(&*route.id));
    let filters = route.chain.steps();
    object.insert(
        "filters".to_owned(),
        filters.map(|(order, filter)| json!(format!("[[{filter}], order = {order}]"))).collect(),
    );
    object.insert("uri".to_owned(), json!(route.target.text));
    object.insert("order".to_owned(), json!(route.order));
    if let Some(source) = &route.source {
        let place = json!({ "file": &*source.file, "line": source.line });
        object.insert("source".to_owned(), place);
    }
    Value::Object(object)
}

/// All predicates, joined from the left: `((a && b) && c)`.
fn conjunction(predicates: &[Box<dyn Predicate>]) -> String {
    let mut texts = predicates.iter().map(ToString::to_string);
    let first = texts.next().unwrap_or_default();
    texts.fold(first, |left, right| format!("({left} && {right})"))
}

fn map(entries: &[(String, MetadataValue)]) -> Value {
    Value::Object(entries.iter().map(|(key, value)| (key.clone(), json_of(value))).collect())
}

fn json_of(value: &MetadataValue) -> Value {
    match value {
        MetadataValue::Null => Value::Null,
        MetadataValue::Boolean(value) => json!(value),
        MetadataValue::Integer(value) => json!(value),
        MetadataValue::Float(value) => json!(value),
        MetadataValue::Text(value) => json!(value),
        MetadataValue::List(values) => values.iter().map(json_of).collect(),
        MetadataValue::Map(entries) => map(entries),
    }
}
