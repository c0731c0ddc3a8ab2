//! A small list of service tags. The names are Azure's; the addresses are made up, related to each other as Azure's are.

use serde_json::{Value, json};

/// Name, region and prefixes.
const TAGS: &[(&str, &str, &[&str])] = &[
    (
        "AzureCloud",
        "",
        &[
            "20.40.0.0/13",
            "20.190.128.0/18",
            "40.64.0.0/10",
            "2603:1000::/24",
        ],
    ),
    (
        "AzureCloud.northeurope",
        "northeurope",
        &["20.44.0.0/16", "20.190.128.0/18", "2603:1020::/40"],
    ),
    (
        "AzureCloud.westeurope",
        "westeurope",
        &["20.40.0.0/16", "40.74.0.0/15", "2603:1030::/40"],
    ),
    (
        "AzureActiveDirectory",
        "",
        &["20.190.128.0/18", "2603:1020:6::/48"],
    ),
    (
        "AzureFrontDoor.FirstParty",
        "",
        &["13.107.213.0/24", "150.171.110.0/23"],
    ),
    ("AzureKeyVault", "", &["20.40.16.0/24", "20.44.16.0/24"]),
    ("AzureMonitor", "", &["20.40.17.0/24", "20.44.17.0/24"]),
    (
        "AzureResourceManager",
        "",
        &["20.40.18.0/24", "20.44.18.0/24"],
    ),
    (
        "MicrosoftContainerRegistry",
        "",
        &["20.40.19.0/24", "20.44.19.0/24"],
    ),
    (
        "MicrosoftContainerRegistry.WestEurope",
        "westeurope",
        &["20.40.19.0/24"],
    ),
    ("Sql", "", &["20.40.20.0/24", "20.44.20.0/24"]),
    ("Sql.WestEurope", "westeurope", &["20.40.20.0/24"]),
    ("Storage", "", &["20.40.32.0/20", "20.44.32.0/20"]),
    ("Storage.WestEurope", "westeurope", &["20.40.32.0/20"]),
];

/// The answer, whatever the region.
pub(super) fn list() -> Value {
    let values: Vec<Value> = TAGS
        .iter()
        .map(|(name, region, prefixes)| {
            json!({
                "name": name,
                "id": name,
                "serviceTagChangeNumber": "91",
                "properties": {
                    "changeNumber": "12",
                    "region": region,
                    "state": "GA",
                    "networkFeatures": ["API", "NSG", "UDR", "FW"],
                    "systemService": name.split('.').next(),
                    "addressPrefixes": prefixes,
                },
            })
        })
        .collect();
    json!({
        "name": "Public",
        "id": "Public",
        "type": "Microsoft.Network/serviceTags",
        "changeNumber": "91",
        "cloud": "Public",
        "values": values,
    })
}
