//! How a node leaves: asked to, asked twice, in time, one node after the other under load; and
//! how it ends when a task of its own has crashed.

mod balancer;
mod crash;
mod crew;
mod leaving;
mod rolling;

pub(crate) use balancer::Balancer;
pub(crate) use crew::{Crew, quiet, report};
pub(crate) use rolling::{PAUSE, ROUNDS};
