//! Label expressions: which agents may run a step. `linux`, `gpu && !windows`, `(a || b) && c`, as in Jenkins; the
//! empty text and `any` mean every agent.

/// The step may run on an agent with these labels. The agent's own name counts as a label. An expression that cannot be
/// read matches nothing; lint refuses it before.
pub fn matches(expression: &str, name: &str, labels: &[String]) -> bool {
    let expression = expression.trim();
    if expression.is_empty() || expression == "any" {
        return true;
    }
    let has = |word: &str| word == name || labels.iter().any(|label| label == word);
    let tokens = tokens(expression);
    let mut parser = Parser { tokens: &tokens, at: 0, has: &has };
    parser.or(0).filter(|_| parser.at == tokens.len()).unwrap_or(false)
}

/// Parentheses and `!` nest at most so deep; more is nobody's intent and would only cost stack.
const MAX_DEPTH: u32 = 32;

fn tokens(text: &str) -> Vec<&str> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let length = if rest.starts_with("&&") || rest.starts_with("||") {
            2
        } else if rest.starts_with(['(', ')', '!']) {
            1
        } else {
            rest.find(|c: char| c.is_whitespace() || "()!&|".contains(c))
                .filter(|at| *at > 0)
                .unwrap_or_else(|| if rest.starts_with(['&', '|']) { 1 } else { rest.len() })
        };
        tokens.push(&rest[..length]);
        rest = rest[length..].trim_start();
    }
    tokens
}

struct Parser<'a> {
    tokens: &'a [&'a str],
    at: usize,
    has: &'a dyn Fn(&str) -> bool,
}

impl Parser<'_> {
    fn take(&mut self, token: &str) -> bool {
        let found = self.tokens.get(self.at) == Some(&token);
        self.at += usize::from(found);
        found
    }

    fn or(&mut self, depth: u32) -> Option<bool> {
        let mut value = self.and(depth)?;
        while self.take("||") {
            value |= self.and(depth)?;
        }
        Some(value)
    }

    fn and(&mut self, depth: u32) -> Option<bool> {
        let mut value = self.unary(depth)?;
        while self.take("&&") {
            value &= self.unary(depth)?;
        }
        Some(value)
    }

    fn unary(&mut self, depth: u32) -> Option<bool> {
        if depth > MAX_DEPTH {
            return None;
        }
        if self.take("!") {
            return self.unary(depth + 1).map(|value| !value);
        }
        if self.take("(") {
            let value = self.or(depth + 1)?;
            return self.take(")").then_some(value);
        }
        let word = *self.tokens.get(self.at)?;
        if ["&&", "||", ")", "&", "|"].contains(&word) {
            return None;
        }
        self.at += 1;
        Some((self.has)(word))
    }
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn expressions() {
        let labels = ["linux".to_owned(), "gpu".to_owned()];
        for (expression, expected) in [
            ("", true),
            ("any", true),
            ("linux", true),
            ("local", true),
            ("windows", false),
            ("linux && gpu", true),
            ("linux && !gpu", false),
            ("windows || (linux && gpu)", true),
            ("!(windows)", true),
            ("linux &&", false),
            ("& linux", false),
            ("(linux", false),
        ] {
            assert_eq!(matches(expression, "local", &labels), expected, "{expression}");
        }
        assert!(!matches(&"!".repeat(10_000), "local", &labels));
    }
}
