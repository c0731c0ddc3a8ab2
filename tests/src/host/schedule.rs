//! A timer's schedule: six fields, seconds first, in UTC; day and day of the week both count.

use jiff::civil::{DateTime, Time};
use jiff::{Timestamp, ToSpan, tz::TimeZone};

const MONTHS: [&str; 12] = [
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
];
const DAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
/// A schedule that names the 29th of February is due within this many days.
const HORIZON: i64 = 366 * 8;

/// When a timer fires: the values of each field.
#[derive(Debug)]
pub(super) struct Schedule {
    seconds: Vec<i8>,
    minutes: Vec<i8>,
    hours: Vec<i8>,
    days: Vec<i8>,
    months: Vec<i8>,
    weekdays: Vec<i8>,
}

impl Schedule {
    /// `None` for what the host would not take.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let fields: Vec<&str> = text.split_whitespace().collect();
        let [seconds, minutes, hours, days, months, weekdays] = fields[..] else {
            return None;
        };
        Some(Self {
            seconds: field(seconds, 0, 59, &[])?,
            minutes: field(minutes, 0, 59, &[])?,
            hours: field(hours, 0, 23, &[])?,
            days: field(days, 1, 31, &[])?,
            months: field(months, 1, 12, &MONTHS)?,
            weekdays: field(weekdays, 0, 6, &DAYS)?,
        })
    }

    /// The first time after this one.
    pub(super) fn after(&self, time: Timestamp) -> Option<Timestamp> {
        let time = time.to_zoned(TimeZone::UTC).datetime();
        let due = (0..HORIZON)
            .filter_map(|days| time.date().checked_add(days.days()).ok())
            .filter(|day| self.days.contains(&day.day()) && self.months.contains(&day.month()))
            .filter(|day| {
                self.weekdays
                    .contains(&day.weekday().to_sunday_zero_offset())
            })
            .flat_map(|day| self.times().map(move |at| DateTime::from_parts(day, at)))
            .find(|due| *due > time)?;
        due.to_zoned(TimeZone::UTC).ok().map(|at| at.timestamp())
    }

    fn times(&self) -> impl Iterator<Item = Time> {
        self.hours.iter().flat_map(move |h| {
            self.minutes
                .iter()
                .flat_map(move |m| self.seconds.iter().map(|s| Time::constant(*h, *m, *s, 0)))
        })
    }
}

/// `*`, numbers, names, ranges and steps, in order.
fn field(text: &str, first: i8, last: i8, names: &[&str]) -> Option<Vec<i8>> {
    let value = |text: &str| {
        let name = names.iter().position(|n| text.eq_ignore_ascii_case(n));
        let number = match name {
            Some(index) => i8::try_from(index).ok()? + first,
            None => text.parse().ok()?,
        };
        (first..=last).contains(&number).then_some(number)
    };
    let mut values = Vec::new();
    for part in text.split(',') {
        let (range, step) = match part.split_once('/') {
            Some((range, step)) => (range, step.parse().ok().filter(|step| *step > 0)?),
            None => (part, 1),
        };
        let (from, to) = match range.split_once('-') {
            _ if range == "*" => (first, last),
            Some((from, to)) => (value(from)?, value(to)?),
            None if part.contains('/') => (value(range)?, last),
            None => (value(range)?, value(range)?),
        };
        values.extend((from..=to).step_by(step));
    }
    values.sort_unstable();
    values.dedup();
    Some(values)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(schedule: &str, time: &str) -> String {
        let schedule = Schedule::parse(schedule).unwrap();
        schedule.after(time.parse().unwrap()).unwrap().to_string()
    }

    #[test]
    fn schedules_have_six_fields_of_values_that_exist() {
        for wrong in [
            "0 * * * *",
            "@hourly",
            "60 * * * * *",
            "0 0 24 * * *",
            "0 0 0 0 * *",
            "0 */0 * * * *",
        ] {
            assert!(Schedule::parse(wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn the_next_time_is_found() {
        let now = "2026-08-08T10:17:00Z"; // a Saturday
        assert_eq!(after("0 17 * * * *", now), "2026-08-08T11:17:00Z");
        assert_eq!(after("0 */5 * * * *", now), "2026-08-08T10:20:00Z");
        assert_eq!(after("30 0 6 * JAN-MAR Mon", now), "2027-01-04T06:00:30Z");
        assert_eq!(after("0 0 0 29 2 *", now), "2028-02-29T00:00:00Z");
    }
}
