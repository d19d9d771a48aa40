//! One binary for all integration tests.

mod auth;
mod config;
mod edge;
mod store;
