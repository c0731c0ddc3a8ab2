//! How an answer, or the lack of one, becomes a [`Datum`].

use std::collections::BTreeMap;
use std::convert::Infallible;

use egress_arm::model::Resource;
use egress_arm::read::Field;
use egress_arm::{ArmError, Failure, Operation, ResourceId};
use egress_diagnosis::facts::{Cause, Datum, Id};

use crate::convert;

/// The one place where a failed read becomes a datum.
pub(crate) fn datum_of<T>(
    error: &ArmError,
    operation: &'static Operation,
    asked: &ResourceId,
) -> Datum<T> {
    match of_failure(error.failure(), operation, asked) {
        Datum::Failed { cause, .. } => Datum::Failed {
            cause,
            http_status: error.http_status(),
            error_code: error.error_code().map(str::to_owned),
        },
        other => other,
    }
}

/// Azure's own words name the missing permission; where they do not, the operation and what it was asked of do.
fn of_failure<T>(failure: &Failure, operation: &'static Operation, asked: &ResourceId) -> Datum<T> {
    let denied = |action: Option<&str>, scope: Option<&str>| Datum::Denied {
        action: Some(action.unwrap_or(operation.action).to_owned()),
        scope: Some(scope.unwrap_or(asked.as_str()).to_owned()),
    };
    let cause = match failure {
        Failure::Forbidden { action, scope } => {
            return denied(action.as_deref(), scope.as_deref());
        }
        Failure::NotFound { code } => match code.as_deref() {
            // This api-version, or this cloud, has no such type: that says nothing about the resource.
            Some(
                "InvalidResourceType"
                | "InvalidResourceNamespace"
                | "NoRegisteredProviderFound"
                | "InvalidApiVersionParameter",
            ) => Cause::Unsupported,
            // Something refers into this subscription, so it exists: the identity does not see it.
            Some("SubscriptionNotFound") => {
                let subscription = format!("/subscriptions/{}", asked.subscription());
                return denied(None, Some(&subscription));
            }
            _ => return Datum::Absent,
        },
        Failure::Throttled { .. } => Cause::Throttled,
        Failure::TimedOut => Cause::TimedOut,
        Failure::Unreachable | Failure::IdentityFailed => Cause::Unreachable,
        Failure::Other { status, .. } if *status >= 500 => Cause::Unreachable,
        Failure::BadRequest { .. } | Failure::Other { .. } => Cause::Unsupported,
        // `Malformed`, and what later versions of the client may add.
        _ => Cause::Malformed,
    };
    failed(cause)
}

/// An answer that is not what the API documents.
pub(crate) fn malformed<T>() -> Datum<T> {
    failed(Cause::Malformed)
}

/// No answer before the deadline.
pub(crate) fn timed_out<T>() -> Datum<T> {
    failed(Cause::TimedOut)
}

fn failed<T>(cause: Cause) -> Datum<T> {
    Datum::Failed {
        cause,
        http_status: None,
        error_code: None,
    }
}

/// The outcome of something that depends on `other`, which is not known.
pub(crate) fn unknown<T, U>(other: &Datum<T>) -> Datum<U> {
    match missing(other) {
        Some(missing) => missing.map(|never| match never {}),
        None => malformed(),
    }
}

/// Why `datum` is not known; `None` when it is.
fn missing<T>(datum: &Datum<T>) -> Option<Datum<Infallible>> {
    match datum.status() {
        Datum::Known(()) => None,
        Datum::Absent => Some(Datum::Absent),
        Datum::Denied { action, scope } => Some(Datum::Denied { action, scope }),
        Datum::Failed {
            cause,
            http_status,
            error_code,
        } => Some(Datum::Failed {
            cause,
            http_status,
            error_code,
        }),
        Datum::NotAsked { why } => Some(Datum::NotAsked { why }),
    }
}

