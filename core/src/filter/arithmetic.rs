//! Numbers in a filter: `tcp[13] & 2`, read with libpcap's precedence and folded where both sides are known.
//!
//! Odd, and kept because filters rely on it: `%` and `^` take everything right of them as their right side,
//! whatever the precedence; and only the left side of an operator decides which headers must be there.

use super::MAX_DEPTH;
use super::build;
use super::complete::Expected;
use super::lexer::{Kind, Symbol};
use super::parser::{Parsed, Parser};
use super::tree::{Arithmetic, Comparison, Leaf, Operator, Relation, Test};
use super::words::{Keyword, Protocol, Word};

/// A number and the headers that must be there before it is read.
pub(crate) struct Operand {
    value: Arithmetic,
    checks: Vec<Leaf>,
    depth: usize,
}

/// Binds tighter than every operator of two sides.
const UNARY: u8 = 6;

impl Operand {
    pub(crate) fn number(value: u32) -> Self {
        Self::of(Arithmetic::Number(value))
    }

    pub(crate) fn of(value: Arithmetic) -> Self {
        Self { value, checks: Vec::new(), depth: 1 }
    }

    /// The test that compares both.
    pub(crate) fn compare(mut self, comparison: Comparison, right: Self) -> Test {
        self.checks.extend(right.checks);
        Test::Relation(Box::new(Relation {
            checks: self.checks,
            left: self.value,
            comparison,
            right: right.value,
        }))
    }

    fn combine(self, operator: Operator, right: Self) -> Result<Self, &'static str> {
        let depth = self.depth.max(right.depth) + 1;
        let value = fold(operator, self.value, right.value)?;
        Ok(Self { value, checks: self.checks, depth })
    }
}

impl Parser<'_> {
    /// A computation whose operators bind tighter than `floor`.
    pub(super) fn arithmetic(&mut self, floor: u8) -> Parsed<Operand> {
        let left = self.unary()?;
        self.arithmetic_from(left, floor)
    }

    pub(super) fn arithmetic_from(&mut self, mut left: Operand, floor: u8) -> Parsed<Operand> {
        while let Some((operator, strength)) = operator(self.peek()) {
            // The grammar gives `%` and `^` no strength, and its generator then prefers to read on.
            let reads_on = matches!(operator, Operator::Remainder | Operator::Xor);
            if !reads_on && strength <= floor {
                break;
            }
            self.advance();
            let right = self.nested(|parser| parser.arithmetic(if reads_on { 0 } else { strength }))?;
            left = left.combine(operator, right).map_err(|message| self.before(message))?;
            if left.depth > MAX_DEPTH {
                return Err(self.before(&format!("the computation has more than {MAX_DEPTH} steps")));
            }
        }
        Ok(left)
    }

    /// A number, a byte access, a parenthesis or their negative.
    pub(super) fn unary(&mut self) -> Parsed<Operand> {
        self.note(Expected::OPERAND);
        self.count()?;
        match *self.peek() {
            Kind::Number(_) | Kind::Word(Word::Constant(_)) => self.number("a number").map(Operand::number),
            Kind::Word(Word::Plain(Keyword::Len)) => {
                self.advance();
                Ok(Operand::of(Arithmetic::Length))
            }
            Kind::Word(Word::Protocol(protocol)) => {
                self.advance();
                self.access(protocol)
            }
            Kind::Symbol(Symbol::Minus) => {
                self.advance();
                let operand = self.nested(|parser| parser.arithmetic(UNARY))?;
                Ok(Operand { value: negate(operand.value), depth: operand.depth + 1, checks: operand.checks })
            }
            Kind::Symbol(Symbol::Open) => {
                self.advance();
                let operand = self.nested(|parser| parser.arithmetic(0))?;
                self.close()?;
                Ok(operand)
            }
            _ => Err(self.unexpected("a number")),
        }
    }

    /// `[index:size]` behind a protocol's name.
    pub(super) fn access(&mut self, protocol: Protocol) -> Parsed<Operand> {
        let access = build::access(protocol, self.scope).map_err(|message| self.before(&message))?;
        if *self.peek() != Kind::Symbol(Symbol::OpenBracket) {
            return Err(self.unexpected("`[`"));
        }
        self.advance();
        let index = self.nested(|parser| parser.arithmetic(0))?;
        let mut size = 1;
        if *self.peek() == Kind::Symbol(Symbol::Colon) {
            self.advance();
            size = self.number("the size 1, 2 or 4")?;
            if !matches!(size, 1 | 2 | 4) {
                return Err(self.before("only 1, 2 or 4 octets can be read at once"));
            }
        }
        self.note(Expected::CLOSE_BRACKET);
        if *self.peek() != Kind::Symbol(Symbol::CloseBracket) {
            return Err(self.unexpected("`]`"));
        }
        self.advance();
        let scope = self.scope;
        let leaf = |test| Leaf { test, scope };
        let mut checks: Vec<Leaf> = access.first.map(leaf).into_iter().collect();
        checks.extend(index.checks);
        checks.extend(access.then.into_iter().map(leaf));
        let size = u8::try_from(size).unwrap_or(4);
        let value = Arithmetic::Load { base: access.base, index: Box::new(index.value), size, scope };
        Ok(Operand { value, checks, depth: index.depth + 1 })
    }

    pub(super) fn comparison(&mut self) -> Option<Comparison> {
        let comparison = match self.peek() {
            Kind::Symbol(Symbol::Equal) => Comparison::Equal,
            Kind::Symbol(Symbol::NotEqual) => Comparison::NotEqual,
            Kind::Symbol(Symbol::Less) => Comparison::Less,
            Kind::Symbol(Symbol::AtMost) => Comparison::AtMost,
            Kind::Symbol(Symbol::Greater) => Comparison::Greater,
            Kind::Symbol(Symbol::AtLeast) => Comparison::AtLeast,
            _ => return None,
        };
        self.advance();
        Some(comparison)
    }
}

