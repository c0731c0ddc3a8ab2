//! First match over classes of traffic, at one level and at both.

use super::FlowClass;
use super::rule::{Level, Origin, RuleName, SecurityRules, platform_addresses};
use crate::facts::Direction;
use crate::network::{Decision, Doubt, Open, Outcome};

/// More classes than this are not followed. Real groups need a handful; a hostile one must not cost minutes.
pub(super) const MAX_PARTS: usize = 20_000;

/// A part of a class of traffic and what one level does with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// The part.
    pub class: FlowClass,
    /// What happens to it.
    pub decision: Decision<RuleName>,
}

/// A class not decided yet, with the rules that possibly matched it.
pub(super) struct Pending {
    pub(super) class: FlowClass,
    pub(super) open: Vec<usize>,
}

impl SecurityRules {
    /// Cuts a class of traffic into parts by what the rules do with each. The parts are disjoint and together are the
    /// class.
    pub fn evaluate(&self, class: FlowClass) -> Vec<Part> {
        let (mut decided, pending) = self.walk(class, self.rules.len());
        if too_many(&decided, &pending) {
            decided.extend(pending.into_iter().map(|part| self.too_many(part.class)));
            return decided;
        }
        // The default rules match everything but the platform's addresses.
        for part in pending {
            let platform = platform_addresses().contains_all(&part.class.destinations);
            let allowed = platform && self.direction == Direction::Outbound;
            let (origin, outcome) = if self.level == Level::Network {
                // The security groups decide.
                (Origin::NoSecurityGroup, Outcome::Allowed)
            } else if allowed {
                (Origin::Platform, Outcome::Allowed)
            } else {
                (Origin::Default, Outcome::Denied)
            };
            let by = self.no_rule(origin);
            decided.push(self.settled(part, by, outcome, Vec::new()));
        }
        decided
    }

    /// What the first rules, as many as `until`, decide about a class, and what they leave.
    pub(super) fn walk(&self, class: FlowClass, until: usize) -> (Vec<Part>, Vec<Pending>) {
        let mut decided = Vec::new();
        let mut pending: Vec<Pending> = class
            .split_by_ports()
            .map(|class| Pending {
                class,
                open: Vec::new(),
            })
            .collect();
        for index in 0..until {
            if pending.is_empty() || too_many(&decided, &pending) {
                break;
            }
            let before = std::mem::take(&mut pending);
            for part in before {
                self.step(index, part, &mut decided, &mut pending);
            }
        }
        (decided, pending)
    }

    /// Applies one rule to one undecided class.
    fn step(
        &self,
        index: usize,
        part: Pending,
        decided: &mut Vec<Part>,
        pending: &mut Vec<Pending>,
    ) {
        let Some(rule) = self.rules.get(index) else {
            return;
        };
        let Some(touched) = rule.reach(&part.class, true) else {
            pending.push(part);
            return;
        };
        let untouched = part.class.minus(&touched);
        pending.extend(untouched.into_iter().map(|class| Pending {
            class,
            open: part.open.clone(),
        }));
        let certain = if rule.exact {
            Some(touched.clone())
        } else {
            rule.reach(&touched, false)
        };
        let uncertain = match &certain {
            Some(certain) => touched.minus(certain),
            None => vec![touched],
        };
        pending.extend(uncertain.into_iter().map(|class| {
            let mut open = part.open.clone();
            open.push(index);
            Pending { class, open }
        }));
        if let Some(class) = certain {
            let doubts = if rule.outcome == Outcome::Undecidable {
                rule.doubts.clone()
            } else {
                Vec::new()
            };
            let part = Pending {
                class,
                open: part.open,
            };
            decided.push(self.settled(part, rule.name.clone(), rule.outcome, doubts));
        }
    }

    /// The part with its decision. `doubts` are those of the deciding rule itself.
    fn settled(&self, part: Pending, by: RuleName, outcome: Outcome, doubts: Vec<Doubt>) -> Part {
        let mut open: Vec<Open<RuleName>> = part
            .open
            .iter()
            .filter_map(|index| self.rules.get(*index))
            .map(|rule| Open {
                rule: rule.name.clone(),
                outcome: rule.outcome,
                doubts: rule.doubts.clone(),
            })
            .collect();
        if !doubts.is_empty() {
            open.push(Open {
                rule: by.clone(),
                outcome,
                doubts,
            });
        }
        let (by, outcome) = self.public_default(by, outcome, &mut open);
        Part {
            class: part.class,
            decision: Decision::settle(by, outcome, open),
        }
    }

