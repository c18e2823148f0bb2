//! The three Geneve options that Gateway Load Balancer puts before every packet.
//!
//! | type | length | content |
//! |---|---|---|
//! | 1 | 8 | id of the endpoint (`vpce-…`) through which the packet came |
//! | 2 | 8 | attachment id; 0 for traffic of an endpoint |
//! | 3 | 4 | flow cookie, opaque, echoed unchanged by an inline appliance |
//!
//! Source: AWS, "Integrate your custom logic or appliance with AWS Gateway Load Balancer". They come in this
//! order today; the walk accepts any order, and other options beside them.

use core::{fmt, str::FromStr};

use crate::{
    field::{Fields, Value},
    layers::geneve::{self, GeneveOption},
};

/// The option class of AWS in the IANA registry.
pub const CLASS: u16 = 0x0108;
/// Endpoint id.
pub const ENDPOINT_ID: u8 = 1;
/// Attachment id.
pub const ATTACHMENT_ID: u8 = 2;
/// Flow cookie.
pub const FLOW_COOKIE: u8 = 3;

/// What GWLB says of the packet that it wrapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct GwlbContext {
    /// The endpoint through which the packet came.
    pub endpoint_id: EndpointId,
    /// The attachment; 0 for traffic of an endpoint. `None` if the option is missing.
    pub attachment_id: Option<u64>,
    /// The cookie of the flow. `None` if the option is missing.
    pub flow_cookie: Option<u32>,
}

/// The id of a VPC endpoint, written `vpce-` and 17 hexadecimal digits.
///
/// The option has room for 16 digits; ids of today begin with a zero digit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EndpointId(pub u64);

impl fmt::Display for EndpointId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "vpce-{:017x}", self.0)
    }
}

/// Why a text is not an endpoint id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAnEndpointId;

impl fmt::Display for NotAnEndpointId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an endpoint id is `vpce-` and 8 or 17 hexadecimal digits, the first of the 17 being 0")
    }
}

impl core::error::Error for NotAnEndpointId {}

impl FromStr for EndpointId {
    type Err = NotAnEndpointId;

    fn from_str(text: &str) -> Result<Self, NotAnEndpointId> {
        let digits = text.strip_prefix("vpce-").unwrap_or(text);
        let hexadecimal = !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
        if !hexadecimal {
            return Err(NotAnEndpointId);
        }
        u64::from_str_radix(digits, 16).map(Self).map_err(|_| NotAnEndpointId)
    }
}

/// The usual 40 octets of header: no flag, three options in order. All that GWLB is known to send looks so.
#[inline]
pub(crate) fn has_usual_options(header: &[u8]) -> bool {
    const FIRST: [u8; 4] = [0x01, 0x08, ENDPOINT_ID, 2];
    const SECOND: [u8; 4] = [0x01, 0x08, ATTACHMENT_ID, 2];
    const THIRD: [u8; 4] = [0x01, 0x08, FLOW_COOKIE, 1];
    header.len() == 40 && header[8..12] == FIRST && header[20..24] == SECOND && header[32..36] == THIRD
}

impl GwlbContext {
    /// Reads the context from a whole Geneve header; `None` if it names no endpoint.
    #[inline]
    pub fn from_geneve(header: &[u8]) -> Option<Self> {
        if !has_usual_options(header) {
            return Self::from_options(header);
        }
        Some(Self {
            endpoint_id: EndpointId(u64::from_be_bytes(*header.get(12..)?.first_chunk()?)),
            attachment_id: Some(u64::from_be_bytes(*header.get(24..)?.first_chunk()?)),
            flow_cookie: Some(u32::from_be_bytes(*header.get(36..)?.first_chunk()?)),
        })
    }

    #[cold]
    fn from_options(header: &[u8]) -> Option<Self> {
        let (mut endpoint_id, mut attachment_id, mut flow_cookie) = (None, None, None);
        for option in geneve::known_options(header).filter(|option| option.class == CLASS) {
            match option.kind {
                ENDPOINT_ID => endpoint_id = option.data.try_into().ok().map(u64::from_be_bytes),
                ATTACHMENT_ID => attachment_id = option.data.try_into().ok().map(u64::from_be_bytes),
                FLOW_COOKIE => flow_cookie = option.data.try_into().ok().map(u32::from_be_bytes),
                _ => {}
            }
        }
        Some(Self { endpoint_id: EndpointId(endpoint_id?), attachment_id, flow_cookie })
    }
}

