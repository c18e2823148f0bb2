//! Which worker gets a datagram: the kernel decides by the mirrored packet's addresses, both directions alike.
//!
//! Left alone, the kernel spreads datagrams over the sockets of a port by the outer addresses and ports, and the
//! two directions of one mirrored flow come apart: a mirror's source port has seven bits of hash, and answers of
//! the VPC's resolver have another port than the queries. So a classic BPF program, which needs no privilege,
//! looks through both tunnels and takes the exclusive-or of the innermost frame's two addresses. Packets between
//! the same two hosts meet in one worker, fragments and ICMP included, and so do copies of one packet that two
//! sessions mirrored. No flow is ever in two tables, and no lock or queue lies between workers.
//!
//! What the program cannot read (ARP, broken headers) goes to the first socket, where it is counted.

use std::{io, net::Ipv4Addr, os::fd::AsRawFd};

use mirrorscope_core::layers::vxlan;

use super::{bpf::*, socket};

/// Scratch memory: where Geneve begins, then where the IP header begins that counts.
const IP_AT: u32 = 0;
/// Scratch memory: the exclusive-or so far.
const HASH: u32 = 1;

const IPV4: u32 = 0x0800;
const IPV6: u32 = 0x86dd;
const VLAN_TAGS: [u32; 2] = [0x8100, 0x88a8];
const UDP: u32 = 17;
const UDP_LEN: u32 = 8;

/// Where a program finds what it looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum View {
    /// The UDP payload, which begins with Geneve: what a group of sockets shows.
    Payload,
    /// The outer IPv4 header: what a group of rings shows.
    Ipv4,
}

/// The program for that many receivers.
fn program(view: View, receivers: u32) -> Vec<libc::sock_filter> {
    let mut program = Program::default();
    match view {
        View::Payload => program.op(LDX_IMM, 0),
        View::Ipv4 => program.op(LDX_HEADER_LEN, 0).op(TXA, 0).op(ADD_K, UDP_LEN).op(TAX, 0),
    };
    // The packet inside begins behind 8 octets and the options.
    program.op(LD_H_IND, 2).op(ST, HASH);
    program.op(LD_B_IND, 0).op(AND_K, 0x3f).op(LSH_K, 2).op(ADD_K, 8).op(ADD_X, 0).op(ST, IP_AT).op(TAX, 0);
    program.op(LD_MEM, HASH).if_equal(IPV6, "outer IPv6", NEXT);
    program.if_equal(IPV4, NEXT, "unknown");
    program.op(LD_B_IND, 9).if_equal(UDP, NEXT, "IPv4");
    program.op(LD_B_IND, 0).op(AND_K, 0xf).op(LSH_K, 2).op(ADD_X, 0).op(TAX, 0);
    program.op(LD_H_IND, 2).if_equal(vxlan::UDP_PORT.into(), NEXT, "IPv4");
    program.op(TXA, 0).op(ADD_K, 16).jump("frame");
    program.label("outer IPv6");
    program.op(LD_B_IND, 6).if_equal(UDP, NEXT, "IPv6");
    program.op(LD_H_IND, 42).if_equal(vxlan::UDP_PORT.into(), NEXT, "IPv6");
    program.op(TXA, 0).op(ADD_K, 56);
    program.label("frame").op(TAX, 0);
    frame(&mut program);
    program.label("IPv4").op(LDX_MEM, IP_AT).op(LD_W_IND, 12).op(ST, HASH);
    exclusive_or(&mut program, [16]);
    program.jump("finish");
    program.label("IPv6").op(LDX_MEM, IP_AT).op(LD_W_IND, 8).op(ST, HASH);
    exclusive_or(&mut program, [12, 16, 20, 24, 28, 32, 36]);
    // The multiplication spreads addresses that differ in few bits; its upper half is the good one.
    program.label("finish").op(LD_MEM, HASH).op(MUL_K, 0x9e37_79b1).op(RSH_K, 16).op(MOD_K, receivers);
    program.op(RET_A, 0);
    program.label("unknown").op(RET_K, 0);
    program.assemble()
}

