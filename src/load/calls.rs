//! One call after another, of every sort, while nothing else happens: what each costs whoever
//! makes it, and how many questions the server asks its store for it.

use std::time::{Duration, Instant};

use super::LoadError;
use super::measure::Run;
use super::report::Report;
use crate::config::load::CallsArgs;

mod cast;

use cast::{Cast, VERBS};

/// Lets what follows an answer, such as telling others, come to its end before it is counted.
const SETTLES: Duration = Duration::from_millis(600);

pub(super) async fn run(mut run: Run, plan: &CallsArgs) -> Result<Report, LoadError> {
    let mut cast = Cast::gather(&run, plan).await?;
    let before = run.look();
    let mut questions = Vec::new();
    run.counting.set(true);
    for verb in VERBS {
        let series = run.series(verb.name);
        let before_verb = asked(plan).await?;
        for nth in 0..plan.calls {
            let began = Instant::now();
            match (verb.call)(&mut cast, nth).await {
                Ok(()) => series.took(0, began.elapsed()),
                Err(status) => run.errors.count(format!("{}: {}", verb.name, status.message())),
            }
        }
        tokio::time::sleep(SETTLES).await;
        questions.push((verb.name, asked(plan).await?.zip(before_verb)));
        run.say(&format!("  {}", verb.name));
    }
    let shape = format!("{} of each, a group of {}, alone", plan.calls, plan.members);
    let mut report = run.report("calls", shape, &before);
    for (name, counted) in questions {
        if let Some((after, before)) = counted {
            report.figure(name, (after - before) / f64::from(plan.calls), "questions to the store");
        }
    }
    Ok(report)
}

/// How many questions the server has asked its store since it began, by its own metrics.
async fn asked(plan: &CallsArgs) -> Result<Option<f64>, LoadError> {
    let Some(url) = &plan.metrics else { return Ok(None) };
    // Whoever was first has installed the same.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let failed = |error: reqwest::Error| LoadError::Backend("metrics", error.to_string());
    let text = reqwest::get(url).await.map_err(failed)?.text().await.map_err(failed)?;
    let counts = text.lines().filter(|line| line.starts_with("adda_store_seconds_count"));
    let numbers = counts.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok());
    Ok(Some(numbers.sum()))
}
