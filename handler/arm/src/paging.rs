//! Lists: `{"value": […], "nextLink"?}` until there is no link.

use std::collections::HashSet;

use azure_core::http::Url;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::error::ArmError;
use crate::id::ResourceId;
use crate::operations::Operation;
use crate::session::Session;

/// More pages than any list of one cluster's surroundings has.
const MAX_PAGES: usize = 200;

/// A page. An empty `value` with a link is ordinary, and so is a link after which nothing comes; a page without `value`
/// is not.
#[derive(Deserialize)]
struct Page<T> {
    value: Vec<T>,
    #[serde(rename = "nextLink", alias = "nextlink", alias = "NextLink", default)]
    next_link: Option<String>,
}

/// All pages, starting from `first`. The link is followed verbatim: rebuilding it would lose its tokens.
pub(crate) async fn collect<T: DeserializeOwned>(
    session: &Session,
    operation: &Operation,
    id: &ResourceId,
    first: Url,
) -> Result<Vec<T>, ArmError> {
    let (all, more) = begin(session, operation, id, first, MAX_PAGES).await?;
    if more {
        return Err(ArmError::malformed(operation, "the list does not end"));
    }
    Ok(all)
}

/// The first pages, at most so many, and whether there are more.
pub(crate) async fn begin<T: DeserializeOwned>(
    session: &Session,
    operation: &Operation,
    id: &ResourceId,
    first: Url,
    pages: usize,
) -> Result<(Vec<T>, bool), ArmError> {
    let mut seen = HashSet::new();
    let mut all = Vec::new();
    let mut next = Some(first);
    while let Some(url) = next {
        if seen.len() >= pages {
            return Ok((all, true));
        }
        if !seen.insert(url.clone()) {
            return Err(ArmError::malformed(
                operation,
                "the list's links run in a circle",
            ));
        }
        let page: Page<T> = session.follow(operation, id, url).await?.read(operation)?;
        all.extend(page.value);
        next = match page.next_link.filter(|link| !link.is_empty()) {
            Some(link) => Some(checked(session, operation, &link)?),
            None => None,
        };
    }
    Ok((all, false))
}

fn checked(session: &Session, operation: &Operation, link: &str) -> Result<Url, ArmError> {
    let url = Url::parse(link)
        .map_err(|_| ArmError::malformed(operation, "nextLink is not an absolute URL"))?;
    if session.client().endpoints().is_arm(&url) {
        Ok(url)
    } else {
        Err(ArmError::malformed(
            operation,
            "nextLink points to another host and was not followed",
        ))
    }
}
