//! From tokens to the tree, by the grammar of pcap-filter(7) and our words for the tunnel.
//!
//! Two things one would otherwise get wrong: `and` and `or` have EQUAL precedence and are taken from left to
//! right; and a value may follow them alone, with the qualifiers of the test before it (`port 80 or 443`).

use super::arithmetic::Operand;
use super::build::{self, Meaning, Qualifier, ValueKind};
use super::complete::{self, Expected};
use super::error::{FilterError, nearest};
use super::lexer::{self, Kind, Symbol, Token};
use super::tree::{Arithmetic, Direction, Expr, Joint, Leaf, Scope, Test};
use super::words::{self, Keyword, Protocol, TunnelWord, WORDS, Word};
use super::{MAX_DEPTH, MAX_NODES};

pub(crate) type Parsed<T> = Result<T, FilterError>;

/// Reads one filter's tokens.
pub(crate) struct Parser<'t> {
    text: &'t str,
    tokens: Vec<Token>,
    mistake: Option<FilterError>,
    at: usize,
    depth: usize,
    nodes: usize,
    pub(super) geneve_words: u8,
    pub(super) scope: Scope,
    /// What could have followed where the text ended.
    pub(super) expected: Expected,
}

/// What a value standing alone behind `and` or `or` means.
#[derive(Clone, Copy)]
pub(super) enum Carried {
    Nothing,
    Address(Qualifier),
    Tunnel(TunnelWord),
}

/// What was read where a test may stand.
pub(super) enum Item {
    /// A test, and what it carries over.
    Test(Expr, Carried),
    /// A number not yet known to be a value or the left side of a comparison.
    Number(u32),
    /// More than a number, and so the left side of a comparison.
    Operand(Operand),
}

impl<'t> Parser<'t> {
    pub(crate) fn new(text: &'t str) -> Self {
        let (tokens, mistake) = lexer::tokens(text);
        let (at, depth, nodes, geneve_words) = (0, 0, 0, 0);
        let (scope, expected) = (Scope::default(), Expected::NOTHING);
        Self { text, tokens, mistake, at, depth, nodes, geneve_words, scope, expected }
    }

    /// The whole text; `None` if it is empty, which every packet passes.
    pub(crate) fn filter(&mut self) -> Parsed<Option<Expr>> {
        if self.tokens.len() == 1 && self.mistake.is_none() {
            self.note(Expected::TERM);
            return Ok(None);
        }
        let (expr, _) = self.chain(Carried::Nothing)?;
        match self.peek() {
            Kind::End if self.mistake.is_none() => Ok(Some(expr)),
            _ => Err(self.unexpected("`and` or `or`")),
        }
    }

    /// Tests joined by `and` and `or`.
    fn chain(&mut self, carried: Carried) -> Parsed<(Expr, Carried)> {
        let first = self.item(carried)?;
        let (first, carried) = self.test_of(first, carried)?;
        self.chain_from(first, carried)
    }

    fn chain_from(&mut self, first: Expr, mut carried: Carried) -> Parsed<(Expr, Carried)> {
        let mut rest = Vec::new();
        while let Some(joint) = self.joint() {
            let item = self.item(carried)?;
            let (expr, next) = self.test_of(item, carried)?;
            rest.push((joint, expr));
            carried = next;
        }
        let expr = if rest.is_empty() { first } else { Expr::Chain { first: Box::new(first), rest } };
        Ok((expr, carried))
    }

    fn joint(&mut self) -> Option<Joint> {
        self.note(Expected::JOINT);
        let joint = match self.peek() {
            Kind::Word(Word::Plain(Keyword::And)) => Joint::And,
            Kind::Word(Word::Plain(Keyword::Or)) => Joint::Or,
            _ => return None,
        };
        self.at += 1;
        Some(joint)
    }

    /// A test from what was read where a test must stand.
    fn test_of(&mut self, item: Item, carried: Carried) -> Parsed<(Expr, Carried)> {
        match item {
            Item::Test(expr, carried) => Ok((expr, carried)),
            Item::Operand(_) => {
                Err(self.before("this is a number, not a test").suggest("compare it, as in `len > 60`"))
            }
            Item::Number(value) => match carried {
                Carried::Address(qualifier) => {
                    let meaning = build::number(qualifier, value, self.scope);
                    Ok((self.leaf_before(meaning)?, carried))
                }
                Carried::Tunnel(_) | Carried::Nothing => {
                    let hint = format!("did you mean `port {value}`, `vni {value}` or `len = {value}`?");
                    Err(self.before("a number needs a word before it that says what it is").suggest(hint))
                }
            },
        }
    }

