//! Strictly parsed ARM resource ids: nothing unvalidated reaches a URL.

mod checks;

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

use checks::{
    check_characters, check_group, check_name, check_namespace, check_subscription, check_type,
    segments, shown,
};

/// The id of a subscription, a resource group or a resource in one of them; or of the tenant ([`Self::tenant`]).
///
/// Parsed in any case; ARM's casing is kept, because ARM returns `resourcegroups` in one answer and `resourceGroups` in
/// the next. Equality, order and hash ignore ASCII case.
#[derive(Clone)]
pub struct ResourceId(Box<str>);

/// Why a text is not a resource id that may be asked for. `Display` says what is wrong with it and is safe to show.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IdError {
    /// Nothing there.
    #[error("the id is empty")]
    Empty,
    /// Longer than any id ARM hands out.
    #[error("the id is {0} bytes long; at most 2048 are accepted")]
    TooLong(usize),
    /// A character that never stands in an id, or that would change a URL's meaning.
    #[error("the id holds the character {} at position {position}", .character.escape_debug())]
    Character {
        /// The character.
        character: char,
        /// Its position, counted in characters from 1.
        position: usize,
    },
    /// Not `/subscriptions/…`.
    #[error("the id does not start with /subscriptions/")]
    NotAbsolute,
    /// `//` or a slash at the end.
    #[error("the id has an empty segment: two slashes in a row or one at the end")]
    EmptySegment,
    /// `.`, `..` or a segment of dots only.
    #[error("the id has a segment of dots only")]
    DotSegment,
    /// Not a GUID.
    #[error("the subscription {0:?} is not a GUID")]
    Subscription(String),
    /// Not a resource group name.
    #[error(
        "{0:?} is not a resource group name: 1 to 90 letters, digits or -_.() not ending in a dot"
    )]
    ResourceGroup(String),
    /// Not a provider namespace or type.
    #[error("{0:?} is not a resource provider or type")]
    Type(String),
    /// Not a resource name.
    #[error("{0:?} is not a resource name: 1 to 260 ASCII letters, digits or -_.()")]
    Name(String),
    /// Segments missing or in another order.
    #[error("the id is not of the form {}", FORM)]
    Structure,
    /// A well-formed id of another type.
    #[error("the id is a {found}, not a {expected}")]
    OtherType {
        /// The type asked for.
        expected: String,
        /// The type it is.
        found: String,
    },
}

const FORM: &str =
    "/subscriptions/{guid}/resourceGroups/{group}/providers/{namespace}/{type}/{name}";

