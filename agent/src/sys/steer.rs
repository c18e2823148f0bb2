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

use std::{io, os::fd::AsRawFd};

use mirrorscope_core::layers::vxlan;

use super::socket;

const LD_W_IND: u16 = 0x40;
const LD_H_IND: u16 = 0x48;
const LD_B_IND: u16 = 0x50;
const LD_H_ABS: u16 = 0x28;
const LD_B_ABS: u16 = 0x30;
const LD_MEM: u16 = 0x60;
const LDX_MEM: u16 = 0x61;
const ST: u16 = 0x02;
const ADD_K: u16 = 0x04;
const ADD_X: u16 = 0x0c;
const MUL_K: u16 = 0x24;
const AND_K: u16 = 0x54;
const LSH_K: u16 = 0x64;
const RSH_K: u16 = 0x74;
const MOD_K: u16 = 0x94;
const XOR_X: u16 = 0xac;
const JA: u16 = 0x05;
const JEQ_K: u16 = 0x15;
const RET_K: u16 = 0x06;
const RET_A: u16 = 0x16;
const TAX: u16 = 0x07;
const TXA: u16 = 0x87;

/// Scratch memory: where the IP header begins that counts.
const IP_AT: u32 = 0;
/// Scratch memory: the exclusive-or so far.
const HASH: u32 = 1;

const IPV4: u32 = 0x0800;
const IPV6: u32 = 0x86dd;
const VLAN_TAGS: [u32; 2] = [0x8100, 0x88a8];
const UDP: u32 = 17;

/// Places in the program to which it can jump, all of them forward.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Label {
    Next,
    OuterIpv6,
    Frame,
    Tag1,
    Tag2,
    EtherType,
    Ipv4,
    Ipv6,
    Finish,
    Unknown,
}

#[derive(Debug, Default)]
struct Program {
    code: Vec<(u16, u32, Label, Label)>,
    labels: Vec<(Label, usize)>,
}

impl Program {
    fn op(&mut self, code: u16, k: u32) -> &mut Self {
        self.code.push((code, k, Label::Next, Label::Next));
        self
    }

    fn jump(&mut self, to: Label) -> &mut Self {
        self.code.push((JA, 0, to, Label::Next));
        self
    }

    fn if_equal(&mut self, k: u32, then: Label, otherwise: Label) -> &mut Self {
        self.code.push((JEQ_K, k, then, otherwise));
        self
    }

    fn label(&mut self, label: Label) -> &mut Self {
        self.labels.push((label, self.code.len()));
        self
    }

    fn assemble(&self) -> Vec<libc::sock_filter> {
        let distance = |at: usize, label: Label| {
            let place = self.labels.iter().find(|(known, _)| *known == label);
            place.map_or(0, |(_, to)| to.saturating_sub(at + 1)) as u32
        };
        let instruction = |(at, &(code, k, then, otherwise)): (usize, &(u16, u32, Label, Label))| match code {
            JA => libc::sock_filter { code, jt: 0, jf: 0, k: distance(at, then) },
            _ => {
                libc::sock_filter { code, jt: distance(at, then) as u8, jf: distance(at, otherwise) as u8, k }
            }
        };
        self.code.iter().enumerate().map(instruction).collect()
    }
}

/// The program for that many sockets. It sees the UDP payload, which begins with Geneve.
fn program(sockets: u32) -> Vec<libc::sock_filter> {
    let mut program = Program::default();
    // The packet inside begins behind 8 octets and the options.
    program.op(LD_B_ABS, 0).op(AND_K, 0x3f).op(LSH_K, 2).op(ADD_K, 8).op(ST, IP_AT).op(TAX, 0);
    program.op(LD_H_ABS, 2).if_equal(IPV6, Label::OuterIpv6, Label::Next);
    program.if_equal(IPV4, Label::Next, Label::Unknown);
    program.op(LD_B_IND, 9).if_equal(UDP, Label::Next, Label::Ipv4);
    program.op(LD_B_IND, 0).op(AND_K, 0xf).op(LSH_K, 2).op(ADD_X, 0).op(TAX, 0);
    program.op(LD_H_IND, 2).if_equal(vxlan::UDP_PORT.into(), Label::Next, Label::Ipv4);
    program.op(TXA, 0).op(ADD_K, 16).jump(Label::Frame);
    program.label(Label::OuterIpv6);
    program.op(LD_B_IND, 6).if_equal(UDP, Label::Next, Label::Ipv6);
    program.op(LD_H_IND, 42).if_equal(vxlan::UDP_PORT.into(), Label::Next, Label::Ipv6);
    program.op(TXA, 0).op(ADD_K, 56);
    program.label(Label::Frame).op(TAX, 0);
    frame(&mut program);
    program.label(Label::Ipv4).op(LDX_MEM, IP_AT).op(LD_W_IND, 12).op(ST, HASH);
    exclusive_or(&mut program, [16]);
    program.jump(Label::Finish);
    program.label(Label::Ipv6).op(LDX_MEM, IP_AT).op(LD_W_IND, 8).op(ST, HASH);
    exclusive_or(&mut program, [12, 16, 20, 24, 28, 32, 36]);
    // The multiplication spreads addresses that differ in few bits; its upper half is the good one.
    program.label(Label::Finish).op(LD_MEM, HASH).op(MUL_K, 0x9e37_79b1).op(RSH_K, 16).op(MOD_K, sockets);
    program.op(RET_A, 0);
    program.label(Label::Unknown).op(RET_K, 0);
    program.assemble()
}

/// X is where the Ethernet header begins. Steps over VLAN tags: a tag has 4 octets, and moving X on by as many
/// puts the EtherType behind it in the same place.
fn frame(program: &mut Program) {
    for strip in [Label::Tag1, Label::Tag2] {
        program.op(LD_H_IND, 12).if_equal(VLAN_TAGS[0], strip, Label::Next);
        program.if_equal(VLAN_TAGS[1], strip, Label::EtherType);
        program.label(strip).op(TXA, 0).op(ADD_K, 4).op(TAX, 0);
    }
    program.label(Label::EtherType);
    program.op(TXA, 0).op(ADD_K, 14).op(ST, IP_AT);
    program.op(LD_H_IND, 12).if_equal(IPV4, Label::Ipv4, Label::Next);
    program.if_equal(IPV6, Label::Ipv6, Label::Unknown);
}

fn exclusive_or<const N: usize>(program: &mut Program, words: [u32; N]) {
    for offset in words {
        program.op(LDX_MEM, IP_AT).op(LD_W_IND, offset).op(LDX_MEM, HASH).op(XOR_X, 0).op(ST, HASH);
    }
}

/// Makes the kernel choose among the sockets that share `socket`'s port; there are `sockets` of them.
pub(crate) fn by_mirrored_addresses(socket: &impl AsRawFd, sockets: u32) -> io::Result<()> {
    let mut code = program(sockets.max(1));
    let program = libc::sock_fprog { len: code.len() as u16, filter: code.as_mut_ptr() };
    socket::set(socket, libc::SO_ATTACH_REUSEPORT_CBPF, &program)
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
