//! What is known of attachments; the bytes are elsewhere.

use super::SqliteStore;
use crate::store::Files;

impl Files for SqliteStore {}
