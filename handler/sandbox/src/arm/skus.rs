//! A small list of resource SKUs: the sizes that scenarios use, and enough of the rest to be a list.

use serde_json::{Value, json};

/// Name, vCPUs, cache in GiB, temporary disk in GiB, and whether an OS disk may lie there.
const SIZES: &[(&str, u32, u64, u64, bool)] = &[
    ("Standard_B2s", 2, 30, 8, false),
    ("Standard_D2s_v5", 2, 50, 0, false),
    ("Standard_D4s_v5", 4, 100, 0, false),
    ("Standard_D8s_v5", 8, 200, 0, false),
    ("Standard_D4ds_v5", 4, 100, 150, true),
    ("Standard_D8ds_v5", 8, 200, 300, true),
    ("Standard_D16ds_v5", 16, 400, 600, true),
    ("Standard_E2bds_v5", 2, 50, 75, true),
    ("Standard_E4bds_v5", 4, 100, 150, true),
    ("Standard_NC24ads_A100_v4", 24, 256, 64, true),
];

/// The SKUs of the region that `filter` names.
pub(super) fn list(filter: Option<&String>) -> Result<Value, String> {
    let region = match filter {
        Some(filter) => {
            let mut words = filter.split_whitespace();
            let (name, operator, value) = (words.next(), words.next(), words.next());
            if name != Some("location") || operator != Some("eq") || words.next().is_some() {
                return Err(format!("Invalid filter: {filter}"));
            }
            value.unwrap_or_default().trim_matches('\'').to_owned()
        }
        None => return Err("The sandbox lists the SKUs of one region only.".into()),
    };
    let mut value = vec![json!({
        "resourceType": "disks",
        "name": "Premium_LRS",
        "tier": "Premium",
        "size": "P10",
        "locations": [region],
        "capabilities": [{ "name": "MaxIOps", "value": "500" }],
        "restrictions": [],
    })];
    for (name, cpus, cache, temporary, ephemeral) in SIZES {
        let text = |name: &str, value: String| json!({ "name": name, "value": value });
        let mut capabilities = vec![
            text("MaxResourceVolumeMB", (temporary << 10).to_string()),
            text("OSVhdSizeMB", "1047552".into()),
            text("vCPUs", cpus.to_string()),
            text("PremiumIO", "True".into()),
            text("CachedDiskBytes", (cache << 30).to_string()),
            text(
                "EphemeralOSDiskSupported",
                if *ephemeral { "True" } else { "False" }.into(),
            ),
        ];
        if *ephemeral {
            let placements = "ResourceDisk,CacheDisk".into();
            capabilities.push(text("SupportedEphemeralOSDiskPlacements", placements));
        }
        value.push(json!({
            "resourceType": "virtualMachines",
            "name": name,
            "tier": "Standard",
            "size": name.trim_start_matches("Standard_"),
            "locations": [region],
            "locationInfo": [{ "location": region, "zones": ["1", "2", "3"], "zoneDetails": [] }],
            "capabilities": capabilities,
            "restrictions": [],
        }));
    }
    Ok(json!({ "value": value }))
}
