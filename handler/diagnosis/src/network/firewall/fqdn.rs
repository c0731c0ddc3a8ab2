//! Finds the application rules that may cover a host without looking at every rule.

use std::collections::{BTreeMap, BTreeSet};

use super::Host;
use super::hosts::{Cover, Pattern};
use crate::network::Doubt;
use crate::order::Order as _;

/// A rule that covers a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Hit<'i> {
    /// The application rule's place.
    pub(super) rule: usize,
    /// Why it is not certain; `None`: certain.
    pub(super) doubt: Option<Doubt>,
    /// The FQDN tag it rests on.
    pub(super) tag: Option<&'i str>,
}

/// What a host pattern of a rule comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    /// A target FQDN.
    Fqdn,
    /// A host of this FQDN tag.
    FqdnTag(String),
    /// The host of this target URL; `whole` when the URL leaves the path free.
    Url { whole: bool, text: String },
}

#[derive(Debug, Clone)]
struct Entry {
    rule: usize,
    pattern: Pattern,
    kind: Kind,
}

/// Host patterns of every application rule, by reversed text, so that a suffix of a host is a prefix of its key.
#[derive(Debug, Clone, Default)]
pub(super) struct FqdnIndex {
    entries: BTreeMap<String, Vec<Entry>>,
    /// Rules that may cover any host.
    anywhere: Vec<(usize, Doubt)>,
    tags: BTreeSet<String>,
}

impl FqdnIndex {
    pub(super) fn add(&mut self, rule: usize, pattern: Pattern, kind: Kind) {
        if let Kind::FqdnTag(tag) = &kind {
            self.tags.insert(tag.clone());
        }
        self.entries
            .entry(reversed(pattern.text()))
            .or_default()
            .push(Entry {
                rule,
                pattern,
                kind,
            });
    }

    /// A rule that may cover any host.
    pub(super) fn add_anywhere(&mut self, rule: usize, doubt: Doubt) {
        self.anywhere.push((rule, doubt));
    }

    /// The FQDN tags whose listed hosts are in the index.
    pub(super) fn tags(&self) -> impl Iterator<Item = &str> {
        self.tags.iter().map(String::as_str)
    }

    /// Every rule that covers the host, certainly or possibly, in order of processing. A rule that covers it in
    /// several ways is there once, by the most certain. `path_visible` tells whether the firewall sees the path of a
    /// request to the rule (R5.12).
    pub(super) fn hits(&self, host: &Host, path_visible: impl Fn(usize) -> bool) -> Vec<Hit<'_>> {
        let mut hits: Vec<Hit<'_>> = self
            .anywhere
            .iter()
            .map(|(rule, doubt)| Hit {
                rule: *rule,
                doubt: Some(doubt.clone()),
                tag: None,
            })
            .collect();
        let text = match host {
            Host::Name(text) | Host::Below(text) => text,
        };
        let key = reversed(text);
        let ends = key.char_indices().map(|(end, _)| end).chain([key.len()]);
        let wider = ends
            .filter_map(|end| key.get(..end))
            .filter_map(|prefix| self.entries.get(prefix));
        let narrower = matches!(host, Host::Below(_))
            .then(|| {
                self.entries
                    .range(key.clone()..)
                    .take_while(|(other, _)| other.starts_with(&key))
                    .map(|(_, entries)| entries)
            })
            .into_iter()
            .flatten();
        for entry in wider.chain(narrower).flatten() {
            let visible = path_visible(entry.rule);
            let doubt = match (entry.pattern.covers(host), &entry.kind) {
                (Cover::None, _) => continue,
                (Cover::Part, _) => Some(Doubt::HostsPartlyCovered(entry.pattern.to_string())),
                (Cover::All, Kind::Url { whole, text }) if !(*whole && visible) => {
                    Some(Doubt::Url(text.clone()))
                }
                (Cover::All, _) => None,
            };
            let tag = match &entry.kind {
                Kind::FqdnTag(tag) => Some(tag.as_str()),
                Kind::Fqdn | Kind::Url { .. } => None,
            };
            hits.push(Hit {
                rule: entry.rule,
                doubt,
                tag,
            });
        }
        hits.order_by_key(|hit| (hit.rule, hit.doubt.is_some(), hit.tag.is_some()));
        hits.dedup_by_key(|hit| hit.rule);
        hits
    }
}

fn reversed(text: &str) -> String {
    text.chars().rev().collect()
}
