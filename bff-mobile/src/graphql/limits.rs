//! What a document may cost before anything is done for it.
//!
//! Two looks: one over its text ([`super::lexer`]), so that no bomb reaches the parser, and one over what the parser
//! made of it. The second follows fragments as the executor would, but each only once, so a document of a few hundred
//! bytes that unfolds to millions of fields is counted as such without being unfolded. Only then is the schema asked
//! what the document means, and what the lists in it cost ([`super::schema`]).

use std::collections::HashMap;

use async_graphql::{
    Name, Positioned,
    parser::{
        parse_query,
        types::{ExecutableDocument, FragmentDefinition, Selection, SelectionSet},
    },
};
use shared_lib::problem::Problem;

use super::{
    lexer::{LexicalFault, LexicalLimits, look_over},
    problems,
};

/// The deepest nesting of brackets of any kind: far more than any screen needs, and far less than a stack holds.
const MAX_NESTING: usize = 32;

/// What a document may have at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of its text.
    pub bytes: usize,
    /// Tokens of its text.
    pub tokens: usize,
    /// Fields below one another.
    pub depth: usize,
    /// Fields, with each fragment counted as often as it is used.
    pub fields: usize,
    /// Fields under another name than their own, counted likewise.
    pub aliases: usize,
    /// Directives that are applied.
    pub directives: usize,
}

impl Limits {
    /// Parses a document that is within the limits.
    ///
    /// # Errors
    /// [`problems::LIMIT_EXCEEDED`], [`problems::SYNTAX`], [`problems::FRAGMENT_CYCLE`], [`problems::INTROSPECTION_OFF`].
    pub fn parse(&self, document: &str, introspection: bool) -> Result<ExecutableDocument, Problem> {
        if document.len() > self.bytes {
            return Err(problems::limit("bytes", self.bytes));
        }
        let lexical = LexicalLimits { tokens: self.tokens, nesting: MAX_NESTING, directives: self.directives };
        look_over(document, &lexical).map_err(|fault| match fault {
            LexicalFault::Limit { name, maximum } => problems::limit(name, maximum),
            LexicalFault::Malformed => Problem::new(&problems::SYNTAX),
        })?;
        // The parser's words quote the document, so they are for the log.
        let document = parse_query(document).map_err(|error| Problem::new(&problems::SYNTAX).caused_by(error))?;
        self.check(&document, introspection)?;
        Ok(document)
    }

    fn check(&self, document: &ExecutableDocument, introspection: bool) -> Result<(), Problem> {
        let mut counts = Counts { fragments: &document.fragments, known: HashMap::new(), introspection };
        let mut whole = Count::default();
        for (_, operation) in document.operations.iter() {
            whole = whole.beside(counts.selection(&operation.node.selection_set.node)?);
        }
        // Those that no operation uses are walked by the rules that come later, so they must not be bombs either.
        for name in document.fragments.keys() {
            counts.fragment(name)?;
        }
        for (name, count, maximum) in [
            ("depth", whole.depth, self.depth),
            ("fields", whole.fields, self.fields),
            ("aliases", whole.aliases, self.aliases),
        ] {
            if count > maximum {
                return Err(problems::limit(name, maximum));
            }
        }
        Ok(())
    }
}

/// How much a selection unfolds to.
#[derive(Debug, Clone, Copy, Default)]
struct Count {
    depth: usize,
    fields: usize,
    aliases: usize,
}

impl Count {
    fn beside(self, other: Self) -> Self {
        Self {
            depth: self.depth.max(other.depth),
            fields: self.fields.saturating_add(other.fields),
            aliases: self.aliases.saturating_add(other.aliases),
        }
    }
}

struct Counts<'a> {
    fragments: &'a HashMap<Name, Positioned<FragmentDefinition>>,
    /// The fragments that were counted; nothing for one that is being counted now.
    known: HashMap<&'a str, Option<Count>>,
    introspection: bool,
}

impl<'a> Counts<'a> {
    fn selection(&mut self, set: &'a SelectionSet) -> Result<Count, Problem> {
        let mut whole = Count::default();
        for selection in &set.items {
            let one = match &selection.node {
                Selection::Field(field) => {
                    let name = field.node.name.node.as_str();
                    if !self.introspection && name.starts_with("__") && name != "__typename" {
                        return Err(Problem::new(&problems::INTROSPECTION_OFF));
                    }
                    let below = self.selection(&field.node.selection_set.node)?;
                    // Where the schema is told, tools may ask for all of it at once, which is deeper than any screen.
                    let below = if name.starts_with("__") { Count::default() } else { below };
                    Count {
                        depth: below.depth.saturating_add(1),
                        fields: below.fields.saturating_add(1),
                        aliases: below.aliases.saturating_add(usize::from(field.node.alias.is_some())),
                    }
                }
                Selection::InlineFragment(inline) => self.selection(&inline.node.selection_set.node)?,
                Selection::FragmentSpread(spread) => self.fragment(&spread.node.fragment_name.node)?,
            };
            whole = whole.beside(one);
        }
        Ok(whole)
    }

