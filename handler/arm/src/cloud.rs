//! Azure's clouds and their endpoints.

use std::str::FromStr;
use url::Url;

use crate::metrics_plane::MetricsPlane;

/// One of Azure's clouds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cloud {
    /// Azure.
    Public,
    /// Azure operated by 21Vianet.
    China,
    /// Azure Government.
    UsGov,
}

/// A cloud name that is none of `public`, `china`, `usgov`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown cloud {0:?}: use public, china or usgov")]
pub struct UnknownCloud(String);

impl FromStr for Cloud {
    type Err = UnknownCloud;

    fn from_str(name: &str) -> Result<Self, UnknownCloud> {
        match name.trim().to_ascii_lowercase().as_str() {
            "public" => Ok(Self::Public),
            "china" => Ok(Self::China),
            "usgov" => Ok(Self::UsGov),
            _ => Err(UnknownCloud(name.to_owned())),
        }
    }
}

/// Where requests go and for whom tokens are asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoints {
    cloud: Cloud,
    arm: String,
    arm_audience: String,
    authority: String,
    /// Whether `arm` is the cloud's own endpoint, whose regional hosts long-running operations may point to.
    own_arm: bool,
    metrics: MetricsPlane,
}

/// An endpoint setting that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    /// Not an absolute URL.
    #[error("{0:?} is not an absolute URL")]
    NotAUrl(String),
    /// Tokens are only sent over https.
    #[error("{0:?} must start with https://")]
    NotHttps(String),
    /// User name, path, query or fragment in an endpoint.
    #[error("{0:?} must be https://, a host and perhaps a port, nothing more")]
    MoreThanOrigin(String),
    /// An audience that no token can be asked for.
    #[error("{0:?} is not an audience: letters, digits and .-_:/ only")]
    Audience(String),
    /// Not the name of a storage account.
    #[error("a storage account's name is 3 to 24 lower-case letters and digits")]
    AccountName,
}

impl Endpoints {
    /// A cloud's own endpoints.
    pub fn of(cloud: Cloud) -> Self {
        let arm = format!("https://{}", arm_host(cloud));
        Self {
            cloud,
            arm_audience: arm.clone(),
            arm,
            authority: authority(cloud).to_owned(),
            own_arm: true,
            metrics: MetricsPlane::of(cloud),
        }
    }

    /// The same with another Resource Manager endpoint. Its audience becomes this endpoint too, as every cloud's is. A
    /// metrics endpoint that is still the cloud's own is no longer asked: it knows nothing of what stands behind another
    /// Resource Manager.
    ///
    /// # Errors
    /// [`EndpointError`] unless it is an https origin.
    pub fn with_arm_endpoint(self, endpoint: &str) -> Result<Self, EndpointError> {
        let arm = origin(endpoint)?;
        Ok(Self {
            own_arm: arm == format!("https://{}", arm_host(self.cloud)),
            arm_audience: arm.clone(),
            arm,
            metrics: self.metrics.beside_another_arm(),
            ..self
        })
    }

    /// The same with another metrics data plane; `{region}` as the host's first label stands for the resources' region.
    ///
    /// # Errors
    /// [`EndpointError`] unless it is an https origin.
    pub fn with_metrics_endpoint(self, endpoint: &str) -> Result<Self, EndpointError> {
        Ok(Self {
            metrics: self.metrics.at(endpoint)?,
            ..self
        })
    }

    /// The same with another token audience for the metrics data plane.
    ///
    /// # Errors
    /// [`EndpointError::Audience`].
    pub fn with_metrics_audience(self, audience: &str) -> Result<Self, EndpointError> {
        Ok(Self {
            metrics: self.metrics.for_audience(checked_audience(audience)?),
            ..self
        })
    }

    /// The same with another login endpoint for service principals and workload identities.
    ///
    /// # Errors
    /// [`EndpointError`] unless it is an https origin.
    pub fn with_authority(self, endpoint: &str) -> Result<Self, EndpointError> {
        Ok(Self {
            authority: origin(endpoint)?,
            ..self
        })
    }

