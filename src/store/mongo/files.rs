//! What is known of attachments; the bytes are elsewhere.

use super::MongoStore;
use crate::store::Files;

impl Files for MongoStore {}
