//! The headers that the kernel took off a datagram, put back before it from what it told of them.
//!
//! So a datagram is a record like one of a capture file: the decoder, the filters, `outer (...)` among them, and
//! every sink take it as it is. Addresses, ports and lengths are true; the hardware addresses are zero, as are
//! the IP identification and the UDP checksum, and the TTL is what GWLB sends.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::intake::Datagram;
use crate::sys::{
    receive::{HEADROOM_LEN, Meta},
    ring::Packet,
};

const ETHERNET_LEN: usize = 14;
/// Octets of an IPv4 header without options.
pub(super) const IPV4_LEN: usize = 20;
const IPV6_LEN: usize = 40;
/// Octets of a UDP header.
pub(super) const UDP_LEN: usize = 8;
const UDP: u8 = 17;
const GWLB_TTL: u8 = 255;
const IPV4: [u8; 2] = [0x08, 0x00];
const IPV6: [u8; 2] = [0x86, 0xdd];

/// Writes the headers of a datagram to `port` before the octets in `slot`.
pub(super) fn restore<'a>(slot: &'a mut [u8], meta: &Meta, port: u16) -> Datagram<'a> {
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
            write(slot, ip_at, &ipv6(src, dst, udp_len));
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
    let ether_type = if meta.src.is_ipv4() { IPV4 } else { IPV6 };
    write(slot, at, &ethernet(ether_type));
    Datagram {
        meta: *meta,
        frame: slot.get(at..).unwrap_or_default(),
        payload_at: HEADROOM_LEN - at,
        original_len: (HEADROOM_LEN - at + meta.wire_len) as u32,
    }
}

