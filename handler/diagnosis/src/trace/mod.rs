//! The path of exactly one destination from every pool, step by step: for a destination that somebody asks about, and
//! for the required endpoints.
//!
//! An address is evaluated exactly: the sets that hold it, the longest prefix. A host's addresses are not known, so rules
//! and routes about addresses decide only where they treat every public IPv4 address alike; a firewall's rules about
//! names decide.

mod cause;
mod destination;
mod firewall;
mod hop;
mod report;
mod route;
mod security;
#[cfg(test)]
mod tests;
mod walk;

use std::collections::BTreeMap;
use std::rc::Rc;

pub use destination::{Called, Destination, DestinationError};
pub use report::{Trace, TraceStep, TraceStepKind, TracedDestination, TracedPath};

use crate::context::Context;
use crate::endpoints::{View, required};
use crate::facts::{Facts, Id};
use crate::network::firewall::FirewallRules;
use crate::report::{Finding, Report};
use crate::security::Guard;

/// The path of one destination from every pool. `report` is the facts' own report: its findings explain drops.
pub fn trace(facts: &Facts, report: &Report, destination: &Destination) -> Trace {
    let ctx = Context::new(facts);
    let tracer = Tracer::new(&ctx, &report.findings);
    Trace {
        destinations: vec![TracedDestination::asked(destination)],
        paths: tracer.paths(destination, None),
    }
}

/// The paths of the required endpoints, those with the same steps together.
pub fn trace_required(facts: &Facts, report: &Report) -> Vec<Trace> {
    let ctx = Context::new(facts);
    let tracer = Tracer::new(&ctx, &report.findings);
    let mut all: Vec<Trace> = Vec::new();
    for endpoint in required(&View::of(facts, &facts.features)).endpoints {
        let paths = match Destination::of_endpoint(&endpoint) {
            Some(destination) => tracer.paths(&destination, Some(&endpoint.category)),
            None => tracer.unknown("its port or protocol is not known"),
        };
        let destination = TracedDestination::required(&endpoint);
        match all.iter_mut().find(|trace| trace.paths == paths) {
            Some(trace) => trace.destinations.push(destination),
            None => all.push(Trace {
                destinations: vec![destination],
                paths,
            }),
        }
    }
    all
}

/// Walks packets, with what every walk needs made ready once.
pub(crate) struct Tracer<'c, 'f> {
    ctx: &'c Context<'f>,
    findings: &'c [Finding],
    guards: Vec<Guard<'c, 'f>>,
    /// The rules of the firewalls that were read.
    firewalls: BTreeMap<Id, Rc<FirewallRules>>,
}

impl<'c, 'f> Tracer<'c, 'f> {
    pub(crate) fn new(ctx: &'c Context<'f>, findings: &'c [Finding]) -> Self {
        Self {
            ctx,
            findings,
            guards: Guard::all(ctx),
            firewalls: firewall::rules(ctx),
        }
    }

    /// The paths of a destination; `category` is that of a required endpoint.
    pub(crate) fn paths(
        &self,
        destination: &Destination,
        category: Option<&str>,
    ) -> Vec<TracedPath> {
        self.guards
            .iter()
            .map(|guard| self.walk(guard, destination, category))
            .collect()
    }
}
