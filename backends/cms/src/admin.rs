//! The admin listener, for operators and tests of this machine.
//!
//! | endpoint                        | does                                              |
//! |---------------------------------|---------------------------------------------------|
//! | `POST /admin/seed`              | fills the store with another data set             |
//! | `POST /admin/reset`             | fills it with its own anew                        |
//! | `POST /admin/batch/tick?n=`     | runs the next tick, or tick `n`                   |
//! | `GET /admin/stats`              | counts lodgings, rooms, nights and reservations   |
//! | `POST /admin/room-nights`       | opens or closes rooms for a night                 |
//! | `GET /admin/calls?externalId=`  | the latest calls, or those about one reservation  |
//! | `POST /admin/clock`             | sets the clock wrong; in test mode only           |
//! | `/admin/faults`                 | [`service::faults`]                               |

use std::collections::BTreeMap;

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json as Answer, Router};
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use service::app::Shared;
use service::body::Json;
use service::check::Check;
use service::clock::Shift;
use service::date;
use service::faults::{Faults, FaultsApi};
use service::problem::{Problem, ProblemDocument};
use service::query::Query;
use sqlx::AnyPool;
use utoipa::openapi::OpenApi as Document;
use utoipa::{OpenApi, ToSchema};

use crate::batch::{self, Batch, Report};
use crate::bookings::Bookings;
use crate::calls::{CallMade, Calls};
use crate::data_set::{self, Plan};
use crate::reservations::OPERATIONS;
use crate::settings::HORIZON_NIGHTS;

/// Rooms that are opened or closed in one statement.
const MOST_ROOMS: usize = 1000;
/// More than these would take longer than a call may.
const MOST_LODGINGS: i64 = 10_000;

/// What the handlers share.
#[derive(Debug, Clone)]
pub(crate) struct Admin {
    pub(crate) bookings: Bookings,
    pub(crate) batch: Batch,
    pub(crate) calls: Calls,
    /// In test mode.
    pub(crate) shift: Option<Shift>,
}

/// How much there is.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Stats {
    lodgings: usize,
    rooms: usize,
    /// Room-nights that are not open, by state.
    nights: BTreeMap<String, i64>,
    /// Reservations, by state.
    reservations: BTreeMap<String, i64>,
}

/// Another data set.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct Seed {
    /// How many lodgings; as many as there are when left out.
    #[schema(minimum = 1, maximum = 10_000)]
    count: Option<i64>,
    /// What they are drawn from; as it is when left out.
    #[schema(minimum = 0)]
    seed: Option<i64>,
}

/// Rooms to open or close for a night.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RoomNights {
    #[schema(value_type = Vec<i64>, required = true, min_items = 1, max_items = 1000)]
    room_ids: Option<Vec<i64>>,
    #[schema(value_type = String, required = true, format = Date)]
    night: Option<String>,
    /// Whether they are opened; closed otherwise.
    #[schema(value_type = bool, required = true)]
    open: Option<bool>,
}

/// How many room-nights changed.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Changed {
    changed: u64,
}

/// By how much the clock is set wrong.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct Clock {
    /// Seconds ahead; negative is back, 0 is right.
    #[schema(value_type = i64, required = true, minimum = -31_536_000, maximum = 31_536_000)]
    seconds: Option<i64>,
}

/// The `OpenAPI` document.
#[derive(Debug, OpenApi)]
#[openapi(
    info(title = "CMS, admin", description = "What operators and tests of this machine can do."),
    paths(seed, reset, tick, stats, room_nights, calls, clock),
    tags((name = "admin", description = "The data set, its batch and its clock"))
)]
struct AdminApi;

/// The whole document, with what is common to all stand-ins.
pub(crate) fn document() -> Document {
    let mut document = AdminApi::openapi();
    document.merge(FaultsApi::openapi());
    document
}

/// The endpoints of this file.
pub(crate) fn routes(admin: Admin, faults: &Faults) -> Router {
    let is_test = admin.shift.is_some();
    let routes = Router::new()
        .route("/admin/seed", post(seed))
        .route("/admin/reset", post(reset))
        .route("/admin/batch/tick", post(tick))
        .route("/admin/stats", get(stats))
        .route("/admin/room-nights", post(room_nights))
        .route("/admin/calls", get(calls));
    let routes = if is_test { routes.route("/admin/clock", post(clock)) } else { routes };
    routes.with_state(admin).merge(faults.routes(OPERATIONS))
}

