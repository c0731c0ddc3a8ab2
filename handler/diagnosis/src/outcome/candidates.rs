//! What may be behind a symptom, with what would speak for it (section 8).

use serde::Serialize;
use utoipa::ToSchema;

use super::analysis::{Analysis, both};
use super::observation::Observation;

/// Kind of a cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum CauseKind {
    /// The blocker that the analysis names.
    Blocker,
    /// Name resolution.
    Dns,
    /// Custom DNS servers.
    CustomDns,
    /// The private zone of the API server is not forwarded.
    PrivateDnsZone,
    /// The HTTP proxy's name, address or sign-in.
    Proxy,
    /// A network security group.
    Nsg,
    /// A route, or nothing that translates addresses.
    Route,
    /// An appliance drops or rejects.
    Appliance,
    /// An application rule of Azure Firewall denies.
    FirewallApplicationRule,
    /// The API server's authorized ranges.
    AuthorizedRanges,
    /// SNAT ports are used up.
    SnatExhaustion,
    /// A node or its disk is under pressure.
    NodePressure,
    /// A device opens TLS.
    TlsInspection,
    /// A device changes the TLS handshake's ALPN.
    AlpnRewriting,
    /// An idle connection was cut.
    IdleTimeout,
    /// A middlebox closed the connection.
    Middlebox,
    /// A block page in the destination's name.
    BlockPage,
    /// The image that the client runs in.
    Image,
    /// The destination admits only certain addresses.
    RemoteAccessList,
    /// The destination does not answer, refuses or fails.
    RemoteServer,
    /// The destination throttles.
    RemoteThrottling,
    /// A gateway before the destination.
    Upstream,
    /// The request.
    Request,
    /// Credentials.
    Credentials,
    /// A legal or policy block.
    Policy,
}

/// Whether a cause acts on each try (R8.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Timing {
    /// Each try.
    Steady,
    /// Some tries.
    Alternating,
    /// Either.
    Any,
}

/// A possible cause.
pub(super) struct Candidate {
    pub(super) kind: CauseKind,
    pub(super) summary: &'static str,
    /// Findings that speak for it.
    pub(super) codes: &'static [&'static str],
    /// What speaks for (`true`) or against it (`false`).
    pub(super) fact: fn(&Analysis, &Observation) -> Option<bool>,
    pub(super) timing: Timing,
    /// What to run next; `{host}` and `{port}` stand for the destination, `{show}` for the command that shows the
    /// cluster.
    pub(super) checks: &'static [&'static str],
}

const fn plain(
    kind: CauseKind,
    summary: &'static str,
    checks: &'static [&'static str],
) -> Candidate {
    Candidate {
        kind,
        summary,
        codes: &[],
        fact: |_, _| None,
        timing: Timing::Any,
        checks,
    }
}

const CURL: &str = "curl -Iv https://{host}:{port}";
const TCP: &str = "nc -z -v {host} {port}";
const LOOKUP: &str = "nslookup {host}";
const LOOKUP_AZURE: &str = "nslookup {host} 168.63.129.16";
const TRACE: &str = "traceroute -T {host} -p {port}";
const PROXY: &str = "{show} --query httpProxyConfig.httpsProxy";
const RANGES: &str = "{show} --query apiServerAccessProfile.authorizedIpRanges";
const CERTIFICATE: &str = "openssl s_client -connect {host}:{port} -servername {host}";
const TOP: &str = "kubectl top nodes";

pub(super) const PROXY_NAME: &[Candidate] = &[Candidate {
    codes: &["API102"],
    fact: |a, _| a.http_proxy,
    checks: &[PROXY],
    ..plain(
        CauseKind::Proxy,
        "the name of the HTTP proxy does not resolve: its configuration or DNS is wrong",
        &[],
    )
}];

pub(super) const NAME: &[Candidate] = &[
    Candidate {
        fact: |a, o| both(both(a.private_cluster, a.custom_dns), a.is_api_server(o)),
        timing: Timing::Steady,
        ..plain(
            CauseKind::PrivateDnsZone,
            "the custom DNS servers do not forward the API server's private zone to 168.63.129.16",
            &[LOOKUP, LOOKUP_AZURE],
        )
    },
    Candidate {
        codes: &["DNS101", "DNS102"],
        fact: |a, _| a.custom_dns,
        ..plain(
            CauseKind::CustomDns,
            "a custom DNS server does not answer; when 168.63.129.16 resolves the name, the server is at fault and not \
             the egress path",
            &[LOOKUP, LOOKUP_AZURE],
        )
    },
    Candidate {
        codes: &["NSG102", "NSG104"],
        timing: Timing::Steady,
        ..plain(
            CauseKind::Nsg,
            "a network security group or firewall drops DNS (port 53)",
            &[TCP],
        )
    },
    plain(
        CauseKind::Dns,
        "CoreDNS does not resolve, or the name does not exist",
        &[
            LOOKUP,
            "kubectl -n kube-system get pods -l k8s-app=kube-dns",
        ],
    ),
];

