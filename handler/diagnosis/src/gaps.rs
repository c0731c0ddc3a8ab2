//! What could not be read, each datum once, with the checks that it leaves open.

use crate::context::Context;
use crate::facts::{Cause, Datum, Missing};
use crate::report::{Gap, GapCause, Method, Needs};

/// ARM's list of the endpoints that the cluster needs, in words.
pub(crate) const ENDPOINT_LIST: fn() -> String = || "list of required egress endpoints".to_owned();

/// Collects missing data in the order in which the checks met it.
#[derive(Debug, Default)]
pub(crate) struct Gaps(Vec<Gap>);

impl Gaps {
    /// Notes that `check` lacked this datum.
    pub(crate) fn add(&mut self, missing: &Missing, check: Option<&str>) {
        let Some(new) = gap(missing) else { return };
        let known = self
            .0
            .iter()
            .position(|g| g.what == new.what && g.cause == new.cause);
        let index = known.unwrap_or_else(|| {
            self.0.push(new);
            self.0.len() - 1
        });
        if let (Some(gap), Some(check)) = (self.0.get_mut(index), check)
            && !gap.checks.iter().any(|c| c == check)
        {
            gap.checks.push(check.to_owned());
        }
    }

    /// Data that no check reads but a section of the report shows.
    pub(crate) fn add_sections(&mut self, ctx: &Context<'_>) {
        let endpoints = ctx.facts.egress_endpoints.known(ENDPOINT_LIST).err();
        let health = ctx.facts.pressure.health.iter().filter_map(|(id, datum)| {
            let what = || format!("Resource Health of {}", id.name());
            datum.known(what).err()
        });
        let nodes = ctx.paths.iter().filter_map(|path| {
            let own = path.carrier.method == Method::InstancePublicIp;
            own.then(|| ctx.balancer.of_nodes(&path.used.pools).err())?
        });
        let admin = ctx.facts.admin_rules.iter().filter_map(|(id, rules)| {
            let what = || {
                format!(
                    "security admin rules of virtual network {}, which would come before its security groups (Azure Virtual Network Manager)",
                    id.name()
                )
            };
            rules.known(what).err()
        });
        let more = endpoints
            .into_iter()
            .chain(health)
            .chain(nodes)
            .chain(admin);
        for missing in more {
            if matches!(missing.how, Datum::Denied { .. } | Datum::Failed { .. }) {
                self.add(&missing, None);
            }
        }
    }

    /// Activity logs, which no check needs: they only add to what was found.
    pub(crate) fn add_activity_logs(&mut self, ctx: &Context<'_>) {
        for (group, log) in &ctx.facts.activity_logs {
            let what = || format!("activity log of resource group {}", group.name());
            match log.known(what) {
                Ok(log) if !log.cut => {}
                Ok(log) => {
                    let oldest = log.writes.iter().map(|write| write.at).min();
                    let since = oldest.map_or(String::new(), |at| format!(" before {at}"));
                    let how = Datum::not_asked("longer than what is read of it");
                    let what = format!("{}{since}", what());
                    self.add(&Missing { what, how }, None);
                }
                Err(mut missing) => {
                    if let Datum::NotAsked { why } = &missing.how {
                        missing.what = format!("{} ({why})", missing.what);
                    }
                    self.add(&missing, None);
                }
            }
        }
    }

    pub(crate) fn finish(self) -> Vec<Gap> {
        self.0
    }
}

fn gap(missing: &Missing) -> Option<Gap> {
    let (cause, http_status, error_code, needs) = match &missing.how {
        Datum::Known(()) => return None,
        Datum::Absent => (GapCause::NotFound, Some(404), None, None),
        Datum::NotAsked { .. } => (GapCause::NotAsked, None, None, None),
        Datum::Denied { action, scope } => {
            let needs = action.as_ref().map(|action| Needs {
                action: action.clone(),
                scope: scope.clone(),
            });
            (GapCause::Forbidden, Some(403), None, needs)
        }
        Datum::Failed {
            cause,
            http_status,
            error_code,
        } => {
            let cause = match cause {
                Cause::Throttled => GapCause::Throttled,
                Cause::TimedOut => GapCause::TimedOut,
                Cause::Malformed => GapCause::Malformed,
                Cause::Unsupported => GapCause::Unsupported,
                Cause::Unreachable => GapCause::Unreachable,
            };
            (cause, *http_status, error_code.clone(), None)
        }
    };
    Some(Gap {
        what: missing.what.clone(),
        cause,
        http_status,
        error_code,
        needs,
        checks: Vec::new(),
    })
}