/// Fills the store with another data set.
///
/// Reservations, nights, the number of the last tick and the log of calls are gone; faults stay, and
/// so does the clock. Other processes with the same store have to be started anew.
#[utoipa::path(
    post,
    path = "/admin/seed",
    operation_id = "seed",
    tag = "admin",
    request_body = Seed,
    responses(
        (status = 200, description = "How much there is now", body = Stats),
        (status = 400, description = "INVALID_REQUEST with errors[], or MALFORMED_JSON", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 413, description = "REQUEST_TOO_LARGE", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 415, description = "UNSUPPORTED_MEDIA_TYPE", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 500, description = "INTERNAL_ERROR", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 503, description = "STORE_UNAVAILABLE or TIMEOUT, with Retry-After", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
async fn seed(
    State(admin): State<Admin>,
    Json(Seed { count, seed }): Json<Seed>,
) -> Result<Answer<Stats>, Problem> {
    let mut check = Check::new();
    let count = check.within("count", count, 1..=MOST_LODGINGS);
    let seed = check.within("seed", seed, 0..=i64::MAX);
    check.finish()?;
    let plan = admin.plan();
    let seed = seed.map_or(plan.seed, i64::unsigned_abs);
    admin.refill(Plan { seed, lodgings: count.unwrap_or(plan.lodgings), ..plan }).await
}

/// Fills the store with its own data set anew.
///
/// As `seed` with the present count and seed.
#[utoipa::path(
    post,
    path = "/admin/reset",
    operation_id = "reset",
    tag = "admin",
    responses(
        (status = 200, description = "How much there is now", body = Stats),
        (status = 500, description = "INTERNAL_ERROR", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 503, description = "STORE_UNAVAILABLE or TIMEOUT, with Retry-After", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
async fn reset(State(admin): State<Admin>) -> Result<Answer<Stats>, Problem> {
    admin.refill(admin.plan()).await
}

impl Admin {
    /// What the store is filled with.
    fn plan(&self) -> Plan {
        let catalogue = self.bookings.shelf.catalogue();
        let lodgings = i64::try_from(catalogue.lodgings.len()).unwrap_or(i64::MAX);
        Plan { seed: catalogue.seed, lodgings, nights: HORIZON_NIGHTS }
    }

    async fn refill(&self, plan: Plan) -> Result<Answer<Stats>, Problem> {
        let Shared { database, clock, .. } = &self.bookings.shared;
        let catalogue = data_set::refill(database, plan, clock).await?;
        self.bookings.shelf.put(catalogue);
        self.calls.clear();
        self.count().await.map(Answer)
    }

    async fn count(&self) -> Result<Stats, Problem> {
        let pool = self.bookings.shared.database.pool();
        let lodgings = &self.bookings.shelf.catalogue().lodgings;
        Ok(Stats {
            lodgings: lodgings.len(),
            rooms: lodgings.iter().map(|lodging| lodging.rooms.len()).sum(),
            nights: count(
                pool,
                "SELECT status, COUNT(*) FROM room_nights WHERE status <> 'OPEN' GROUP BY status",
            )
            .await?,
            reservations: count(pool, "SELECT status, COUNT(*) FROM reservations GROUP BY status")
                .await?,
        })
    }
}

/// Runs the batch.
#[utoipa::path(
    post,
    path = "/admin/batch/tick",
    operation_id = "tick",
    tag = "admin",
    params(("n" = Option<i64>, Query, minimum = 1, description = "Which tick; the next one unless told")),
    responses(
        (status = 200, description = "What it did", body = Report),
        (status = 400, description = "INVALID_REQUEST with errors[]", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 500, description = "INTERNAL_ERROR", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 503, description = "STORE_UNAVAILABLE or TIMEOUT, with Retry-After", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
async fn tick(State(admin): State<Admin>, mut query: Query) -> Result<Answer<Report>, Problem> {
    let number = query.parse("n", "a positive whole number", |text| {
        text.parse().ok().filter(|number| *number > 0)
    });
    query.finish()?;
    admin.batch.tick(number).await.map(Answer)
}

/// Counts what there is.
#[utoipa::path(
    get,
    path = "/admin/stats",
    operation_id = "stats",
    tag = "admin",
    responses(
        (status = 200, description = "How much there is", body = Stats),
        (status = 500, description = "INTERNAL_ERROR", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 503, description = "STORE_UNAVAILABLE or TIMEOUT, with Retry-After", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
async fn stats(State(admin): State<Admin>) -> Result<Answer<Stats>, Problem> {
    admin.count().await.map(Answer)
}

async fn count(pool: &AnyPool, text: &'static str) -> Result<BTreeMap<String, i64>, sqlx::Error> {
    let rows: Vec<(String, i64)> = sqlx::query_as(text).fetch_all(pool).await?;
    Ok(rows.into_iter().collect())
}

/// Opens or closes rooms for a night; what is held or booked stays so.
#[utoipa::path(
    post,
    path = "/admin/room-nights",
    operation_id = "setRoomNights",
    tag = "admin",
    request_body = RoomNights,
    responses(
        (status = 200, description = "How many changed", body = Changed),
        (status = 400, description = "INVALID_REQUEST with errors[], or MALFORMED_JSON", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 413, description = "REQUEST_TOO_LARGE", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 415, description = "UNSUPPORTED_MEDIA_TYPE", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 500, description = "INTERNAL_ERROR", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 503, description = "STORE_UNAVAILABLE or TIMEOUT, with Retry-After", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
async fn room_nights(
    State(admin): State<Admin>,
    Json(RoomNights { room_ids, night, open }): Json<RoomNights>,
) -> Result<Answer<Changed>, Problem> {
    let mut check = Check::new();
    let room_ids = check.required("roomIds", room_ids);
    let catalogue = admin.bookings.shelf.catalogue();
    let unknown = room_ids.iter().flatten().find(|id| catalogue.room(**id).is_none());
    if let Some(id) = unknown {
        check.reject("roomIds", "must be rooms", Some(id.to_string()));
    }
    if room_ids.as_ref().is_some_and(|ids| !(1..=MOST_ROOMS).contains(&ids.len())) {
        check.reject("roomIds", format!("must have 1 to {MOST_ROOMS} rooms"), None);
    }
    let night = check.required("night", night.as_deref());
    let night = check.parse("night", night, date::EXPECTED, date::parse);
    let open = check.required("open", open);
    let wanted = room_ids.zip(night).zip(open);
    let ((room_ids, night), open) = check.finish_with(wanted)?;
    let mut transaction = admin.bookings.shared.database.write().await?;
    batch::take_turn(&mut transaction).await?;
    let changed = if open {
        batch::set_open(&mut transaction, night, &room_ids).await?
    } else {
        batch::set_closed(&mut transaction, night, &room_ids).await?
    };
    transaction.commit().await?;
    Ok(Answer(Changed { changed }))
}

/// Tells who asked for what.
#[utoipa::path(
    get,
    path = "/admin/calls",
    operation_id = "calls",
    tag = "admin",
    params(("externalId" = Option<String>, Query, description = "About which reservation; all unless told")),
    responses(
        (status = 200, description = "The calls, the earliest first", body = [CallMade]),
        (status = 400, description = "INVALID_REQUEST with errors[]", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
async fn calls(
    State(admin): State<Admin>,
    mut query: Query,
) -> Result<Answer<Vec<CallMade>>, Problem> {
    let external_id = query.one("externalId");
    query.finish()?;
    Ok(Answer(admin.calls.about(external_id.as_deref())))
}

/// Sets the clock wrong; in test mode only.
#[utoipa::path(
    post,
    path = "/admin/clock",
    operation_id = "setClock",
    tag = "admin",
    request_body = Clock,
    responses(
        (status = 204, description = "It is"),
        (status = 400, description = "INVALID_REQUEST with errors[], or MALFORMED_JSON", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 413, description = "REQUEST_TOO_LARGE", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 415, description = "UNSUPPORTED_MEDIA_TYPE", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 404, description = "NOT_FOUND: this is no test", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
async fn clock(
    State(admin): State<Admin>,
    Json(Clock { seconds }): Json<Clock>,
) -> Result<StatusCode, Problem> {
    let mut check = Check::new();
    let seconds = check.required("seconds", seconds);
    let year = 31_536_000;
    let seconds = check.within("seconds", seconds, -year..=year);
    let seconds = check.finish_with(seconds)?;
    if let Some(shift) = &admin.shift {
        shift.set(SignedDuration::from_secs(seconds));
    }
    Ok(StatusCode::NO_CONTENT)
}
