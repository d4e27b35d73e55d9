//! `GET /services`: services, their instances, and what is known about each.

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};

use super::Admin;
use crate::balance::{Instance, InstanceState, Service};
use crate::clock;
use crate::config::Balance;

pub(super) fn routes() -> Router<Admin> {
    Router::new().route("/services", get(list))
}

async fn list(State(admin): State<Admin>) -> Json<Value> {
    Json(admin.shared.services.all().iter().map(|service| shown(service)).collect())
}

fn shown(service: &Service) -> Value {
    let instances: Vec<Value> =
        service.instances().iter().map(|instance| shown_instance(instance)).collect();
    let balance = match service.balance() {
        Balance::RoundRobin => "round-robin",
        Balance::LeastRequests => "least-requests",
    };
    json!({ "name": service.name(), "balance": balance, "instances": instances })
}

fn shown_instance(instance: &Instance) -> Value {
    let now = clock::now();
    let state = instance.state(now);
    let mut shown = json!({
        "id": instance.spec().id,
        "uri": instance.uri(),
        "weight": instance.spec().weight,
        "state": state.name(),
        "in_flight": instance.in_flight(),
    });
    let why = match state {
        InstanceState::Up => None,
        InstanceState::Ejected => instance
            .ejected_for(now)
            .map(|left| format!("too many failures in a row; {} ms left", left.as_millis())),
        InstanceState::Down => instance.down().map(|down| down.why.clone()),
    };
    if let (Some(object), Some(why)) = (shown.as_object_mut(), why) {
        object.insert("why".to_owned(), why.into());
    }
    shown
}
