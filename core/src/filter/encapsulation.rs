//! `vlan`, `mpls`, `pppoes` and `geneve`: each a test where it stands, and a step further into the packet for
//! all tests to its right.
//!
//! The step counts even behind `or` and `not`: `vlan or tcp` asks for TCP behind a tag (pcap-filter(7) says
//! so).

use super::MAX_GENEVE;
use super::complete::Expected;
use super::error::FilterError;
use super::lexer::{Kind, Symbol};
use super::parser::{Item, Parsed, Parser};
use super::tree::Test;
use super::words::{Keyword, Word};

impl Parser<'_> {
    /// The words that move what stands right of them: the test reads where it stands, the rest further in.
    pub(super) fn encapsulation(&mut self, keyword: Keyword) -> Parsed<Item> {
        self.note(Expected::NUMBER | Expected::JOINT);
        let word = self.before("");
        let value = self.optional_number()?;
        let below_mpls = |what: &str| format!("{what} cannot be told behind `mpls`");
        let scope = self.scope;
        let fits = |limit: u32| value.is_none_or(|value| value <= limit);
        let (test, next) = match keyword {
            Keyword::Vlan if scope.labelled => return Err(word.because(below_mpls("a VLAN tag"))),
            Keyword::Vlan if scope.is_ppp() => return Err(word.because("PPP carries no VLAN tags")),
            Keyword::Vlan if !fits(0xfff) => return Err(self.before("a VLAN identifier is at most 4095")),
            Keyword::Vlan => (Test::Vlan(value.and_then(|v| u16::try_from(v).ok())), scope.behind_tag()),
            Keyword::Mpls if !fits(0xf_ffff) => return Err(self.before("an MPLS label is at most 1048575")),
            Keyword::Mpls => (Test::Mpls(value, scope.labelled), scope.behind_label()),
            Keyword::PppoeSession if scope.labelled => return Err(word.because(below_mpls("PPPoE"))),
            Keyword::PppoeSession if !fits(0xffff) => {
                return Err(self.before("a PPPoE session is at most 65535"));
            }
            Keyword::PppoeSession => {
                (Test::PppoeSession(value.and_then(|v| u16::try_from(v).ok())), scope.behind_pppoe())
            }
            _ if !fits(0xff_ffff) => {
                return Err(self.before("a Geneve network identifier is at most 16777215"));
            }
            _ if self.geneve_words == MAX_GENEVE => {
                return Err(word.because(format!("more than {MAX_GENEVE} `geneve` in one filter")));
            }
            _ => {
                let slot = self.geneve_words;
                self.geneve_words += 1;
                (Test::Geneve(value, slot), scope.inside_geneve(slot))
            }
        };
        let item = self.single(Ok(test))?;
        self.scope = next;
        Ok(item)
    }

    fn optional_number(&mut self) -> Parsed<Option<u32>> {
        match self.peek() {
            Kind::Number(_) | Kind::Word(Word::Constant(_)) => self.number("a number").map(Some),
            Kind::Symbol(Symbol::Open) => {
                self.advance();
                let value = self.nested(Self::optional_number)?;
                self.close()?;
                if value.is_none() { Err(self.unexpected("a number")) } else { Ok(value) }
            }
            _ => Ok(None),
        }
    }
}

impl FilterError {
    fn because(mut self, message: impl Into<String>) -> Self {
        self.message = message.into();
        self
    }
}