    fn item(&mut self, carried: Carried) -> Parsed<Item> {
        self.note(Expected::TERM | carried.expected());
        if let Carried::Tunnel(word) = carried
            && matches!(
                self.peek(),
                Kind::Number(_) | Kind::Dotted | Kind::Ipv6(_) | Kind::Mac(_) | Kind::Name(_)
            )
            && !self.next_is_operator()
        {
            return Ok(Item::Test(self.tunnel_value(word)?, carried));
        }
        let kind = self.peek().clone();
        match kind {
            Kind::Word(Word::Plain(Keyword::Not)) => {
                self.at += 1;
                let (expr, carried) = self.nested(|parser| {
                    let item = parser.item(carried)?;
                    parser.test_of(item, carried)
                })?;
                Ok(Item::Test(Expr::Not(Box::new(expr)), carried))
            }
            Kind::Symbol(Symbol::Open) => {
                self.at += 1;
                let item = self.nested(|parser| parser.group(carried))?;
                self.close()?;
                match item {
                    Item::Number(value) if self.at_operator() => self.relation(Operand::number(value)),
                    Item::Operand(operand) if self.at_operator() => self.relation(operand),
                    item => Ok(item),
                }
            }
            Kind::Number(_) | Kind::Word(Word::Constant(_)) => {
                let value = self.number("a number")?;
                if self.at_operator() {
                    self.relation(Operand::number(value))
                } else {
                    Ok(Item::Number(value))
                }
            }
            Kind::Symbol(Symbol::Minus) | Kind::Word(Word::Plain(Keyword::Len)) => {
                let operand = self.unary()?;
                self.relation(operand)
            }
            Kind::Word(Word::Protocol(protocol)) => self.protocol(protocol),
            Kind::Word(Word::Plain(keyword)) => self.keyword(keyword),
            Kind::Word(Word::Tunnel(word)) => self.tunnel(word),
            Kind::Dotted | Kind::Ipv6(_) | Kind::Mac(_) | Kind::Name(_) => match carried {
                Carried::Address(qualifier) => Ok(Item::Test(self.value(qualifier)?, carried)),
                _ => Err(self.unexpected("a test")),
            },
            _ => Err(self.unexpected("a test")),
        }
    }

    /// What stands between parentheses: tests, or a part of a computation.
    fn group(&mut self, carried: Carried) -> Parsed<Item> {
        let first = match self.item(carried)? {
            item @ (Item::Number(_) | Item::Operand(_)) if *self.peek() == Kind::Symbol(Symbol::Close) => {
                return Ok(item);
            }
            item => item,
        };
        let (first, next) = self.test_of(first, carried)?;
        let (expr, _) = self.chain_from(first, next)?;
        Ok(Item::Test(expr, carried))
    }

    /// The rest of a comparison whose left side begins with `left`.
    fn relation(&mut self, left: Operand) -> Parsed<Item> {
        let left = self.arithmetic_from(left, 0)?;
        let Some(comparison) = self.comparison() else {
            return Ok(Item::Operand(left));
        };
        let right = self.arithmetic(0)?;
        let test = left.compare(comparison, right);
        Ok(Item::Test(self.leaf_before(Ok(test))?, Carried::Nothing))
    }

    /// A protocol's name: a test, the first qualifier of one, or the base of a byte access.
    fn protocol(&mut self, protocol: Protocol) -> Parsed<Item> {
        self.at += 1;
        self.note(Expected::QUALIFIER);
        match self.peek() {
            Kind::Symbol(Symbol::OpenBracket) => {
                let operand = self.access(protocol)?;
                self.relation(operand)
            }
            Kind::Word(Word::Plain(Keyword::Broadcast)) => {
                self.at += 1;
                self.single(build::broadcast(Some(protocol), self.scope))
            }
            Kind::Word(Word::Plain(Keyword::Multicast)) => {
                self.at += 1;
                self.single(build::multicast(Some(protocol), self.scope))
            }
            Kind::Word(Word::Plain(
                Keyword::Src
                | Keyword::Dst
                | Keyword::Host
                | Keyword::Net
                | Keyword::Port
                | Keyword::PortRange
                | Keyword::Proto
                | Keyword::ProtoChain,
            )) => self.qualified(Some(protocol)),
            _ if protocol == Protocol::Link => {
                Err(self.unexpected("`host`, `src`, `dst`, `proto`, `broadcast`, `multicast` or `[`"))
            }
            _ => self.single(build::protocol(protocol, self.scope)),
        }
    }

