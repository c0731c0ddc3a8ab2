//! Values of generated series, minute by minute.

use crate::expand::{Series, Shape};

/// The value in one minute; `None` = Azure has no point there. `ago` counts minutes back from the end of the asked
/// timespan (1 = its last minute), `span` is its length in minutes.
pub(super) fn value(series: &Series, ago: i64, span: i64) -> Option<f64> {
    let within = |begin: i64, minutes: i64| ago <= begin && ago > begin - minutes;
    if series.gap.is_some_and(|gap| within(gap.ago, gap.minutes)) {
        return None;
    }
    Some(match series.shape {
        Shape::Unsupported => return None,
        Shape::Constant(value) => value,
        Shape::Spike(spike) if within(spike.ago, spike.minutes) => spike.peak,
        Shape::Spike(spike) => spike.base,
        Shape::Ramp(ramp) => {
            let share = if span > 1 {
                ratio(span - ago, span - 1)
            } else {
                1.0
            };
            ramp.from + (ramp.to - ramp.from) * share
        }
    })
}

/// Minutes fit a u32 by far: a timespan is capped long before.
fn ratio(part: i64, whole: i64) -> f64 {
    let float = |value: i64| f64::from(u32::try_from(value).unwrap_or(u32::MAX));
    float(part) / float(whole)
}

/// What one grain of one series sums up to.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Grain {
    total: f64,
    count: u32,
    minimum: f64,
    maximum: f64,
}

impl Grain {
    pub(super) fn add(&mut self, value: f64) {
        if self.count == 0 {
            (self.minimum, self.maximum) = (value, value);
        }
        self.total += value;
        self.count += 1;
        self.minimum = self.minimum.min(value);
        self.maximum = self.maximum.max(value);
    }

    /// The value of an aggregation by its lower-case name; `None` without samples.
    pub(super) fn aggregate(&self, aggregation: &str) -> Option<f64> {
        if self.count == 0 {
            return None;
        }
        match aggregation {
            "total" => Some(self.total),
            "count" => Some(f64::from(self.count)),
            "average" => Some(self.total / f64::from(self.count)),
            "minimum" => Some(self.minimum),
            "maximum" => Some(self.maximum),
            _ => None,
        }
    }
}
