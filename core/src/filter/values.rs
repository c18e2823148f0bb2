//! Values in a filter: addresses, networks, ports, names of both, and what identifies a tunnel.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::build::{self, Qualifier, ValueKind};
use super::complete::Expected;
use super::error::{FilterError, nearest};
use super::lexer::{Kind, Symbol};
use super::names;
use super::parser::{Parsed, Parser, shortened, usable_words};
use super::tree::{Expr, Test, Transport};
use super::words::{Keyword, Protocol, TunnelWord, Word};
use crate::aws::gwlb::EndpointId;

impl Parser<'_> {
    /// One value behind its qualifiers.
    pub(super) fn value(&mut self, qualifier: Qualifier) -> Parsed<Expr> {
        match *self.peek() {
            Kind::Number(_) | Kind::Word(Word::Constant(_)) => {
                let value = self.number("a number")?;
                if matches!(self.peek(), Kind::Symbol(Symbol::Slash)) {
                    let hint = format!("write `net {value}.0/…`");
                    return Err(self.before("a network with a prefix length needs dots").suggest(hint));
                }
                let meaning = build::number(qualifier, value, self.scope);
                self.leaf_before(meaning)
            }
            Kind::Dotted => self.ipv4(qualifier),
            Kind::Ipv6(address) => {
                self.advance();
                let prefix_len = self.prefix_len()?;
                self.leaf_before(build::ipv6(qualifier, address, prefix_len))
            }
            Kind::Mac(address) => self.mac(qualifier, address),
            Kind::Name(escaped) => {
                let text = self.token_text();
                self.name(qualifier, if escaped { &text[1..] } else { text })
            }
            Kind::Word(Word::Protocol(_))
                if matches!(qualifier.kind, ValueKind::Proto | ValueKind::ProtoChain) =>
            {
                let text = self.token_text();
                let hint = format!("did you mean `\\{text}`?");
                Err(self.unexpected("a protocol's number or name").suggest(hint))
            }
            _ => Err(self.unexpected(wanted(qualifier.kind))),
        }
    }

    fn ipv4(&mut self, qualifier: Qualifier) -> Parsed<Expr> {
        let (address, octets) = self.dotted()?;
        let (address, mask) = if let Some(len) = self.prefix_len()? {
            let len = u8::try_from(len).ok().filter(|len| *len <= 32);
            let len = len.ok_or_else(|| self.before("an IPv4 prefix has at most 32 bits"))?;
            (address, (build::prefix_mask(len) >> 96) as u32)
        } else if *self.peek() == Kind::Word(Word::Plain(Keyword::Mask)) {
            self.advance();
            if *self.peek() != Kind::Dotted {
                return Err(self.unexpected("a netmask, as in `255.255.255.0`"));
            }
            (address, self.dotted()?.0)
        } else {
            return match qualifier.kind {
                ValueKind::Implied | ValueKind::Host | ValueKind::Net => {
                    let mask = u32::MAX << (32 - 8 * octets);
                    self.leaf_before(build::ipv4(qualifier, address, mask, self.scope))
                }
                kind => {
                    let message = format!("an IPv4 address stands where {} should", wanted(kind));
                    Err(self.before(&message))
                }
            };
        };
        if address & !mask != 0 {
            let network = Ipv4Addr::from(address & mask);
            let hint = format!("did you mean the network {network}?");
            return Err(self.before("the address has bits set outside its mask").suggest(hint));
        }
        if qualifier.kind != ValueKind::Net {
            return Err(self.before("a mask needs `net`").suggest("write `net` before the address"));
        }
        self.leaf_before(build::ipv4(qualifier, address, mask, self.scope))
    }

    /// A dotted address, its missing octets zero, and how many octets it has.
    fn dotted(&mut self) -> Parsed<(u32, u32)> {
        let text = self.token_text();
        self.advance();
        let refusal = || self.before(&format!("`{}` is no IPv4 address", shortened(text)));
        let mut address = 0u32;
        let mut octets = 0;
        for part in text.split('.') {
            let octet = part.parse::<u8>().map_err(|_| refusal())?;
            address = address << 8 | u32::from(octet);
            octets += 1;
        }
        Ok((address << (32 - 8 * octets), octets))
    }

    fn prefix_len(&mut self) -> Parsed<Option<u32>> {
        if *self.peek() != Kind::Symbol(Symbol::Slash) {
            return Ok(None);
        }
        self.advance();
        self.number("a prefix length").map(Some)
    }

    fn mac(&mut self, qualifier: Qualifier, address: [u8; 6]) -> Parsed<Expr> {
        self.advance();
        let host = matches!(qualifier.kind, ValueKind::Implied | ValueKind::Host);
        if !host || qualifier.protocol != Some(Protocol::Link) {
            let error = self.before("an Ethernet address needs `ether` before it");
            return Err(error.suggest("write `ether host`, `ether src` or `ether dst`"));
        }
        if self.scope.is_ppp() {
            return Err(self.before("PPP has no addresses"));
        }
        self.leaf_before(Ok(Test::Ethernet(address, qualifier.direction)))
    }

    fn name(&mut self, qualifier: Qualifier, name: &str) -> Parsed<Expr> {
        self.advance();
        let shown = shortened(name);
        match qualifier.kind {
            ValueKind::Implied | ValueKind::Host | ValueKind::Net => {
                let error = self.before(&format!("`{shown}` is no address, and names are not resolved"));
                let near = nearest(name, ["host", "net", "port", "portrange", "proto", "src", "dst"]);
                let error = error.suggest("give an address");
                Err(error.did_you_mean(near))
            }
            ValueKind::Port => {
                let Some((port, transport)) = names::port(name) else { return Err(self.unknown_port(name)) };
                let port = u32::from(port);
                self.leaf_before(build::ports(qualifier, port, port, transport))
            }
            ValueKind::PortRange => {
                let Some((from, to, transport)) = port_range(name) else {
                    let error = self.before(&format!("`{shown}` is no range of ports"));
                    return Err(error.suggest("write it as in `1024-65535`"));
                };
                self.leaf_before(build::ports(qualifier, from, to, transport))
            }
            ValueKind::Proto | ValueKind::ProtoChain => {
                let Some(number) = build::proto_number(qualifier.protocol, name) else {
                    let error = self.before(&format!("unknown protocol `{shown}`"));
                    let known =
                        names::IP_PROTOCOLS.iter().chain(names::LINK_PROTOCOLS).map(|(name, _)| *name);
                    return Err(error.suggest("give its number").did_you_mean(nearest(name, known)));
                };
                let meaning = if qualifier.kind == ValueKind::Proto {
                    build::proto(qualifier.protocol, number, self.scope)
                } else {
                    build::chain(qualifier.protocol, number)
                };
                self.leaf_before(meaning)
            }
        }
    }

    fn unknown_port(&self, name: &str) -> FilterError {
        let error = self.before(&format!("unknown port `{}`", shortened(name)));
        if port_range(name).is_some() {
            return error.suggest(format!("did you mean `portrange {}`?", shortened(name)));
        }
        let known = names::PORTS.iter().map(|(name, ..)| *name).chain(usable_words());
        error.suggest("give its number").did_you_mean(nearest(name, known))
    }

    /// One value behind a word of ours.
    pub(super) fn tunnel_value(&mut self, word: TunnelWord) -> Parsed<Expr> {
        self.note(Expected::tunnel(word));
        match word {
            TunnelWord::Vni => {
                let vni = self.number("a VXLAN network identifier")?;
                if vni > 0xff_ffff {
                    return Err(self.before("a VXLAN network identifier is at most 16777215"));
                }
                self.leaf_before(Ok(Test::Vni(vni)))
            }
            TunnelWord::Endpoint => self.endpoint(),
            TunnelWord::Source => self.source(),
            TunnelWord::Attachment => {
                let value = self.wide_number("an attachment identifier")?;
                self.leaf_before(Ok(Test::Attachment(value)))
            }
            TunnelWord::Cookie => {
                let value = self.wide_number("a flow cookie")?;
                let cookie = u32::try_from(value).map_err(|_| self.before("a flow cookie has 32 bits"))?;
                self.leaf_before(Ok(Test::Cookie(cookie)))
            }
            _ => Err(self.unexpected("a test")),
        }
    }

    /// `vpce-…` or its digits alone, however the lexer took them.
    fn endpoint(&mut self) -> Parsed<Expr> {
        let text = self.token_text();
        let digits = text.strip_prefix("0x").unwrap_or(text);
        let plausible = matches!(self.peek(), Kind::Number(_) | Kind::Name(_) | Kind::Mac(_) | Kind::Word(_));
        let Some(EndpointId(endpoint_id)) = digits.parse().ok().filter(|_| plausible) else {
            return Err(self.unexpected("an endpoint").suggest("write it as in `vpce-0123456789abcdef0`"));
        };
        self.advance();
        self.leaf_before(Ok(Test::Endpoint(endpoint_id)))
    }

    fn source(&mut self) -> Parsed<Expr> {
        let (address, bits, total) = match *self.peek() {
            Kind::Dotted => {
                let (address, octets) = self.dotted()?;
                (Ipv4Addr::from(address).to_ipv6_mapped(), 8 * octets, 32)
            }
            Kind::Ipv6(address) => {
                self.advance();
                (address, 128, 128)
            }
            _ => return Err(self.unexpected("an address or a network, as in `10.0.0.0/8`")),
        };
        let bits = self.prefix_len()?.unwrap_or(bits);
        if bits > total {
            return Err(self.before(&format!("the prefix has at most {total} bits")));
        }
        let prefix_len = u8::try_from(128 - total + bits).unwrap_or(128);
        self.leaf_before(source_test(address, prefix_len))
    }

    fn wide_number(&mut self, wanted: &str) -> Parsed<u64> {
        let Kind::Number(value) = *self.peek() else {
            return Err(self.unexpected(wanted).suggest("write hexadecimal digits behind `0x`"));
        };
        self.advance();
        value.ok_or_else(|| self.before("this number is not octal, or needs more than 64 bits"))
    }
}

