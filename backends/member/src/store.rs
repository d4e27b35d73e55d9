//! The members in the store.
//!
//! Where two requests may meet, the later one finds another `version` than it read and changes
//! nothing. What must be unique is decided by the database.

use jiff::Timestamp;
use jiff::civil::Date;
use service::code::Code;
use service::database::Database;
use service::proof::Role;
use service::stored::{instant, is_taken};
use sqlx::any::AnyRow;
use sqlx::{Any, AnyConnection, AssertSqlSafe, FromRow, Row, Transaction};

use crate::email::Email;
use crate::kind::{AccountType, Gender, Status};

/// Members that become dormant in one transaction.
const SWEEP: i64 = 500;
/// Revocations that are read at a time.
const PAGE: i64 = 100;

/// The store of this service; cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    database: Database,
}

/// A member as it is stored. Personal fields are empty once it has withdrawn.
pub(crate) struct Record {
    pub(crate) id: i64,
    pub(crate) email: Option<String>,
    pub(crate) name: Option<String>,
    pub(crate) nick_name: Option<String>,
    pub(crate) phone_number: Option<String>,
    pub(crate) birthday: Option<Date>,
    pub(crate) gender: Option<Gender>,
    pub(crate) role: Role,
    pub(crate) account_type: AccountType,
    pub(crate) password_hash: Option<String>,
    pub(crate) status: Status,
    pub(crate) last_login_at: Option<Timestamp>,
    pub(crate) joined_at: Timestamp,
    pub(crate) dormant_at: Option<Timestamp>,
    pub(crate) version: i64,
}

/// A member that is to be.
pub(crate) struct NewMember {
    pub(crate) email: Email,
    pub(crate) name: String,
    pub(crate) nick_name: Option<String>,
    pub(crate) phone_number: Option<String>,
    pub(crate) birthday: Option<Date>,
    pub(crate) gender: Option<Gender>,
    pub(crate) role: Role,
    pub(crate) password_hash: String,
}

/// What belongs to another member already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Taken {
    Email,
    NickName,
    PhoneNumber,
    /// Something did a moment ago, and does not any longer.
    Nothing,
}

/// Sessions of a member that the gateway is to end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Revocation {
    pub(crate) member_id: i64,
    requested_at: String,
}

impl Revocation {
    /// The one that was noted at `now`.
    pub(crate) fn at(member_id: i64, now: Timestamp) -> Self {
        Self { member_id, requested_at: instant(now) }
    }
}

impl Store {
    pub(crate) fn new(database: Database) -> Self {
        Self { database }
    }

    pub(crate) async fn find(&self, id: i64) -> Result<Option<Record>, sqlx::Error> {
        let query = sqlx::query_as("SELECT * FROM members WHERE member_id = $1");
        query.bind(id).fetch_optional(self.database.pool()).await
    }

    pub(crate) async fn find_by_email(&self, email: &Email) -> Result<Option<Record>, sqlx::Error> {
        let query = sqlx::query_as("SELECT * FROM members WHERE member_email = $1");
        query.bind(email.as_str()).fetch_optional(self.database.pool()).await
    }

    /// Adds a member; its id, or what stands against it.
    pub(crate) async fn insert(
        &self,
        new: &NewMember,
        now: Timestamp,
    ) -> Result<Result<i64, Taken>, sqlx::Error> {
        let mut transaction = self.database.write().await?;
        let id = next_id(&mut transaction).await?;
        let inserted = sqlx::query(
            "INSERT INTO members (member_id, member_email, member_name, nick_name, phone_number, \
             birthday, gender, member_role, account_type, password_hash, status, joined_at, \
             modifier_id, modified_at, version) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $1, $12, 1) \
             ON CONFLICT DO NOTHING",
        )
        .bind(id)
        .bind(new.email.as_str())
        .bind(&new.name)
        .bind(&new.nick_name)
        .bind(&new.phone_number)
        .bind(new.birthday.map(|date| date.to_string()))
        .bind(new.gender.map(Gender::code))
        .bind(new.role.code())
        .bind(AccountType::Local.code())
        .bind(&new.password_hash)
        .bind(Status::Active.code())
        .bind(instant(now))
        .execute(&mut *transaction)
        .await?;
        if inserted.rows_affected() == 0 {
            let taken = find_taken(&mut transaction, new).await?;
            transaction.rollback().await?;
            return Ok(Err(taken));
        }
        transaction.commit().await?;
        Ok(Ok(id))
    }

