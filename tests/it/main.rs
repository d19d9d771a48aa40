//! One binary for all integration tests.

mod auth;
mod bus;
mod chat_client;
mod config;
mod edge;
mod store;
