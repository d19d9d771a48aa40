//! One binary for all integration tests.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod auth;
mod config;
mod edge;
mod store;