    fn fragment(&mut self, name: &str) -> Result<Count, Problem> {
        // One that does not exist costs nothing; that it does not is found by the rules that come later.
        let Some((name, fragment)) = self.fragments.get_key_value(name) else { return Ok(Count::default()) };
        match self.known.get(name.as_str()) {
            Some(Some(count)) => return Ok(*count),
            Some(None) => return Err(Problem::new(&problems::FRAGMENT_CYCLE)),
            None => {}
        }
        self.known.insert(name, None);
        let count = self.selection(&fragment.node.selection_set.node)?;
        self.known.insert(name, Some(count));
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const LIMITS: Limits = Limits { bytes: 4_000, tokens: 600, depth: 4, fields: 20, aliases: 3, directives: 4 };

    fn refusal(document: &str) -> Option<(&'static str, Option<String>)> {
        let problem = LIMITS.parse(document, false).err()?;
        let limit = problem.extensions().get("limit").and_then(|limit| limit.as_str()).map(str::to_owned);
        Some((problem.kind().code, limit))
    }

    /// Shows: M9
    #[test]
    fn each_limit_holds_and_is_named() {
        let wide = (0..21).map(|number| format!("f{number} ")).collect::<String>();
        let table = [
            ("{ a { b { c { d } } } }".to_owned(), None),
            ("{ a { b { c { d { e } } } } }".to_owned(), Some("depth")),
            (
                "{ a { ...F } } fragment F on T { b { ...G } } fragment G on T { c { d { e } } }".to_owned(),
                Some("depth"),
            ),
            ("{ a { ... on T { ... on T { b } } } }".to_owned(), None),
            (format!("{{ {wide} }}"), Some("fields")),
            ("{ x: a y: a z: a }".to_owned(), None),
            ("{ w: a x: a y: a z: a }".to_owned(), Some("aliases")),
            ("{ ...F ...F } fragment F on T { x: a y: b }".to_owned(), Some("aliases")),
            ("{ a @x @x @x @x @x }".to_owned(), Some("directives")),
            (format!("{{ a(b: {}1{}) }}", "[".repeat(40), "]".repeat(40)), Some("nesting")),
            (format!("{{ {} }}", "a ".repeat(600)), Some("tokens")),
            (format!("{{ a(b: \"{}\") }}", "x".repeat(4_000)), Some("bytes")),
        ];
        for (document, expected) in table {
            let expected = expected.map(|limit| (problems::LIMIT_EXCEEDED.code, Some(limit.to_owned())));
            assert_eq!(refusal(&document), expected, "{document:.200}");
        }
    }

    /// Shows: M9
    #[test]
    fn a_document_that_unfolds_to_millions_of_fields_is_counted_without_unfolding_it() {
        let mut document = "{ ...F0 }".to_owned();
        for number in 0..40 {
            document += &format!("fragment F{number} on T {{ ...F{} ...F{} }}", number + 1, number + 1);
        }
        document += "fragment F40 on T { a }";
        assert_eq!(refusal(&document), Some((problems::LIMIT_EXCEEDED.code, Some("fields".to_owned()))));
    }

    /// Shows: M9
    #[test]
    fn fragments_that_hold_themselves_are_refused_also_when_nothing_uses_them() {
        for document in [
            "{ ...F } fragment F on T { ...F }",
            "{ ...F } fragment F on T { a { ...G } } fragment G on T { ... on T { ...F } }",
            "{ a } fragment F on T { ...G } fragment G on T { ...F }",
        ] {
            assert_eq!(refusal(document), Some((problems::FRAGMENT_CYCLE.code, None)), "{document}");
        }
    }

    /// Shows: M9
    #[test]
    fn the_schema_is_not_told_where_introspection_is_off() {
        for document in ["{ __schema { types { name } } }", "{ ...F } fragment F on Q { __type(name: \"A\") { name } }"]
        {
            assert_eq!(refusal(document), Some((problems::INTROSPECTION_OFF.code, None)), "{document}");
            assert!(LIMITS.parse(document, true).is_ok());
        }
        assert_eq!(refusal("{ __typename }"), None);
    }

    /// Shows: M9
    #[test]
    fn a_syntax_error_says_nothing_of_the_document() {
        let problem = LIMITS.parse("{ secret(", false).expect_err("it is refused");
        assert_eq!(problem.to_json(None)["code"], json!("graphql-syntax-error"));
        let problem = LIMITS.parse("{ a(secret) }", false).expect_err("it is refused");
        assert!(!problem.to_json(None).to_string().contains("secret"));
    }
}
