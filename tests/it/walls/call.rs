//! Any call of the contract by its name, with any bytes, through either door.

use std::net::SocketAddr;

use adda::proto::DESCRIPTORS;
use bytes::Bytes;
use prost::Message as _;
use prost_types::FileDescriptorSet;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status};

use crate::world::{AsTheyAre, PATIENCE, Part, Web};

/// A call as the contract has it.
#[derive(Clone, Debug)]
pub(super) struct Rpc {
    /// `Service/Method`.
    pub(super) name: String,
    /// The type of its request, from the root.
    pub(super) input: String,
    /// Whether requests come one after another, which a page cannot do.
    pub(super) streams_up: bool,
}

/// All that is compiled into the server.
pub(super) fn contract() -> FileDescriptorSet {
    FileDescriptorSet::decode(DESCRIPTORS).unwrap()
}

/// Every call of every service.
pub(super) fn rpcs() -> Vec<Rpc> {
    let set = contract();
    let files = set.file.iter().filter(|file| file.package() == "adda.v1");
    let services = files.flat_map(|file| &file.service);
    let methods =
        services.flat_map(|service| service.method.iter().map(move |method| (service, method)));
    methods
        .map(|(service, method)| Rpc {
            name: format!("{}/{}", service.name(), method.name()),
            input: method.input_type().to_owned(),
            streams_up: method.client_streaming(),
        })
        .collect()
}

/// A way in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// gRPC over HTTP/2.
    Native,
    /// gRPC-Web over HTTP/1.1.
    Web,
}

impl Way {
    pub(super) const ALL: [Self; 2] = [Self::Native, Self::Web];

    /// Whether this call can come this way.
    pub(super) fn takes(self, rpc: &Rpc) -> bool {
        self == Self::Native || !rpc.streams_up
    }
}

/// Somebody at both doors.
pub(super) struct Knocker {
    native: Channel,
    web: Web,
    authorization: Vec<String>,
}

impl Knocker {
    /// Who shows this token.
    pub(super) async fn with_token(addr: SocketAddr, token: &str) -> Self {
        Self::signed(addr, vec![format!("Bearer {token}")]).await
    }

    /// Whose headers `authorization` are these.
    pub(super) async fn signed(addr: SocketAddr, authorization: Vec<String>) -> Self {
        let native = Endpoint::from_shared(format!("http://{addr}")).unwrap().connect().await;
        let web = Web::signed(addr, authorization.clone());
        Self { native: native.unwrap(), web, authorization }
    }

    /// Calls with these requests; answers the first answer as it came.
    pub(super) async fn call(
        &self,
        way: Way,
        rpc: &Rpc,
        requests: Vec<Bytes>,
    ) -> Result<Bytes, Status> {
        let answer = async {
            match way {
                Way::Native => self.native(rpc, requests).await,
                Way::Web => self.web(rpc, &requests[0]).await,
            }
        };
        let answer = tokio::time::timeout(PATIENCE, answer).await;
        answer.unwrap_or_else(|_| panic!("{} is not answered", rpc.name))
    }

    async fn native(&self, rpc: &Rpc, requests: Vec<Bytes>) -> Result<Bytes, Status> {
        let mut client = tonic::client::Grpc::new(self.native.clone());
        client.ready().await.unwrap();
        let mut request = Request::new(tokio_stream::iter(requests));
        for value in &self.authorization {
            request.metadata_mut().append("authorization", value.parse().unwrap());
        }
        let path = format!("/adda.v1.{}", rpc.name).parse().unwrap();
        let mut answers = client.streaming(request, path, AsTheyAre).await?.into_inner();
        let first = answers.message().await?;
        Ok(first.unwrap_or_else(|| panic!("{} ends without an answer", rpc.name)))
    }

    async fn web(&self, rpc: &Rpc, request: &[u8]) -> Result<Bytes, Status> {
        match self.web.bytes(&rpc.name, request).await?.next().await {
            Some(Part::Message(message)) => Ok(message.into()),
            Some(Part::Trailers(status)) => Err(status),
            None => panic!("{} ends without an answer", rpc.name),
        }
    }
}
