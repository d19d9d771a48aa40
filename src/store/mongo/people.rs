//! Users: who they are, whom they know, whom they have blocked, what they hide.

use super::MongoStore;
use crate::store::People;

impl People for MongoStore {}