/// A converted answer; malformed when the conversion could not use it.
pub(crate) fn converted<T, U>(answer: Datum<T>, convert: impl FnOnce(&T) -> Option<U>) -> Datum<U> {
    match answer {
        Datum::Known(answer) => convert(&answer).map_or_else(malformed, Datum::Known),
        other => unknown(&other),
    }
}

/// A converted list; malformed when one of its items could not be used.
pub(crate) fn converted_list<T, U>(
    answer: Datum<Vec<Field<T>>>,
    mut convert: impl FnMut(&T) -> Option<U>,
) -> Datum<Vec<U>> {
    converted(answer, |items| {
        items
            .iter()
            .map(|item| item.as_ref().and_then(&mut convert))
            .collect()
    })
}

/// A list of resources to look ids up in: what it does not hold is absent only when the whole list was read.
#[derive(Debug, Clone)]
pub(crate) struct Listing<T> {
    /// The resources that were listed.
    pub(crate) items: BTreeMap<Id, Datum<T>>,
    rest: Datum<Infallible>,
}

impl<T: Clone> Listing<T> {
    /// From a list answer.
    pub(crate) fn new<P>(
        answer: Datum<Vec<Field<Resource<P>>>>,
        convert: impl Fn(&Resource<P>) -> Option<T>,
    ) -> Self {
        match answer {
            Datum::Known(items) => {
                Self::of_items(items.iter().map(|item| item.as_ref()), false, convert)
            }
            other => Self::unread(&other),
        }
    }

    /// From resources, some of which may have been unreadable.
    pub(crate) fn of_items<'a, P: 'a>(
        resources: impl IntoIterator<Item = Option<&'a Resource<P>>>,
        damaged: bool,
        convert: impl Fn(&Resource<P>) -> Option<T>,
    ) -> Self {
        let mut listing = Self {
            items: BTreeMap::new(),
            rest: if damaged { malformed() } else { Datum::Absent },
        };
        for resource in resources {
            match resource.and_then(|r| convert::id(&r.id).map(|id| (id, r))) {
                Some((id, resource)) => {
                    let item = convert(resource).map_or_else(malformed, Datum::Known);
                    listing.items.insert(id, item);
                }
                // Something was listed that cannot be named.
                None => listing.rest = malformed(),
            }
        }
        listing
    }

    /// For a list that was not read, and why.
    pub(crate) fn unread<U>(why: &Datum<U>) -> Self {
        Self {
            items: BTreeMap::new(),
            rest: unknown(why),
        }
    }

    /// What the list says about everything that it does not hold.
    pub(crate) fn rest<U>(&self) -> Datum<U> {
        unknown(&self.rest)
    }

    /// What the list says about `id`.
    pub(crate) fn of(&self, id: &Id) -> Datum<T> {
        match self.items.get(id) {
            Some(item) => item.clone(),
            None => unknown(&self.rest),
        }
    }
}

#[cfg(test)]
mod tests {
    use egress_arm::model::PublicIpAddress;
    use egress_arm::operations::NAT_GATEWAY_GET;
    use egress_diagnosis::facts::PublicIp;

    use super::*;

    fn listing(body: &str) -> Listing<PublicIp> {
        let items: Vec<Field<PublicIpAddress>> = serde_json::from_str(body).unwrap();
        Listing::new(Datum::Known(items), convert::public_ip)
    }

    const ONE: &str = r#"{"id":"/IP/a","properties":{"ipAddress":"20.0.0.1"}}"#;

    #[test]
    fn what_a_whole_list_does_not_hold_is_absent() {
        let listing = listing(&format!("[{ONE}]"));
        let known = listing.of(&Id::new("/ip/A"));
        assert_eq!(
            known.as_known().unwrap().address.as_deref(),
            Some("20.0.0.1")
        );
        assert_eq!(listing.of(&Id::new("/ip/b")), Datum::Absent);
    }

