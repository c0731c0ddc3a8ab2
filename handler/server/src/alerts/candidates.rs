//! What an alert names that may lead to a cluster.

use std::collections::BTreeSet;

use egress_arm::ResourceId;
use serde::{Deserialize, Serialize};

use crate::cluster_id::{self, ClusterId, MANAGED_CLUSTERS};
use crate::engine::{MOST_CLUSTERS, Name, Sought};

/// Longest text that is taken for an id, and longest id that is kept.
const MAX_ID: usize = 1024;
/// Most resources that are searched for.
const MOST_RESOURCES: usize = 16;
/// Most names that are searched for.
const MOST_NAMES: usize = 10;
/// Most subscriptions whose clusters are looked through.
const MOST_SUBSCRIPTIONS: usize = 10;
/// Longest name of a cluster.
const MAX_NAME: usize = 63;

/// Named clusters, or else what is searched for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Candidates {
    /// Clusters that are named by their ids; then nothing else counts.
    #[serde(with = "ids")]
    pub(crate) clusters: Vec<ClusterId>,
    /// How many more are named than are kept.
    pub(crate) left_out: usize,
    /// Resources that may belong to a cluster or carry its traffic.
    #[serde(with = "ids")]
    pub(crate) resources: Vec<ResourceId>,
    /// Clusters of which only the name is known.
    pub(crate) names: Vec<Name>,
    /// Subscriptions that are named beside those of the ids, in lower case.
    pub(crate) subscriptions: BTreeSet<String>,
    /// What is wrong with what was meant to lead to a cluster.
    pub(crate) notes: Vec<String>,
}

impl Candidates {
    /// Whether there is nothing that could lead to a cluster.
    pub(crate) fn is_empty(&self) -> bool {
        self.clusters.is_empty() && self.resources.is_empty() && self.names.is_empty()
    }

    /// What to search for, where no cluster is named.
    pub(crate) fn sought(&self) -> Sought {
        Sought {
            resources: self.resources.clone(),
            names: self.names.clone(),
            subscriptions: self.subscriptions.clone(),
        }
    }

    /// Leaves out what is in subscriptions that may not be asked about, and says so.
    pub(crate) fn keep_allowed(&mut self, is_allowed: impl Fn(&str) -> bool) {
        let mut denied = BTreeSet::new();
        for ids in [&mut self.clusters, &mut self.resources] {
            ids.retain(|id| {
                let subscription = id.subscription().to_ascii_lowercase();
                let keep = is_allowed(&subscription);
                if !keep {
                    denied.insert(subscription);
                }
                keep
            });
        }
        let notes = denied.into_iter();
        self.notes
            .extend(notes.map(|it| format!("subscription {it} is not one this app may look into")));
    }
}

/// Gathers candidates in the order in which they count.
#[derive(Default)]
pub(super) struct Collector {
    /// Named to be the cluster.
    chosen: Option<ClusterId>,
    clusters: Few<ClusterId>,
    resources: Few<ResourceId>,
    names: Few<Name>,
    subscriptions: BTreeSet<String>,
    notes: Vec<String>,
    unusable: usize,
}

impl Collector {
    /// The cluster that somebody chose for this alert, in `place`. The first one counts.
    pub(super) fn choose(&mut self, place: &str, text: &str) {
        if self.chosen.is_some() {
            return;
        }
        match cluster_id::parse(text.trim()) {
            Ok(cluster) => self.chosen = Some(cluster),
            Err(_) => self.notes.push(format!(
                "{place} is not the ARM id of an AKS cluster, so it was left aside"
            )),
        }
    }

    /// An id that the alert is about.
    pub(super) fn target(&mut self, text: &str) {
        if !self.mention(text) && !text.trim().is_empty() {
            self.unusable += 1;
        }
    }

    /// What may be an id; whether it is one.
    pub(super) fn mention(&mut self, text: &str) -> bool {
        let Some(id) = resource(text) else {
            return false;
        };
        self.subscription(id.subscription());
        if id.is_type(MANAGED_CLUSTERS) {
            self.clusters.add(id, MOST_CLUSTERS);
        } else if id.resource_group().is_some() {
            self.resources.add(id, MOST_RESOURCES);
        }
        true
    }

