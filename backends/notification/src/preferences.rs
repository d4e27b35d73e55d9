//! | endpoint                            | answers                                              |
//! |-------------------------------------|------------------------------------------------------|
//! | `GET /v1/notification/preferences`  | what the member gets, for every kind and channel      |
//! | `POST /v1/notification/preferences` | 204: those that were sent are changed, others stay    |

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use serde::{Deserialize, Serialize};
use service::app::Shared;
use service::body::Json;
use service::check::Check;
use service::code::{Code, codes};
use service::envelope::One;
use service::problem::{Problem, ProblemDocument};
use service::proof::Member;
use utoipa::ToSchema;

use crate::code::{Channel, Kind};
use crate::store::{self, Choice};

/// Every kind on every channel.
const MOST_PREFERENCES: usize = 15;

/// What a member gets.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Preferences {
    #[schema(max_items = 15, min_items = 15)]
    preferences: Vec<Preference>,
}

/// Whether notifications of a kind come on a channel.
#[derive(Debug, Serialize, ToSchema)]
struct Preference {
    kind: Kind,
    channel: Channel,
    enabled: bool,
}

/// What a member chooses.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct WantedPreferences {
    #[schema(required, max_items = 15, value_type = Vec<WantedPreference>)]
    preferences: Option<Vec<WantedPreference>>,
}

/// Whether notifications of a kind are to come on a channel.
#[derive(Debug, Deserialize, ToSchema)]
struct WantedPreference {
    #[schema(required, value_type = Kind)]
    kind: Option<String>,
    #[schema(required, value_type = Channel)]
    channel: Option<String>,
    #[schema(required, value_type = bool)]
    enabled: Option<bool>,
}

/// The endpoints of this file.
pub(crate) fn routes(shared: Shared) -> Router {
    Router::new().route("/v1/notification/preferences", get(show).post(change)).with_state(shared)
}

/// Shows what the member gets, for every kind and channel.
///
/// Where the member has chosen nothing, `IN_APP` and `EMAIL` are on and the others off.
#[utoipa::path(
    get,
    path = "/v1/notification/preferences",
    operation_id = "showPreferences",
    tag = "preferences",
    responses(
        (status = 200, description = "What the member gets", body = One<Preferences>),
        (status = 401, description = "UNTRUSTED_CALLER", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 500, description = "INTERNAL_ERROR", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 503, description = "STORE_UNAVAILABLE or TIMEOUT, with Retry-After", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn show(
    State(shared): State<Shared>,
    member: Member,
) -> Result<One<Preferences>, Problem> {
    let chosen = store::choices(shared.database.pool(), member.id).await?;
    let pairs =
        Kind::ALL.iter().flat_map(|kind| Channel::ALL.iter().map(|channel| (*kind, *channel)));
    let preferences = pairs.map(|(kind, channel)| {
        let choice = chosen.iter().find(|choice| (choice.kind, choice.channel) == (kind, channel));
        let enabled = choice.map_or_else(|| channel.is_on_by_default(), |choice| choice.is_on);
        Preference { kind, channel, enabled }
    });
    Ok(One::new(&shared.clock, Preferences { preferences: preferences.collect() }))
}

/// Changes what the member gets; what is not mentioned stays.
#[utoipa::path(
    post,
    path = "/v1/notification/preferences",
    operation_id = "changePreferences",
    tag = "preferences",
    request_body = WantedPreferences,
    responses(
        (status = 204, description = "They are changed"),
        (status = 400, description = "INVALID_REQUEST with errors[], or MALFORMED_JSON", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 401, description = "UNTRUSTED_CALLER", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 413, description = "REQUEST_TOO_LARGE", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 415, description = "UNSUPPORTED_MEDIA_TYPE", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 500, description = "INTERNAL_ERROR", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 503, description = "STORE_UNAVAILABLE or TIMEOUT, with Retry-After", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn change(
    State(shared): State<Shared>,
    member: Member,
    Json(wanted): Json<WantedPreferences>,
) -> Result<StatusCode, Problem> {
    let choices = read_choices(wanted)?;
    store::choose(&shared.database, member.id, choices, shared.clock.now()).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn read_choices(wanted: WantedPreferences) -> Result<Vec<Choice>, Problem> {
    let mut check = Check::new();
    let wanted = check.required("preferences", wanted.preferences).unwrap_or_default();
    if wanted.len() > MOST_PREFERENCES {
        let reason = format!("must have at most {MOST_PREFERENCES} items");
        check.reject("preferences", reason, Some(wanted.len().to_string()));
        check.finish()?;
        return Ok(Vec::new());
    }
    let mut choices: Vec<Choice> = Vec::new();
    for (position, preference) in wanted.into_iter().enumerate() {
        let field = format!("preferences[{position}]");
        let Some(choice) = read_choice(&mut check, &field, preference) else { continue };
        let pair = |choice: &Choice| (choice.kind, choice.channel);
        if choices.iter().any(|other| pair(other) == pair(&choice)) {
            check.reject(&field, "must name a kind and channel that no other names", None);
        }
        choices.push(choice);
    }
    check.finish()?;
    Ok(choices)
}

fn read_choice(check: &mut Check, field: &str, wanted: WantedPreference) -> Option<Choice> {
    let kind = read_code(check, &format!("{field}.kind"), wanted.kind);
    let channel = read_code(check, &format!("{field}.channel"), wanted.channel);
    let is_on = check.required(&format!("{field}.enabled"), wanted.enabled);
    Some(Choice { kind: kind?, channel: channel?, is_on: is_on? })
}

fn read_code<T: Code>(check: &mut Check, field: &str, text: Option<String>) -> Option<T> {
    let text = check.required(field, text)?;
    check.parse(field, Some(&text), format!("one of {}", codes::<T>(", ")), T::by_code)
}

#[cfg(test)]
mod tests;