    /// Notes a login: the member is active from now on, and its hash may be a new one. Sessions it
    /// begins now are not those that were to be ended.
    pub(crate) async fn note_login(
        &self,
        member: &Record,
        new_hash: Option<&str>,
        now: Timestamp,
    ) -> Result<bool, sqlx::Error> {
        let is_changed = new_hash.is_some() || member.status != Status::Active;
        let mut transaction = self.database.write().await?;
        let updated = sqlx::query(
            "UPDATE members SET last_login_at = $1, password_hash = $2, status = $3, \
             dormant_at = NULL, version = $4 WHERE member_id = $5 AND version = $6",
        )
        .bind(instant(now))
        .bind(new_hash.or(member.password_hash.as_deref()))
        .bind(Status::Active.code())
        .bind(member.version + i64::from(is_changed))
        .bind(member.id)
        .bind(member.version)
        .execute(&mut *transaction)
        .await?;
        if member.status == Status::Dormant {
            forget(&mut transaction, member.id).await?;
        }
        commit_if_one(transaction, updated.rows_affected()).await
    }

    /// Gives a member another nickname, unless somebody has it.
    pub(crate) async fn rename(
        &self,
        member: &Record,
        nick_name: &str,
        now: Timestamp,
    ) -> Result<Result<bool, Taken>, sqlx::Error> {
        let updated = sqlx::query(
            "UPDATE members SET nick_name = $1, modifier_id = $2, modified_at = $3, \
             version = version + 1 WHERE member_id = $2 AND version = $4",
        )
        .bind(nick_name)
        .bind(member.id)
        .bind(instant(now))
        .bind(member.version)
        .execute(self.database.pool())
        .await;
        match updated {
            Ok(updated) => Ok(Ok(updated.rows_affected() == 1)),
            // Only the nickname is written.
            Err(error) if is_taken(&error) => Ok(Err(Taken::NickName)),
            Err(error) => Err(error),
        }
    }

    /// Changes a password; with `is_told` the gateway is to end the sessions, which is noted in the
    /// same transaction.
    pub(crate) async fn change_password(
        &self,
        member: &Record,
        new_hash: &str,
        now: Timestamp,
        is_told: bool,
    ) -> Result<bool, sqlx::Error> {
        let mut transaction = self.database.write().await?;
        let updated = sqlx::query(
            "UPDATE members SET password_hash = $1, modifier_id = $2, modified_at = $3, \
             version = version + 1 WHERE member_id = $2 AND version = $4",
        )
        .bind(new_hash)
        .bind(member.id)
        .bind(instant(now))
        .bind(member.version)
        .execute(&mut *transaction)
        .await?;
        if is_told {
            note_revocation(&mut transaction, member.id, now).await?;
        }
        commit_if_one(transaction, updated.rows_affected()).await
    }

    /// Erases what is personal and keeps the id; `is_told` as in [`Store::change_password`].
    pub(crate) async fn withdraw(
        &self,
        member: &Record,
        now: Timestamp,
        is_told: bool,
    ) -> Result<bool, sqlx::Error> {
        let mut transaction = self.database.write().await?;
        let updated = sqlx::query(
            "UPDATE members SET member_email = NULL, member_name = NULL, nick_name = NULL, \
             phone_number = NULL, birthday = NULL, gender = NULL, password_hash = NULL, \
             status = $1, withdrawn_at = $2, modifier_id = $3, modified_at = $2, \
             version = version + 1 WHERE member_id = $3 AND version = $4",
        )
        .bind(Status::Withdrawn.code())
        .bind(instant(now))
        .bind(member.id)
        .bind(member.version)
        .execute(&mut *transaction)
        .await?;
        if is_told {
            note_revocation(&mut transaction, member.id, now).await?;
        }
        commit_if_one(transaction, updated.rows_affected()).await
    }

    /// Makes some of the members dormant that have not logged in since `cutoff`, those with the
    /// lowest ids above `after`; their ids.
    ///
    /// With `is_told` the gateway is to end their sessions, which is noted in the same transaction.
    pub(crate) async fn make_dormant(
        &self,
        after: i64,
        cutoff: Timestamp,
        now: Timestamp,
        is_told: bool,
    ) -> Result<Vec<i64>, sqlx::Error> {
        let mut transaction = self.database.write().await?;
        let rows = sqlx::query(
            "UPDATE members SET status = $1, dormant_at = $2, modifier_id = NULL, \
             modified_at = $2, version = version + 1 \
             WHERE status = $3 AND COALESCE(last_login_at, joined_at) < $4 AND member_id IN \
             (SELECT member_id FROM members WHERE member_id > $5 AND status = $3 \
             AND COALESCE(last_login_at, joined_at) < $4 ORDER BY member_id LIMIT $6) \
             RETURNING member_id",
        )
        .bind(Status::Dormant.code())
        .bind(instant(now))
        .bind(Status::Active.code())
        .bind(instant(cutoff))
        .bind(after)
        .bind(SWEEP)
        .fetch_all(&mut *transaction)
        .await?;
        let ids: Vec<i64> = rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
        for id in ids.iter().filter(|_| is_told) {
            note_revocation(&mut transaction, *id, now).await?;
        }
        transaction.commit().await?;
        Ok(ids)
    }