const AUTHORIZED: Candidate = Candidate {
    codes: &["API101"],
    fact: |a, o| both(a.authorized_ranges, a.is_api_server(o)),
    timing: Timing::Steady,
    ..plain(
        CauseKind::AuthorizedRanges,
        "the API server's authorized ranges leave out the cluster's egress address",
        &[RANGES],
    )
};

const ROUTE: Candidate = Candidate {
    codes: &[
        "OUT101", "OUT106", "OUT109", "OUT112", "UDR101", "UDR102", "UDR104", "UDR105", "UDR109",
        "UDR112", "FWL101", "FWL102", "FWL103", "FWL104", "FWL106", "NAT101", "NAT102", "NAT103",
        "NAT105",
    ],
    timing: Timing::Steady,
    ..plain(
        CauseKind::Route,
        "the route ends nowhere, at a device that does not forward, or where nothing translates the address",
        &[TRACE],
    )
};

const SNAT: Candidate = Candidate {
    codes: &["SNT101", "SNT102", "SNT103", "FWL115"],
    fact: |a, _| a.snat_failing,
    timing: Timing::Alternating,
    ..plain(
        CauseKind::SnatExhaustion,
        "SNAT ports are used up: new connections wait for a free port",
        &[],
    )
};

const PRESSURE: Candidate = Candidate {
    codes: &[
        "NOD101", "NOD102", "NOD103", "NOD104", "NOD105", "NOD107", "NOD109",
    ],
    fact: |a, _| a.node_pressure,
    timing: Timing::Alternating,
    ..plain(
        CauseKind::NodePressure,
        "a node or its OS disk is too busy to serve the connection",
        &[TOP, "kubectl top pods --all-namespaces"],
    )
};

pub(super) const TIMEOUT: &[Candidate] = &[
    Candidate {
        codes: &["NSG101", "NSG105", "NSG107"],
        timing: Timing::Steady,
        ..plain(
            CauseKind::Nsg,
            "a network security group drops the packets",
            &[TCP],
        )
    },
    ROUTE,
    Candidate {
        codes: &["FWL108", "FWL109", "FWL111", "FWL114"],
        fact: |a, _| a.appliance(),
        ..plain(
            CauseKind::Appliance,
            "a firewall or appliance drops the packets, or one of its addresses is bad",
            &[TRACE],
        )
    },
    AUTHORIZED,
    SNAT,
    PRESSURE,
    plain(
        CauseKind::RemoteServer,
        "the destination, or a network policy, does not let the packets be answered",
        &[TCP, "kubectl get networkpolicy --all-namespaces"],
    ),
];

pub(super) const REFUSED: &[Candidate] = &[
    plain(
        CauseKind::RemoteServer,
        "nothing listens on the destination's port",
        &[TCP],
    ),
    Candidate {
        fact: |a, _| a.appliance(),
        ..plain(
            CauseKind::Appliance,
            "a device on the way rejects the connection",
            &[TRACE],
        )
    },
];

pub(super) const NO_ROUTE: &[Candidate] = &[
    ROUTE,
    plain(
        CauseKind::Route,
        "a peering or private endpoint on the way is not connected",
        &[TRACE],
    ),
];

const FIREWALL_RULE: Candidate = Candidate {
    codes: &["FWL108", "FWL109", "FWL114", "FWL118"],
    fact: |a, _| a.azure_firewall,
    timing: Timing::Steady,
    ..plain(
        CauseKind::FirewallApplicationRule,
        "no application rule of Azure Firewall allows the name: it resets the connection after the client's hello",
        &[CURL],
    )
};

const INSPECTION: Candidate = Candidate {
    codes: &["FWL113"],
    fact: |a, o| {
        // R8.2: TCP works and TLS does not, so something reads above layer 4.
        if a.tls_inspection.is_none()
            && o.tcp_connects == Some(true)
            && a.device_on_path() != Some(false)
        {
            Some(true)
        } else {
            a.tls_inspection
        }
    },
    timing: Timing::Steady,
    ..plain(
        CauseKind::TlsInspection,
        "a device on the way opens TLS and shows a certificate of its own",
        &[CERTIFICATE],
    )
};

pub(super) const HANDSHAKE: &[Candidate] = &[
    FIREWALL_RULE,
    INSPECTION,
    Candidate {
        codes: &["FWL113"],
        fact: |a, o| both(a.device_on_path(), a.is_api_server(o)),
        timing: Timing::Steady,
        ..plain(
            CauseKind::AlpnRewriting,
            "a device on the way strips or rewrites ALPN, which the tunnel to the API server needs",
            &[CERTIFICATE],
        )
    },
    plain(
        CauseKind::RemoteServer,
        "the destination and the client share no TLS version or cipher",
        &[CERTIFICATE],
    ),
];

