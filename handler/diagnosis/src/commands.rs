//! `az` commands for people to paste. Every value comes from Azure and is treated as hostile.

use crate::facts::Id;

/// One argument, quoted for a POSIX shell. Only characters without any meaning to a shell go unquoted.
pub(crate) fn quote(argument: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_@%+=:,./-".contains(c);
    if !argument.is_empty() && argument.chars().all(plain) {
        argument.to_owned()
    } else {
        format!("'{}'", argument.replace('\'', r"'\''"))
    }
}

/// An `az` command under construction.
pub(crate) struct Az(String);

impl Az {
    /// `az {command}`; `command` is our own text.
    pub(crate) fn new(command: &str) -> Self {
        Self(format!("az {command}"))
    }

    /// `az {command}` in the subscription and resource group of a resource.
    pub(crate) fn beside(command: &str, resource: &Id) -> Self {
        let place = |option: &str, value: Option<&str>, az: Self| match value {
            Some(value) => az.opt(option, value),
            None => az,
        };
        let az = place(
            "--subscription",
            resource.subscription(),
            Self::new(command),
        );
        place("--resource-group", resource.resource_group(), az)
    }

    /// An option with a value. A value that looks like an option is tied to its own with `=`.
    #[must_use]
    pub(crate) fn opt(self, name: &str, value: &str) -> Self {
        let tie = if value.starts_with('-') { '=' } else { ' ' };
        Self(format!("{} {name}{tie}{}", self.0, quote(value)))
    }

    /// An option with several values; nothing without values.
    #[must_use]
    pub(crate) fn opts<'v>(self, name: &str, values: impl IntoIterator<Item = &'v str>) -> Self {
        let values: Vec<String> = values.into_iter().map(quote).collect();
        if values.is_empty() {
            self
        } else {
            Self(format!("{} {name} {}", self.0, values.join(" ")))
        }
    }

    /// An option with a number.
    #[must_use]
    pub(crate) fn number(self, name: &str, value: u64) -> Self {
        Self(format!("{} {name} {value}", self.0))
    }

    /// An option without a value.
    #[must_use]
    pub(crate) fn flag(self, name: &str) -> Self {
        Self(format!("{} {name}", self.0))
    }

    /// The command line.
    pub(crate) fn build(self) -> String {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_names_and_ids_stay_readable() {
        let command = Az::new("aks show").opt("--name", "aks-1").build();
        assert_eq!(command, "az aks show --name aks-1");
        assert_eq!(quote("/subscriptions/s/x_y"), "/subscriptions/s/x_y");
    }

    #[test]
    fn hostile_names_cannot_leave_their_argument() {
        assert_eq!(quote("a; rm -rf ~"), "'a; rm -rf ~'");
        assert_eq!(quote("a'$(id)'"), r"'a'\''$(id)'\'''");
        assert_eq!(quote("a\nb"), "'a\nb'");
        assert_eq!(quote(""), "''");
        assert_eq!(
            Az::new("x").opt("--name", "--yes").build(),
            "az x --name=--yes"
        );
    }
}