    /// The same with another token audience for Resource Manager.
    ///
    /// # Errors
    /// [`EndpointError::Audience`].
    pub fn with_arm_audience(self, audience: &str) -> Result<Self, EndpointError> {
        Ok(Self {
            arm_audience: checked_audience(audience)?,
            ..self
        })
    }

    /// The cloud.
    pub fn cloud(&self) -> Cloud {
        self.cloud
    }

    /// Resource Manager, e.g. `https://management.azure.com`, without a slash at the end.
    pub fn arm(&self) -> &str {
        &self.arm
    }

    /// What a token for Resource Manager is asked for, e.g. `https://management.azure.com/.default`.
    pub fn arm_scope(&self) -> String {
        format!("{}/.default", self.arm_audience)
    }

    /// Where service principals and workload identities get their tokens, without a slash at the end.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// The metrics data plane: where several resources are asked at once.
    pub fn metrics(&self) -> &MetricsPlane {
        &self.metrics
    }

    /// The Log Analytics query endpoint.
    pub fn logs(&self) -> &'static str {
        match self.cloud {
            Cloud::Public => "https://api.loganalytics.io",
            Cloud::China => "https://api.loganalytics.azure.cn",
            Cloud::UsGov => "https://api.loganalytics.us",
        }
    }

    /// Whether the token may go to this URL: the configured origin and no other.
    pub(crate) fn is_arm(&self, url: &Url) -> bool {
        Url::parse(&self.arm).is_ok_and(|arm| arm.origin() == url.origin()) && is_anonymous(url)
    }

    /// Whether a long-running operation may be polled there: the configured origin, or a region's host under the cloud's
    /// own Resource Manager name, such as `eastus.management.azure.com`.
    pub(crate) fn is_arm_or_regional(&self, url: &Url) -> bool {
        self.is_arm(url) || self.own_arm && self.is_regional(url)
    }

    fn is_regional(&self, url: &Url) -> bool {
        let label = |s: &str| {
            !s.is_empty()
                && s.chars()
                    .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
        };
        let region = url
            .host_str()
            .and_then(|host| host.strip_suffix(arm_host(self.cloud)))
            .and_then(|rest| rest.strip_suffix('.'));
        // The scheme's own port only.
        url.scheme() == "https"
            && url.port().is_none()
            && is_anonymous(url)
            && region.is_some_and(label)
    }
}

/// An audience without the `/.default` that makes a scope of it.
fn checked_audience(audience: &str) -> Result<String, EndpointError> {
    let valid = |c: char| c.is_ascii_alphanumeric() || ".-_:/".contains(c);
    if audience.is_empty() || !audience.chars().all(valid) {
        return Err(EndpointError::Audience(audience.to_owned()));
    }
    let audience = audience.strip_suffix("/.default").unwrap_or(audience);
    Ok(audience.to_owned())
}

/// The origin that this text is, and nothing more than an origin.
pub(crate) fn origin(text: &str) -> Result<String, EndpointError> {
    let url = Url::parse(text).map_err(|_| EndpointError::NotAUrl(text.to_owned()))?;
    if url.scheme() != "https" {
        return Err(EndpointError::NotHttps(text.to_owned()));
    }
    let bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
    if !bare || !is_anonymous(&url) {
        return Err(EndpointError::MoreThanOrigin(text.to_owned()));
    }
    Ok(url.origin().ascii_serialization())
}

fn authority(cloud: Cloud) -> &'static str {
    match cloud {
        Cloud::Public => "https://login.microsoftonline.com",
        Cloud::China => "https://login.chinacloudapi.cn",
        Cloud::UsGov => "https://login.microsoftonline.us",
    }
}

fn arm_host(cloud: Cloud) -> &'static str {
    match cloud {
        Cloud::Public => "management.azure.com",
        Cloud::China => "management.chinacloudapi.cn",
        Cloud::UsGov => "management.usgovcloudapi.net",
    }
}