fn source_test(address: Ipv6Addr, prefix_len: u8) -> build::Meaning {
    let address = u128::from(address);
    if address & !build::prefix_mask(prefix_len) != 0 {
        return Err("the address has bits set behind its prefix".into());
    }
    Ok(Test::Source(address, prefix_len))
}

/// `1024-65535` or two names.
fn port_range(text: &str) -> Option<(u32, u32, Transport)> {
    let port = |text: &str| match text.parse::<u32>() {
        Ok(port) => Some((port, Transport::Any)),
        Err(_) => names::port(text).map(|(port, transport)| (u32::from(port), transport)),
    };
    text.match_indices('-').find_map(|(at, _)| {
        let (from, first) = port(&text[..at])?;
        let (to, second) = port(&text[at + 1..])?;
        Some((from, to, if first == second { first } else { Transport::Any }))
    })
}

fn wanted(kind: ValueKind) -> &'static str {
    match kind {
        ValueKind::Implied => "`host`, `net`, `port` or an address",
        ValueKind::Host => "an address",
        ValueKind::Net => "a network",
        ValueKind::Port => "a port",
        ValueKind::PortRange => "a range of ports, as in `1024-65535`",
        ValueKind::Proto | ValueKind::ProtoChain => "a protocol's number or name",
    }
}
