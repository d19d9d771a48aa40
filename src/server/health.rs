//! Whether the node is fit to serve, as others ask it: `grpc.health.v1`, and reflection.

use tokio::sync::watch;
use tonic::service::Routes;
use tonic_health::ServingStatus;
use tonic_health::pb::health_server::{Health, HealthServer};
use tonic_health::server::{HealthReporter, HealthService};

use crate::metrics::{self, Part};
use crate::proto::DESCRIPTORS;
use crate::vital::Vital;

/// What the node can do now. Who knows it sends it; the edge tells all who ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Readiness {
    /// The store can be reached: without it nothing goes.
    pub store: bool,
    /// The bus is heard. While it is not, all goes on, some of it late: all nodes would leave at
    /// once if this counted.
    pub bus: bool,
    /// The node leaves.
    pub draining: bool,
}

impl Readiness {
    /// All is well.
    pub const READY: Self = Self { store: true, bus: true, draining: false };

    /// Whether to send clients here.
    pub fn serves(self) -> bool {
        self.store && !self.draining
    }

    fn record(self) {
        let parts = [(Part::Store, self.store), (Part::Bus, self.bus), (Part::Node, self.serves())];
        for (part, ready) in parts {
            metrics::ready().of(part).set(ready.into());
        }
        metrics::draining().set(self.draining.into());
    }
}

/// The service, kept up to date for as long as anyone sends readiness.
pub(super) fn service(
    readiness: watch::Receiver<Readiness>,
    vital: &Vital,
) -> HealthServer<impl Health + use<>> {
    let reporter = HealthReporter::new();
    let service = HealthService::from_health_reporter(reporter.clone());
    vital.spawn("health service", follow(reporter, readiness));
    HealthServer::new(service)
}

async fn follow(reporter: HealthReporter, mut readiness: watch::Receiver<Readiness>) {
    loop {
        let now = *readiness.borrow_and_update();
        now.record();
        for (service, well) in [
            ("", now.serves()),
            ("adda.v1.ChatService", now.serves()),
            ("adda.store", now.store),
            ("adda.bus", now.bus),
        ] {
            let status = if well { ServingStatus::Serving } else { ServingStatus::NotServing };
            reporter.set_service_status(service, status).await;
        }
        if readiness.changed().await.is_err() {
            return;
        }
    }
}

/// Adds reflection, in the version of today and in the one that older tools ask for.
pub(super) fn with_reflection(routes: Routes) -> Routes {
    let builder = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(DESCRIPTORS)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
            // So that tools can show the details of an error.
            .register_encoded_file_descriptor_set(tonic_types::pb::FILE_DESCRIPTOR_SET)
    };
    let ours = "the descriptors that the build made can be read";
    routes
        .add_service(builder().build_v1().expect(ours))
        .add_service(builder().build_v1alpha().expect(ours))
}
