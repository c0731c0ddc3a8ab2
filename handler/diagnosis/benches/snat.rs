//! A load balancer with 1,000 nodes behind it, 360 points of three metrics each, into a whole report; and the same with a
//! tenth of the nodes and with a tenth of the points, to see the growth.

#![allow(
    missing_docs,
    reason = "criterion's macros make an undocumented public function"
)]

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
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

criterion_group!(benches, report);
criterion_main!(benches);
