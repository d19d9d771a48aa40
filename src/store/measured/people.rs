//! Users: who they are, whom they know, whom they have blocked, what they hide.

use super::Measured;
use crate::store::People;

impl People for Measured {}
