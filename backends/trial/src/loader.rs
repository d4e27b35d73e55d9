//! Reads what is left, once everything is quiet: the stores, the CMS, the ledger, what left through
//! the sink, and the journal of the customers. It knows the tables, not the services.

use std::collections::BTreeMap;
use std::error::Error;

use jiff::civil::Date;
use reqwest::Method;
use serde_json::Value;
use sqlx::{AnyConnection, Connection};

use crate::evidence::{Booking, Entry, Evidence, Night, Notice, Payment, Reservation};
use crate::platform::{Platform, Service};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

impl Platform {
    /// Everything that is left.
    pub async fn evidence(&self) -> Result<Evidence> {
        let mut evidence = Evidence { journal: self.journal().entries(), ..Evidence::default() };
        self.read_reservation(&mut evidence).await?;
        self.read_payment(&mut evidence).await?;
        self.read_cms(&mut evidence).await?;
        self.read_ledger(&mut evidence).await?;
        self.read_notification(&mut evidence).await?;
        Ok(evidence)
    }

    /// What is still to be done, in words; nothing when everything is quiet.
    pub async fn unfinished(&self) -> Result<Vec<String>> {
        let mut left = Vec::new();
        let mut look = async |service: Service, what: &str, sql: &'static str| -> Result<()> {
            let mut store = self.store(service).await?;
            let ids: Vec<(String,)> = sqlx::query_as(sql).fetch_all(&mut store).await?;
            store.close().await?;
            left.extend(ids.into_iter().map(|(id,)| format!("{} {what} {id}", service.name())));
            Ok(())
        };
        look(
            Service::Reservation,
            "has not ended",
            "SELECT reservation_id FROM reservations \
             WHERE status NOT IN ('CONFIRMED', 'CANCELLED', 'FAILED', 'EXPIRED') \
             OR refund_status IN ('REQUESTED', 'FAILED')",
        )
        .await?;
        let steps = "SELECT reservation_id FROM saga_step WHERE state = 'OPEN'";
        look(Service::Reservation, "has a step open for", steps).await?;
        let open = "SELECT order_id FROM payments WHERE status = 'IN_PROGRESS'";
        look(Service::Payment, "does not know of", open).await?;
        let refunds = "SELECT refund_id FROM refunds WHERE status IN ('REQUESTED', 'REFUSED')";
        look(Service::Payment, "has not returned", refunds).await?;
        let sending =
            "SELECT notification_id FROM notifications WHERE status IN ('PENDING', 'SENDING')";
        look(Service::Notification, "has not sent", sending).await?;
        for service in [Service::Reservation, Service::Payment, Service::Notification] {
            let sql = "SELECT id FROM outbox WHERE published_at IS NULL";
            look(service, "has not published", sql).await?;
        }
        Ok(left)
    }

    async fn store(&self, service: Service) -> Result<AnyConnection> {
        sqlx::any::install_default_drivers();
        Ok(AnyConnection::connect(&self.database(service)?).await?)
    }

    async fn read_reservation(&self, evidence: &mut Evidence) -> Result<()> {
        let mut store = self.store(Service::Reservation).await?;
        let rows: Vec<(String, String, String, i64)> = sqlx::query_as(
            "SELECT reservation_id, status, refund_status, total_amount FROM reservations",
        )
        .fetch_all(&mut store)
        .await?;
        store.close().await?;
        let rows = rows.into_iter().map(|(id, status, refund_status, total_amount)| Reservation {
            id,
            status,
            refund_status,
            total_amount,
        });
        evidence.reservations = rows.collect();
        evidence.unfinished = self.unfinished().await?;
        Ok(())
    }

    async fn read_payment(&self, evidence: &mut Evidence) -> Result<()> {
        let mut store = self.store(Service::Payment).await?;
        let rows: Vec<(String, String)> =
            sqlx::query_as("SELECT order_id, status FROM payments").fetch_all(&mut store).await?;
        let settled = sqlx::query_as(
            "SELECT p.order_id, r.amount FROM refunds r \
             JOIN payments p ON p.payment_id = r.payment_id WHERE r.is_by_hand = 1",
        );
        evidence.settled_by_hand = settled.fetch_all(&mut store).await?;
        store.close().await?;
        let rows = rows.into_iter().map(|(order_id, status)| Payment { order_id, status });
        evidence.payments = rows.collect();
        Ok(())
    }

    async fn read_cms(&self, evidence: &mut Evidence) -> Result<()> {
        let mut store = self.store(Service::Cms).await?;
        let rows: Vec<(String, String, Option<String>, Option<String>)> =
            sqlx::query_as("SELECT external_id, status, check_in, check_out FROM reservations")
                .fetch_all(&mut store)
                .await?;
        let nights: Vec<(i64, String, String)> = sqlx::query_as(
            "SELECT room_id, night, reservation_id FROM room_nights \
             WHERE status IN ('HELD', 'BOOKED')",
        )
        .fetch_all(&mut store)
        .await?;
        store.close().await?;
        for (external_id, status, check_in, check_out) in rows {
            let nights = match (check_in, check_out) {
                (Some(check_in), Some(check_out)) => nights_between(&check_in, &check_out)?,
                _ => 0,
            };
            evidence.bookings.push(Booking { external_id, status, nights });
        }
        let nights = nights.into_iter();
        evidence.nights = nights
            .map(|(room_id, date, external_id)| Night { room_id, date, external_id })
            .collect();
        Ok(())
    }

    async fn read_ledger(&self, evidence: &mut Evidence) -> Result<()> {
        let told = self.ask_pg(Method::GET, "/admin/ledger", None).await?;
        let orders = told.body.get("payload").unwrap_or(&told.body).as_array().cloned();
        for order in orders.ok_or("the ledger cannot be read")? {
            let order_id =
                order.get("orderId").and_then(Value::as_str).ok_or("an order has no id")?;
            for (name, sign) in [("charges", 1), ("refunds", -1)] {
                let entries =
                    order.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
                for entry in entries {
                    let amount = entry.get("amount").and_then(Value::as_i64).unwrap_or_default();
                    let order_id = order_id.to_owned();
                    evidence.ledger.push(Entry { order_id, amount: amount * sign });
                }
            }
        }
        Ok(())
    }

    async fn read_notification(&self, evidence: &mut Evidence) -> Result<()> {
        let mut store = self.store(Service::Notification).await?;
        let rows: Vec<(String, String, String, String)> = sqlx::query_as(
            "SELECT notification_id, source_event_id, template_code, channel FROM notifications",
        )
        .fetch_all(&mut store)
        .await?;
        store.close().await?;
        let rows = rows.into_iter();
        evidence.notices = rows
            .map(|(id, source_event_id, template_code, channel)| Notice {
                id,
                source_event_id,
                template_code,
                channel,
            })
            .collect();
        let id =
            |line: &Value| line.get("notificationId").and_then(Value::as_str).map(str::to_owned);
        evidence.sent = self.delivered()?.iter().filter_map(id).collect();
        Ok(())
    }
}

impl Evidence {
    /// How many reservations ended in which state.
    pub fn ends(&self) -> BTreeMap<&str, usize> {
        let mut ends = BTreeMap::new();
        for reservation in &self.reservations {
            *ends.entry(reservation.status.as_str()).or_default() += 1;
        }
        ends
    }
}

fn nights_between(check_in: &str, check_out: &str) -> Result<usize> {
    let (check_in, check_out): (Date, Date) = (check_in.parse()?, check_out.parse()?);
    Ok(usize::try_from(check_in.until(check_out)?.get_days())?)
}
