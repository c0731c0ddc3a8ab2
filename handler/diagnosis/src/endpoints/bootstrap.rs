//! Exit codes of a node's own set-up script that speak of egress (R1.69).

/// An exit code of node provisioning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BootstrapExit {
    /// The code.
    pub code: u16,
    /// What failed.
    pub meaning: &'static str,
    /// Category of the endpoints that the step needs; `None` where the name alone failed.
    pub category: Option<&'static str>,
}

const EXITS: [BootstrapExit; 7] = [
    exit(
        31,
        "the Kubernetes binaries could not be downloaded",
        Some("artifacts"),
    ),
    exit(
        41,
        "the network plug-in could not be downloaded",
        Some("artifacts"),
    ),
    exit(
        50,
        "the outbound check, https://mcr.microsoft.com/v2/, failed about 20 times; clusters with a bootstrap \
         registry skip it",
        Some("images"),
    ),
    exit(51, "the API server could not be reached", Some("apiserver")),
    exit(52, "the API server's name could not be resolved", None),
    exit(
        99,
        "the package lists could not be updated",
        Some("artifacts"),
    ),
    exit(
        211,
        "an artifact could not be pulled from the registry in time",
        Some("images"),
    ),
];

const fn exit(code: u16, meaning: &'static str, category: Option<&'static str>) -> BootstrapExit {
    BootstrapExit {
        code,
        meaning,
        category,
    }
}

/// What an exit code of node provisioning says about egress; `None` for a code that says nothing about it.
pub fn bootstrap_exit(code: u16) -> Option<BootstrapExit> {
    EXITS.into_iter().find(|exit| exit.code == code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r1_69_codes() {
        for (code, category) in [
            (31, Some("artifacts")),
            (41, Some("artifacts")),
            (50, Some("images")),
            (51, Some("apiserver")),
            (52, None),
            (99, Some("artifacts")),
            (211, Some("images")),
        ] {
            let exit = bootstrap_exit(code).unwrap();
            assert_eq!((exit.code, exit.category), (code, category));
        }
        assert!(
            bootstrap_exit(50)
                .unwrap()
                .meaning
                .contains("mcr.microsoft.com/v2/")
        );
        assert_eq!(bootstrap_exit(0), None);
        assert_eq!(bootstrap_exit(28), None);
    }
}
