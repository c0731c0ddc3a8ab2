//! Whether a host lies among some addresses, as far as service tags tell (R3.7, R4.33).

use super::Service;
use super::service::Holds;
use crate::context::Context;
use crate::network::{AddressSet, AddressTerm, Family};

/// Whether all addresses of a host lie in a prefix or service tag, or none does; `None` when that is not known.
pub(crate) fn lies_in(ctx: &Context<'_>, category: &str, host: &str, prefix: &str) -> Option<bool> {
    let services = Service::of_host(category, host);
    if services.is_empty() {
        // In place of a host ARM may name addresses or a tag.
        return within(&addresses(ctx, host)?, &addresses(ctx, prefix)?);
    }
    let location = ctx.cluster().location.as_deref();
    let mut answers = services.iter().map(|service| {
        let by_address = service
            .addresses_tag(location)
            .and_then(|tag| addresses(ctx, &tag))
            .zip(addresses(ctx, prefix));
        let told = by_address.map(|(own, target)| within(&own, &target));
        match (told, AddressTerm::parse(prefix)) {
            (Some(Some(told)), _) => Some(told),
            // The region's tag holds more than the API server: where the two overlap the other's name tells.
            (Some(None), _) if *service != Service::ApiServer => None,
            (_, Ok(AddressTerm::Name(tag))) => match service.held_by(&tag, location) {
                Holds::Yes => Some(true),
                Holds::No => Some(false),
                Holds::Maybe => None,
            },
            _ => None,
        }
    });
    let first = answers.next()?;
    if answers.all(|answer| answer == first) {
        first
    } else {
        None
    }
}

fn within(own: &AddressSet, target: &AddressSet) -> Option<bool> {
    if target.contains_all(own) {
        Some(true)
    } else {
        (!target.intersects(own)).then_some(false)
    }
}

/// What a prefix or service tag holds of IPv4; `None` when that is not known.
fn addresses(ctx: &Context<'_>, text: &str) -> Option<AddressSet> {
    let set = match AddressTerm::parse(text).ok()? {
        AddressTerm::Set(set) => set,
        AddressTerm::Name(tag) => ctx.tags.get(&tag)?.clone(),
        AddressTerm::Any => return None,
    };
    Some(set.of(Family::V4)).filter(|set| !set.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{load_balancer, service_tags};

    const ARM: &str = "management.azure.com";

    fn with(tags: &[(&str, &str)], host: &str, prefix: &str) -> Option<bool> {
        let mut facts = load_balancer();
        facts.service_tags = service_tags(tags);
        lies_in(&Context::new(&facts), "", host, prefix)
    }

    #[test]
    fn r3_7_addresses_of_tags_tell() {
        let tags = [
            ("AzureResourceManager", "20.1.0.0/16"),
            ("AzureMonitor", "20.2.0.0/16"),
            ("AzureCloud.northeurope", "20.1.1.0/24"),
        ];
        assert_eq!(with(&tags, ARM, "AzureMonitor"), Some(false));
        assert_eq!(with(&tags, ARM, "20.0.0.0/8"), Some(true));
        assert_eq!(with(&tags, ARM, "20.3.0.0/16"), Some(false));
        // Some of its addresses only.
        assert_eq!(with(&tags, ARM, "AzureCloud.northeurope"), None);
    }

    #[test]
    fn r4_33_without_addresses_the_tags_names_tell() {
        assert_eq!(with(&[], ARM, "AzureMonitor"), Some(false));
        assert_eq!(with(&[], ARM, "AzureResourceManager"), Some(true));
        assert_eq!(with(&[], ARM, "AzureCloud.northeurope"), None);
        assert_eq!(with(&[], ARM, "20.0.0.0/8"), None);
        assert_eq!(
            with(&[], "packages.aks.azure.com", "AzureMonitor"),
            Some(false)
        );
        assert_eq!(
            with(&[], "packages.aks.azure.com", "AzureFrontDoor.FirstParty"),
            None
        );
    }

    #[test]
    fn r4_30_the_api_server_is_no_other_service_of_its_region() {
        let mut facts = load_balancer();
        facts.cluster.location = Some("westeurope".to_owned());
        facts.service_tags = service_tags(&[
            ("AzureCloud.westeurope", "20.4.0.0/16"),
            ("AzureMonitor", "20.4.1.0/24"),
        ]);
        let at = |prefix| lies_in(&Context::new(&facts), "apiserver", "a.azmk8s.io", prefix);
        assert_eq!(at("AzureMonitor"), Some(false));
        assert_eq!(at("20.4.1.0/24"), None);
    }

    #[test]
    fn r4_16_a_host_of_two_services_lies_where_both_do() {
        let mcr = "mcr.microsoft.com";
        assert_eq!(with(&[], mcr, "AzureMonitor"), Some(false));
        assert_eq!(with(&[], mcr, "MicrosoftContainerRegistry"), None);
    }

    #[test]
    fn r1_9_a_tag_in_place_of_a_host() {
        let tags = [
            ("AzureCloud.westeurope", "20.4.0.0/16"),
            ("Sql", "20.5.0.0/16"),
        ];
        assert_eq!(with(&tags, "AzureCloud.westeurope", "Sql"), Some(false));
        assert_eq!(
            with(&tags, "AzureCloud.westeurope", "20.4.0.0/15"),
            Some(true)
        );
        assert_eq!(with(&tags, "security.ubuntu.com", "Sql"), None);
    }
}
