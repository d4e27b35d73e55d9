//! What others may want to know of travels (`TRAVEL-EVENT`).

use jiff::civil::Date;
use messaging::outbox::{self, Draft};
use messaging::payload::{TravelEvent, TravelEventKind};
use sqlx::{AnyConnection, Row};

use super::{Store, TravelKey, Writing};
use crate::refusal::Refusal;
use crate::travel::Travel;

/// How many travels are told of in one transaction.
const BATCH: i64 = 100;

impl Writing {
    /// Tells of a travel in this transaction.
    pub(super) async fn tell(
        &mut self,
        kind: TravelEventKind,
        member_id: i64,
        travel: &Travel,
    ) -> Result<(), sqlx::Error> {
        let event = event(kind, member_id, travel);
        self.append(&event).await
    }

    async fn append(&mut self, event: &TravelEvent) -> Result<(), sqlx::Error> {
        // One that was refused has no id: it stands with the travel that was in its way.
        let id = event.travel_id.or(event.conflicting_travel_id).unwrap_or_default().to_string();
        let draft = Draft {
            key: &id,
            correlation_id: &id,
            causation_id: None,
            member_id: Some(event.member_id),
            payload: event,
        };
        let now = self.now;
        outbox::append(self.connection(), draft, now).await.map(drop)
    }
}

impl Store {
    /// Tells that a travel was refused because of another one, and hands the refusal on. It is a
    /// transaction of its own, as the one that was refused is gone.
    pub(super) async fn tell_refused(
        &self,
        refusal: Refusal,
        member_id: i64,
        wanted: &Travel,
    ) -> Result<Refusal, Refusal> {
        let Refusal::Overlap { travel_id, .. } = &refusal else { return Ok(refusal) };
        let event = TravelEvent {
            travel_id: (wanted.id > 0).then_some(wanted.id),
            conflicting_travel_id: Some(*travel_id),
            ..event(TravelEventKind::OverlapRejected, member_id, wanted)
        };
        let mut writing = self.write().await?;
        writing.append(&event).await?;
        writing.commit().await?;
        Ok(refusal)
    }

    /// Tells of travels that begin on a day, once each, also if that is another day by now than the
    /// one that was told; how many there were.
    pub(crate) async fn tell_starting(&self, day: Date) -> Result<usize, Refusal> {
        let mut writing = self.write().await?;
        let rows = sqlx::query(
            "SELECT travel_id, member_id FROM travels WHERE start_date = $1 \
             AND (announced_start IS NULL OR announced_start <> start_date) \
             ORDER BY travel_id LIMIT $2",
        )
        .bind(day.to_string())
        .bind(BATCH)
        .fetch_all(writing.connection())
        .await?;
        let mut told = 0;
        for row in &rows {
            let key = TravelKey { travel_id: row.try_get(0)?, member_id: row.try_get(1)? };
            if announce(writing.connection(), key, day).await? {
                let travel = super::travels::load(writing.connection(), key).await?;
                writing.tell(TravelEventKind::StartsTomorrow, key.member_id, &travel).await?;
                told += 1;
            }
        }
        writing.commit().await?;
        Ok(told)
    }
}

/// Notes that a member was told; whether nobody had.
async fn announce(
    connection: &mut AnyConnection,
    key: TravelKey,
    day: Date,
) -> Result<bool, sqlx::Error> {
    let noted = sqlx::query(
        "UPDATE travels SET announced_start = $2 WHERE travel_id = $1 AND start_date = $2 \
         AND (announced_start IS NULL OR announced_start <> $2)",
    )
    .bind(key.travel_id)
    .bind(day.to_string())
    .execute(connection)
    .await?;
    Ok(noted.rows_affected() == 1)
}

fn event(kind: TravelEventKind, member_id: i64, travel: &Travel) -> TravelEvent {
    TravelEvent {
        kind,
        travel_id: Some(travel.id),
        member_id,
        title: travel.title(),
        start_date: travel.period.first(),
        end_date: travel.period.last(),
        region_names: travel.regions.iter().map(|region| region.name.clone()).collect(),
        conflicting_travel_id: None,
    }
}
