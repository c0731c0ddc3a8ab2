//! A load balancer with 1,000 nodes behind it, 360 points of three metrics each, into a whole report; and the same with a
//! tenth of the nodes and with a tenth of the points, to see the growth. Beside the times: how they grow with the points, and
//! whether memory stays where it is over a thousand reports.

#![allow(
    missing_docs,
    reason = "criterion's macros make an undocumented public function"
)]
#![allow(
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "figures for people, the middle one of an odd number"
)]

use std::fs;
use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, criterion_group};
use egress_diagnosis::diagnose;
use egress_diagnosis::facts::{Facts, MetricAggregation, Series};
use egress_diagnosis::testing::{lb_id, load_balancer, metric, series, set_metric};

/// One series per node; the values go up and down so that nothing is settled by the first point.
fn all(nodes: usize, points: usize, last: (&str, &str), base: f64, swing: u32) -> Vec<Series> {
    (0..nodes)
        .map(|node| {
            let address = format!("10.{}.{}.{}", node / 65_536, node / 256 % 256, node % 256);
            let values: Vec<f64> = (0_u32..)
                .take(points)
                .map(|minute| base + f64::from((minute * 7919) % swing.max(1)))
                .collect();
            let dimensions = [
                ("backendipaddress", address.as_str()),
                ("frontendipaddress", "20.1.2.3"),
                last,
            ];
            series(&dimensions, &values)
        })
        .collect()
}

fn facts(nodes: usize, points: usize) -> Facts {
    let mut facts = load_balancer();
    let tcp = ("protocoltype", "TCP");
    for (name, aggregation, all) in [
        (
            "UsedSnatPorts",
            MetricAggregation::Average,
            all(nodes, points, tcp, 100.0, 900),
        ),
        (
            "AllocatedSnatPorts",
            MetricAggregation::Average,
            all(nodes, points, tcp, 1024.0, 1),
        ),
        (
            "SnatConnectionCount",
            MetricAggregation::Total,
            all(nodes, points, ("connectionstate", "Failed"), 0.0, 3),
        ),
    ] {
        set_metric(&mut facts, &lb_id(), name, metric(aggregation, all));
    }
    facts
}

fn report(c: &mut Criterion) {
    let mut group = c.benchmark_group("snat");
    group.sample_size(20);
    for (nodes, points) in [(100, 360), (1_000, 36), (1_000, 360)] {
        let facts = facts(nodes, points);
        assert_eq!(diagnose(&facts).snat.backends.len(), nodes);
        let name = format!("{nodes} nodes x {points} points");
        group.bench_with_input(BenchmarkId::from_parameter(name), &facts, |b, facts| {
            b.iter(|| diagnose(black_box(facts)));
        });
    }
    group.finish();
}

/// The median time of a report.
fn median(facts: &Facts) -> Duration {
    let mut times: Vec<Duration> = (0..21)
        .map(|_| {
            let start = Instant::now();
            black_box(diagnose(black_box(facts)));
            start.elapsed()
        })
        .collect();
    times.sort();
    times[times.len() / 2]
}

/// Ten times the points take at most ten times as long; a little more is the clock's.
fn growth() {
    let (tenth, whole) = (median(&facts(1_000, 36)), median(&facts(1_000, 360)));
    let ratio = whole.as_secs_f64() / tenth.as_secs_f64();
    println!(
        "1,000 nodes: 36 points {tenth:?}, 360 points {whole:?}: ten times the points take {ratio:.1} times as long"
    );
    assert!(ratio < 12.0, "more than linear in points: {ratio:.1}");
    assert!(whole < Duration::from_millis(100), "{whole:?}");
}

/// Resident memory of this process in kB, where the system says it.
fn resident() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().trim_end_matches(" kB").parse().ok()
}

/// A thousand reports leave as much memory in use as the first ten did.
fn memory() {
    let facts = facts(1_000, 360);
    let after = |reports: usize| {
        for _ in 0..reports {
            black_box(diagnose(black_box(&facts)));
        }
        resident()
    };
    let (Some(early), Some(late)) = (after(10), after(990)) else {
        println!("resident memory is not known on this system");
        return;
    };
    #[allow(clippy::cast_precision_loss, reason = "figures for people")]
    let megabytes = |kilobytes: u64| kilobytes as f64 / 1_000.0;
    println!(
        "resident, facts included: {:.1} MB after 10 reports, {:.1} MB after 1,000",
        megabytes(early),
        megabytes(late)
    );
    assert!(late <= early + early / 10, "{early} kB grew to {late} kB");
}

criterion_group!(benches, report);

fn main() {
    benches();
    Criterion::default().configure_from_args().final_summary();
    // Cargo says so when it measures; a test run of the benches measures nothing.
    if std::env::args().any(|argument| argument == "--bench") {
        growth();
        memory();
    }
}
