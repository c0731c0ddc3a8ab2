//! Every rule of the packet's path is a test by its name.
//!
//! Rules have ids such as R3.8, and rows of the precedence table T1 to T9. A test that shows a rule carries its id in its
//! name (`r3_8_…`, `t4_…`). What is missing here is a rule that nobody would miss if the engine forgot it.

use std::collections::BTreeSet;
use std::fs;
use std::ops::RangeInclusive;
use std::path::Path;

/// The rules: section, and the numbers in it.
const RULES: &[(u8, &[RangeInclusive<u8>])] = &[
    (1, &[1..=12, 20..=37, 40..=50, 60..=75, 80..=89]),
    (2, &[1..=9, 20..=57]),
    (3, &[1..=14]),
    (4, &[1..=21, 30..=35]),
    (5, &[1..=8, 10..=21, 30..=33, 40..=45]),
    (8, &[1..=7]),
    (9, &[1..=19]),
];

/// Rows of the precedence table.
const ROWS: RangeInclusive<u8> = 1..=9;

/// Rules that ask nothing of the engine, or something that it does not do, each with the reason.
const WITHOUT_TEST: &[(&str, &str)] = &[
    (
        "r1_33",
        "concerns pools for incoming traffic; whether an outbound pool is ever made of addresses is not documented",
    ),
    (
        "r1_50",
        "limits of the translation inside a Windows node, which no Azure resource shows",
    ),
    (
        "r1_74",
        "a fault of an older command line, which the emitted commands do not meet",
    ),
    (
        "r2_8",
        "which subnets are private from the start: each subnet's own body says it (r2_5, t7, t8)",
    ),
    (
        "r2_43",
        "by which address clients outside come in is in no Azure resource",
    ),
    ("r5_40", "firewall logs are not read"),
    ("r5_41", "firewall logs are not read"),
    ("r5_42", "firewall logs are not read"),
    (
        "r9_18",
        "commands by which a person sees what the engine reads from Azure itself",
    ),
];

/// The rules as test names spell them.
fn ids() -> BTreeSet<String> {
    let rules = RULES.iter().flat_map(|(section, parts)| {
        let numbers = parts.iter().cloned().flatten();
        numbers.map(move |number| format!("r{section}_{number}"))
    });
    rules.chain(ROWS.map(|row| format!("t{row}"))).collect()
}

/// Names of the tests of a source file.
fn tests_of(source: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut marked = false;
    for line in source.lines().map(str::trim) {
        if line.starts_with("#[test]") || line.starts_with("#[tokio::test") {
            marked = true;
        } else if let Some(rest) = line
            .strip_prefix("async ")
            .unwrap_or(line)
            .strip_prefix("fn ")
        {
            let name = rest.split(['(', '<']).next().unwrap_or(rest);
            if std::mem::take(&mut marked) {
                names.push(name.to_owned());
            }
        }
    }
    names
}

fn collect(folder: &Path, names: &mut Vec<String>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            collect(&path, names);
        } else if path.extension().is_some_and(|end| end == "rs") {
            names.extend(tests_of(&fs::read_to_string(&path).expect("a source file")));
        }
    }
}

/// Names of all tests of the workspace.
fn tests() -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut names = Vec::new();
    for folder in ["handler", "tests"] {
        collect(&root.join(folder), &mut names);
    }
    names
}

/// The ids in a test's name: `r1_65_r2_56_a_table` has two.
fn named(test: &str) -> Vec<String> {
    let words: Vec<&str> = test.split('_').collect();
    let number = |word: &str| word.parse::<u8>().is_ok();
    let rules = words.windows(2).filter_map(|pair| {
        let [section, rule] = pair else { return None };
        let numbered = number(section.strip_prefix('r')?) && number(rule);
        numbered.then(|| format!("{section}_{rule}"))
    });
    let rows = words
        .iter()
        .filter(|word| word.strip_prefix('t').is_some_and(number));
    rules.chain(rows.map(|row| (*row).to_owned())).collect()
}

#[test]
fn every_rule_of_the_path_is_named_by_a_test_or_excepted_with_its_reason() {
    let ids = ids();
    let shown: BTreeSet<String> = tests().iter().flat_map(|test| named(test)).collect();
    let excepted: BTreeSet<&str> = WITHOUT_TEST.iter().map(|(id, _)| *id).collect();
    assert_eq!(excepted.len(), WITHOUT_TEST.len(), "excepted twice");
    let missing: Vec<&String> = ids
        .iter()
        .filter(|id| !shown.contains(*id) && !excepted.contains(id.as_str()))
        .collect();
    assert!(missing.is_empty(), "no test names {missing:?}");
    let stale: Vec<&&str> = excepted
        .iter()
        .filter(|id| shown.contains(**id) || !ids.contains(**id))
        .collect();
    assert!(
        stale.is_empty(),
        "no exceptions any more, or no rules: {stale:?}"
    );
}

#[test]
fn no_test_names_a_rule_that_does_not_exist() {
    let ids = ids();
    let sections: Vec<String> = RULES
        .iter()
        .map(|(section, _)| format!("r{section}_"))
        .collect();
    let of_the_path =
        |id: &String| id.starts_with('t') || sections.iter().any(|section| id.starts_with(section));
    let unknown: Vec<String> = tests()
        .iter()
        .flat_map(|test| named(test))
        .filter(|id| of_the_path(id) && !ids.contains(id))
        .collect();
    assert!(unknown.is_empty(), "{unknown:?}");
}

#[test]
fn a_name_is_read_word_by_word() {
    assert_eq!(named("r1_65_r2_56_a_table"), ["r1_65", "r2_56"]);
    assert_eq!(named("t4_nat_gateway"), ["t4"]);
    assert_eq!(named("fires_for_100_nodes_and_r_6"), Vec::<String>::new());
    let source = "#[test]\nfn shown() {}\nfn helper() {}\n#[tokio::test]\nasync fn too() {}";
    assert_eq!(tests_of(source), ["shown", "too"]);
}
