//! One binary for all integration tests.

mod auth;
mod bus;
mod config;
mod edge;
mod store;
