//! One binary for all integration tests.

mod infra;
mod mongo;
mod store;
