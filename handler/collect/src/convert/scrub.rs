//! Azure's error texts without the people in them.

/// The text with quoted names of clients, users and object ids, and anything like an e-mail address, taken out.
pub(super) fn scrub(message: &str) -> String {
    let mut out = String::with_capacity(message.len());
    for (n, part) in message.split('\'').enumerate() {
        let quoted = n % 2 == 1;
        if n > 0 {
            out.push('\'');
        }
        if quoted && names_someone(&out) {
            out.push('…');
        } else {
            push_without_addresses(&mut out, part);
        }
    }
    out
}

/// Whether the text before a quote announces an identity.
fn names_someone(before: &str) -> bool {
    let before = before
        .trim_end_matches('\'')
        .trim_end()
        .to_ascii_lowercase();
    ["client", "user", "principal", "object id", "caller"]
        .iter()
        .any(|word| before.ends_with(word))
}

fn push_without_addresses(out: &mut String, part: &str) {
    for (n, word) in part.split(' ').enumerate() {
        if n > 0 {
            out.push(' ');
        }
        out.push_str(if word.contains('@') { "…" } else { word });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identities_go_and_facts_stay() {
        assert_eq!(
            scrub(
                "The client 'a@b.c' with object id '1-2' does not have authorization over scope '/subscriptions/s'."
            ),
            "The client '…' with object id '…' does not have authorization over scope '/subscriptions/s'."
        );
        assert_eq!(scrub("asked by jo@example.test today"), "asked by … today");
        assert_eq!(
            scrub("Subnet 'aks' isn't there"),
            "Subnet 'aks' isn't there"
        );
    }
}
