//! Who calls: from a JWT to a [`Caller`].
//!
//! [`Verifier`] decides whether a token is good, [`AuthLayer`] asks it for every gRPC call, and
//! [`Signer`] makes tokens for development. Time comes from the [`Clock`](crate::clock::Clock).
//! No token, and no part of one, is ever in an error or in the log.

use crate::clock::Timestamp;
use crate::model::UserId;

mod claims;
mod jwks;
mod keys;
mod layer;
mod sign;
mod verifier;

pub use layer::{Auth, AuthLayer};
pub use sign::Signer;
pub use verifier::Verifier;

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
    /// `exp`. The leeway comes on top: see [`Verifier::leeway`].
    pub expires_at: Timestamp,
    /// `scope`, split at blanks, or the list `scp`.
    pub scopes: Vec<String>,
}
