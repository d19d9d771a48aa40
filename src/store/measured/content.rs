//! What messages become after they were sent: edited, deleted, reacted to, hidden, found.

use super::Measured;
use crate::store::Content;

impl Content for Measured {}
