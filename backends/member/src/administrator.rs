//! The first administrator, which nobody could appoint.

use service::proof::Role;
use service::server::StartError;

use crate::api::Members;
use crate::email::Email;
use crate::password::Password;
use crate::store::NewMember;

const NAME: &str = "Administrator";

/// `ADMIN_EMAIL` and `ADMIN_PASSWORD`: who is to be an administrator.
#[derive(Debug, Clone)]
pub(crate) struct Administrator {
    pub(crate) email: Email,
    pub(crate) password: Password,
}

/// Makes an administrator unless a member has the address.
///
/// A member that has it stays what it is: whoever signed up with it first would be appointed.
pub(crate) async fn ensure(
    members: &Members,
    administrator: Administrator,
) -> Result<(), StartError> {
    let Administrator { email, password } = administrator;
    let store = &members.store;
    if let Some(found) = store.find_by_email(&email).await.map_err(unreadable)? {
        if found.role != Role::Admin {
            tracing::warn!(member = found.id, "ADMIN_EMAIL is a member's and it is not appointed");
        }
        return Ok(());
    }
    let password_hash = members.passwords.hash(&password).await;
    let password_hash = password_hash
        .map_err(|error| StartError::Other("the administrator cannot be made", error.into()))?;
    let member = NewMember {
        email,
        name: NAME.to_owned(),
        nick_name: None,
        phone_number: None,
        birthday: None,
        gender: None,
        role: Role::Admin,
        password_hash,
    };
    // Otherwise another process that starts with the same store was faster.
    if let Ok(id) = store.insert(&member, members.clock.now()).await.map_err(unreadable)? {
        tracing::info!(member = id, "the administrator is made");
    }
    Ok(())
}

fn unreadable(error: sqlx::Error) -> StartError {
    StartError::Database(error.into())
}
