//! Which function a path belongs to: literal segments before parameters before catch-alls.

use super::app::App;
use super::function::Function;

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Segment {
    // The order is the precedence.
    Literal(String),
    Parameter {
        unconstrained: bool,
        constraints: Vec<Constraint>,
        optional: bool,
    },
    CatchAll,
}

/// A constraint of a parameter, of those that are in use.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Constraint {
    /// `length(n)`, in characters.
    Length(usize),
    /// `regex(^\w+$)`.
    Word,
}

impl Constraint {
    fn parse(text: &str) -> Self {
        let length = text
            .strip_prefix("length(")
            .and_then(|rest| rest.strip_suffix(')'));
        match (length, text) {
            (Some(length), _) => Self::Length(length.parse().expect("a length")),
            (None, r"regex(^\w+$)") => Self::Word,
            _ => panic!("the constraint {text} is not emulated"),
        }
    }

    fn admits(&self, value: &str) -> bool {
        match self {
            Self::Length(length) => value.chars().count() == *length,
            Self::Word => value.chars().all(|c| c.is_alphanumeric() || c == '_'),
        }
    }
}

fn parse(template: &str) -> Vec<Segment> {
    template
        .split('/')
        .filter(|s| !s.is_empty())
        .map(
            |segment| match segment.strip_prefix('{').and_then(|s| s.strip_suffix('}')) {
                None => Segment::Literal(segment.to_ascii_lowercase()),
                Some(inner) if inner.starts_with('*') => Segment::CatchAll,
                Some(inner) => {
                    let constraints = inner.trim_end_matches('?').split(':').skip(1);
                    let constraints: Vec<_> = constraints.map(Constraint::parse).collect();
                    Segment::Parameter {
                        unconstrained: constraints.is_empty(),
                        constraints,
                        optional: inner.ends_with('?'),
                    }
                }
            },
        )
        .collect()
}

fn matches(template: &[Segment], path: &[&str]) -> bool {
    match (template.first(), path.first()) {
        (None, None) | (Some(Segment::CatchAll), _) => true,
        (Some(Segment::Parameter { optional: true, .. }), None) => template.len() == 1,
        (Some(Segment::Literal(literal)), Some(segment)) => {
            literal.eq_ignore_ascii_case(segment) && matches(&template[1..], &path[1..])
        }
        (Some(Segment::Parameter { constraints, .. }), Some(value)) => {
            constraints
                .iter()
                .all(|constraint| constraint.admits(value))
                && matches(&template[1..], &path[1..])
        }
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
        .filter_map(|function| Some((function.http.as_ref()?, function)))
        .filter(|(http, _)| {
            http.methods.is_empty() || http.methods.contains(&method.to_ascii_lowercase())
        })
        .map(|(http, function)| {
            (
                parse(&format!("{}/{}", app.route_prefix, http.route)),
                function,
            )
        })
        .filter(|(template, _)| matches(template, &segments))
        .collect::<Vec<_>>();
    candidates.sort_by(|(a, _), (b, _)| a.cmp(b));
    candidates.first().map(|(_, function)| *function)
}

/// The values of the route's parameters in this path; an optional one that the path leaves out has none.
pub(super) fn parameters(
    app: &App,
    function: &Function,
    path: &str,
) -> Vec<(String, Option<String>)> {
    let template = format!("{}/{}", app.route_prefix, function.http().route);
    let segments: Vec<&str> = path.split('/').filter(|s| !s.is_empty()).collect();
    let parts = template.split('/').filter(|s| !s.is_empty()).enumerate();
    let named = parts.filter_map(|(index, part)| {
        let name = part.strip_prefix('{')?.strip_suffix('}')?;
        let value = match name.strip_prefix('*') {
            Some(_) => segments.get(index..).map(|rest| rest.join("/")),
            None => segments.get(index).map(|&segment| segment.to_owned()),
        };
        let name = name.trim_start_matches('*').trim_end_matches('?');
        let name = name.split(':').next().unwrap_or_default();
        Some((name.to_owned(), value))
    });
    named.collect()
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
        let constrained = r"api/x/{id:length(3):regex(^\w+$)}";
        assert!(template_matches(constrained, "/api/x/a1_"));
        for other in ["/api/x/ab", "/api/x/a\\b", "/api/x/a.b", "/api/x/abcd"] {
            assert!(!template_matches(constrained, other), "{other}");
        }
    }
}
