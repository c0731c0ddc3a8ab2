//! Where a storage account keeps its blobs.

use url::Url;

use crate::cloud::{Cloud, EndpointError, is_anonymous, origin};

/// A storage account's blob endpoint: an https origin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlobEndpoint(String);

impl BlobEndpoint {
    /// The endpoint of an account by its name.
    ///
    /// # Errors
    /// [`EndpointError::AccountName`].
    pub fn of_account(cloud: Cloud, account: &str) -> Result<Self, EndpointError> {
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
        if !(3..=24).contains(&account.len()) || !account.bytes().all(plain) {
            return Err(EndpointError::AccountName);
        }
        let suffix = match cloud {
            Cloud::Public => "core.windows.net",
            Cloud::China => "core.chinacloudapi.cn",
            Cloud::UsGov => "core.usgovcloudapi.net",
        };
        Ok(Self(format!("https://{account}.blob.{suffix}")))
    }

    /// The endpoint at this URL.
    ///
    /// # Errors
    /// [`EndpointError`] unless it is an https origin.
    pub fn at(url: &str) -> Result<Self, EndpointError> {
        origin(url).map(Self)
    }

    /// The origin, without a slash at the end.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the token may go to this URL.
    pub(crate) fn has(&self, url: &Url) -> bool {
        Url::parse(&self.0).is_ok_and(|own| own.origin() == url.origin()) && is_anonymous(url)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_has_its_clouds_suffix() {
        let of = |cloud| BlobEndpoint::of_account(cloud, "stegress1").unwrap().0;
        assert_eq!(of(Cloud::Public), "https://stegress1.blob.core.windows.net");
        assert_eq!(
            of(Cloud::China),
            "https://stegress1.blob.core.chinacloudapi.cn"
        );
        assert_eq!(
            of(Cloud::UsGov),
            "https://stegress1.blob.core.usgovcloudapi.net"
        );
        for name in [
            "",
            "ab",
            "Upper",
            "a.b.example",
            "a/../b",
            "a@b",
            &"a".repeat(25),
        ] {
            assert!(
                BlobEndpoint::of_account(Cloud::Public, name).is_err(),
                "{name}"
            );
        }
    }

    #[test]
    fn the_token_goes_to_the_account_only() {
        let endpoint = BlobEndpoint::at("https://st.blob.core.windows.net/").unwrap();
        let has = |url: &str| endpoint.has(&Url::parse(url).unwrap());
        assert!(has(
            "https://st.blob.core.windows.net/egress-fleet?comp=list"
        ));
        for foreign in [
            "http://st.blob.core.windows.net/",
            "https://st.blob.core.windows.net:444/",
            "https://other.blob.core.windows.net/",
            "https://u@st.blob.core.windows.net/",
        ] {
            assert!(!has(foreign), "{foreign}");
        }
        for wrong in [
            "http://st.blob.core.windows.net",
            "st",
            "https://st/x",
            "https://u:p@st",
        ] {
            assert!(BlobEndpoint::at(wrong).is_err(), "{wrong}");
        }
    }
}
