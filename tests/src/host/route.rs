//! Which function a path belongs to: literal segments before parameters before catch-alls.

use super::app::{App, Function};

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Segment {
    // The order is the precedence.
    Literal(String),
    Parameter { optional: bool },
    CatchAll,
}

fn parse(template: &str) -> Vec<Segment> {
    template
        .split('/')
        .filter(|s| !s.is_empty())
        .map(
            |segment| match segment.strip_prefix('{').and_then(|s| s.strip_suffix('}')) {
                None => Segment::Literal(segment.to_ascii_lowercase()),
                Some(inner) if inner.starts_with('*') => Segment::CatchAll,
                Some(inner) => Segment::Parameter {
                    optional: inner.ends_with('?'),
                },
            },
        )
        .collect()
}

fn matches(template: &[Segment], path: &[&str]) -> bool {
    match (template.first(), path.first()) {
        (None, None) | (Some(Segment::CatchAll), _) => true,
        (Some(Segment::Parameter { optional: true }), None) => template.len() == 1,
        (Some(Segment::Literal(literal)), Some(segment)) => {
            literal.eq_ignore_ascii_case(segment) && matches(&template[1..], &path[1..])
        }
        (Some(Segment::Parameter { .. }), Some(_)) => matches(&template[1..], &path[1..]),
        _ => false,
    }
}

/// The function that answers this call.
pub(super) fn find<'a>(app: &'a App, method: &str, path: &str) -> Option<&'a Function> {
    let segments = path
        .split('/')
        .filter(|s| !s.is_empty())
        .collect::<Vec<_>>();
    let mut candidates = app
        .functions
        .iter()
        .map(|function| {
            (
                parse(&format!("{}/{}", app.route_prefix, function.route)),
                function,
            )
        })
        .filter(|(template, _)| matches(template, &segments))
        .filter(|(_, f)| f.methods.is_empty() || f.methods.contains(&method.to_ascii_lowercase()))
        .collect::<Vec<_>>();
    candidates.sort_by(|(a, _), (b, _)| a.cmp(b));
    candidates.first().map(|(_, function)| *function)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn template_matches(template: &str, path: &str) -> bool {
        matches(
            &parse(template),
            &path
                .split('/')
                .filter(|s| !s.is_empty())
                .collect::<Vec<_>>(),
        )
    }

    #[test]
    fn templates_match_as_the_host_matches_them() {
        assert!(template_matches("api/egress/report", "/API/Egress/Report"));
        assert!(!template_matches("api/egress/report", "/api/egress"));
        assert!(template_matches("api/findings/{code?}", "/api/findings"));
        assert!(template_matches(
            "api/findings/{code?}",
            "/api/findings/NAT101"
        ));
        assert!(!template_matches(
            "api/findings/{code?}",
            "/api/findings/NAT101/x"
        ));
        assert!(template_matches("api/{*rest}", "/api/a/b/c"));
    }
}
