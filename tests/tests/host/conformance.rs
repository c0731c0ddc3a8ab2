//! The table of what shows each rule is in the emulator's documentation; it names tests that exist.

use std::path::Path;

const TABLE: &str = include_str!("../../src/host/mod.rs");

/// All test code that drives the emulator.
fn sources() -> String {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut folders = vec![
        tests.join("e2e"),
        tests.join("tests/host"),
        tests.join("src/host"),
    ];
    let mut sources = String::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                sources += &std::fs::read_to_string(&path).unwrap();
            }
        }
    }
    sources
}

#[test]
fn every_rule_names_tests_that_exist() {
    let sources = sources();
    let rows: Vec<Vec<&str>> = TABLE
        .lines()
        .filter_map(|line| line.strip_prefix("//! | "))
        .map(|line| {
            line.trim_end_matches('|')
                .split(" | ")
                .map(str::trim)
                .collect()
        })
        .collect();
    let ids: Vec<&str> = rows
        .iter()
        .map(|row| row[0])
        .filter(|id| id.starts_with('E'))
        .collect();
    let expected: Vec<String> = (1..=17).map(|id| format!("E{id}")).collect();
    assert_eq!(ids, expected);
    for row in rows.iter().filter(|row| row.last() != Some(&"shown by")) {
        let [rule, .., shown] = row[..] else {
            panic!("{row:?}");
        };
        // In parentheses: why it does not apply.
        let tests = if shown.starts_with('(') { "" } else { shown };
        let names: Vec<&str> = tests.split('`').skip(1).step_by(2).collect();
        assert!(
            !names.is_empty() || tests.is_empty(),
            "{rule} is shown by nothing"
        );
        for name in names {
            assert!(
                sources.contains(&format!("fn {name}(")),
                "{rule}: there is no test {name}"
            );
        }
    }
}