impl ResourceId {
    /// Parses an id of any type.
    ///
    /// # Errors
    /// [`IdError`] says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, IdError> {
        check_characters(text)?;
        let mut segments = segments(text)?.into_iter();
        let (Some(first), Some(subscription)) = (segments.next(), segments.next()) else {
            return Err(IdError::Structure);
        };
        if !first.eq_ignore_ascii_case("subscriptions") {
            return Err(IdError::NotAbsolute);
        }
        check_subscription(subscription)?;
        let mut next = segments.next();
        if next.is_some_and(|s| s.eq_ignore_ascii_case("resourceGroups")) {
            check_group(segments.next().ok_or(IdError::Structure)?)?;
            next = segments.next();
        }
        match next {
            None => {}
            Some(s) if s.eq_ignore_ascii_case("providers") => {
                check_namespace(segments.next().ok_or(IdError::Structure)?)?;
                check_type(segments.next().ok_or(IdError::Structure)?)?;
                check_name(segments.next().ok_or(IdError::Structure)?)?;
                while let Some(child) = segments.next() {
                    // An extension resource (`…/providers/…` a second time) is asked for by an operation's suffix.
                    if child.eq_ignore_ascii_case("providers") {
                        return Err(IdError::Structure);
                    }
                    check_type(child)?;
                    check_name(segments.next().ok_or(IdError::Structure)?)?;
                }
            }
            Some(_) => return Err(IdError::Structure),
        }
        Ok(Self(text.into()))
    }

    /// Parses an id of one type, e.g. `Microsoft.ContainerService/managedClusters`.
    ///
    /// # Errors
    /// [`IdError::OtherType`] for a well-formed id of another type, else what is wrong with it.
    pub fn parse_type(text: &str, resource_type: &str) -> Result<Self, IdError> {
        let id = Self::parse(text)?;
        if id.is_type(resource_type) {
            Ok(id)
        } else {
            Err(IdError::OtherType {
                expected: resource_type.to_owned(),
                found: id.resource_type(),
            })
        }
    }

    /// What is asked of no subscription: the whole tenant, as far as the identity sees it. Its text is empty.
    pub fn tenant() -> Self {
        Self(Box::default())
    }

    /// The id of a subscription.
    ///
    /// # Errors
    /// [`IdError::Subscription`].
    pub fn of_subscription(subscription: &str) -> Result<Self, IdError> {
        check_subscription(subscription)?;
        Self::parse(&format!("/subscriptions/{subscription}"))
    }

    /// The id of a resource group.
    ///
    /// # Errors
    /// What is wrong with a part.
    pub fn of_group(subscription: &str, group: &str) -> Result<Self, IdError> {
        check_subscription(subscription)?;
        check_group(group)?;
        Self::parse(&format!(
            "/subscriptions/{subscription}/resourceGroups/{group}"
        ))
    }

    /// The id of a top-level resource in a group; `resource_type` such as `Microsoft.Network/natGateways`.
    ///
    /// # Errors
    /// What is wrong with a part.
    pub fn in_group(
        subscription: &str,
        group: &str,
        resource_type: &str,
        name: &str,
    ) -> Result<Self, IdError> {
        check_subscription(subscription)?;
        check_group(group)?;
        check_name(name)?;
        let (namespace, kind) = resource_type
            .split_once('/')
            .ok_or_else(|| IdError::Type(shown(resource_type)))?;
        check_namespace(namespace)?;
        check_type(kind)?;
        Self::parse(&format!(
            "/subscriptions/{subscription}/resourceGroups/{group}/providers/{resource_type}/{name}"
        ))
    }

    /// The id of a child resource: a subnet of this virtual network.
    ///
    /// # Errors
    /// What is wrong with a part; [`IdError::Structure`] when this is not a resource.
    pub fn child(&self, kind: &str, name: &str) -> Result<Self, IdError> {
        check_type(kind)?;
        check_name(name)?;
        if self.type_segments().next().is_none() {
            return Err(IdError::Structure);
        }
        Self::parse(&format!("{}/{kind}/{name}", self.0))
    }

    /// The id as ARM wrote it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The subscription's GUID.
    pub fn subscription(&self) -> &str {
        self.segments().nth(1).unwrap_or_default()
    }

    /// The resource group's name; `None` for what is not in a group.
    pub fn resource_group(&self) -> Option<&str> {
        let mut rest = self.segments().skip(2);
        rest.next()
            .filter(|s| s.eq_ignore_ascii_case("resourceGroups"))?;
        rest.next()
    }

    /// The id of the resource group this is in, or is.
    pub fn group(&self) -> Option<Self> {
        self.resource_group()?;
        let end = self.0.match_indices('/').nth(4).map(|(at, _)| at);
        let text = end.and_then(|at| self.0.get(..at)).unwrap_or(&self.0);
        Some(Self(text.into()))
    }

    /// The full type as written, e.g. `Microsoft.Network/virtualNetworks/subnets`.
    pub fn resource_type(&self) -> String {
        if self.0.is_empty() {
            return "Microsoft.Resources/tenants".to_owned();
        }
        let full: Vec<&str> = self.type_segments().collect();
        if full.is_empty() {
            let last = self
                .segments()
                .nth(2)
                .map_or("subscriptions", |_| "resourceGroups");
            return format!("Microsoft.Resources/{last}");
        }
        full.join("/")
    }

    /// Whether this is of the type, compared without case.
    pub fn is_type(&self, resource_type: &str) -> bool {
        self.resource_type().eq_ignore_ascii_case(resource_type)
    }

    /// The resource's own name: the last segment.
    pub fn name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or_default()
    }

    /// The parent resource: a subnet's virtual network. `None` for a top-level resource, a group or a subscription.
    pub fn parent(&self) -> Option<Self> {
        // Namespace, type, child type: the third makes it a child.
        self.type_segments().nth(2)?;
        let (rest, _name) = self.0.rsplit_once('/')?;
        let (parent, _kind) = rest.rsplit_once('/')?;
        Some(Self(parent.into()))
    }

    fn segments(&self) -> impl Iterator<Item = &str> {
        self.0.split('/').skip(1)
    }

    /// Namespace, type and child types; nothing for a group or a subscription.
    fn type_segments(&self) -> impl Iterator<Item = &str> {
        let before = if self.resource_group().is_some() {
            4
        } else {
            2
        };
        let mut rest = self.segments().skip(before + 1);
        let namespace = rest.next();
        namespace.into_iter().chain(rest.step_by(2))
    }

    fn folded(&self) -> impl Iterator<Item = u8> + '_ {
        self.0.bytes().map(|b| b.to_ascii_lowercase())
    }
}

impl FromStr for ResourceId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        Self::parse(text)
    }
}

impl PartialEq for ResourceId {
    fn eq(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

impl Eq for ResourceId {}

impl PartialOrd for ResourceId {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for ResourceId {
    fn cmp(&self, other: &Self) -> Ordering {
        self.folded().cmp(other.folded())
    }
}

impl Hash for ResourceId {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.folded().for_each(|b| state.write_u8(b));
        state.write_u8(0xff);
    }
}

impl fmt::Display for ResourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ResourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests;
