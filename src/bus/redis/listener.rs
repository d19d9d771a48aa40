//! The task that listens: it keeps this node's one subscription, and reads what comes.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use fred::clients::SubscriberClient;
use fred::prelude::*;
use fred::types::config::Server;
use fred::types::{Message, Value};
use tokio::sync::broadcast::{Receiver, error::RecvError};
use tokio::sync::mpsc::error::TrySendError;
use tokio::time::MissedTickBehavior;

use super::frame::{self, Malformed};
use super::shared::Shared;
use super::{channel, link};
use crate::bus::BusEvent;

/// How often it is looked whether somebody is silent.
const LOOK: Duration = Duration::from_millis(250);
/// Pause before a subscription that failed is tried again. fred tells of a new connection a little
/// before it takes commands for it.
const AGAIN: Duration = Duration::from_millis(20);

/// Listens for as long as this is polled, with a new client each time the last one is given up.
pub(super) async fn run(shared: Arc<Shared>, first: SubscriberClient) {
    let mut client = first;
    loop {
        // Before it connects, so that nothing is missed.
        let (messages, connections) = (client.message_rx(), client.reconnect_rx());
        let end = async {
            tokio::select! {
                () = listen(&shared, messages) => {}
                () = subscribe(&shared, &client, connections) => {}
                () = shared.listen_anew.notified() => {}
            }
        };
        Box::pin(link::keep_until(&client, end)).await;
        client = client.clone_new();
        shared.peers.lock().trouble();
    }
}

/// Subscribes at each new connection. fred could do so by itself, but its task for that ends
/// without a word when it falls behind.
async fn subscribe(shared: &Shared, client: &SubscriberClient, mut connections: Receiver<Server>) {
    while connected(&mut connections).await {
        loop {
            shared.peers.lock().trouble();
            // Connections made until now are served by this subscription.
            while connections.try_recv().is_ok() {}
            let client = client.with_options(&link::at_once());
            match link::answer(client.subscribe(channel(&shared.me))).await {
                Ok(Ok(())) => break,
                Ok(Err(error)) => tracing::debug!(%error, "cannot subscribe yet"),
                Err(error) => tracing::debug!(%error, "cannot subscribe yet"),
            }
            tokio::time::sleep(AGAIN).await;
        }
        // Again: only beats sent from now on prove that we hear.
        shared.peers.lock().trouble();
        shared.once_subscribed.store(true, Ordering::Release);
        shared.beat_now.notify_one();
    }
}

/// Waits for the next connection; false if there will be none.
async fn connected(connections: &mut Receiver<Server>) -> bool {
    match connections.recv().await {
        Ok(_) | Err(RecvError::Lagged(_)) => true,
        Err(RecvError::Closed) => false,
    }
}

/// Reads what comes and hands it on.
async fn listen(shared: &Shared, mut messages: Receiver<Message>) {
    let mut look = tokio::time::interval(LOOK);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            message = messages.recv() => match message {
                Ok(message) => hear(shared, &message),
                Err(RecvError::Lagged(lost)) => {
                    tracing::warn!(lost, "fell behind the bus");
                    shared.peers.lock().trouble();
                }
                Err(RecvError::Closed) => return,
            },
            _ = look.tick() => {
                let now = shared.now();
                shared.peers.lock().tick(now);
            }
        }
        tell(shared);
    }
}

fn hear(shared: &Shared, message: &Message) {
    let bytes = match &message.value {
        Value::Bytes(bytes) => bytes,
        Value::String(text) => text.inner(),
        _ => return,
    };
    let frame = match frame::decode(bytes) {
        Ok(frame) => frame,
        Err(Malformed::Version(version)) => {
            return tracing::debug!(version, "ignored a frame of another version");
        }
        Err(error) => return tracing::warn!(%error, "ignored what is no frame"),
    };
    let verdict = shared.peers.lock().heard(&frame, shared.now());
    // A loss is told before what came after it.
    tell(shared);
    if verdict.greet {
        // Full: it will be greeted by the next beat.
        let _ = shared.greetings.try_send(frame.from.clone());
    }
    if verdict.deliver {
        let envelope = BusEvent::Envelope { from: frame.from, payload: frame.payload };
        if let Err(TrySendError::Full(_)) = shared.events.try_send(envelope) {
            shared.peers.lock().overflow(shared.now());
        }
    }
}

/// Tells what is to be told, if there is room; else at the next look.
fn tell(shared: &Shared) {
    let now = shared.now();
    let mut peers = shared.peers.lock();
    if !peers.is_deaf() {
        shared.changed.notify_one();
    }
    let Some(event) = peers.report(now) else { return };
    if let BusEvent::Deaf { since } = &event {
        tracing::warn!(since = since.0, "deaf to other nodes");
    } else {
        tracing::info!("hearing other nodes");
    }
    if !matches!(shared.events.try_send(event.clone()), Err(TrySendError::Full(_))) {
        peers.told(&event, now);
    }
}
