//! The headers that the kernel took off a datagram, put back before it from what it told of them.
//!
//! So a datagram is a record like one of a capture file: the decoder, the filters, `outer (...)` among them, and
//! every sink take it as it is. Addresses, ports and lengths are true; the hardware addresses are zero, as are
//! the IP identification and the UDP checksum, and the TTL is what GWLB sends.

use std::net::IpAddr;

use crate::sys::receive::{HEADROOM_LEN, Meta};

const ETHERNET_LEN: usize = 14;
/// Octets of an IPv4 header without options.
pub(super) const IPV4_LEN: usize = 20;
const IPV6_LEN: usize = 40;
/// Octets of a UDP header.
pub(super) const UDP_LEN: usize = 8;
const UDP: u8 = 17;
const GWLB_TTL: u8 = 255;

/// Writes the headers of a datagram to `port` before the octets in `slot`; returns where the record begins and
/// its length on the wire.
pub(super) fn restore(slot: &mut [u8], meta: &Meta, port: u16) -> (usize, u32) {
    let udp_len = UDP_LEN + meta.wire_len;
    let udp = [
        meta.src.port().to_be_bytes(),
        port.to_be_bytes(),
        (udp_len.min(0xffff) as u16).to_be_bytes(),
        [0, 0],
    ];
    write(slot, HEADROOM_LEN - UDP_LEN, udp.as_flattened());
    let ip_at = match (meta.src.ip(), meta.dst) {
        (IpAddr::V6(src), dst) => {
            let ip_at = HEADROOM_LEN - UDP_LEN - IPV6_LEN;
            let mut header = [0; IPV6_LEN];
            header[0] = 0x60;
            header[4..6].copy_from_slice(&(udp_len.min(0xffff) as u16).to_be_bytes());
            (header[6], header[7]) = (UDP, GWLB_TTL);
            header[8..24].copy_from_slice(&src.octets());
            if let Some(IpAddr::V6(dst)) = dst {
                header[24..].copy_from_slice(&dst.octets());
            }
            write(slot, ip_at, &header);
            ip_at
        }
        (IpAddr::V4(src), dst) => {
            let dst = match dst {
                Some(IpAddr::V4(dst)) => dst.octets(),
                _ => [0; 4],
            };
            let ip_at = HEADROOM_LEN - UDP_LEN - IPV4_LEN;
            write(slot, ip_at, &ipv4(src.octets(), dst, udp_len));
            ip_at
        }
    };
    let at = ip_at - ETHERNET_LEN;
    let ether_type = if meta.src.is_ipv4() { [0x08, 0x00] } else { [0x86, 0xdd] };
    write(slot, at, &[0; 12]);
    write(slot, at + 12, &ether_type);
    (at, (HEADROOM_LEN - at + meta.wire_len) as u32)
}

/// An IPv4 header around a UDP datagram of `udp_len` octets, checksum and all.
pub(super) fn ipv4(src: [u8; 4], dst: [u8; 4], udp_len: usize) -> [u8; IPV4_LEN] {
    let mut header = [0x45, 0, 0, 0, 0, 0, 0, 0, GWLB_TTL, UDP, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let total_len = (IPV4_LEN + udp_len).min(0xffff) as u16;
    header[2..4].copy_from_slice(&total_len.to_be_bytes());
    header[12..16].copy_from_slice(&src);
    header[16..20].copy_from_slice(&dst);
    let words = header.chunks_exact(2).map(|word| u32::from(word[0]) << 8 | u32::from(word[1]));
    let sum: u32 = words.sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    let checksum = !((folded & 0xffff) + (folded >> 16)) as u16;
    header[10..12].copy_from_slice(&checksum.to_be_bytes());
    header
}

fn write(slot: &mut [u8], at: usize, octets: &[u8]) {
    if let Some(place) = slot.get_mut(at..at + octets.len()) {
        place.copy_from_slice(octets);
    }
}

#[cfg(test)]
mod tests {
    use mirrorscope_core::{Decoder, Layer, LinkType, Packet, Record};

    use super::*;

    fn restored(src: &str, dst: &str) -> Vec<u8> {
        let mut slot = vec![0xaa; HEADROOM_LEN];
        slot.extend([8, 0, 8, 0, 0, 0, 0, 0]);
        slot.extend([0; 32]);
        let (src, dst) = (src.parse().unwrap(), Some(dst.parse().unwrap()));
        let (at, wire_len) = restore(&mut slot, &Meta { src, dst, timestamp_ns: 0, wire_len: 40 }, 6081);
        assert_eq!(wire_len as usize, slot.len() - at);
        slot.split_off(at)
    }

    #[test]
    fn the_record_decodes_down_to_geneve_with_the_true_addresses() {
        for (src, dst) in [("10.0.0.1:50000", "10.0.0.2"), ("[fd00::1]:50000", "fd00::2")] {
            let data = &restored(src, dst);
            let record = Record {
                number: 1,
                timestamp_ns: 0,
                interface: 0,
                link_type: LinkType::ETHERNET,
                original_len: data.len() as u32,
                offset: 0,
                data,
            };
            let packet = Packet::decode(&Decoder::default(), record);
            let layers: Vec<_> = packet.stack.layers().iter().map(|span| span.layer).collect();
            assert_eq!((layers[0], layers[2], layers[3]), (Layer::Ethernet, Layer::Udp, Layer::Geneve));
            let addresses = packet.stack.addresses(&packet.stack.layers()[1]).unwrap();
            assert_eq!(addresses.1, dst.parse::<IpAddr>().unwrap());
        }
    }

    #[test]
    fn the_checksum_is_that_of_the_header() {
        let header = ipv4([10, 0, 0, 1], [255, 255, 0, 2], 48);
        let sum: u32 = header.chunks(2).map(|word| u32::from(word[0]) << 8 | u32::from(word[1])).sum();
        assert_eq!((sum & 0xffff) + (sum >> 16), 0xffff);
    }
}
