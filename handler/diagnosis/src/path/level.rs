//! The security group at one level of a path.

use std::cell::{OnceCell, RefCell};
use std::rc::Rc;

use crate::facts::{Direction, Facts, Id, Missing, SecurityAdminRule, lookup};
use crate::network::nsg::{FlowClass, Level, LevelRules, Part, SecurityRules, network_manager};
use crate::network::{ServiceTags, TagContext};

/// The security group at one level, for some pools.
#[derive(Debug, Clone)]
pub(crate) struct LevelGroup {
    /// The pools whose packets meet it.
    pub(crate) pools: Vec<String>,
    /// The group, or the network manager whose rules these are; `None`: none is attached.
    pub(crate) nsg: Result<Option<Id>, Missing>,
    /// Its outbound rules.
    pub(crate) rules: Rc<LevelView>,
    /// The same with every service tag left unresolved, for services that are known by their tag's name.
    pub(crate) by_name: Rc<LevelView>,
    /// Its inbound rules, made ready when first asked for: few checks look at them.
    inbound: OnceCell<LevelView>,
}

/// The rules of one level in one direction. Many checks ask about the same few classes of traffic; each is evaluated once.
#[derive(Debug, Clone)]
pub(crate) struct LevelView {
    level: Level,
    rules: LevelRules,
    evaluated: RefCell<Vec<(FlowClass, Rc<[Part]>)>>,
}

impl LevelView {
    fn new(level: Level, rules: LevelRules) -> Self {
        Self {
            level,
            rules,
            evaluated: RefCell::default(),
        }
    }

    /// What the level does with a class of traffic.
    pub(crate) fn evaluate(&self, class: &FlowClass) -> Rc<[Part]> {
        let evaluated = self.evaluated.borrow();
        let known = evaluated.iter().find(|(known, _)| known == class);
        if let Some((_, parts)) = known {
            return Rc::clone(parts);
        }
        drop(evaluated);
        let parts: Rc<[Part]> = self.rules.evaluate(self.level, class.clone()).into();
        let new = (class.clone(), Rc::clone(&parts));
        self.evaluated.borrow_mut().push(new);
        parts
    }

    pub(crate) fn rules(&self) -> &LevelRules {
        &self.rules
    }
}

impl LevelGroup {
    pub(super) fn of(
        facts: &Facts,
        pools: Vec<String>,
        id: Result<Option<Id>, Missing>,
        (level, admin): (Level, &[SecurityAdminRule]),
        tags: &TagContext,
    ) -> Self {
        let body = match id {
            Err(missing) => Err(missing),
            Ok(None) => Ok(None),
            Ok(Some(id)) => lookup(&facts.nsgs, &id)
                .known(|| format!("network security group {}", id.name()))
                .map(Some),
        };
        let view = |tags: &TagContext| {
            let rules = match &body {
                Err(_) => LevelRules::Unreadable,
                Ok(None) => LevelRules::Absent,
                Ok(Some(nsg)) => {
                    let rules = SecurityRules::new(nsg, level, Direction::Outbound, tags);
                    LevelRules::Known(rules.behind(admin, tags))
                }
            };
            Rc::new(LevelView::new(level, rules))
        };
        let (rules, by_name) = views(view, tags);
        Self {
            pools,
            nsg: body.map(|nsg| nsg.map(|nsg| nsg.id.clone())),
            rules,
            by_name,
            inbound: OnceCell::new(),
        }
    }

    /// The security admin rules of a network, where it has any (R4.11).
    pub(super) fn of_network(
        pools: Vec<String>,
        admin: &[SecurityAdminRule],
        tags: &TagContext,
    ) -> Option<Self> {
        let manager = network_manager(&admin.first()?.id);
        let view = |direction: Direction, tags: &TagContext| {
            let rules = SecurityRules::of_network(admin, direction, tags);
            LevelView::new(Level::Network, LevelRules::Known(rules))
        };
        let (rules, by_name) = views(|tags| Rc::new(view(Direction::Outbound, tags)), tags);
        Some(Self {
            pools,
            nsg: Ok(manager),
            rules,
            by_name,
            inbound: OnceCell::from(view(Direction::Inbound, tags)),
        })
    }

    /// Its inbound rules.
    pub(crate) fn inbound(&self, facts: &Facts, level: Level, tags: &TagContext) -> &LevelView {
        self.inbound.get_or_init(|| {
            let known = |id| lookup(&facts.nsgs, id).as_known();
            let rules = match &self.nsg {
                Err(_) => LevelRules::Unreadable,
                Ok(None) => LevelRules::Absent,
                Ok(Some(id)) => known(id).map_or(LevelRules::Unreadable, |nsg| {
                    LevelRules::Known(SecurityRules::new(nsg, level, Direction::Inbound, tags))
                }),
            };
            LevelView::new(level, rules)
        })
    }
}

/// A view with the service tags as they are known, and one by their names alone.
fn views(
    view: impl Fn(&TagContext) -> Rc<LevelView>,
    tags: &TagContext,
) -> (Rc<LevelView>, Rc<LevelView>) {
    let rules = view(tags);
    if tags.service_tags == ServiceTags::unknown() {
        return (Rc::clone(&rules), rules);
    }
    let by_name = view(&TagContext {
        service_tags: ServiceTags::unknown(),
        ..tags.clone()
    });
    (rules, by_name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::Context;
    use crate::facts::Access::Deny;
    use crate::network::Outcome;
    use crate::security::{Guard, public};
    use crate::testing::{load_balancer, security_rule, subnet_nsg};

    #[test]
    fn each_class_is_evaluated_once_and_classes_are_not_mixed_up() {
        let mut facts = load_balancer();
        let rule = security_rule("no-https", 200, Deny, "Tcp", "Internet", "443");
        subnet_nsg(&mut facts, "nodes", vec![rule]);
        let ctx = Context::new(&facts);
        let guard = Guard::all(&ctx)[0];
        let class = |port| {
            let port = crate::network::PortSet::one(port);
            FlowClass::new(
                guard.sources(),
                public(),
                crate::network::Protocol::Tcp,
                port,
            )
        };
        let subnet = &guard.path.security.subnet.rules;
        let https = subnet.evaluate(&class(443));
        assert!(Rc::ptr_eq(&https, &subnet.evaluate(&class(443))));
        assert_eq!(https[0].decision.outcome, Outcome::Denied);
        let http = subnet.evaluate(&class(80));
        assert!(
            http.iter()
                .all(|part| part.decision.outcome != Outcome::Denied)
        );
    }
}
