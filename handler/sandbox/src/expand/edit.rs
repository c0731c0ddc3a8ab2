//! Changes to bodies that the scenario format has no words for: a field that is missing, null or of a newer version.

use serde_json::Value;

use super::Resource;
use crate::{Error, scenario::Edit};

/// Changes every resource that the edit names; one that changes nothing is an error of the file.
pub(super) fn apply(file: &str, edit: &Edit, resources: &mut [Resource]) -> Result<(), Error> {
    let wrong = |message: String| Error::Scenario {
        file: file.to_owned(),
        message,
    };
    let end = format!("/{}", edit.resource.to_ascii_lowercase());
    let mut found = false;
    for resource in resources
        .iter_mut()
        .filter(|resource| resource.id.to_ascii_lowercase().ends_with(&end))
    {
        found = true;
        for pointer in &edit.remove {
            if remove(&mut resource.body, pointer).is_none() {
                return Err(wrong(format!("{} has no `{pointer}`", resource.id)));
            }
        }
        for (pointer, value) in &edit.set {
            if put(&mut resource.body, pointer, value.clone()).is_none() {
                return Err(wrong(format!(
                    "{} has no parent of `{pointer}`",
                    resource.id
                )));
            }
        }
    }
    if found {
        Ok(())
    } else {
        Err(wrong(format!(
            "no resource's id ends in `{}`",
            edit.resource
        )))
    }
}

fn remove(body: &mut Value, pointer: &str) -> Option<Value> {
    let (parent, key) = pointer.rsplit_once('/')?;
    body.pointer_mut(parent)?.as_object_mut()?.remove(key)
}

fn put(body: &mut Value, pointer: &str, value: Value) -> Option<()> {
    let (parent, key) = pointer.rsplit_once('/')?;
    let parent = body.pointer_mut(parent)?.as_object_mut()?;
    parent.insert(key.to_owned(), value);
    Some(())
}
