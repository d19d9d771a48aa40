//! What the parts could do at most, measured on the same machine in the same run.

use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use tokio::task::JoinSet;

use super::measure::Run;
use super::report::Report;
use super::{LoadError, OPENING, bare};
use crate::config::load::LimitsArgs;
use crate::proto::{Hello, SubscribeRequest};
use crate::{bus, store};

/// Commands that a pipeline holds.
const PIPELINE: usize = 16;

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
pub(super) async fn run(mut run: Run, plan: &LimitsArgs) -> Result<Report, LoadError> {
    if let Some(addr) = plan.serve_bare {
        bare::serve(addr).await?;
    }
    let mut figures = Vec::new();
    let seconds = run.time.as_secs_f64();
    if let Some(url) = &plan.store {
        run.say("grouped inserts");
        let inserted = store::limit::grouped_inserts(url.expose(), run.time).await;
        let inserted =
            inserted.map_err(|error| LoadError::Backend("the store", error.to_string()))?;
        figures.push(("grouped durable inserts", inserted as f64 / seconds, "a second"));
    }
    if let Some(url) = plan.bus.as_ref().filter(|url| url.expose() != "memory:") {
        for (name, pipeline) in [("PUBLISH, one by one", 1), ("PUBLISH, pipelined by 16", PIPELINE)]
        {
            run.say(name);
            let published = bus::redis::limit::publishes(url.expose(), pipeline, run.time).await;
            let published =
                published.map_err(|error| LoadError::Backend("the bus", error.to_string()))?;
            figures.push((name, published as f64 / seconds, "a second"));
        }
    }
    let mut report = streams(&mut run, plan.streams).await?;
    for (name, value, unit) in figures {
        report.figure(name, value, unit);
    }
    Ok(report)
}

/// A bare server in a process of its own, and this many readers.
async fn streams(run: &mut Run, streams: usize) -> Result<Report, LoadError> {
    let failed = |error: std::io::Error| LoadError::Backend("the bare server", error.to_string());
    let deliveries = run.series("bare delivery");
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .and_then(|socket| socket.local_addr())
        .map_err(failed)?;
    let server = tokio::process::Command::new(std::env::current_exe().map_err(failed)?)
        .args(["load", "limits", "--serve-bare", &port.to_string()])
        .stdout(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .map_err(failed)?;
    run.pid = server.id();
    run.say(&format!("opening {streams} bare streams"));
    let door = Arc::new(run.door.at(&format!("http://{port}"))?);
    let first = loop {
        match door.caller("bare").await {
            Ok(caller) => break caller,
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    };
    drop(first);
    let door_ref = &door;
    let downs: Vec<tonic::Streaming<_>> = stream::iter(0..streams)
        .map(|nth| async move {
            let mut caller = door_ref.caller(&format!("bare-{nth}")).await?;
            let hello = Some(Hello { device_id: "load".to_owned(), ..Hello::default() });
            let request = caller.request(SubscribeRequest { hello });
            let answer = caller.client.subscribe(request).await;
            let answer = answer.map_err(|status| LoadError::Call("Subscribe", Box::new(status)))?;
            Ok::<_, LoadError>(answer.into_inner())
        })
        .buffer_unordered(OPENING)
        .try_collect()
        .await?;
    let mut tasks = JoinSet::new();
    for (nth, mut down) in downs.into_iter().enumerate() {
        let deliveries = Arc::clone(&deliveries);
        tasks.spawn(async move {
            while let Ok(Some(_)) = down.message().await {
                deliveries.took(nth, Duration::ZERO);
            }
        });
    }
    let report = run.count("limits", format!("{streams} bare streams")).await;
    drop((tasks, server));
    Ok(report)
}