    /// Whatever tag `VirtualNetwork` holds, what it does not hold of these addresses `Internet` does, and Azure's own
    /// rules allow both (R4.3, R4.12): together they let pass what each only may match.
    fn public_default(
        &self,
        by: RuleName,
        outcome: Outcome,
        open: &mut Vec<Open<RuleName>>,
    ) -> (RuleName, Outcome) {
        let one_of_two = |rule: &Open<RuleName>| {
            rule.rule.origin == Origin::Default
                && rule.outcome == Outcome::Allowed
                && rule.doubts.iter().all(Doubt::is_about_virtual_network)
        };
        let last = open.iter().rev().find(|rule| one_of_two(rule));
        let both = open.iter().filter(|rule| one_of_two(rule)).count() == 2;
        match last {
            Some(last)
                if both
                    && self.direction == Direction::Outbound
                    && by.origin == Origin::Default
                    && outcome == Outcome::Denied =>
            {
                let by = last.rule.clone();
                open.retain(|rule| !one_of_two(rule));
                (by, Outcome::Allowed)
            }
            _ => (by, outcome),
        }
    }

    fn too_many(&self, class: FlowClass) -> Part {
        let part = Pending {
            class,
            open: Vec::new(),
        };
        let by = self.no_rule(Origin::Unreadable);
        self.settled(part, by, Outcome::Undecidable, vec![Doubt::TooManyParts])
    }

    fn no_rule(&self, origin: Origin) -> RuleName {
        no_rule(self.level, origin)
    }
}

/// Whether there are more classes than are followed.
fn too_many(decided: &[Part], pending: &[Pending]) -> bool {
    decided.len() + pending.len() > MAX_PARTS
}

fn no_rule(level: Level, origin: Origin) -> RuleName {
    RuleName {
        nsg: None,
        rule: String::new(),
        priority: None,
        level,
        origin,
    }
}

/// The security group at one level.
#[derive(Debug, Clone)]
pub enum LevelRules {
    /// None is attached: the level allows (R4.4).
    Absent,
    /// Its rules.
    Known(SecurityRules),
    /// One is attached, or may be, and could not be read.
    Unreadable,
}

impl LevelRules {
    /// What this level does with a class.
    pub fn evaluate(&self, level: Level, class: FlowClass) -> Vec<Part> {
        let decision = match self {
            Self::Known(rules) => return rules.evaluate(class),
            Self::Absent => Decision::settle(
                no_rule(level, Origin::NoSecurityGroup),
                Outcome::Allowed,
                Vec::new(),
            ),
            Self::Unreadable => Decision::settle(
                no_rule(level, Origin::Unreadable),
                Outcome::Undecidable,
                vec![Open {
                    rule: no_rule(level, Origin::Unreadable),
                    outcome: Outcome::Undecidable,
                    doubts: vec![Doubt::UnreadableSecurityGroup],
                }],
            ),
        };
        if class.is_empty() {
            return Vec::new();
        }
        vec![Part { class, decision }]
    }
}

/// A part of a class of traffic and what both levels do with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathPart {
    /// The part.
    pub class: FlowClass,
    /// What the network's security admin rules do, where there are any (R4.11).
    pub admin: Option<Decision<RuleName>>,
    /// What the NIC's group does, whatever the subnet's does.
    pub nic: Decision<RuleName>,
    /// What the subnet's group does, whatever the NIC's does.
    pub subnet: Decision<RuleName>,
}

impl PathPart {
    /// All must allow; one denial is enough to drop (R4.4, R4.11).
    pub fn outcome(&self) -> Outcome {
        let admin = self.admin.as_ref().map(|decision| decision.outcome);
        let all = [Some(self.nic.outcome), Some(self.subnet.outcome), admin];
        let any = |wanted| all.contains(&Some(wanted));
        if any(Outcome::Denied) {
            Outcome::Denied
        } else if any(Outcome::Undecidable) {
            Outcome::Undecidable
        } else {
            Outcome::Allowed
        }
    }
}

/// Evaluates both levels. Each part carries both decisions, so that independent blockers are all seen (R4.4).
pub fn evaluate_levels(nic: &LevelRules, subnet: &LevelRules, class: &FlowClass) -> Vec<PathPart> {
    nic.evaluate(Level::Nic, class.clone())
        .into_iter()
        .flat_map(|first| {
            let second = subnet.evaluate(Level::Subnet, first.class);
            let nic = first.decision;
            second.into_iter().map(move |part| PathPart {
                class: part.class,
                admin: None,
                nic: nic.clone(),
                subnet: part.decision,
            })
        })
        .collect()
}
