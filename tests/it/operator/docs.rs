//! What is documented is there, and what is there is documented.

use std::collections::BTreeMap;

use adda::metrics::{declared, render};

/// Name, type and labels of each row of `docs/metrics.md`.
fn documented() -> BTreeMap<String, (String, Vec<String>)> {
    let page = include_str!("../../../docs/metrics.md");
    let rows = page.lines().filter(|line| line.starts_with("| `adda_"));
    rows.map(|row| {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        assert_eq!(cells.len(), 5, "{row}");
        assert!(!cells[3].is_empty(), "without a meaning: {row}");
        let labels = cells[2].split(',').map(|label| label.trim().trim_matches('`').to_owned());
        let labels = labels.filter(|label| !label.is_empty()).collect();
        (cells[0].trim_matches('`').to_owned(), (cells[1].to_owned(), labels))
    })
    .collect()
}

#[test]
fn the_page_names_each_metric_and_no_other() {
    let documented = documented();
    let declared: BTreeMap<_, _> = declared()
        .into_iter()
        .map(|metric| {
            let labels = metric.labels.iter().map(ToString::to_string).collect::<Vec<_>>();
            (metric.name.to_owned(), (metric.kind.to_owned(), labels))
        })
        .collect();
    for (name, metric) in &declared {
        assert_eq!(documented.get(name), Some(metric), "{name} in docs/metrics.md");
    }
    for name in documented.keys() {
        assert!(declared.contains_key(name), "there is no {name}");
    }
}

#[test]
fn each_metric_is_told_under_its_name() {
    let text = render();
    for metric in declared() {
        let name = metric.name.strip_suffix("_total").unwrap_or(metric.name);
        let line = format!("# TYPE {name} {}\n", metric.kind);
        assert_eq!(text.matches(&line).count(), 1, "{line}");
    }
}