/// The name of an option, if it is one of AWS.
pub(crate) fn option_name(class: u16, kind: u8) -> Option<&'static str> {
    match (class, kind) {
        (CLASS, ENDPOINT_ID) => Some("AWS endpoint id"),
        (CLASS, ATTACHMENT_ID) => Some("AWS attachment id"),
        (CLASS, FLOW_COOKIE) => Some("AWS flow cookie"),
        _ => None,
    }
}

/// Writes the value of an option: typed if AWS defined it, else its octets.
pub(crate) fn option_value(fields: &mut Fields<'_>, option: &GeneveOption<'_>) {
    let at = option.at + geneve::OPTION_HEADER_LEN;
    match (option.class, option.kind, option.data.len()) {
        (CLASS, ENDPOINT_ID, 8) => {
            let id = fields.number(at, 8).unwrap_or_default();
            fields.push(
                "geneve.aws.endpoint",
                "Endpoint",
                at,
                8,
                Value::Text(EndpointId(id).to_string().into()),
            )
        }
        (CLASS, ATTACHMENT_ID, 8) => fields.hex("geneve.aws.attachment", "Attachment", at, 8),
        (CLASS, FLOW_COOKIE, 4) => fields.hex("geneve.aws.cookie", "Flow cookie", at, 4),
        (_, _, len) => fields.bytes("geneve.option.unknown.data", "Data", at, len),
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The header of a real GWLB packet's form: endpoint, attachment 0, cookie.
    fn usual() -> Vec<u8> {
        let mut header = vec![0x08, 0, 0x08, 0, 0, 0, 0, 0];
        header.extend([0x01, 0x08, 1, 2, 0x0a, 0x1b, 0x2c, 0x3d, 0x4e, 0x5f, 0x60, 0x71]);
        header.extend([0x01, 0x08, 2, 2, 0, 0, 0, 0, 0, 0, 0, 0]);
        header.extend([0x01, 0x08, 3, 1, 0xc0, 0x0c, 0x1e, 0x01]);
        header
    }

    #[test]
    fn the_fast_path_and_the_walk_agree() {
        let context = GwlbContext::from_geneve(&usual());
        assert_eq!(context, GwlbContext::from_options(&usual()));
        let context = context.unwrap();
        assert_eq!(context.endpoint_id.to_string(), "vpce-00a1b2c3d4e5f6071");
        assert_eq!((context.attachment_id, context.flow_cookie), (Some(0), Some(0xc00c_1e01)));
    }

    #[test]
    fn options_in_another_order_and_beside_unknown_ones_are_found() {
        let mut header = usual();
        let first = header.drain(8..20).collect::<Vec<_>>();
        header.extend(first);
        header.extend([0x01, 0x08, 9, 0]);
        header[0] = 0x09;
        assert_eq!(GwlbContext::from_geneve(&header), GwlbContext::from_geneve(&usual()));
    }

    #[test]
    fn a_header_without_the_endpoint_option_has_no_context() {
        let header = [0x01, 0, 0x08, 0, 0, 0, 0, 0, 0x01, 0x08, 3, 0];
        assert_eq!(GwlbContext::from_geneve(&header), None);
        assert_eq!(GwlbContext::from_geneve(&[]), None);
    }

    #[test]
    fn an_endpoint_id_reads_back_what_it_writes() {
        let id = EndpointId(0x0a1b_2c3d_4e5f_6071);
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!("vpce-1a2b3c4d".parse(), Ok(EndpointId(0x1a2b_3c4d)));
        for wrong in ["", "vpce-", "vpce-xyz", "vpce-+1", "vpce-10a1b2c3d4e5f6071"] {
            assert_eq!(wrong.parse::<EndpointId>(), Err(NotAnEndpointId), "{wrong}");
        }
    }
}