    /// Direction, kind and value, behind the protocol if there is one.
    fn qualified(&mut self, protocol: Option<Protocol>) -> Parsed<Item> {
        let direction = self.direction()?;
        let kind = match self.peek() {
            Kind::Word(Word::Plain(Keyword::Host)) => ValueKind::Host,
            Kind::Word(Word::Plain(Keyword::Net)) => ValueKind::Net,
            Kind::Word(Word::Plain(Keyword::Port)) => ValueKind::Port,
            Kind::Word(Word::Plain(Keyword::PortRange)) => ValueKind::PortRange,
            Kind::Word(Word::Plain(Keyword::Proto)) if direction.is_none() => ValueKind::Proto,
            Kind::Word(Word::Plain(Keyword::ProtoChain)) if direction.is_none() => ValueKind::ProtoChain,
            _ => ValueKind::Implied,
        };
        if kind != ValueKind::Implied {
            self.at += 1;
        }
        let direction = direction.unwrap_or(Direction::Either);
        let qualifier = Qualifier { protocol, direction, kind };
        let expr = self.identifier(qualifier)?;
        Ok(Item::Test(expr, Carried::Address(qualifier)))
    }

    fn direction(&mut self) -> Parsed<Option<Direction>> {
        let (alone, other) = match self.peek() {
            Kind::Word(Word::Plain(Keyword::Src)) => (Direction::Source, Keyword::Dst),
            Kind::Word(Word::Plain(Keyword::Dst)) => (Direction::Destination, Keyword::Src),
            _ => return Ok(None),
        };
        self.at += 1;
        self.note(Expected::KIND);
        let together = match self.peek() {
            Kind::Word(Word::Plain(Keyword::Or)) => Direction::Either,
            Kind::Word(Word::Plain(Keyword::And)) => Direction::Both,
            _ => return Ok(Some(alone)),
        };
        self.at += 1;
        self.note(Expected::DIRECTION);
        if *self.peek() != Kind::Word(Word::Plain(other)) {
            let wanted = if other == Keyword::Dst { "`dst`" } else { "`src`" };
            return Err(self.unexpected(wanted));
        }
        self.at += 1;
        self.note(Expected::KIND);
        Ok(Some(together))
    }

    /// A value, or values in parentheses, behind qualifiers.
    fn identifier(&mut self, qualifier: Qualifier) -> Parsed<Expr> {
        self.note(Carried::Address(qualifier).expected());
        match self.peek() {
            Kind::Word(Word::Plain(Keyword::Not)) => {
                self.at += 1;
                let expr = self.nested(|parser| parser.identifier(qualifier))?;
                Ok(Expr::Not(Box::new(expr)))
            }
            Kind::Symbol(Symbol::Open) => {
                self.at += 1;
                let expr = self.nested(|parser| {
                    let first = Box::new(parser.identifier(qualifier)?);
                    let mut rest = Vec::new();
                    while let Some(joint) = parser.joint() {
                        rest.push((joint, parser.identifier(qualifier)?));
                    }
                    Ok(Expr::Chain { first, rest })
                })?;
                self.close()?;
                Ok(expr)
            }
            _ => self.value(qualifier),
        }
    }

    fn keyword(&mut self, keyword: Keyword) -> Parsed<Item> {
        if matches!(keyword, Keyword::And | Keyword::Or | Keyword::Mask) {
            return Err(self.unexpected("a test"));
        }
        if !matches!(
            keyword,
            Keyword::Less
                | Keyword::Greater
                | Keyword::Byte
                | Keyword::Broadcast
                | Keyword::Multicast
                | Keyword::Vlan
                | Keyword::Mpls
                | Keyword::PppoeDiscovery
                | Keyword::PppoeSession
                | Keyword::Geneve
        ) {
            return self.qualified(None);
        }
        self.at += 1;
        match keyword {
            Keyword::Less => {
                let value = self.number("a number of octets")?;
                self.single(Ok(Test::LengthAtMost(value)))
            }
            Keyword::Greater => {
                let value = self.number("a number of octets")?;
                self.single(Ok(Test::LengthAtLeast(value)))
            }
            Keyword::Byte => self.byte(),
            Keyword::Broadcast => self.single(build::broadcast(None, self.scope)),
            Keyword::Multicast => self.single(build::multicast(None, self.scope)),
            Keyword::PppoeDiscovery => {
                self.single(build::link_protocol(build::ETHERTYPE_PPPOE_DISCOVERY, self.scope))
            }
            _ => self.encapsulation(keyword),
        }
    }

