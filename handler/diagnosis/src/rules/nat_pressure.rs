//! What the NAT gateway rules about metrics share.

use super::Outcome;
use crate::context::{Context, Device};
use crate::facts::{Cause, Datum, Missing, lookup};
use crate::snat::metric::Reading;
use crate::snat::recommend::gateway_ips;

/// A gateway whose open connections need more addresses than it has.
pub(crate) struct Short {
    /// Most connections open at a time.
    pub(crate) peak: u64,
    /// Addresses that it has.
    pub(crate) now: u64,
    /// Addresses that the peak needs (R6.37).
    pub(crate) needed: u64,
}

/// Whether the observed connections need more addresses; `None` also while a figure is missing.
pub(crate) fn short_of_addresses(ctx: &Context<'_>, device: &Device) -> Option<Short> {
    let Device::NatGateway {
        id, connections, ..
    } = device
    else {
        return None;
    };
    let peak = connections.known()?.peak;
    let body = lookup(&ctx.facts.nat_gateways, id).as_known()?;
    let now = ctx.gateway_ips(body).ok()?;
    let needed = gateway_ips(peak);
    // A gateway without any address has a finding of its own.
    (now > 0 && needed > now).then_some(Short { peak, now, needed })
}

/// Runs `judge` on one reading of every NAT gateway that carries traffic.
pub(super) fn each<T>(
    ctx: &Context<'_>,
    what: &str,
    reading: fn(&Device) -> Option<&Reading<T>>,
    judge: impl Fn(&Device, &T) -> Outcome,
) -> Outcome {
    if ctx.stopped() {
        return Outcome::not_applicable("the cluster is not running");
    }
    let mut outcome = Outcome::passed();
    let (mut gateways, mut without) = (0, 0);
    for device in &ctx.snat.devices {
        let Some(reading) = reading(device) else {
            continue;
        };
        gateways += 1;
        outcome.absorb(match reading {
            // Not every SKU has every metric; what does not exist can never be read.
            Reading::Missing(missing) if is_unsupported(missing) => {
                without += 1;
                Outcome::passed()
            }
            Reading::Missing(missing) => Outcome::missing(missing.clone()),
            Reading::Unclear(reason) => Outcome::undecided(reason.clone()),
            Reading::NoData => Outcome::undecided(format!(
                "{} has no data points about {what} in the window",
                device.label()
            )),
            Reading::Known(value) => judge(device, value),
        });
    }
    if gateways == 0 {
        // Without a load balancer in sight the missing device may be a gateway.
        if ctx.snat.devices.is_empty() {
            outcome.missing.extend(ctx.subnets.missing());
        }
        if !outcome.is_open() {
            return Outcome::not_applicable("no NAT gateway carries the traffic");
        }
    } else if without == gateways {
        return Outcome::not_applicable(format!("the NAT gateway has no metric about {what}"));
    }
    outcome
}

fn is_unsupported(missing: &Missing) -> bool {
    matches!(
        missing.how,
        Datum::Failed {
            cause: Cause::Unsupported,
            ..
        }
    )
}
