//! What is known of attachments; the bytes are elsewhere.

use super::Measured;
use crate::store::Files;

impl Files for Measured {}
