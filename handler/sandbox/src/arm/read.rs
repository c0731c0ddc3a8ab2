//! Reads of resources and lists.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    activity,
    answer::Answer,
    batch,
    faults::hidden,
    graph,
    path::{Extension, RECOMMENDATIONS, SERVICE_TAGS, SKUS, Target, Typed, known_type},
    service_tags, skus,
};
use crate::{
    cloud::Cloud,
    expand::{INSTANCE_IP, Resource, SUBSCRIPTION, TENANT},
    metrics,
};

/// The api-version that still serves scale set NICs and their public addresses.
const SCALE_SET_NICS: &str = "2018-10-01";
const SCALE_SET_IPS: &str = "Microsoft.Compute/virtualMachineScaleSets/publicIPAddresses";
/// What Azure's skip tokens look like.
const SKIP_TOKEN: &str = "3544587";

/// A read with everything it needs. Query names are in lower case.
pub(super) struct Read<'a> {
    pub(super) cloud: &'a Cloud,
    pub(super) endpoint: &'a str,
    pub(super) path: &'a str,
    pub(super) query: &'a BTreeMap<String, String>,
    /// Of a POST.
    pub(super) body: &'a [u8],
}

impl Read<'_> {
    pub(super) fn answer(&self, target: &Target) -> Answer {
        match target {
            Target::Tenants => Answer::ok(json!({ "value": [{
                "id": format!("/tenants/{TENANT}"), "tenantId": TENANT, "displayName": "Sandbox",
                "defaultDomain": "sandbox.example", "countryCode": "NL", "tenantCategory": "Home",
            }] })),
            Target::Subscriptions => Answer::ok(json!({ "value": [subscription()] })),
            Target::Subscription(id) if id.eq_ignore_ascii_case(SUBSCRIPTION) => {
                Answer::ok(subscription())
            }
            Target::Subscription(id) => Answer::error(
                404,
                "SubscriptionNotFound",
                format!("The subscription '{id}' could not be found."),
            ),
            Target::Graph => graph::answer(self.visible(&Cloud::subscription_path()), self.body),
            Target::Groups => {
                let groups = self.cloud.groups().map(|group| group.body.clone());
                Answer::ok(json!({ "value": groups.collect::<Vec<_>>() }))
            }
            Target::Group(name) => match self.cloud.group(name) {
                Some(group) => Answer::ok(group.body.clone()),
                None => Answer::group_not_found(name),
            },
            Target::Resources { group } => self.resources(group.as_deref()),
            Target::ActivityLog(_) => {
                let url = format!("{}{}", self.endpoint, self.path);
                activity::answer(self.cloud, &url, self.query).into()
            }
            Target::MetricsBatch(_) => batch::answer(self.cloud, self.query, self.body),
            Target::Typed(typed) => self.typed(typed),
            Target::Unknown => Answer::error(
                404,
                "InvalidResourceType",
                format!(
                    "The path '{}' is nothing that the sandbox simulates.",
                    self.path
                ),
            ),
        }
    }

    fn typed(&self, typed: &Typed) -> Answer {
        if let Some(group) = &typed.group
            && self.cloud.group(group).is_none()
        {
            return Answer::group_not_found(group);
        }
        let version = self.query.get("api-version").map_or("", String::as_str);
        let Some(kind) = known_type(&typed.kind) else {
            let (_, tail) = typed.kind.split_once('/').unwrap_or_default();
            return Answer::unknown_type(tail, &typed.provider, version);
        };
        let of_network = kind == SCALE_SET_IPS
            || kind.starts_with("Microsoft.Compute/") && kind.ends_with("/networkInterfaces");
        if of_network && version != SCALE_SET_NICS {
            let (_, tail) = kind.split_once('/').unwrap_or_default();
            return Answer::unknown_type(tail, &typed.provider, version);
        }
        if kind == SKUS {
            return skus::list(self.query.get("$filter")).map_or_else(
                |message| Answer::error(400, "InvalidParameter", message),
                Answer::ok,
            );
        }
        if kind == RECOMMENDATIONS {
            return self.recommendations();
        }
        if kind == SERVICE_TAGS {
            return Answer::ok(service_tags::list());
        }
        if let Some(parent) = typed.parent()
            && self.cloud.resource(parent).is_none()
        {
            return Answer::parent_not_found(kind, parent);
        }
        if let Some(document) = self.cloud.document(&typed.path) {
            return Answer::ok(document.clone());
        }
        if typed.is_list() {
            return self.list(typed, kind);
        }
        if let Some(resource) = self.cloud.resource(&typed.path) {
            return match typed.extension {
                None => Answer::ok(resource.body.clone()),
                Some(Extension::Health) => Answer::ok(self.cloud.health(&resource.id)),
                Some(Extension::Definitions) => Answer::ok(metrics::definitions(resource)),
                Some(Extension::Metrics) => metrics::answer(resource, self.query, Timestamp::now())
                    .map_or_else(Answer::flat_bad_request, Answer::ok),
            };
        }
        let embedded = self.embedded(typed).into_iter().find(|part| {
            part["name"].as_str().is_some_and(|name| {
                typed
                    .names
                    .last()
                    .is_some_and(|it| it.eq_ignore_ascii_case(name))
            })
        });
        if let Some(part) = embedded {
            return Answer::ok(part);
        }
        let (provider, tail) = kind.split_once('/').unwrap_or_default();
        let pairs: Vec<String> = tail
            .split('/')
            .zip(&typed.names)
            .map(|(kind, name)| format!("{kind}/{name}"))
            .collect();
        Answer::resource_not_found(
            &format!("{provider}/{}", pairs.join("/")),
            typed.group.as_deref().unwrap_or_default(),
        )
    }

    /// What Advisor recommends in the groups that the filter names, with the ids in lower case as Azure has them.
    fn recommendations(&self) -> Answer {
        let filter = self
            .query
            .get("$filter")
            .map(|filter| filter.to_lowercase());
        let wanted = |group: &str| {
            filter.as_ref().is_none_or(|filter| {
                filter.contains(&format!("resourcegroup eq '{}'", group.to_lowercase()))
            })
        };
        let bodies = self.cloud.advice().filter(|(id, _)| {
            let group = id.split('/').nth(4).unwrap_or_default();
            wanted(group) && !hidden(self.cloud, group)
        });
        let value: Vec<Value> = bodies.map(|(_, body)| body.clone()).collect();
        Answer::ok(json!({ "value": value }))
    }

    /// The parts of a parent's body that are listed under its own path too, e.g. a table's routes.
    fn embedded(&self, typed: &Typed) -> Vec<Value> {
        let parent = typed
            .parent()
            .and_then(|parent| self.cloud.resource(parent));
        let collection = typed.kind.rsplit('/').next().unwrap_or_default();
        parent
            .and_then(|parent| parent.body["properties"].as_object())
            .and_then(|properties| {
                properties
                    .iter()
                    .find(|(key, _)| key.eq_ignore_ascii_case(collection))
            })
            .and_then(|(_, parts)| parts.as_array().cloned())
            .unwrap_or_default()
    }

    fn list(&self, typed: &Typed, kind: &str) -> Answer {
        if kind == "Microsoft.Compute/virtualMachineScaleSets/networkInterfaces" {
            let nics =
                "Microsoft.Compute/virtualMachineScaleSets/virtualMachines/networkInterfaces";
            let scope = typed.parent().unwrap_or_default();
            return Answer::ok(json!({ "value": self.bodies(scope, nics) }));
        }
        if kind == SCALE_SET_IPS {
            let scope = typed.parent().unwrap_or_default();
            return Answer::ok(json!({ "value": self.bodies(scope, INSTANCE_IP) }));
        }
        let scope = match (typed.parent(), &typed.group) {
            (Some(parent), _) => parent.to_owned(),
            (None, Some(group)) => format!("{}/resourceGroups/{group}", Cloud::subscription_path()),
            (None, None) => Cloud::subscription_path(),
        };
        let mut value = self.bodies(&scope, kind);
        if value.is_empty() {
            value = self.embedded(typed);
        }
        // These lists name a next page although nothing follows.
        let paged = [
            "Microsoft.ContainerService/managedClusters",
            "Microsoft.ContainerService/managedClusters/agentPools",
            "Microsoft.Network/loadBalancers",
        ];
        if !paged.contains(&kind) {
            return Answer::ok(json!({ "value": value }));
        }
        if self.query.contains_key("$skiptoken") {
            return Answer::ok(json!({ "value": [] }));
        }
        Answer::ok(json!({ "value": value, "nextLink": self.next_link() }))
    }

    fn bodies(&self, scope: &str, kind: &str) -> Vec<Value> {
        self.visible(scope)
            .filter(|resource| resource.kind.eq_ignore_ascii_case(kind))
            .map(|resource| resource.body.clone())
            .collect()
    }

    fn visible(&self, scope: &str) -> impl Iterator<Item = &Resource> {
        let whole = scope.eq_ignore_ascii_case(&Cloud::subscription_path());
        self.cloud.below(scope).filter(move |resource| {
            let group = resource.id.split('/').nth(4).unwrap_or_default();
            !(whole && hidden(self.cloud, group))
        })
    }

    /// Azure repeats the token in two spellings.
    fn next_link(&self) -> String {
        let version = self.query.get("api-version").map_or("", String::as_str);
        let filter = self.query.get("$filter").map(|filter| {
            let filter: String = url::form_urlencoded::byte_serialize(filter.as_bytes()).collect();
            format!("&%24filter={filter}")
        });
        format!(
            "{}{}?%24skipToken={SKIP_TOKEN}&api-version={version}&skipToken={SKIP_TOKEN}{}",
            self.endpoint,
            self.path,
            filter.unwrap_or_default()
        )
    }

    fn resources(&self, group: Option<&str>) -> Answer {
        if let Some(group) = group
            && self.cloud.group(group).is_none()
        {
            return Answer::group_not_found(group);
        }
        let filter = self.query.get("$filter");
        let kind = match filter.map(|filter| resource_type(filter)) {
            Some(None) => {
                return Answer::error(
                    400,
                    "InvalidFilterInQueryString",
                    "Invalid $filter: the sandbox understands resourceType eq '<type>' only.",
                );
            }
            Some(kind) => kind,
            None => None,
        };
        // With a filter, the first page is empty and the next one holds the rest.
        if filter.is_some() && !self.query.contains_key("$skiptoken") {
            return Answer::ok(json!({ "value": [], "nextLink": self.next_link() }));
        }
        let scope = group.map_or_else(Cloud::subscription_path, |group| {
            format!("{}/resourceGroups/{group}", Cloud::subscription_path())
        });
        let top_level = |resource: &&Resource| resource.kind.split('/').count() == 2;
        let value: Vec<Value> = self
            .visible(&scope)
            .filter(top_level)
            .filter(|resource| kind.is_none_or(|kind| resource.kind.eq_ignore_ascii_case(kind)))
            .map(|resource| {
                let mut short = resource.body.clone();
                if let Some(fields) = short.as_object_mut() {
                    fields.remove("properties");
                    fields.remove("etag");
                }
                short
            })
            .collect();
        Answer::ok(json!({ "value": value }))
    }
}

/// The type in `resourceType eq '<type>'`.
fn resource_type(filter: &str) -> Option<&str> {
    let mut words = filter.split_whitespace();
    let (name, operator, value) = (words.next()?, words.next()?, words.next()?);
    let plain =
        name.eq_ignore_ascii_case("resourceType") && operator == "eq" && words.next().is_none();
    plain.then(|| value.trim_matches('\''))
}

fn subscription() -> Value {
    json!({
        "id": Cloud::subscription_path(),
        "subscriptionId": SUBSCRIPTION,
        "tenantId": TENANT,
        "displayName": "Sandbox",
        "state": "Enabled",
        "authorizationSource": "RoleBased",
        "managedByTenants": [],
        "subscriptionPolicies": {
            "locationPlacementId": "Public_2014-09-01", "quotaId": "PayAsYouGo_2014-09-01", "spendingLimit": "Off",
        },
    })
}