/// X is where the Ethernet header begins. Steps over VLAN tags: a tag has 4 octets, and moving X on by as many
/// puts the EtherType behind it in the same place.
fn frame(program: &mut Program) {
    for strip in ["tag 1", "tag 2"] {
        program.op(LD_H_IND, 12).if_equal(VLAN_TAGS[0], strip, NEXT);
        program.if_equal(VLAN_TAGS[1], strip, "EtherType");
        program.label(strip).op(TXA, 0).op(ADD_K, 4).op(TAX, 0);
    }
    program.label("EtherType");
    program.op(TXA, 0).op(ADD_K, 14).op(ST, IP_AT);
    program.op(LD_H_IND, 12).if_equal(IPV4, "IPv4", NEXT);
    program.if_equal(IPV6, "IPv6", "unknown");
}

fn exclusive_or<const N: usize>(program: &mut Program, words: [u32; N]) {
    for offset in words {
        program.op(LDX_MEM, IP_AT).op(LD_W_IND, offset).op(LDX_MEM, HASH).op(XOR_X, 0).op(ST, HASH);
    }
}

/// Makes the kernel choose among the sockets that share `socket`'s port; there are `sockets` of them.
pub(crate) fn by_mirrored_addresses(socket: &impl AsRawFd, sockets: u32) -> io::Result<()> {
    let code = program(View::Payload, sockets.max(1));
    attach(socket, libc::SOL_SOCKET, libc::SO_ATTACH_REUSEPORT_CBPF, code)
}

/// As [`by_mirrored_addresses`], for packet rings that are in one group.
pub(super) fn rings_by_mirrored_addresses(ring: &impl AsRawFd, rings: u32) -> io::Result<()> {
    let code = program(View::Ipv4, rings.max(1));
    attach(ring, libc::SOL_PACKET, libc::PACKET_FANOUT_DATA, code)
}

/// Lets a packet socket, whose packets begin with IPv4, receive only datagrams to this machine and `port`, at most
/// `keep_len` octets of each; to any of its addresses where `own` is unspecified.
pub(super) fn keep_datagrams_to(
    socket: &impl AsRawFd,
    own: Ipv4Addr,
    port: u16,
    keep_len: u32,
) -> io::Result<()> {
    const PACKET_TYPE: u32 = (libc::SKF_AD_OFF + libc::SKF_AD_PKTTYPE).cast_unsigned();
    let mut program = Program::default();
    program.op(LD_B_ABS, PACKET_TYPE).if_equal(libc::PACKET_HOST.into(), NEXT, "refuse");
    program.op(LD_B_ABS, 9).if_equal(UDP, NEXT, "refuse");
    program.op(LDX_HEADER_LEN, 0).op(LD_H_IND, 2).if_equal(port.into(), NEXT, "refuse");
    if !own.is_unspecified() {
        program.op(LD_W_ABS, 16).if_equal(own.to_bits(), NEXT, "refuse");
    }
    program.op(RET_K, keep_len);
    program.label("refuse").op(RET_K, 0);
    attach(socket, libc::SOL_SOCKET, libc::SO_ATTACH_FILTER, program.assemble())
}

/// Makes a socket receive nothing.
pub(crate) fn keep_nothing(socket: &impl AsRawFd) -> io::Result<()> {
    let mut program = Program::default();
    attach(socket, libc::SOL_SOCKET, libc::SO_ATTACH_FILTER, program.op(RET_K, 0).assemble())
}

fn attach(
    socket: &impl AsRawFd,
    level: libc::c_int,
    option: libc::c_int,
    mut code: Vec<libc::sock_filter>,
) -> io::Result<()> {
    let program = libc::sock_fprog { len: code.len() as u16, filter: code.as_mut_ptr() };
    socket::set_at(socket, level, option, &program)
}

#[cfg(test)]
mod tests {
    use std::{
        net::{Ipv4Addr, Ipv6Addr, UdpSocket},
        time::Duration,
    };

    use super::*;

