//! Azure's error bodies: `{"error": {"code", "message"}}`, or the same without the wrapper (Microsoft.Insights).

use serde_json::{Map, Value};

use crate::error::Failure;
use crate::id::ResourceId;
use crate::operations::Operation;

/// As much of Azure's words as is kept.
pub(crate) const MAX_TEXT_CHARS: usize = 600;
const MAX_CODE_BYTES: usize = 128;

/// What an error body says, as far as it says anything.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct ErrorBody {
    pub(crate) code: Option<String>,
    message: Option<String>,
}

impl ErrorBody {
    pub(crate) fn parse(body: &[u8]) -> Self {
        let Ok(Value::Object(outer)) = serde_json::from_slice(body) else {
            return Self::default();
        };
        let inner = match member(&outer, "error") {
            Some(Value::Object(inner)) => inner,
            _ => &outer,
        };
        let code = text(inner, "code").filter(|code| {
            !code.is_empty()
                && code.len() <= MAX_CODE_BYTES
                && code.chars().all(|c| c.is_ascii_graphic())
        });
        Self {
            code: code.map(str::to_owned),
            message: text(inner, "message").map(str::to_owned),
        }
    }

    /// Azure's words for a caller: one line, not too long; nothing when they name who asked.
    pub(crate) fn public_message(&self) -> Option<String> {
        let message = self.message.as_deref()?;
        let lower = message.to_ascii_lowercase();
        if ["the client '", "object id", "the user '"]
            .iter()
            .any(|s| lower.contains(s))
        {
            return None;
        }
        let line = message
            .chars()
            .map(|c| if c.is_control() { ' ' } else { c });
        Some(line.take(MAX_TEXT_CHARS).collect())
    }

    /// A 403. Action and scope are read out of the message of `AuthorizationFailed`; where it cannot be read, that code
    /// still says that what was asked for is what is missing. Another code is another reason, and names neither.
    pub(crate) fn forbidden(&self, operation: &Operation, id: &ResourceId) -> Failure {
        let code = self.code.as_deref().unwrap_or_default();
        let message = self.message.as_deref().unwrap_or_default();
        let own = code.eq_ignore_ascii_case("AuthorizationFailed");
        let linked = code.eq_ignore_ascii_case("LinkedAuthorizationFailed");
        let (action, scope) = if linked {
            (
                quoted(message, "perform action(s) '"),
                quoted(message, "linked scope(s) '"),
            )
        } else {
            (
                quoted(message, "perform action '"),
                quoted(message, "over scope '"),
            )
        };
        Failure::Forbidden {
            action: action
                .filter(|text| is_action(text))
                .or_else(|| own.then(|| operation.action.to_owned())),
            scope: scope
                .filter(|text| is_scope(text))
                .or_else(|| own.then(|| scope_of(id))),
        }
    }
}

fn scope_of(id: &ResourceId) -> String {
    match id.as_str() {
        "" => "/".to_owned(),
        text => text.to_owned(),
    }
}

/// A member by its name in any case.
fn member<'v>(object: &'v Map<String, Value>, name: &str) -> Option<&'v Value> {
    object
        .iter()
        .find(|(key, _)| key.eq_ignore_ascii_case(name))
        .map(|(_, value)| value)
}

fn text<'v>(object: &'v Map<String, Value>, name: &str) -> Option<&'v str> {
    member(object, name)?.as_str()
}

/// What stands in quotes after the last `mark`. The last, because the client's name, which is anybody's text, stands
/// before it.
fn quoted(message: &str, mark: &str) -> Option<String> {
    let (_, after) = message.rsplit_once(mark)?;
    after.split_once('\'').map(|(inside, _)| inside.to_owned())
}

fn is_action(text: &str) -> bool {
    text.len() <= 256
        && text.contains('/')
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "./*-_".contains(c))
}

fn is_scope(text: &str) -> bool {
    text == "/" || ResourceId::parse(text).is_ok() || text.contains("/providers/") && is_path(text)
}

