//! `when { … }`.

use haliotis_groovy_syntax::ast::{Arg, Stmt};

use super::Reader;
use super::matching::{block_of, call_of};
use super::model::{Condition, When};
use super::stage::inner_span;
use crate::words;

impl Reader<'_, '_> {
    pub(crate) fn when(&mut self, stmt: &Stmt) -> Option<When> {
        let mut when = When {
            span: stmt.span,
            before_agent: None,
            before_input: None,
            before_options: None,
            conditions: Vec::new(),
        };
        let Some(block) = block_of(stmt) else {
            self.problems.hinted(stmt.span, words::expected_block_for("when"), "write when { branch 'main' }");
            return None;
        };
        for inner in &block.body.body.stmts {
            let Some(found) = call_of(inner) else {
                self.problems.hinted(stmt.span, words::expected_when(), "Groovy goes into expression { … }");
                continue;
            };
            let name = self.method_name(&found);
            match name.as_str() {
                "beforeAgent" => when.before_agent = self.boolean(&found, "beforeAgent"),
                "beforeInput" => when.before_input = self.boolean(&found, "beforeInput"),
                "beforeOptions" => when.before_options = self.boolean(&found, "beforeOptions"),
                _ => {
                    let condition = self.condition(inner);
                    when.conditions.push(condition);
                }
            }
        }
        Some(when)
    }

    fn condition(&mut self, stmt: &Stmt) -> Condition {
        let mut condition =
            Condition { span: stmt.span, name: String::new(), args: None, children: Vec::new(), code: None };
        let Some(found) = call_of(stmt) else {
            self.problems.error(stmt.span, words::expected_when());
            return condition;
        };
        condition.name = self.method_name(&found);
        let block = block_of(stmt);
        if condition.name == "expression" {
            match block {
                Some(block) => {
                    let fragment = self.block_fragment(block.body);
                    condition.code = Some((fragment, inner_span(block.body)));
                }
                None => {
                    self.problems.hinted(stmt.span, words::code_without_block("When"), "write expression { … }");
                }
            }
            return condition;
        }
        let mut args: Vec<&Arg> = found.call.args.iter().collect();
        match block {
            Some(block) => {
                args.pop();
                if !args.is_empty() {
                    condition.args = Some(self.arguments(&args));
                }
                condition.children = block.body.body.stmts.iter().map(|stmt| self.condition(stmt)).collect();
            }
            None => condition.args = Some(self.arguments(&args)),
        }
        condition
    }
}
