//! How a fault shows: on each try, now and then, or not yet. One line per code; it decides the pattern of the verdict and
//! what comes first for somebody who has seen one or the other (R0.1, R0.8, R8.1).

use crate::report::{Finding, Pattern, Severity};

/// How what a rule finds shows to who tries to connect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bearing {
    /// Something on the path drops the packet on each try.
    EachTime,
    /// Pressure, or health that comes and goes: some tries fail.
    NowAndThen,
    /// Nothing fails by it yet; it makes pressure come sooner or last longer.
    UnderLoad,
    /// Says nothing about tries, unless it stops egress altogether.
    Neither,
}

const EACH_TIME: &[&str] = &[
    "DNS102", "NSG101", "NSG102", "NSG103", "NSG104", "NSG105", "NSG106", "NSG107", "NSG108",
    "NSG109", "OUT101", "OUT106", "OUT112", "OUT114", "OUT116", "UDR104", "UDR109", "UDR112",
    "UDR113", "FWL101", "FWL102", "FWL103", "FWL104", "FWL106", "FWL108", "FWL109", "FWL111",
    "FWL113", "NAT102",
];

const NOW_AND_THEN: &[&str] = &[
    "FWL115", "FWL116", "NAT108", "NAT109", "NAT110", "NOD101", "NOD102", "NOD103", "NOD104",
    "NOD105", "NOD107", "SNT101", "SNT102", "SNT103",
];

const UNDER_LOAD: &[&str] = &[
    "FWL117", "NOD106", "SNT104", "SNT105", "SNT106", "SNT107", "SNT109", "SNT110",
];

const NEITHER: &[&str] = &[
    "CLS101", "CLS102", "CLS103", "CLS104", "DNS101", "NSG110", "NSG111", "OUT102", "OUT103",
    "OUT104", "OUT105", "OUT107", "OUT108", "OUT109", "OUT110", "OUT111", "OUT113", "OUT115",
    "OUT117", "UDR101", "UDR102", "UDR103", "UDR105", "UDR106", "UDR107", "UDR108", "UDR110",
    "UDR111", "FWL105", "FWL107", "FWL110", "FWL112", "FWL114", "NAT101", "NAT103", "NAT104",
    "NAT105", "NAT106", "NAT107", "NOD108", "SNT108", "API101", "API102",
];

impl Bearing {
    const ALL: [(Self, &'static [&'static str]); 4] = [
        (Self::EachTime, EACH_TIME),
        (Self::NowAndThen, NOW_AND_THEN),
        (Self::UnderLoad, UNDER_LOAD),
        (Self::Neither, NEITHER),
    ];

    fn of_code(code: &str) -> Self {
        Self::ALL
            .into_iter()
            .find(|(_, codes)| codes.contains(&code))
            .map_or(Self::Neither, |(bearing, _)| bearing)
    }

    /// What stops egress stops it on each try, whatever it is; what is only worth knowing says nothing.
    pub(crate) fn of(finding: &Finding) -> Self {
        match Self::of_code(&finding.code) {
            _ if finding.blocks_egress => Self::EachTime,
            _ if finding.severity <= Severity::Info => Self::Neither,
            bearing => bearing,
        }
    }
}

/// Where a code comes for somebody who has seen this pattern; within a place the packet's order stays. A fault that comes
/// and goes is looked for on the nodes and their disks first, then among the SNAT ports (R0.8).
pub(crate) fn place(code: &str, told: Pattern) -> u8 {
    let bearing = Bearing::of_code(code);
    match told {
        Pattern::Intermittent => match bearing {
            Bearing::NowAndThen if code.starts_with("NOD") => 0,
            Bearing::NowAndThen => 1,
            Bearing::UnderLoad => 2,
            Bearing::EachTime | Bearing::Neither => 3,
        },
        Pattern::Persistent => match bearing {
            Bearing::EachTime | Bearing::Neither => 0,
            Bearing::UnderLoad => 1,
            Bearing::NowAndThen => 2,
        },
        Pattern::None | Pattern::Unknown => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::RULES;

    #[test]
    fn every_rule_has_one_bearing() {
        for rule in RULES {
            let listed = Bearing::ALL
                .iter()
                .filter(|(_, codes)| codes.contains(&rule.code));
            assert_eq!(listed.count(), 1, "{}", rule.code);
        }
        let listed: usize = Bearing::ALL.iter().map(|(_, codes)| codes.len()).sum();
        assert_eq!(listed, RULES.len(), "a code is listed that no rule has");
    }

    #[test]
    fn what_blocks_shows_on_each_try_and_what_is_worth_knowing_shows_nothing() {
        let of = |code: &str| crate::rules::find(code).unwrap().finding("t");
        assert_eq!(Bearing::of(&of("UDR101")), Bearing::EachTime);
        let milder = of("UDR101").severity(Severity::High);
        assert_eq!(Bearing::of(&milder), Bearing::Neither);
        let worth_knowing = of("SNT103").severity(Severity::Info);
        assert_eq!(Bearing::of(&worth_knowing), Bearing::Neither);
    }

    #[test]
    fn r0_8_pressure_comes_first_or_last_by_what_was_seen() {
        let order = |told| {
            let mut codes = ["NSG101", "NAT101", "SNT105", "SNT101"];
            codes.sort_by_key(|code| place(code, told));
            codes
        };
        assert_eq!(
            order(Pattern::Intermittent),
            ["SNT101", "SNT105", "NSG101", "NAT101"]
        );
        assert_eq!(
            order(Pattern::Persistent),
            ["NSG101", "NAT101", "SNT105", "SNT101"]
        );
    }
}