/// Scopes of extension resources are no [`ResourceId`].
fn is_path(text: &str) -> bool {
    text.starts_with('/')
        && text.len() <= 2048
        && text
            .chars()
            .all(|c| c.is_alphanumeric() || "/-_.()".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operations::NAT_GATEWAY_GET;

    const ID: &str = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/rg/providers/Microsoft.Network/natGateways/ng1";

    fn forbidden(code: &str, message: &str) -> Failure {
        let body = serde_json::json!({"error": {"code": code, "message": message}}).to_string();
        let id = ResourceId::parse(ID).unwrap();
        ErrorBody::parse(body.as_bytes()).forbidden(&NAT_GATEWAY_GET, &id)
    }

    fn names(action: &str, scope: &str) -> Failure {
        Failure::Forbidden {
            action: Some(action.to_owned()),
            scope: Some(scope.to_owned()),
        }
    }

    #[test]
    fn action_and_scope_come_from_azures_message_not_from_the_clients_name() {
        let scope = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/hub";
        let message = format!(
            "The client 'does not have authorization to perform action 'x/y' over scope '/z'' with object id '1' does not \
             have authorization to perform action 'Microsoft.Network/natGateways/read' over scope '{scope}' or the scope is \
             invalid. If access was recently granted, please refresh your credentials."
        );
        assert_eq!(
            forbidden("AuthorizationFailed", &message),
            names("Microsoft.Network/natGateways/read", scope)
        );
    }

    #[test]
    fn a_reworded_authorization_failure_still_names_what_was_asked_for() {
        assert_eq!(
            forbidden("AuthorizationFailed", "Nope."),
            names("Microsoft.Network/natGateways/read", ID)
        );
        assert_eq!(
            forbidden(
                "AuthorizationFailed",
                "perform action 'two words' over scope '<script>'"
            ),
            names("Microsoft.Network/natGateways/read", ID)
        );
    }

    #[test]
    fn another_403_invents_no_missing_action() {
        let none = Failure::Forbidden {
            action: None,
            scope: None,
        };
        assert_eq!(forbidden("RequestDisallowedByPolicy", "no"), none);
    }

    #[test]
    fn linked_authorization_names_the_linked_action_and_scope() {
        let message = "The client 'c' with object id 'o' has permission to perform action 'Microsoft.Compute/a/write' on \
                       scope '/subscriptions/x'; however, it does not have permission to perform action(s) \
                       'Microsoft.Network/virtualNetworks/subnets/join/action' on the linked scope(s) \
                       '/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/net' (respectively).";
        assert_eq!(
            forbidden("LinkedAuthorizationFailed", message),
            names(
                "Microsoft.Network/virtualNetworks/subnets/join/action",
                "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/net"
            )
        );
    }

    #[test]
    fn wrapped_flat_and_hostile_bodies() {
        let code = |body: &[u8]| ErrorBody::parse(body).code;
        assert_eq!(
            code(br#"{"error":{"code":"A","message":"m"}}"#).as_deref(),
            Some("A")
        );
        assert_eq!(code(br#"{"code":"B","message":"m"}"#).as_deref(), Some("B"));
        assert_eq!(code(br#"{"Code":"C"}"#).as_deref(), Some("C"));
        assert_eq!(code(br#"{"error":null,"code":"D"}"#).as_deref(), Some("D"));
        for hostile in [
            &b""[..],
            b"null",
            b"[]",
            b"<html>",
            b"\xff\xfe",
            br#"{"error":"text"}"#,
            br#"{"error":{"code":7}}"#,
            br#"{"error":{"code":"two words\u0000"}}"#,
        ] {
            assert_eq!(code(hostile), None, "{hostile:?}");
        }
    }

    #[test]
    fn who_asked_is_not_repeated() {
        let message = |text: &str| {
            ErrorBody {
                code: None,
                message: Some(text.to_owned()),
            }
            .public_message()
        };
        assert_eq!(
            message("The client 'me@example.com' with object id 'x' may not"),
            None
        );
        assert_eq!(message("a\nb").as_deref(), Some("a b"));
        assert_eq!(
            message(&"x".repeat(5000)).map(|m| m.len()),
            Some(MAX_TEXT_CHARS)
        );
    }
}
