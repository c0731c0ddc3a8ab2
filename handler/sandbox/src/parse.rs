//! Reads a scenario's text. It goes through one JSON value: reading each of its types from TOML itself is several times the
//! code. The place of what is wrong, which TOML's reader would tell, is found by leaving out one key after the other.

use serde::Deserialize as _;
use serde_json::Value;

use crate::error::Error;
use crate::scenario::Scenario;

/// Reads one file's text. `file` is only for messages.
pub(crate) fn parse(file: &str, text: &str) -> Result<Scenario, Error> {
    let wrong = |message: String| Error::Scenario {
        file: file.to_owned(),
        message,
    };
    let value: Value = toml::from_str(text).map_err(|error| wrong(error.to_string()))?;
    Scenario::deserialize(&value).map_err(|error| {
        let place =
            culprit(&value, &[]).map_or(String::new(), |way| format!("`{}`: ", way.join(".")));
        wrong(format!("{place}{error}"))
    })
}

/// The way to the innermost key below `outer` without which the rest could be read.
fn culprit<'v>(value: &'v Value, outer: &[&'v str]) -> Option<Vec<&'v str>> {
    let here = outer.iter().try_fold(value, |here, key| here.get(key))?;
    here.as_object()?.keys().find_map(|key| {
        let way = [outer, &[key.as_str()]].concat();
        culprit(value, &way).or_else(|| {
            let mut rest = value.clone();
            let members = outer
                .iter()
                .try_fold(&mut rest, |rest, key| rest.get_mut(key))?;
            members.as_object_mut()?.remove(key);
            Scenario::deserialize(&rest).is_ok().then_some(way)
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> String {
        match parse("case", text) {
            Err(error) => error.to_string(),
            Ok(_) => panic!("it was read"),
        }
    }

    #[test]
    fn the_key_is_named_however_deep() {
        let text = "description = 'x'\n[pools.system]\ncount = 3\n[pools.user]\ncount = 'many'\n";
        let said = refusal(text);
        assert!(
            said.contains("`pools.user.count`: invalid type: string"),
            "{said}"
        );
    }

    #[test]
    fn two_wrong_keys_are_told_without_a_place() {
        let said = refusal("description = 1\n[pools.system]\ncount = 'many'\n");
        assert!(said.contains("case: invalid type"), "{said}");
    }

    #[test]
    fn what_is_no_toml_is_told_with_its_line() {
        let said = refusal("description = 'x'\n[pools\n");
        assert!(said.contains("line 2"), "{said}");
    }
}