    /// Some of the revocations the gateway has not been told, those with the lowest ids above
    /// `after`.
    pub(crate) async fn revocations(&self, after: i64) -> Result<Vec<Revocation>, sqlx::Error> {
        let rows = sqlx::query(
            "SELECT member_id, requested_at FROM pending_revocations WHERE member_id > $1 \
             ORDER BY member_id LIMIT $2",
        );
        let rows = rows.bind(after).bind(PAGE).fetch_all(self.database.pool()).await?;
        let read = |row: &AnyRow| {
            Ok(Revocation { member_id: row.try_get(0)?, requested_at: row.try_get(1)? })
        };
        rows.iter().map(read).collect()
    }

    /// Notes that the gateway has been told, unless it was to be told again in the meantime.
    pub(crate) async fn delivered(&self, revocation: &Revocation) -> Result<(), sqlx::Error> {
        let deleted = sqlx::query(
            "DELETE FROM pending_revocations WHERE member_id = $1 AND requested_at = $2",
        );
        let deleted = deleted.bind(revocation.member_id).bind(&revocation.requested_at);
        deleted.execute(self.database.pool()).await.map(drop)
    }
}

impl FromRow<'_, AnyRow> for Record {
    fn from_row(row: &AnyRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            id: row.try_get("member_id")?,
            email: row.try_get("member_email")?,
            name: row.try_get("member_name")?,
            nick_name: row.try_get("nick_name")?,
            phone_number: row.try_get("phone_number")?,
            birthday: read_optional(row, "birthday", |text| text.parse().ok())?,
            gender: read_optional(row, "gender", Gender::by_code)?,
            role: read(row, "member_role", Role::by_code)?,
            account_type: read(row, "account_type", AccountType::by_code)?,
            password_hash: row.try_get("password_hash")?,
            status: read(row, "status", Status::by_code)?,
            last_login_at: read_optional(row, "last_login_at", |text| text.parse().ok())?,
            joined_at: read(row, "joined_at", |text| text.parse().ok())?,
            dormant_at: read_optional(row, "dormant_at", |text| text.parse().ok())?,
            version: row.try_get("version")?,
        })
    }
}

/// The row is locked until the transaction ends, so that a number is given out once.
async fn next_id(connection: &mut AnyConnection) -> Result<i64, sqlx::Error> {
    let row = sqlx::query("UPDATE member_ids SET last_id = last_id + 1 RETURNING last_id");
    row.fetch_one(connection).await?.try_get(0)
}

async fn find_taken(connection: &mut AnyConnection, new: &NewMember) -> Result<Taken, sqlx::Error> {
    let candidates = [
        (Taken::Email, "member_email", Some(new.email.as_str())),
        (Taken::NickName, "nick_name", new.nick_name.as_deref()),
        (Taken::PhoneNumber, "phone_number", new.phone_number.as_deref()),
    ];
    for (taken, column, value) in candidates {
        let Some(value) = value else { continue };
        let text = format!("SELECT member_id FROM members WHERE {column} = $1");
        let found = sqlx::query(AssertSqlSafe(text)).bind(value);
        if found.fetch_optional(&mut *connection).await?.is_some() {
            return Ok(taken);
        }
    }
    Ok(Taken::Nothing)
}

async fn note_revocation(
    connection: &mut AnyConnection,
    member_id: i64,
    now: Timestamp,
) -> Result<(), sqlx::Error> {
    let inserted = sqlx::query(
        "INSERT INTO pending_revocations (member_id, requested_at) VALUES ($1, $2) \
         ON CONFLICT (member_id) DO UPDATE SET requested_at = excluded.requested_at",
    );
    inserted.bind(member_id).bind(instant(now)).execute(connection).await.map(drop)
}

async fn forget(connection: &mut AnyConnection, member_id: i64) -> Result<(), sqlx::Error> {
    let deleted = sqlx::query("DELETE FROM pending_revocations WHERE member_id = $1");
    deleted.bind(member_id).execute(connection).await.map(drop)
}

/// A change that hit nothing was made from something that is no longer so.
async fn commit_if_one(
    transaction: Transaction<'_, Any>,
    rows_affected: u64,
) -> Result<bool, sqlx::Error> {
    if rows_affected != 1 {
        transaction.rollback().await?;
        return Ok(false);
    }
    transaction.commit().await?;
    Ok(true)
}

fn read<T>(
    row: &AnyRow,
    column: &str,
    parse: impl Fn(&str) -> Option<T>,
) -> Result<T, sqlx::Error> {
    let value = read_optional(row, column, parse)?;
    value.ok_or_else(|| sqlx::Error::Decode(format!("`{column}` is empty").into()))
}

fn read_optional<T>(
    row: &AnyRow,
    column: &str,
    parse: impl Fn(&str) -> Option<T>,
) -> Result<Option<T>, sqlx::Error> {
    let Some(text) = row.try_get::<Option<String>, _>(column)? else { return Ok(None) };
    let odd = || sqlx::Error::Decode(format!("`{column}` holds an unknown value").into());
    parse(&text).map(Some).ok_or_else(odd)
}