    /// A cluster's name, perhaps with its resource group.
    pub(super) fn name(&mut self, name: &str, group: Option<&str>) {
        let name = name.trim();
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_".contains(&b);
        if !(1..=MAX_NAME).contains(&name.len()) || !name.bytes().all(plain) {
            return;
        }
        let is_group = |group: &&str| ResourceId::of_group(NOBODYS, group).is_ok();
        let group = group.map(str::trim).filter(is_group);
        let name = Name {
            name: name.to_ascii_lowercase(),
            group: group.map(str::to_ascii_lowercase),
        };
        self.names.add(name, MOST_NAMES);
    }

    /// A subscription in which the cluster may be.
    pub(super) fn subscription(&mut self, text: &str) {
        if self.subscriptions.len() < MOST_SUBSCRIPTIONS
            && let Ok(id) = ResourceId::of_subscription(text.trim())
        {
            let subscription = id.subscription().to_ascii_lowercase();
            self.subscriptions.insert(subscription);
        }
    }

    pub(super) fn finish(mut self) -> Candidates {
        if self.unusable > 0 {
            let text = format!("targets that are no ARM ids: {}", self.unusable);
            self.notes.push(text);
        }
        if let Some(cluster) = self.chosen {
            return Candidates {
                clusters: vec![cluster],
                notes: self.notes,
                ..Candidates::default()
            };
        }
        if !self.clusters.kept.is_empty() {
            return Candidates {
                left_out: self.clusters.left_out(),
                clusters: self.clusters.kept,
                notes: self.notes,
                ..Candidates::default()
            };
        }
        for (left_out, what) in [
            (self.resources.left_out(), "resources"),
            (self.names.left_out(), "names"),
        ] {
            if left_out > 0 {
                let text = format!("{left_out} more {what} that it names were not searched for");
                self.notes.push(text);
            }
        }
        Candidates {
            resources: self.resources.kept,
            names: self.names.kept,
            subscriptions: self.subscriptions,
            notes: self.notes,
            ..Candidates::default()
        }
    }
}

/// The first few of many, each once.
struct Few<T> {
    kept: Vec<T>,
    seen: BTreeSet<T>,
}

impl<T> Default for Few<T> {
    fn default() -> Self {
        Self {
            kept: Vec::new(),
            seen: BTreeSet::new(),
        }
    }
}

impl<T: Ord + Clone> Few<T> {
    fn add(&mut self, one: T, most: usize) {
        if self.seen.insert(one.clone()) && self.kept.len() < most {
            self.kept.push(one);
        }
    }

    fn left_out(&self) -> usize {
        self.seen.len().saturating_sub(self.kept.len())
    }
}

/// Stands for any subscription where only a group's name is checked.
const NOBODYS: &str = "00000000-0000-0000-0000-000000000000";

/// The resource that a text names: an id, cut where it goes on below a cluster or to another provider's part of a resource.
fn resource(text: &str) -> Option<ResourceId> {
    let text = text.trim().trim_end_matches('/');
    if text.len() > MAX_ID {
        return None;
    }
    // "", subscriptions, id, resourceGroups, name, providers, namespace, type, name.
    let segments: Vec<&str> = text.split('/').collect();
    let is = |at: usize, word: &str| {
        let segment = segments.get(at);
        segment.is_some_and(|segment| segment.eq_ignore_ascii_case(word))
    };
    let end = if is(6, "Microsoft.ContainerService") && is(7, "managedClusters") {
        9
    } else {
        let second = (6..segments.len()).find(|at| is(*at, "providers"));
        second.unwrap_or(segments.len())
    };
    let cut = segments.get(..end.min(segments.len()))?.join("/");
    ResourceId::parse(&cut).ok()
}

/// Ids as texts, parsed again when they are read.
mod ids {
    use egress_arm::ResourceId;
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(
        ids: &[ResourceId],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(ids.iter().map(ResourceId::as_str))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<ResourceId>, D::Error> {
        let texts = Vec::<String>::deserialize(deserializer)?;
        let ids = texts.iter().map(|text| ResourceId::parse(text));
        ids.collect::<Result<_, _>>().map_err(D::Error::custom)
    }
}
