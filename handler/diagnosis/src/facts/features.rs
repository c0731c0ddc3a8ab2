//! Switches that decide which endpoints a cluster needs and that the cluster's own body does not carry.

/// One of Azure's clouds, as far as required endpoints differ between them (R1.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cloud {
    /// Azure.
    Public,
    /// Azure operated by 21Vianet.
    China,
    /// Azure Government.
    UsGov,
}

/// What is known beside [`super::Cluster`] about features with endpoints of their own. `None` = not known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Features {
    /// The cloud that was asked; without it the cloud is read from the cluster's own names.
    pub cloud: Option<Cloud>,
    /// Whether a cluster extension (`Microsoft.KubernetesConfiguration/extensions`) is installed.
    pub extensions: Option<bool>,
}
