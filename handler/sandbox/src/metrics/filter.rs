//! `$filter` of a metrics query: `Dim eq 'v'` joined by `and`, and by `or` within one dimension.

/// A dimension with the values that pass; `*` passes all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Clause {
    pub(super) dimension: String,
    pub(super) values: Vec<String>,
}

impl Clause {
    pub(super) fn passes(&self, value: &str) -> bool {
        self.values
            .iter()
            .any(|wanted| wanted == "*" || wanted.eq_ignore_ascii_case(value))
    }
}

/// Reads a filter; the error is the message for the caller.
pub(super) fn parse(text: &str) -> Result<Vec<Clause>, String> {
    let mut clauses: Vec<Clause> = Vec::new();
    let mut words = tokens(text)?.into_iter();
    let mut joined_by_or = false;
    loop {
        let (Some(Token::Word(dimension)), Some(Token::Word(operator)), Some(Token::Text(value))) =
            (words.next(), words.next(), words.next())
        else {
            return Err(format!("Invalid filter: {text}"));
        };
        if !operator.eq_ignore_ascii_case("eq") {
            return Err(format!(
                "Operator '{operator}' is not supported in filter: {text}"
            ));
        }
        let known = clauses
            .iter_mut()
            .find(|clause| clause.dimension.eq_ignore_ascii_case(&dimension));
        match known {
            Some(clause) if joined_by_or => clause.values.push(value),
            Some(_) => {
                return Err(format!(
                    "Dimension '{dimension}' is given twice in filter: {text}"
                ));
            }
            None if joined_by_or => {
                return Err(format!(
                    "'or' may only join values of one dimension in filter: {text}"
                ));
            }
            None => clauses.push(Clause {
                dimension,
                values: vec![value],
            }),
        }
        match words.next() {
            None => return Ok(clauses),
            Some(Token::Word(word)) if word.eq_ignore_ascii_case("and") => joined_by_or = false,
            Some(Token::Word(word)) if word.eq_ignore_ascii_case("or") => joined_by_or = true,
            Some(_) => return Err(format!("Invalid filter: {text}")),
        }
    }
}

enum Token {
    Word(String),
    Text(String),
}

/// Splits into words and quoted texts (`''` is a quote inside one); parentheses only group and are dropped.
fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let mut tokens = Vec::new();
    let mut rest = text.chars().peekable();
    while let Some(&next) = rest.peek() {
        if next.is_whitespace() || next == '(' || next == ')' {
            rest.next();
        } else if next == '\'' {
            rest.next();
            let mut value = String::new();
            loop {
                match (rest.next(), rest.peek()) {
                    (Some('\''), Some('\'')) => {
                        rest.next();
                        value.push('\'');
                    }
                    (Some('\''), _) => break,
                    (Some(other), _) => value.push(other),
                    (None, _) => return Err(format!("A quote is not closed in filter: {text}")),
                }
            }
            tokens.push(Token::Text(value));
        } else {
            let mut word = String::new();
            while let Some(part) = rest.next_if(|c| !c.is_whitespace() && !"()'".contains(*c)) {
                word.push(part);
            }
            tokens.push(Token::Word(word));
        }
    }
    Ok(tokens)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clause(dimension: &str, values: &[&str]) -> Clause {
        Clause {
            dimension: dimension.into(),
            values: values.iter().map(|value| (*value).into()).collect(),
        }
    }

    #[test]
    fn joins_dimensions_by_and_and_values_by_or() {
        let read = parse("(State eq 'Failed' or State eq 'Pending') and Ip eq '*'").unwrap();
        assert_eq!(
            read,
            [
                clause("State", &["Failed", "Pending"]),
                clause("Ip", &["*"])
            ]
        );
    }

    #[test]
    fn refuses_or_between_dimensions() {
        assert!(
            parse("State eq 'Failed' or Ip eq '*'")
                .unwrap_err()
                .contains("one dimension")
        );
    }

    #[test]
    fn refuses_what_is_no_filter() {
        for text in [
            "",
            "State",
            "State eq",
            "State eq Failed",
            "State eq 'x' and",
            "State ne 'x'",
            "State eq 'x",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