    /// `byte N = N`
    fn byte(&mut self) -> Parsed<Item> {
        let index = self.number("an offset")?;
        let Some(comparison) = self.comparison() else {
            return Err(self.unexpected("`=`, `<` or `>`").suggest("`ether[0] & 1 != 0` tests bits"));
        };
        let value = self.number("a number")?;
        let load = Arithmetic::Load {
            base: super::tree::Base::Link,
            index: Box::new(Arithmetic::Number(index)),
            size: 1,
            scope: self.scope,
        };
        self.single(Ok(Operand::of(load).compare(comparison, Operand::number(value))))
    }

    fn tunnel(&mut self, word: TunnelWord) -> Parsed<Item> {
        self.at += 1;
        match word {
            TunnelWord::Mirrored => self.single(Ok(Test::Mirrored)),
            TunnelWord::Inline => self.single(Ok(Test::Inline)),
            TunnelWord::Truncated => self.single(Ok(Test::Truncated)),
            TunnelWord::Outer => self.outer(),
            _ => {
                let carried = Carried::Tunnel(word);
                self.note(carried.expected());
                Ok(Item::Test(self.tunnel_values(word)?, carried))
            }
        }
    }

    /// `( … )` on the record's first byte, where no `vlan` or `geneve` outside has moved anything.
    fn outer(&mut self) -> Parsed<Item> {
        self.note(Expected::OPEN);
        if *self.peek() != Kind::Symbol(Symbol::Open) {
            return Err(self.unexpected("`(`").suggest("write `outer ( … )`"));
        }
        self.at += 1;
        let scope = std::mem::take(&mut self.scope);
        let (expr, _) = self.nested(|parser| parser.chain(Carried::Nothing))?;
        self.close()?;
        self.scope = scope;
        Ok(Item::Test(Expr::Outer(Box::new(expr)), Carried::Nothing))
    }

    /// A test that carries nothing over.
    pub(super) fn single(&mut self, meaning: Meaning) -> Parsed<Item> {
        Ok(Item::Test(self.leaf_before(meaning)?, Carried::Nothing))
    }

    /// The test, or its refusal with the token just read as its place.
    pub(super) fn leaf_before(&mut self, meaning: Meaning) -> Parsed<Expr> {
        self.count()?;
        match meaning {
            Ok(test) => Ok(Expr::Test(Leaf { test, scope: self.scope })),
            Err(message) => Err(self.before(&message)),
        }
    }

    /// One node more; a bound on what a hostile text can make us hold.
    pub(super) fn count(&mut self) -> Parsed<()> {
        self.nodes += 1;
        if self.nodes > MAX_NODES {
            return Err(self.before(&format!("the filter has more than {MAX_NODES} tests and numbers")));
        }
        Ok(())
    }