    /// Sockets that share a port of 127.0.0.1, steered.
    fn sockets(count: u32) -> Vec<UdpSocket> {
        let mut port = 0;
        let bind = |_| {
            let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::DGRAM, None).unwrap();
            socket.set_reuse_port(true).unwrap();
            socket.bind(&std::net::SocketAddr::from(([127, 0, 0, 1], port)).into()).unwrap();
            port = socket.local_addr().unwrap().as_socket().unwrap().port();
            socket.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
            UdpSocket::from(socket)
        };
        let sockets: Vec<_> = (0..count).map(bind).collect();
        by_mirrored_addresses(&sockets[0], count).unwrap();
        sockets
    }

    /// Sends `payload` and tells which socket received it.
    fn receiver(sockets: &[UdpSocket], sender: &UdpSocket, payload: &[u8]) -> usize {
        sender.send_to(payload, sockets[0].local_addr().unwrap()).unwrap();
        sockets.iter().position(|socket| socket.recv(&mut [0; 2000]).is_ok()).expect("one receives it")
    }

    fn geneve(ether_type: u16, inner: &[u8]) -> Vec<u8> {
        let mut payload = vec![8, 0];
        payload.extend(ether_type.to_be_bytes());
        payload.extend([0; 36]);
        payload.extend(inner);
        payload
    }

    fn ipv4(src: u32, dst: u32, protocol: u8, payload: &[u8]) -> Vec<u8> {
        let mut packet = vec![0x45, 0, 0, 0, 0, 0, 0, 0, 64, protocol, 0, 0];
        packet.extend(Ipv4Addr::from_bits(src).octets());
        packet.extend(Ipv4Addr::from_bits(dst).octets());
        packet.extend(payload);
        packet
    }

    fn ipv6(src: u128, dst: u128) -> Vec<u8> {
        let mut packet = vec![0x60, 0, 0, 0, 0, 0, 6, 64];
        packet.extend(Ipv6Addr::from_bits(src).octets());
        packet.extend(Ipv6Addr::from_bits(dst).octets());
        packet
    }

    /// Mirrored behind `tags` VLAN tags; the mirror's source port is `port`.
    fn mirrored(port: u16, tags: usize, ether_type: u16, packet: &[u8]) -> Vec<u8> {
        let mut inside = port.to_be_bytes().to_vec();
        inside.extend([0x12, 0xb5, 0, 0, 0, 0, 8, 0, 0, 0, 0, 0, 1, 0]);
        inside.extend([2; 12]);
        for _ in 0..tags {
            inside.extend([0x81, 0, 0, 5]);
        }
        inside.extend(ether_type.to_be_bytes());
        inside.extend(packet);
        geneve(0x0800, &ipv4(1, 2, 17, &inside))
    }

    #[test]
    fn both_directions_of_a_flow_meet_and_different_hosts_spread() {
        let sockets = sockets(4);
        let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
        let other = UdpSocket::bind("127.0.0.1:0").unwrap();
        let mut used = [0; 4];
        for host in 0..64u32 {
            let (a, b) = (0x0a00_0001 + host, 0x0a00_0100);
            let place = receiver(&sockets, &sender, &mirrored(65_408, 0, 0x0800, &ipv4(a, b, 6, &[])));
            used[place] += 1;
            for tags in 0..=2 {
                let back = mirrored(65_500, tags, 0x0800, &ipv4(b, a, 6, &[]));
                assert_eq!(receiver(&sockets, &other, &back), place, "host {host}, {tags} tags");
            }
            assert_eq!(receiver(&sockets, &other, &geneve(0x0800, &ipv4(b, a, 6, &[]))), place);
        }
        assert!(used.iter().all(|count| *count >= 4), "{used:?}");
    }

    #[test]
    fn ipv6_flows_meet_as_well() {
        let sockets = sockets(4);
        let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
        for host in 0..16u128 {
            let (a, b) = ((0x2001_0db8 << 96) | host, (0xfd00 << 112) | 7);
            let there = receiver(&sockets, &sender, &mirrored(65_408, 0, 0x86dd, &ipv6(a, b)));
            assert_eq!(receiver(&sockets, &sender, &mirrored(65_499, 1, 0x86dd, &ipv6(b, a))), there);
            assert_eq!(receiver(&sockets, &sender, &geneve(0x86dd, &ipv6(b, a))), there);
        }
    }

    #[test]
    fn what_cannot_be_read_still_arrives() {
        let sockets = sockets(3);
        let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
        for payload in
            [&[][..], &[8], &[0xff; 40], &mirrored(1, 0, 0x0806, &[0; 28]), &[8, 0, 8, 0, 0, 0, 0, 0]]
        {
            assert_eq!(receiver(&sockets, &sender, payload), 0);
        }
    }
}
