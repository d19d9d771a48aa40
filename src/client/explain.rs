//! Why it rang, or did not: the way of a message to each of its recipients, for whoever runs the
//! service. It asks once and repeats nothing.

use std::fmt::Write as _;

use tonic::service::interceptor::InterceptedService;
use tonic::transport::Channel;
use tonic::{Request, Status};

use super::link;
use super::trouble::Trouble;
use crate::proto::chat_service_client::ChatServiceClient;
use crate::proto::notification_service_client::NotificationServiceClient;
use crate::proto::{DeliveryStep, ExplainDeliveryRequest, ListMembersRequest};

/// What is asked.
#[derive(Clone, Debug)]
pub struct Question {
    /// Where the server is: `http://HOST:PORT` or `https://HOST`.
    pub server: String,
    /// Of a service.
    pub token: String,
    /// The chat.
    pub chat: String,
    /// The message.
    pub message: String,
    /// The member for whom the recipients are listed; `None`: `to` has them.
    pub member: Option<String>,
    /// Recipients.
    pub to: Vec<String>,
}

/// Whose service it is to ask.
type Asks = InterceptedService<Channel, Bearer>;

#[derive(Clone)]
struct Bearer(tonic::metadata::AsciiMetadataValue);

impl tonic::service::Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        request.metadata_mut().insert("authorization", self.0.clone());
        Ok(request)
    }
}

/// What there is to say of each recipient, a line a step; or why there is none, in a line.
pub async fn explain(question: &Question) -> Result<String, String> {
    let channel = link::endpoint(&question.server)?
        .timeout(link::CALL_TIMEOUT)
        .connect()
        .await
        .map_err(|_| "the server is away".to_owned())?;
    let token = format!("Bearer {}", question.token).parse();
    let bearer = Bearer(token.map_err(|_| "the token has strange characters".to_owned())?);
    let mut users = question.to.clone();
    if let Some(member) = &question.member {
        let mut chats = ChatServiceClient::with_interceptor(channel.clone(), bearer.clone());
        users.extend(members(&mut chats, &question.chat, member).await?);
    }
    let mut asks = NotificationServiceClient::with_interceptor(channel, bearer);
    let (mut said, mut refused) = (String::new(), String::new());
    for user_id in users {
        let (chat_id, message_id) = (question.chat.clone(), question.message.clone());
        let request = ExplainDeliveryRequest { chat_id, message_id, user_id: user_id.clone() };
        match asks.explain_delivery(request).await {
            Ok(way) => tell(&mut said, &user_id, &way.into_inner().steps),
            // Whoever sent it, or came later, is no recipient.
            Err(status) if status.code() == tonic::Code::NotFound => refused = why(&status),
            Err(status) => return Err(why(&status)),
        }
    }
    if said.is_empty() { Err(refused) } else { Ok(said) }
}

async fn members(
    chats: &mut ChatServiceClient<Asks>,
    chat: &str,
    member: &str,
) -> Result<Vec<String>, String> {
    let behalf: tonic::metadata::AsciiMetadataValue =
        member.parse().map_err(|_| "--as has strange characters".to_owned())?;
    let (mut all, mut page_token) = (Vec::new(), String::new());
    loop {
        let (chat_id, page_size) = (chat.to_owned(), 200);
        let request = ListMembersRequest { chat_id, page_size, page_token, ..Default::default() };
        let mut request = Request::new(request);
        request.metadata_mut().insert("adda-on-behalf-of", behalf.clone());
        let page = chats.list_members(request).await.map_err(|status| why(&status))?.into_inner();
        all.extend(page.members.into_iter().map(|member| member.user_id));
        if page.next_page_token.is_empty() {
            return Ok(all);
        }
        page_token = page.next_page_token;
    }
}

fn why(status: &Status) -> String {
    match Trouble::of_status(status) {
        Trouble::Cut(why) | Trouble::Wait(_, why) | Trouble::Token(why) | Trouble::Over(why) => why,
    }
}

fn tell(said: &mut String, user: &str, steps: &[DeliveryStep]) {
    // Writing to a String cannot fail.
    let _ = writeln!(said, "{user}");
    for step in steps {
        let at = step.at.and_then(|at| jiff::Timestamp::new(at.seconds, at.nanos).ok());
        let at = at.map_or_else(|| "-".to_owned(), |at| format!("{at:.3}"));
        let what = step.kind().as_str_name().trim_start_matches("DELIVERY_STEP_KIND_");
        let by = match step.node_id.as_str() {
            "" => String::new(),
            node => format!("  by node {node}"),
        };
        let (device, detail) = (&step.device_id, &step.detail);
        let line = format!("  {at:24}  {what:12}  {device:16}  {detail:16}{by}");
        let _ = writeln!(said, "{}", line.trim_end());
    }
}
