//! What is deployed around the nodes, as it is in `deploy/`, run for real.

mod figures;
mod proxy;
