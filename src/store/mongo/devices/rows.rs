//! Devices, standings and what is noted of pushes, as they are read.

use std::time::Duration;

use mongodb::bson::{Binary, Bson, Document};

use crate::model::{ChatId, DeviceId, MessageId, NodeId, Platform, Seq, UserId};
use crate::store::mongo::docs::{number, plain, time};
use crate::store::mongo::failure::broken;
use crate::store::{Device, Result, Spot, Standing, Trace};

/// What a claim found.
pub(super) struct Held {
    /// Acknowledged or pushed up to this one.
    pub(super) done: Seq,
    pub(super) claimer: Option<Binary>,
    pub(super) free_in: Duration,
}

fn text(doc: &Document, field: &str) -> Result<String> {
    doc.get_str(field).map(str::to_owned).map_err(|_| broken("a device cannot be read"))
}

pub(super) fn device(doc: &Document) -> Result<Device> {
    let platform = doc.get_i32("platform").ok().and_then(Platform::from_number);
    let failed = doc.get_datetime("failed_at").ok();
    let why = || doc.get_str("failure").unwrap_or_default().to_owned();
    Ok(Device {
        user: UserId::new(&text(doc, "user_id")?),
        id: DeviceId::new(&text(doc, "device_id")?),
        token: doc.get_str("token").ok().map(str::to_owned),
        platform: platform.ok_or_else(|| broken("a device of no platform"))?,
        locale: text(doc, "locale")?,
        app_version: text(doc, "app_version")?,
        registered_at: doc
            .get_datetime("registered_at")
            .map(|at| time(*at))
            .map_err(|_| broken("a device without a time"))?,
        failed: failed.map(|at| (time(*at), why())),
        digest: digest(doc)?,
    })
}

fn digest(doc: &Document) -> Result<Vec<(ChatId, Seq)>> {
    let Ok(pairs) = doc.get_array("digest") else { return Ok(Vec::new()) };
    let pair = |of: &Bson| {
        let of = of.as_document().ok_or_else(|| broken("a digest cannot be read"))?;
        Ok((chat(of)?, seq(of, "seq")?))
    };
    pairs.iter().map(pair).collect()
}

fn chat(doc: &Document) -> Result<ChatId> {
    let chat = match doc.get("chat_id") {
        Some(Bson::Binary(id)) => id.to_uuid().ok(),
        _ => None,
    };
    chat.map(|chat| ChatId(plain(chat))).ok_or_else(|| broken("a place without a chat"))
}

/// A number that may be left out.
fn seq(doc: &Document, field: &str) -> Result<Seq> {
    doc.get_i64(field).map_or(Ok(0), number)
}

fn spot(doc: &Document) -> Result<Spot> {
    let device = text(doc, "device_id")?;
    Ok(Spot {
        chat: chat(doc)?,
        user: UserId::new(&text(doc, "user_id")?),
        device: (!device.is_empty()).then(|| DeviceId::new(&device)),
    })
}

pub(super) fn standing(doc: &Document) -> Result<Standing> {
    Ok(Standing {
        spot: spot(doc)?,
        acked_to: seq(doc, "acked_to")?,
        pushed_to: seq(doc, "pushed_to")?,
        cleared_to: seq(doc, "cleared_to")?,
    })
}

pub(super) fn held(doc: &Document) -> Result<(Spot, Held)> {
    let free_in = doc.get_i64("free_in").unwrap_or(0);
    let held = Held {
        done: seq(doc, "acked_to")?.max(seq(doc, "pushed_to")?),
        claimer: match doc.get("claimer") {
            Some(Bson::Binary(name)) => Some(name.clone()),
            _ => None,
        },
        free_in: Duration::from_millis(u64::try_from(free_in).unwrap_or(0)),
    };
    Ok((spot(doc)?, held))
}

pub(super) fn trace(doc: &Document, message: MessageId, user: &UserId) -> Result<Trace> {
    let at = doc.get_datetime("at").map_err(|_| broken("a trace without a time"))?;
    let device = text(doc, "device_id")?;
    let found = doc.get_datetime("found_at").ok().zip(doc.get_str("look").ok());
    Ok(Trace {
        message,
        user: user.clone(),
        device: (!device.is_empty()).then(|| DeviceId::new(&device)),
        step: doc.get_i32("step").map_err(|_| broken("a trace cannot be read"))?,
        detail: text(doc, "detail")?,
        node: NodeId::new(doc.get_str("node").unwrap_or_default()),
        at: Some(time(*at)),
        found: found.map(|(at, look)| (time(*at), look.to_owned())),
    })
}
