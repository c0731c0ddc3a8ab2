//! Ids of diagnoses that are made later: hard to guess, and known again without asking anybody.
//!
//! An id is the second it was issued, 16 bytes nobody can guess, and a short signature over both, in hexadecimal. The
//! signature tells an id that was handed out and has no result yet from one that never was.

use std::fmt;

use jiff::{SignedDuration, Timestamp};
use ring::digest::{SHA256, digest};
use ring::hmac;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::cluster_id::ClusterId;

/// Hexadecimal digits of the three parts.
const TIME: usize = 8;
const BODY: usize = 32;
const SIGNATURE: usize = 16;
const LENGTH: usize = TIME + BODY + SIGNATURE;

/// How long the host keeps a message in a queue. After that nothing is going to answer.
const LONGEST_WAIT: SignedDuration = SignedDuration::from_hours(7 * 24);

/// Signs ids where no key is configured: an id without a result could then be made up, but no result be found by it.
const NO_KEY: &str = "EGRESS_ID_KEY is not set";

/// The id of one diagnosis, or of what an alert led to.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct JobId(String);

impl JobId {
    /// `None` for anything that no [`Ids`] could have issued.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let is_digit = |b: u8| matches!(b, b'0'..=b'9' | b'a'..=b'f');
        (text.len() == LENGTH && text.bytes().all(is_digit)).then(|| Self(text.to_owned()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// When it was issued; `None` where that was not known.
    pub(crate) fn issued(&self) -> Option<Timestamp> {
        let seconds = i64::from_str_radix(self.0.get(..TIME)?, 16).ok()?;
        (seconds != 0)
            .then(|| Timestamp::from_second(seconds).ok())
            .flatten()
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for JobId {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text).ok_or("not an id of a diagnosis")
    }
}

impl From<JobId> for String {
    fn from(id: JobId) -> Self {
        id.0
    }
}

/// Issues ids, and knows them again.
#[derive(Debug, Clone)]
pub(crate) struct Ids(hmac::Key);

impl Ids {
    /// All instances of an app must share the key.
    pub(crate) fn new(key: Option<&str>) -> Self {
        let key = key.unwrap_or(NO_KEY);
        Self(hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes()))
    }

    /// A new id.
    pub(crate) fn issue(&self, now: Timestamp) -> JobId {
        self.signed(now, &hex(Uuid::new_v4().as_bytes()))
    }

    /// The id that always belongs to these words, so that whatever comes twice is known again. `since` belongs to it too.
    pub(crate) fn derived(&self, since: Timestamp, words: &[&str]) -> JobId {
        let mut context = hmac::Context::with_key(&self.0);
        for word in words {
            // With its length, or ("ab", "c") would be ("a", "bc").
            context.update(&word.len().to_be_bytes());
            context.update(word.as_bytes());
        }
        let mut body = hex(context.sign().as_ref());
        body.truncate(BODY);
        self.signed(since, &body)
    }

    /// Whether an id without a result was handed out, and may still get one.
    pub(crate) fn may_be_pending(&self, id: &JobId, now: Timestamp) -> bool {
        let Some((words, signature)) = id.0.split_at_checked(TIME + BODY) else {
            return false;
        };
        let is_young = id
            .issued()
            .is_none_or(|issued| now.duration_since(issued) < LONGEST_WAIT);
        is_young && self.signature(words) == signature
    }

    fn signed(&self, at: Timestamp, body: &str) -> JobId {
        // Enough until 2106; outside of that the time counts as not known.
        let seconds = u32::try_from(at.as_second()).unwrap_or(0);
        let words = format!("{seconds:08x}{body}");
        let signature = self.signature(&words);
        JobId(words + &signature)
    }

    fn signature(&self, words: &str) -> String {
        let mut signature = hex(hmac::sign(&self.0, words.as_bytes()).as_ref());
        signature.truncate(SIGNATURE);
        signature
    }
}

/// The name under which what is stored of a cluster is found: the same for every spelling of its id.
pub(crate) fn cluster_key(cluster: &ClusterId) -> String {
    let id = cluster.as_str().to_ascii_lowercase();
    let mut key = hex(digest(&SHA256, id.as_bytes()).as_ref());
    key.truncate(BODY);
    key
}

/// Bytes as lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).unwrap_or('0');
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.map(digit).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster_id;
    use crate::testing::CLUSTER;

    fn now() -> Timestamp {
        "2026-08-20T10:05:00Z".parse().unwrap()
    }

    #[test]
    fn an_issued_id_is_known_again_and_a_made_up_one_is_not() {
        let ids = Ids::new(Some("key"));
        let id = ids.issue(now());
        assert_eq!(JobId::parse(id.as_str()), Some(id.clone()));
        assert!(ids.may_be_pending(&id, now()));
        assert!(!Ids::new(Some("other")).may_be_pending(&id, now()));
        assert!(!Ids::new(None).may_be_pending(&id, now()));
        assert_ne!(ids.issue(now()), id);
        let mut changed = id.as_str().to_owned();
        let last = if changed.ends_with('0') { "1" } else { "0" };
        changed.replace_range(LENGTH - 1.., last);
        assert!(!ids.may_be_pending(&JobId::parse(&changed).unwrap(), now()));
    }

    #[test]
    fn an_id_waits_no_longer_than_a_message_lives() {
        let ids = Ids::new(None);
        let id = ids.issue(now());
        let later = |hours| now() + SignedDuration::from_hours(hours);
        assert!(ids.may_be_pending(&id, later(7 * 24 - 1)));
        assert!(!ids.may_be_pending(&id, later(7 * 24)));
        let timeless = ids.derived(Timestamp::UNIX_EPOCH, &["alert"]);
        assert!(ids.may_be_pending(&timeless, later(7 * 24)));
    }

    #[test]
    fn the_same_words_give_the_same_id_and_others_another() {
        let ids = Ids::new(Some("key"));
        let of = |words: &[&str]| ids.derived(now(), words);
        assert_eq!(of(&["alert", "Fired"]), of(&["alert", "Fired"]));
        assert_ne!(of(&["alert", "Fired"]), of(&["alert", "Resolved"]));
        assert_ne!(of(&["ab", "c"]), of(&["a", "bc"]));
        let other = Ids::new(Some("other")).derived(now(), &["alert", "Fired"]);
        assert_ne!(of(&["alert", "Fired"]), other);
    }

    #[test]
    fn only_plain_lower_case_hexadecimal_of_the_right_length_is_an_id() {
        let id = Ids::new(None).issue(now());
        for wrong in [
            "",
            "../secrets",
            &id.as_str().to_uppercase(),
            &format!("{id}0"),
            &id.as_str().chars().skip(1).collect::<String>(),
            &format!("/{id}").chars().take(LENGTH).collect::<String>(),
        ] {
            assert_eq!(JobId::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_cluster_has_one_key_however_its_id_is_spelt() {
        let key = |id: &str| cluster_key(&cluster_id::parse(id).unwrap());
        assert_eq!(key(CLUSTER), key(&CLUSTER.to_uppercase()));
        assert_ne!(key(CLUSTER), key(&format!("{CLUSTER}2")));
        assert_eq!(key(CLUSTER).len(), BODY);
    }
}
