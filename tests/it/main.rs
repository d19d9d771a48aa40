//! One binary for all integration tests.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod auth;
mod bus;
mod chat_client;
mod config;
mod deploy;
mod drain;
mod edge;
mod faults;
mod hard;
mod house;
mod infra;
mod load;
mod logs;
mod mongo;
mod operator;
mod push;
mod service;
mod store;
mod talk;
mod walls;
mod world;