    #[test]
    fn what_a_damaged_list_does_not_hold_is_not_absent() {
        for broken in ["null", "[]", "{}"] {
            let listing = listing(&format!("[{ONE},{broken}]"));
            assert!(listing.of(&Id::new("/ip/a")).as_known().is_some());
            assert_eq!(listing.of(&Id::new("/ip/b")), malformed(), "{broken}");
        }
        // The unusable item is known by its id, so that the rest is still absent.
        let listing = listing(r#"[{"id":"/ip/c"}]"#);
        assert_eq!(listing.of(&Id::new("/ip/c")), malformed());
        assert_eq!(listing.of(&Id::new("/ip/b")), Datum::Absent);
    }

    #[test]
    fn an_unread_list_says_why() {
        let denied: Datum<Vec<Field<PublicIpAddress>>> = Datum::Denied {
            action: Some("a".to_owned()),
            scope: None,
        };
        assert_eq!(
            Listing::new(denied, convert::public_ip).of(&Id::new("/ip/a")),
            Datum::Denied {
                action: Some("a".to_owned()),
                scope: None
            }
        );
    }

    const GATEWAY: &str = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/rg/providers/Microsoft.Network/natGateways/ng";

    fn of(failure: &Failure) -> Datum<()> {
        of_failure(
            failure,
            &NAT_GATEWAY_GET,
            &ResourceId::parse(GATEWAY).unwrap(),
        )
    }

    fn not_found(code: &str) -> Failure {
        Failure::NotFound {
            code: Some(code.to_owned()),
        }
    }

    #[test]
    fn a_missing_permission_is_named_by_azure_or_by_the_operation() {
        let said = Failure::Forbidden {
            action: Some("Microsoft.Network/x/read".to_owned()),
            scope: Some("/subscriptions/s".to_owned()),
        };
        assert_eq!(
            of(&said),
            Datum::Denied {
                action: Some("Microsoft.Network/x/read".to_owned()),
                scope: Some("/subscriptions/s".to_owned())
            }
        );
        let silent = Failure::Forbidden {
            action: None,
            scope: None,
        };
        assert_eq!(
            of(&silent),
            Datum::Denied {
                action: Some("Microsoft.Network/natGateways/read".to_owned()),
                scope: Some(GATEWAY.to_owned())
            }
        );
    }

    #[test]
    fn only_a_resource_that_is_not_there_is_absent() {
        for code in ["ResourceNotFound", "ResourceGroupNotFound", "NotFound"] {
            assert_eq!(of(&not_found(code)), Datum::Absent, "{code}");
        }
        assert_eq!(of(&Failure::NotFound { code: None }), Datum::Absent);
        for code in [
            "InvalidResourceType",
            "NoRegisteredProviderFound",
            "InvalidApiVersionParameter",
        ] {
            assert_eq!(
                of(&not_found(code)),
                failed(Cause::Unsupported),
                "{code}: the api-version has no such type"
            );
        }
        let Datum::Denied { scope, .. } = of(&not_found("SubscriptionNotFound")) else {
            panic!("a subscription that something refers into exists")
        };
        assert_eq!(
            scope.as_deref(),
            Some("/subscriptions/00000000-0000-0000-0000-000000000001")
        );
    }

    #[test]
    fn each_failure_has_its_cause() {
        let bad_request = Failure::BadRequest {
            code: None,
            message: None,
        };
        let other = |status| Failure::Other { status, code: None };
        for (failure, cause) in [
            (Failure::Throttled { retry_after: None }, Cause::Throttled),
            (Failure::TimedOut, Cause::TimedOut),
            (Failure::Malformed, Cause::Malformed),
            (Failure::Unreachable, Cause::Unreachable),
            (Failure::IdentityFailed, Cause::Unreachable),
            (bad_request, Cause::Unsupported),
            (other(503), Cause::Unreachable),
            (other(409), Cause::Unsupported),
        ] {
            assert_eq!(of(&failure), failed(cause), "{failure:?}");
        }
    }
}
