//! The page about the walls: each test that it names is there, and the matrix in it is the one that
//! is tried.

use std::collections::BTreeSet;
use std::path::Path;

use super::matrix::ROWS;

const PAGE: &str = include_str!("../../../docs/security.md");

/// What stands between single backquotes.
fn quoted() -> BTreeSet<&'static str> {
    let prose = PAGE.lines().filter(|line| !line.starts_with("```"));
    prose.flat_map(|line| line.split('`').skip(1).step_by(2)).collect()
}

/// Whether this is the path of a test: `module::name`, where rooms are spelled in small letters.
fn is_test(text: &str) -> bool {
    let word = |part: &str| {
        !part.is_empty()
            && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
    };
    text.contains("::") && text.split("::").all(word)
}

/// Where a test may stand: among these tests, or beside what it tests.
fn is_there(test: &str) -> bool {
    let (module, name) = test.rsplit_once("::").unwrap();
    let path = module.strip_suffix("::tests").unwrap_or(module).replace("::", "/");
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let files = [
        format!("tests/it/{path}.rs"),
        format!("tests/it/{path}/mod.rs"),
        format!("src/{path}.rs"),
        format!("src/{path}/mod.rs"),
        format!("src/{path}/tests.rs"),
    ];
    files.iter().any(|file| {
        let code = std::fs::read_to_string(root.join(file)).unwrap_or_default();
        code.contains(&format!("fn {name}("))
    })
}

#[test]
fn each_test_that_is_named_is_there() {
    let named: Vec<_> = quoted().into_iter().filter(|text| is_test(text)).collect();
    assert!(named.len() > 60, "the page names its tests: {}", named.len());
    let none: Vec<_> = named.into_iter().filter(|test| !is_there(test)).collect();
    assert!(none.is_empty(), "docs/security.md names tests that are not there: {none:#?}");
    assert!(!is_there("talk::streams::opening::no_such_test"));
}

#[test]
fn each_thing_that_is_tried_has_a_test() {
    let tried = PAGE.split("## What is tried").nth(1).unwrap().split("\n## ").next().unwrap();
    let rows: Vec<_> = tried.lines().filter(|line| line.starts_with("| ")).skip(1).collect();
    assert!(rows.len() > 35, "{}", rows.len());
    for row in rows {
        let tests = row.split('`').skip(1).step_by(2).filter(|text| is_test(text));
        assert_ne!(tests.count(), 0, "without a test: {row}");
    }
}

#[test]
fn the_page_shows_the_matrix() {
    for (call, cells) in ROWS {
        let row = format!("| {call} | {} |", cells.join(" | "));
        assert!(PAGE.contains(&row), "docs/security.md lacks\n{row}");
    }
}