/// Reads the headers of a packet that a ring brought, and gives it an Ethernet header, which is all that is missing.
/// `None` where a host would not have taken it: by its lengths or by a checksum.
pub(super) fn read(packet: Packet<'_>) -> Option<Datagram<'_>> {
    let Packet { timestamp_ns, frame, wire_len, is_checked } = packet;
    write(frame, 0, &ethernet(IPV4));
    let frame: &[u8] = frame;
    let ip = frame.get(ETHERNET_LEN..)?;
    let header_len = usize::from(ip.first()? & 0xf) * 4;
    let header = ip.get(..header_len.max(IPV4_LEN))?;
    let total_len = usize::from(u16::from_be_bytes([header[2], header[3]]));
    let udp = ip.get(header_len..)?.first_chunk::<UDP_LEN>()?;
    let [src_port, _, udp_len, checksum] = [0, 2, 4, 6].map(|at| u16::from_be_bytes([udp[at], udp[at + 1]]));
    let udp_len = usize::from(udp_len);
    let is_whole = (UDP_LEN..=total_len.checked_sub(header_len)?).contains(&udp_len)
        && total_len <= wire_len - ETHERNET_LEN
        && fold(sum(header)) == 0xffff;
    if !is_whole {
        return None;
    }
    // Behind the datagram may lie what fills a short Ethernet frame.
    let end = (ETHERNET_LEN + header_len + udp_len).min(frame.len());
    let frame = &frame[..end];
    let datagram = frame.get(ETHERNET_LEN + header_len..)?;
    if checksum != 0 && !is_checked && datagram.len() == udp_len {
        let pseudo_header = sum(&header[12..20]) + sum(&[0, UDP]) + sum(&(udp_len as u16).to_be_bytes());
        if fold(pseudo_header + sum(datagram)) != 0xffff {
            return None;
        }
    }
    let address = |at: usize| Ipv4Addr::from([header[at], header[at + 1], header[at + 2], header[at + 3]]);
    Some(Datagram {
        meta: Meta {
            src: SocketAddr::new(address(12).into(), src_port),
            dst: Some(address(16).into()),
            timestamp_ns,
            wire_len: udp_len - UDP_LEN,
        },
        frame,
        payload_at: ETHERNET_LEN + header_len + UDP_LEN,
        original_len: (ETHERNET_LEN + header_len + udp_len) as u32,
    })
}

fn ethernet(ether_type: [u8; 2]) -> [u8; ETHERNET_LEN] {
    let mut header = [0; ETHERNET_LEN];
    header[12..].copy_from_slice(&ether_type);
    header
}

fn ipv6(src: Ipv6Addr, dst: Option<IpAddr>, udp_len: usize) -> [u8; IPV6_LEN] {
    let mut header = [0; IPV6_LEN];
    header[0] = 0x60;
    header[4..6].copy_from_slice(&(udp_len.min(0xffff) as u16).to_be_bytes());
    (header[6], header[7]) = (UDP, GWLB_TTL);
    header[8..24].copy_from_slice(&src.octets());
    if let Some(IpAddr::V6(dst)) = dst {
        header[24..].copy_from_slice(&dst.octets());
    }
    header
}

/// An IPv4 header around a UDP datagram of `udp_len` octets, checksum and all.
pub(super) fn ipv4(src: [u8; 4], dst: [u8; 4], udp_len: usize) -> [u8; IPV4_LEN] {
    let mut header = [0x45, 0, 0, 0, 0, 0, 0, 0, GWLB_TTL, UDP, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let total_len = (IPV4_LEN + udp_len).min(0xffff) as u16;
    header[2..4].copy_from_slice(&total_len.to_be_bytes());
    header[12..16].copy_from_slice(&src);
    header[16..20].copy_from_slice(&dst);
    let checksum = !fold(sum(&header));
    header[10..12].copy_from_slice(&checksum.to_ne_bytes());
    header
}

/// The sum of 16-bit words in the machine's own octet order, which the Internet checksum allows (RFC 1071, 2 B).
fn sum(octets: &[u8]) -> u64 {
    let (words, rest) = octets.as_chunks::<4>();
    let mut last = [0; 4];
    last.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
    words.iter().chain([&last]).map(|word| u64::from(u32::from_ne_bytes(*word))).sum()
}

fn fold(mut sum: u64) -> u16 {
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    sum as u16
}

fn write(slot: &mut [u8], at: usize, octets: &[u8]) {
    if let Some(place) = slot.get_mut(at..at + octets.len()) {
        place.copy_from_slice(octets);
    }
}

#[cfg(test)]
mod tests {
    use mirrorscope_core::{Decoder, Layer, LinkType, Packet as Decoded, Record};

    use super::*;

    fn restored(src: &str, dst: &str) -> Vec<u8> {
        let mut slot = vec![0xaa; HEADROOM_LEN];
        slot.extend([8, 0, 8, 0, 0, 0, 0, 0]);
        slot.extend([0; 32]);
        let (src, dst) = (src.parse().unwrap(), Some(dst.parse().unwrap()));
        let datagram = restore(&mut slot, &Meta { src, dst, timestamp_ns: 0, wire_len: 40 }, 6081);
        assert_eq!(datagram.original_len as usize, datagram.frame.len());
        assert_eq!(datagram.frame.len() - datagram.payload_at, 40);
        datagram.frame.to_vec()
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
            let packet = Decoded::decode(&Decoder::default(), record);
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

    /// A packet as a ring brings it, UDP checksum and all, with `padding` octets behind it.
    fn ringed(payload: &[u8], padding: usize) -> Vec<u8> {
        let udp_len = UDP_LEN + payload.len();
        let mut frame = vec![0xaa; ETHERNET_LEN];
        frame.extend(ipv4([10, 0, 0, 1], [10, 0, 0, 2], udp_len));
        frame.extend([0xc3, 0x50, 0x17, 0xc1, 0, udp_len as u8, 0, 0]);
        frame.extend(payload);
        let words: u32 = frame[26..]
            .chunks(2)
            .map(|word| u32::from(word[0]) << 8 | u32::from(*word.get(1).unwrap_or(&0)))
            .sum::<u32>()
            + 17
            + udp_len as u32;
        let folded = (words & 0xffff) + (words >> 16);
        frame[40..42].copy_from_slice(&(!folded as u16).to_be_bytes());
        frame.resize(frame.len() + padding, 0);
        frame
    }

    fn read_frame(frame: &mut [u8]) -> Option<Datagram<'_>> {
        let wire_len = frame.len();
        read(Packet { timestamp_ns: 7, frame, wire_len, is_checked: false })
    }

    #[test]
    fn a_packet_of_a_ring_is_the_datagram_that_a_socket_would_have_seen() {
        for (payload, padding) in [(&[1, 2, 3][..], 15), (&[9; 40], 0)] {
            let mut frame = ringed(payload, padding);
            let datagram = read_frame(&mut frame).unwrap();
            assert_eq!(&datagram.frame[datagram.payload_at..], payload);
            assert_eq!(datagram.meta.src, "10.0.0.1:50000".parse().unwrap());
            assert_eq!(datagram.meta.dst, Some("10.0.0.2".parse().unwrap()));
            assert_eq!((datagram.meta.wire_len, datagram.meta.timestamp_ns), (payload.len(), 7));
            assert_eq!(datagram.original_len as usize, ETHERNET_LEN + 28 + payload.len());
        }
    }

    #[test]
    fn what_the_kernel_would_not_have_delivered_is_refused() {
        let sound = ringed(&[5; 20], 0);
        for at in ETHERNET_LEN..sound.len() {
            let mut frame = sound.clone();
            frame[at] ^= 0x10;
            assert!(read_frame(&mut frame).is_none(), "a bit at {at}");
        }
        for len in 0..sound.len() {
            assert!(read_frame(&mut sound[..len].to_vec()).is_none(), "{len} octets");
        }
        let mut unchecked = sound;
        unchecked[40..42].copy_from_slice(&[0, 0]);
        unchecked[50] ^= 1;
        assert!(read_frame(&mut unchecked).is_some(), "a checksum of 0 is none");
    }
}