    /// One level deeper; a bound on recursion, here and when the tree is walked.
    pub(super) fn nested<T>(&mut self, read: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.before(&format!("the filter is nested deeper than {MAX_DEPTH}")));
        }
        let read = read(self)?;
        self.depth -= 1;
        Ok(read)
    }

    pub(super) fn close(&mut self) -> Parsed<()> {
        self.note(Expected::CLOSE);
        if *self.peek() != Kind::Symbol(Symbol::Close) {
            return Err(self.unexpected("`)`"));
        }
        self.at += 1;
        Ok(())
    }

    /// A number of 32 bits, which may stand in parentheses where the grammar allows nothing else.
    pub(super) fn number(&mut self, wanted: &str) -> Parsed<u32> {
        self.note(Expected::NUMBER);
        let value = match *self.peek() {
            Kind::Word(Word::Constant(value)) => Some(value),
            Kind::Number(value) => value.and_then(|value| u32::try_from(value).ok()),
            _ => return Err(self.unexpected(wanted)),
        };
        self.at += 1;
        value.ok_or_else(|| self.before("this number is not octal, or needs more than 32 bits"))
    }

    pub(super) fn peek(&self) -> &Kind {
        self.tokens.get(self.at).map_or(&Kind::End, |token| &token.kind)
    }

    fn next_is_operator(&self) -> bool {
        self.tokens.get(self.at + 1).is_some_and(|token| is_operator(&token.kind))
    }

    pub(super) fn at_operator(&self) -> bool {
        is_operator(self.peek())
    }

    pub(super) fn advance(&mut self) {
        self.at += 1;
    }

    /// The text of the token at hand.
    pub(super) fn token_text(&self) -> &'t str {
        self.tokens.get(self.at).map_or("", |token| &self.text[token.span.clone()])
    }

    /// Remembers what could stand here, if the text ends here.
    pub(super) fn note(&mut self, expected: Expected) {
        if *self.peek() == Kind::End && self.mistake.is_none() {
            self.expected = self.expected | expected;
        }
    }

    /// An error about the token just read.
    pub(super) fn before(&self, message: &str) -> FilterError {
        let token = self.at.checked_sub(1).and_then(|at| self.tokens.get(at));
        FilterError::new(message, token.map_or(0..0, |token| token.span.clone()))
    }

    /// An error about the token at hand, where `wanted` should stand.
    pub(super) fn unexpected(&self, wanted: &str) -> FilterError {
        let span =
            self.tokens.get(self.at).map_or(self.text.len()..self.text.len(), |token| token.span.clone());
        let text = self.token_text();
        match self.peek() {
            Kind::End => match &self.mistake {
                Some(mistake) => mistake.clone(),
                None => FilterError::new(format!("the filter ends where {wanted} should follow"), span),
            },
            Kind::Word(Word::Refused) => {
                let error = FilterError::new(format!("`{text}` is not supported"), span);
                error.suggest(words::find(text).map_or("", |row| row.about))
            }
            Kind::Name(_) => {
                let error = FilterError::new(format!("unknown word `{}`", shortened(text)), span);
                // A slip is looked for among the words that fit there, and only then among all.
                let fitting = complete::words_behind(&self.text[..error.span.start]);
                error.did_you_mean(nearest(text, fitting).or_else(|| nearest(text, usable_words())))
            }
            Kind::Number(_) | Kind::Dotted | Kind::Ipv6(_) | Kind::Mac(_) => {
                FilterError::new(format!("`{}` stands where {wanted} should", shortened(text)), span)
                    .suggest("a value needs a word before it, as in `host 10.0.0.1` or `port 80`")
            }
            _ => FilterError::new(format!("`{}` stands where {wanted} should", shortened(text)), span),
        }
    }

    fn tunnel_values(&mut self, word: TunnelWord) -> Parsed<Expr> {
        if *self.peek() != Kind::Symbol(Symbol::Open) {
            return self.tunnel_value(word);
        }
        self.at += 1;
        let expr = self.nested(|parser| {
            let first = Box::new(parser.tunnel_values(word)?);
            let mut rest = Vec::new();
            while let Some(joint) = parser.joint() {
                rest.push((joint, parser.tunnel_values(word)?));
            }
            Ok(Expr::Chain { first, rest })
        })?;
        self.close()?;
        Ok(expr)
    }
}

/// Words that may be suggested.
pub(super) fn usable_words() -> impl Iterator<Item = &'static str> {
    WORDS.iter().filter(|row| !matches!(row.word, Word::Refused)).map(|row| row.text)
}

/// Enough of a token to be recognised in a message.
pub(super) fn shortened(text: &str) -> String {
    const SHOWN: usize = 40;
    if text.chars().nth(SHOWN).is_none() {
        return text.to_owned();
    }
    text.chars().take(SHOWN).chain(['…']).collect()
}

fn is_operator(kind: &Kind) -> bool {
    matches!(
        kind,
        Kind::Symbol(
            Symbol::Plus
                | Symbol::Minus
                | Symbol::Star
                | Symbol::Slash
                | Symbol::Percent
                | Symbol::Ampersand
                | Symbol::Bar
                | Symbol::Caret
                | Symbol::ShiftLeft
                | Symbol::ShiftRight
                | Symbol::Equal
                | Symbol::NotEqual
                | Symbol::Less
                | Symbol::AtMost
                | Symbol::Greater
                | Symbol::AtLeast
        )
    )
}

impl Carried {
    fn expected(self) -> Expected {
        match self {
            Self::Nothing => Expected::NOTHING,
            Self::Address(qualifier) => Expected::value(qualifier),
            Self::Tunnel(word) => Expected::tunnel(word),
        }
    }
}