pub(super) const EMPTY_REPLY: &[Candidate] = &[
    Candidate {
        fact: |a, _| a.device_on_path(),
        ..plain(
            CauseKind::Middlebox,
            "a middlebox closed the connection after it came up",
            &[CURL],
        )
    },
    plain(
        CauseKind::RemoteServer,
        "the destination closed the connection without an answer",
        &[CURL],
    ),
];

pub(super) const RESET: &[Candidate] = &[
    Candidate {
        codes: &["SNT109"],
        timing: Timing::Alternating,
        ..plain(
            CauseKind::IdleTimeout,
            "the load balancer, NAT gateway or firewall cut a connection that was idle too long",
            &[],
        )
    },
    Candidate {
        codes: &["FWL108", "FWL118"],
        fact: |a, _| a.appliance(),
        ..plain(
            CauseKind::Appliance,
            "a firewall reset the session: a rule changed, or it denies what was sent",
            &[CURL],
        )
    },
    plain(
        CauseKind::RemoteServer,
        "the destination reset the connection",
        &[CURL],
    ),
];

pub(super) const UNTRUSTED: &[Candidate] = &[
    INSPECTION,
    plain(
        CauseKind::RemoteServer,
        "the destination's certificate is signed by an authority that the image does not know",
        &[CERTIFICATE],
    ),
];

pub(super) const IMAGE: &[Candidate] = &[plain(
    CauseKind::Image,
    "the CA bundle of the client's image is missing or unreadable: not an egress fault",
    &[],
)];

pub(super) const PROXY_SIGN_IN: &[Candidate] = &[Candidate {
    codes: &["API102"],
    fact: |a, _| a.http_proxy,
    checks: &[PROXY],
    ..plain(
        CauseKind::Proxy,
        "the proxy wants a sign-in, or is configured wrongly",
        &[],
    )
}];

pub(super) const REDIRECT: &[Candidate] = &[Candidate {
    fact: |a, _| a.device_on_path(),
    ..plain(
        CauseKind::Proxy,
        "where the redirect leads to a sign-in page, a proxy answered and not the destination",
        &[CURL],
    )
}];

pub(super) const REQUEST: &[Candidate] = &[plain(
    CauseKind::Request,
    "the request is not what the destination expects",
    &[],
)];

pub(super) const CREDENTIALS: &[Candidate] = &[plain(
    CauseKind::Credentials,
    "the destination wants credentials; a registry's /v2/ answers 401 when it is reachable",
    &[],
)];

pub(super) const FORBIDDEN: &[Candidate] = &[
    plain(
        CauseKind::RemoteAccessList,
        "the destination admits only certain addresses, and the cluster's egress address is not among them",
        &[],
    ),
    Candidate {
        fact: |a, _| a.device_on_path(),
        ..plain(
            CauseKind::BlockPage,
            "a proxy or appliance shows its block page: compare the Server and Via headers",
            &[CURL],
        )
    },
    plain(
        CauseKind::Credentials,
        "the credentials do not suffice",
        &[],
    ),
];

pub(super) const THROTTLED: &[Candidate] = &[plain(
    CauseKind::RemoteThrottling,
    "the destination throttles, or gave up waiting for the request",
    &[],
)];

pub(super) const FIREWALL_PAGE: &[Candidate] = &[Candidate {
    codes: &["FWL108", "FWL109", "FWL114", "FWL118"],
    fact: |a, _| a.azure_firewall,
    timing: Timing::Any,
    ..plain(
        CauseKind::FirewallApplicationRule,
        "Azure Firewall denied the HTTP request; its body names the rule or says that none matched",
        &["curl -v http://{host}"],
    )
}];

pub(super) const POLICY: &[Candidate] =
    &[plain(CauseKind::Policy, "a legal or policy block", &[CURL])];

pub(super) const SERVER: &[Candidate] = &[plain(
    CauseKind::RemoteServer,
    "the destination failed to serve the request",
    &[],
)];

pub(super) const GATEWAY: &[Candidate] = &[
    plain(
        CauseKind::Upstream,
        "a gateway before the destination cannot reach it, or it is overloaded",
        &[CURL],
    ),
    Candidate {
        fact: |a, _| a.device_on_path(),
        ..plain(
            CauseKind::Proxy,
            "the cluster's own proxy or appliance answered: its path onward is at fault",
            &[CURL],
        )
    },
];

pub(super) const CLIENT_OR_BLOCKER: &[Candidate] = &[
    plain(
        CauseKind::Request,
        "the request is not what the destination expects",
        &[],
    ),
    Candidate {
        fact: |a, _| a.device_on_path(),
        ..plain(
            CauseKind::BlockPage,
            "a proxy or firewall answered in the destination's place",
            &[CURL],
        )
    },
];