/// Operators of two sides and how tightly they bind.
fn operator(kind: &Kind) -> Option<(Operator, u8)> {
    let Kind::Symbol(symbol) = kind else { return None };
    Some(match symbol {
        Symbol::Bar => (Operator::Or, 1),
        Symbol::Ampersand => (Operator::And, 2),
        Symbol::ShiftLeft => (Operator::ShiftLeft, 3),
        Symbol::ShiftRight => (Operator::ShiftRight, 3),
        Symbol::Plus => (Operator::Add, 4),
        Symbol::Minus => (Operator::Subtract, 4),
        Symbol::Star => (Operator::Multiply, 5),
        Symbol::Slash => (Operator::Divide, 5),
        Symbol::Percent => (Operator::Remainder, 5),
        Symbol::Caret => (Operator::Xor, 5),
        _ => return None,
    })
}

/// Both sides combined; what is surely zero reads nothing, as libpcap's optimiser has it.
fn fold(operator: Operator, left: Arithmetic, right: Arithmetic) -> Result<Arithmetic, &'static str> {
    use Operator::{And, Divide, Multiply, Remainder, ShiftLeft, ShiftRight};
    let zero = Arithmetic::Number(0);
    match operator {
        Divide | Remainder if right == zero => return Err("this divides by zero"),
        ShiftLeft | ShiftRight if matches!(right, Arithmetic::Number(bits) if bits > 31) => {
            return Err("this shifts by more than 31 bits");
        }
        _ => {}
    }
    if let (Arithmetic::Number(left), Arithmetic::Number(right)) = (&left, &right) {
        return operator.apply(*left, *right).map(Arithmetic::Number).ok_or("this divides by zero");
    }
    let left_absorbs = matches!(operator, Multiply | Divide | Remainder | And | ShiftLeft | ShiftRight);
    let right_absorbs = matches!(operator, Multiply | And);
    if left_absorbs && left == zero || right_absorbs && right == zero {
        return Ok(zero);
    }
    Ok(Arithmetic::Binary(operator, Box::new(left), Box::new(right)))
}

fn negate(value: Arithmetic) -> Arithmetic {
    match value {
        Arithmetic::Number(value) => Arithmetic::Number(value.wrapping_neg()),
        value => Arithmetic::Negate(Box::new(value)),
    }
}
