//! Who calls: from a JWT to a [`Caller`].

use crate::clock::Timestamp;
use crate::model::UserId;

/// Who calls, as a token that was verified says. In the extensions of every request that
/// reaches a service of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// `sub`.
    pub user: UserId,
    /// `name`: normalised, at most 128 characters; what shows nothing is none.
    pub name: Option<String>,
    /// `picture`: an https URL of at most 2 KiB; anything else is none.
    pub picture: Option<String>,
    /// `iat`, at most now; the epoch if the token does not say.
    pub issued_at: Timestamp,
    /// `exp`. The leeway comes on top.
    pub expires_at: Timestamp,
    /// `scope`, split at blanks, or the list `scp`.
    pub scopes: Vec<String>,
}
