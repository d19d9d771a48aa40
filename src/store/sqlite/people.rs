//! Users: who they are, whom they know, whom they have blocked, what they hide.

use super::SqliteStore;
use crate::store::People;

impl People for SqliteStore {}
