//! Azure Monitor's metrics data plane: where it is, and for whom its tokens are.

use url::Url;

use crate::cloud::{Cloud, EndpointError, is_anonymous, origin};

/// What stands for a region in an endpoint.
const REGION: &str = "{region}";

/// The metrics data plane of a cloud, or another one in its place. Each region has a host of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetricsPlane {
    /// An https origin, perhaps with [`REGION`] as the host's first label; `None` where none is configured.
    endpoint: Option<String>,
    /// Whether `endpoint` is the cloud's own.
    own: bool,
    audience: String,
}

impl MetricsPlane {
    pub(crate) fn of(cloud: Cloud) -> Self {
        let host = match cloud {
            Cloud::Public => "metrics.monitor.azure.com",
            Cloud::China => "metrics.monitor.azure.cn",
            Cloud::UsGov => "metrics.monitor.azure.us",
        };
        Self {
            endpoint: Some(format!("https://{REGION}.{host}")),
            own: true,
            audience: format!("https://{host}"),
        }
    }

    pub(crate) fn at(self, endpoint: &str) -> Result<Self, EndpointError> {
        let regional = endpoint.strip_prefix(&format!("https://{REGION}."));
        let plain = match regional {
            Some(host) => origin(&format!("https://{host}"))?,
            None => origin(endpoint)?,
        };
        if plain.contains(['{', '}']) {
            return Err(EndpointError::MoreThanOrigin(endpoint.to_owned()));
        }
        let endpoint = match regional {
            Some(_) => plain.replacen("https://", &format!("https://{REGION}."), 1),
            None => plain,
        };
        Ok(Self {
            endpoint: Some(endpoint),
            own: false,
            ..self
        })
    }

    pub(crate) fn for_audience(self, audience: String) -> Self {
        Self { audience, ..self }
    }

    pub(crate) fn beside_another_arm(self) -> Self {
        Self {
            endpoint: self.endpoint.filter(|_| !self.own),
            ..self
        }
    }

    /// The origin that knows this region's resources, without a slash at the end. `None` where no endpoint is
    /// configured, or where the region's name (`eastus2`) is none.
    pub fn origin(&self, region: &str) -> Option<String> {
        let endpoint = self.endpoint.as_ref()?;
        is_region(region).then(|| endpoint.replace(REGION, region))
    }

    /// What a token is asked for, e.g. `https://metrics.monitor.azure.com/.default`.
    pub fn scope(&self) -> String {
        format!("{}/.default", self.audience)
    }

    /// Whether the token may go to this URL: the configured origin, in any region.
    pub(crate) fn has(&self, url: &Url) -> bool {
        let label = url.host_str().and_then(|host| host.split('.').next());
        let own = label.and_then(|label| self.origin(label));
        let own = own.and_then(|own| Url::parse(&own).ok());
        own.is_some_and(|own| own.origin() == url.origin()) && is_anonymous(url)
    }
}

/// It becomes a part of a host's name: nothing but a region's name may.
fn is_region(text: &str) -> bool {
    (1..=63).contains(&text.len())
        && text
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn has(plane: &MetricsPlane, url: &str) -> bool {
        plane.has(&Url::parse(url).unwrap())
    }

    #[test]
    fn each_cloud_has_a_host_per_region_and_an_audience() {
        for (cloud, origin, scope) in [
            (
                Cloud::Public,
                "https://eastus2.metrics.monitor.azure.com",
                "https://metrics.monitor.azure.com/.default",
            ),
            (
                Cloud::China,
                "https://eastus2.metrics.monitor.azure.cn",
                "https://metrics.monitor.azure.cn/.default",
            ),
            (
                Cloud::UsGov,
                "https://eastus2.metrics.monitor.azure.us",
                "https://metrics.monitor.azure.us/.default",
            ),
        ] {
            let plane = MetricsPlane::of(cloud);
            assert_eq!(plane.origin("eastus2").as_deref(), Some(origin));
            assert_eq!(plane.scope(), scope);
        }
    }

    #[test]
    fn a_region_is_a_name_and_no_way_to_another_host() {
        let plane = MetricsPlane::of(Cloud::Public);
        for region in ["", "East US", "evil.example/", "a.b", "eastus#", "EASTUS"] {
            assert_eq!(plane.origin(region), None, "{region}");
        }
    }

    #[test]
    fn the_token_goes_to_the_configured_endpoint_only() {
        let public = MetricsPlane::of(Cloud::Public);
        assert!(has(
            &public,
            "https://westeurope.metrics.monitor.azure.com/x"
        ));
        for foreign in [
            "http://westeurope.metrics.monitor.azure.com/",
            "https://westeurope.metrics.monitor.azure.com:444/",
            "https://metrics.monitor.azure.com/",
            "https://a.b.metrics.monitor.azure.com/",
            "https://westeurope.metrics.monitor.azure.us/",
            "https://u@westeurope.metrics.monitor.azure.com/",
            "https://management.azure.com/",
        ] {
            assert!(!has(&public, foreign), "{foreign}");
        }
        let fixed = public.at("https://localhost:8443/").unwrap();
        assert_eq!(
            fixed.origin("eastus").as_deref(),
            Some("https://localhost:8443")
        );
        assert!(has(&fixed, "https://localhost:8443/x"));
        assert!(!has(&fixed, "https://eastus.metrics.monitor.azure.com/x"));
    }

    #[test]
    fn another_endpoint_is_an_https_origin_with_a_region_perhaps() {
        let with = |text: &str| MetricsPlane::of(Cloud::Public).at(text);
        let own = with("https://{region}.metrics.example:8443/").unwrap();
        assert_eq!(
            own.origin("eastus").as_deref(),
            Some("https://eastus.metrics.example:8443")
        );
        for wrong in [
            "http://{region}.metrics.example",
            "https://metrics.{region}.example",
            "https://{region}.metrics.example/{region}",
            "https://{region}.u:p@metrics.example",
            "https://{region}.",
            "{region}",
        ] {
            assert!(with(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn another_resource_manager_does_not_lead_to_azures_own_metrics() {
        let plane = MetricsPlane::of(Cloud::Public).beside_another_arm();
        assert_eq!(plane.origin("eastus"), None);
        let configured = MetricsPlane::of(Cloud::Public)
            .at("https://localhost:1")
            .unwrap();
        assert!(configured.beside_another_arm().origin("eastus").is_some());
    }
}
