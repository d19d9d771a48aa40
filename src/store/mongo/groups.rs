//! Groups that change: members, roles, titles; and what members set for themselves.

use super::MongoStore;
use crate::store::Groups;

impl Groups for MongoStore {}