/// No user name and no password: a client would send those in the token's place.
pub(crate) fn is_anonymous(url: &Url) -> bool {
    url.username().is_empty() && url.password().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    #[test]
    fn each_cloud_has_its_own_hosts() {
        let names = |name: &str| {
            let endpoints = Endpoints::of(name.parse().unwrap());
            (
                endpoints.arm().to_owned(),
                endpoints.arm_scope(),
                endpoints.authority().to_owned(),
            )
        };
        let expected = |arm: &str, authority: &str| {
            (
                format!("https://{arm}"),
                format!("https://{arm}/.default"),
                authority.to_owned(),
            )
        };
        assert_eq!(
            names("public"),
            expected("management.azure.com", "https://login.microsoftonline.com")
        );
        assert_eq!(
            names("China"),
            expected(
                "management.chinacloudapi.cn",
                "https://login.chinacloudapi.cn"
            )
        );
        assert_eq!(
            names("usgov"),
            expected(
                "management.usgovcloudapi.net",
                "https://login.microsoftonline.us"
            )
        );
        assert!("germany".parse::<Cloud>().is_err());
    }

    #[test]
    fn another_endpoint_is_an_https_origin() {
        let with = |text: &str| Endpoints::of(Cloud::Public).with_arm_endpoint(text);
        let local = with("https://localhost:8443/").unwrap();
        assert_eq!(local.arm(), "https://localhost:8443");
        assert_eq!(local.arm_scope(), "https://localhost:8443/.default");
        assert!(matches!(
            with("http://localhost"),
            Err(EndpointError::NotHttps(_))
        ));
        assert!(matches!(with("localhost"), Err(EndpointError::NotAUrl(_))));
        for more in [
            "https://h/x",
            "https://h?x",
            "https://h#x",
            "https://u@h",
            "https://u:p@h",
        ] {
            assert!(
                matches!(with(more), Err(EndpointError::MoreThanOrigin(_))),
                "{more}"
            );
        }
    }

    #[test]
    fn another_audience() {
        let with = |text: &str| Endpoints::of(Cloud::Public).with_arm_audience(text);
        let classic = with("https://management.core.windows.net/").unwrap();
        assert_eq!(
            classic.arm_scope(),
            "https://management.core.windows.net//.default"
        );
        let scope = with("https://management.azure.com/.default").unwrap();
        assert_eq!(scope.arm_scope(), "https://management.azure.com/.default");
        assert!(with("").is_err());
        assert!(with("a b").is_err());
    }

    #[test]
    fn the_token_goes_to_the_configured_origin_only() {
        let public = Endpoints::of(Cloud::Public);
        assert!(public.is_arm(&url("https://management.azure.com/x")));
        assert!(public.is_arm(&url("https://MANAGEMENT.azure.com:443/x")));
        for foreign in [
            "http://management.azure.com/x",
            "https://management.azure.com:8443/x",
            "https://management.azure.com.example.com/x",
            "https://eastus.management.azure.com/x",
            "https://user@management.azure.com/x",
            "https://management.usgovcloudapi.net/x",
        ] {
            assert!(!public.is_arm(&url(foreign)), "{foreign}");
        }
    }

    #[test]
    fn long_running_operations_may_live_in_a_region_of_the_same_cloud() {
        let public = Endpoints::of(Cloud::Public);
        assert!(public.is_arm_or_regional(&url("https://management.azure.com/x")));
        assert!(public.is_arm_or_regional(&url("https://eastus2.management.azure.com/x")));
        for foreign in [
            "http://eastus.management.azure.com/x",
            "https://eastus.management.azure.com:444/x",
            "https://a.b.management.azure.com/x",
            "https://evilmanagement.azure.com/x",
            "https://.management.azure.com/x",
            "https://u@eastus.management.azure.com/x",
            "https://eastus.management.chinacloudapi.cn/x",
        ] {
            assert!(!public.is_arm_or_regional(&url(foreign)), "{foreign}");
        }
        let other = public.with_arm_endpoint("https://localhost:8443").unwrap();
        assert!(!other.is_arm_or_regional(&url("https://eastus.management.azure.com/x")));
        assert!(!other.is_arm_or_regional(&url("https://eastus.localhost:8443/x")));
    }
}
