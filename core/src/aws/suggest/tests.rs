use proptest::prelude::*;

use super::*;
use crate::{
    aws::{describe, explain::Explainer},
    layers::Layer,
    record::{LinkType, Record},
};

/// The mirrored interface.
const OWN: [u8; 4] = [10, 0, 0, 4];

/// A mirrored packet: Ethernet, IPv4, UDP, VXLAN, Ethernet, IPv4 and the ports of TCP or UDP.
fn mirrored(protocol: u8, src: [u8; 4], src_port: u16, dst: [u8; 4], dst_port: u16) -> Vec<u8> {
    let transport = match protocol {
        6 => 20,
        _ => 8,
    };
    let mut inner = vec![0; 12];
    inner.extend([8, 0]);
    inner.extend(ipv4(protocol, src, dst, transport));
    let mut header = vec![0; transport];
    header[..2].copy_from_slice(&src_port.to_be_bytes());
    header[2..4].copy_from_slice(&dst_port.to_be_bytes());
    match protocol {
        6 => header[12] = 0x50,
        _ => header[5] = 8,
    }
    inner.extend(header);
    let mut frame = vec![0; 12];
    frame.extend([8, 0]);
    frame.extend(ipv4(17, OWN, [10, 0, 0, 46], 16 + inner.len()));
    frame.extend([0xff, 0xb9, 0x12, 0xb5]);
    frame.extend(((16 + inner.len()) as u16).to_be_bytes());
    frame.extend([0, 0, 8, 0, 0, 0, 0, 0, 7, 0]);
    frame.extend(inner);
    frame
}

fn ipv4(protocol: u8, src: [u8; 4], dst: [u8; 4], payload_len: usize) -> Vec<u8> {
    let mut header = vec![0x45, 0];
    header.extend(((20 + payload_len) as u16).to_be_bytes());
    header.extend([0, 0, 0, 0, 64, protocol, 0, 0]);
    header.extend(src);
    header.extend(dst);
    header
}

fn with_packet<T>(frame: &[u8], take: impl FnOnce(&Packet<'_>) -> T) -> T {
    let record = Record {
        number: 1,
        timestamp_ns: 0,
        interface: 0,
        link_type: LinkType::ETHERNET,
        original_len: frame.len() as u32,
        offset: 0,
        data: frame,
    };
    take(&Packet::decode(&Decoder::default(), record))
}

/// Protocol, addresses and ports of the mirrored packet, read from its layers as an expression would.
fn seen(packet: &Packet<'_>) -> Option<(Layer, [IpAddr; 2], [u16; 2])> {
    let layers = packet.subject_layers();
    let (src, dst) = packet.stack.addresses(layers.get(1)?)?;
    let transport = layers.get(2)?;
    let (src_port, dst_port) = packet.stack.ports(transport)?;
    Some((transport.layer, [src, dst], [src_port, dst_port]))
}

fn has_port(packet: &Packet<'_>, port: u16) -> bool {
    seen(packet).is_some_and(|(_, _, ports)| ports.contains(&port))
}

fn suggest(goal: Goal, frames: &[Vec<u8>], chooses: impl Fn(&Packet<'_>) -> bool) -> Suggestion {
    let mut suggester = Suggester::new(goal, Decoder::default(), Inventory::default());
    for frame in frames {
        with_packet(frame, |packet| suggester.add(packet, &chooses));
    }
    suggester.finish()
}

fn rules(suggestion: &Suggestion) -> Vec<String> {
    let text =
        |rule: &Rule| format!("{} {} {rule}", rule.direction.text(), rule.action.map_or("?", Action::text));
    suggestion.filter.rules.iter().map(text).collect()
}

/// Web traffic of the interface as client and DNS, both directions, from several peers.
fn traffic() -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    for peer in 1..20 {
        for port in [443, 80, 8080] {
            let (theirs, client) = ([52, 94, peer, 9], 40_000 + u16::from(peer));
            frames.push(mirrored(6, OWN, client, theirs, port));
            frames.push(mirrored(6, theirs, port, OWN, client));
        }
        frames.push(mirrored(17, OWN, 5_000, [10, 0, 0, 2], 53));
        frames.push(mirrored(17, [10, 0, 0, 2], 53, OWN, 5_000));
    }
    frames
}

#[test]
fn dropping_a_port_takes_one_reject_and_one_accept_all_a_direction() {
    let suggestion = suggest(Goal::Drop, &traffic(), |packet| has_port(packet, 443));
    assert!(suggestion.is_exact());
    assert_eq!(
        rules(&suggestion),
        [
            "ingress reject ip and tcp src port 443",
            "ingress accept ip",
            "egress reject ip and tcp dst port 443",
            "egress accept ip",
        ]
    );
}

#[test]
fn keeping_a_port_takes_one_accept_a_direction() {
    let suggestion = suggest(Goal::Keep, &traffic(), |packet| has_port(packet, 53));
    assert!(suggestion.is_exact());
    assert_eq!(
        rules(&suggestion),
        ["ingress accept ip and udp src port 53", "egress accept ip and udp dst port 53",]
    );
}

#[test]
fn a_network_is_found_as_the_block_that_the_expression_means() {
    let is_within = |packet: &Packet<'_>| {
        let addresses = packet.subject_layers().get(1).and_then(|ip| packet.stack.addresses(ip));
        let is_in = |address| matches!(address, IpAddr::V4(v4) if v4.octets()[..2] == [52, 94]);
        addresses.is_some_and(|(src, dst)| is_in(src) || is_in(dst))
    };
    let suggestion = suggest(Goal::Drop, &traffic(), is_within);
    assert!(suggestion.is_exact());
    assert_eq!(rules(&suggestion)[0], "ingress reject src net 52.94.0.0/16");
}

#[test]
fn a_range_of_ports_is_found_with_both_its_ends() {
    let is_within = |packet: &Packet<'_>| {
        seen(packet).is_some_and(|(_, _, ports)| ports.iter().any(|port| (8_000..=8_100).contains(port)))
    };
    let suggestion = suggest(Goal::Drop, &traffic(), is_within);
    assert_eq!(rules(&suggestion)[0], "ingress reject ip and tcp src portrange 8000-8100");
}

#[test]
fn an_exception_stands_in_front_of_what_it_is_excepted_from() {
    let spared: IpAddr = [52, 94, 3, 9].into();
    let chooses = |packet: &Packet<'_>| {
        seen(packet).is_some_and(|(_, addresses, ports)| ports.contains(&443) && !addresses.contains(&spared))
    };
    let suggestion = suggest(Goal::Drop, &traffic(), chooses);
    assert!(suggestion.is_exact(), "{suggestion}");
    assert!(suggestion.filter.rules.len() <= 6, "{suggestion}");
}

#[test]
fn a_negated_expression_is_listed_by_what_it_leaves_out() {
    let suggestion = suggest(Goal::Keep, &traffic(), |packet| !has_port(packet, 443));
    assert!(suggestion.is_exact());
    assert_eq!(suggestion.filter.rules.len(), 4, "{suggestion}");
}

#[test]
fn the_expression_is_listed_even_where_it_chooses_the_whole_capture() {
    let frames: Vec<_> =
        traffic().into_iter().filter(|frame| with_packet(frame, |packet| has_port(packet, 443))).collect();
    let dropped = suggest(Goal::Drop, &frames, |packet| has_port(packet, 443));
    assert_eq!(rules(&dropped)[..2], ["ingress reject ip and tcp src port 443", "ingress accept ip",]);
    let kept = suggest(Goal::Keep, &frames, |packet| has_port(packet, 443));
    assert_eq!(rules(&kept)[0], "ingress accept ip and tcp src port 443");
}

#[test]
fn dropping_everything_but_a_port_lists_that_port() {
    let suggestion = suggest(Goal::Drop, &traffic(), |packet| !has_port(packet, 443));
    assert!(suggestion.is_exact());
    assert_eq!(
        rules(&suggestion),
        ["ingress accept ip and tcp src port 443", "egress accept ip and tcp dst port 443",]
    );
}

#[test]
fn what_no_rule_can_see_is_said_and_counted() {
    let mut suggester = Suggester::new(Goal::Drop, Decoder::default(), Inventory::default());
    for (count, frame) in traffic().iter().chain(&traffic()).enumerate() {
        with_packet(frame, |packet| suggester.add(packet, |_| count.is_multiple_of(3)));
    }
    let suggestion = suggester.finish();
    assert!(!suggestion.is_exact());
    assert!(suggestion.to_string().contains("not exact"), "{suggestion}");
    assert!(suggestion.filter.rules.len() <= MAX_RULES);
}

#[test]
fn a_direction_that_the_capture_does_not_show_gets_no_rule_and_a_note() {
    let frames: Vec<_> = traffic().into_iter().skip(1).step_by(2).collect();
    let suggestion = suggest(Goal::Drop, &frames, |packet| has_port(packet, 443));
    assert_eq!(suggestion.filter.rules.len(), 2, "{suggestion}");
    assert!(suggestion.notes.iter().any(|note| note.contains("no egress packet")));
}

#[test]
fn the_json_reads_back_as_the_same_filter() {
    let suggestion = suggest(Goal::Drop, &traffic(), |packet| has_port(packet, 443));
    let read = describe::parse(suggestion.filter.to_json().as_bytes()).unwrap();
    assert_eq!(read.filters, [suggestion.filter]);
}

#[test]
fn every_rule_is_in_the_commands_and_in_the_template() {
    let filter = suggest(Goal::Drop, &traffic(), |packet| has_port(packet, 443)).filter;
    assert_eq!(filter.to_cli().matches("create-traffic-mirror-filter-rule").count(), filter.rules.len());
    assert!(filter.to_cli().contains("--protocol 6 --source-port-range FromPort=443,ToPort=443"));
    let template = filter.to_cloudformation();
    assert_eq!(template.matches("Type: AWS::EC2::TrafficMirrorFilterRule").count(), filter.rules.len());
    assert!(template.contains("      SourcePortRange:\n        FromPort: 443\n        ToPort: 443\n"));
}

#[test]
fn what_rules_cannot_tell_apart_is_kept_rather_than_lost() {
    for goal in [Goal::Keep, Goal::Drop] {
        let mut suggester = Suggester::new(goal, Decoder::default(), Inventory::default());
        // One of ten web packets, as an expression on flags chooses.
        for (count, frame) in traffic().iter().cycle().take(2_000).enumerate() {
            let chooses = |packet: &Packet<'_>| has_port(packet, 443) && count.is_multiple_of(10);
            with_packet(frame, |packet| suggester.add(packet, chooses));
        }
        let suggestion = suggester.finish();
        assert!(suggestion.chosen.packets > 0 && suggestion.wrongly_kept.packets > 0);
        assert_eq!(suggestion.wrongly_dropped.packets, 0, "{suggestion}");
    }
}

#[test]
fn a_hundred_ports_are_kept_although_no_ten_rules_name_them() {
    let frames: Vec<_> =
        (0..100).map(|at| mirrored(6, OWN, 50_000, [52, 94, 1, 9], 1_000 + 100 * at)).collect();
    let chooses = |packet: &Packet<'_>| seen(packet).is_some_and(|(.., ports)| ports[1] % 200 == 0);
    let suggestion = suggest(Goal::Keep, &frames, chooses);
    assert_eq!((suggestion.wrongly_dropped.packets, suggestion.chosen.packets), (0, 50), "{suggestion}");
    assert!(suggestion.filter.rules.len() <= MAX_RULES);
}

#[test]
fn beyond_the_bound_packets_are_judged_by_others_of_their_kind() {
    let mut suggester = Suggester::new(Goal::Drop, Decoder::default(), Inventory::default());
    let count = MAX_CELLS as u32 + 5_000;
    for at in 0..count {
        let [_, a, b, c] = at.to_be_bytes();
        let frame = mirrored(6, [52, a, b, c], 443 - 363 * u16::from(at % 2 == 0), OWN, 50_000);
        with_packet(&frame, |packet| suggester.add(packet, |packet| has_port(packet, 443)));
    }
    let suggestion = suggester.finish();
    assert_eq!(suggestion.unchecked.packets, 0);
    assert_eq!(suggestion.kept.packets + suggestion.dropped.packets, u64::from(count));
    assert!(suggestion.by_kind.packets > 4_900 && !suggestion.is_exact());
    assert!(suggestion.to_string().contains("judged by another of their kind"), "{suggestion}");
    assert_eq!(rules(&suggestion), ["ingress reject ip and tcp src port 443", "ingress accept ip"]);
}

fn packets() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let port = prop_oneof![Just(80), Just(443), Just(53), 1_024..u16::MAX];
    let address = (0..4u8, 0..4u8).prop_map(|(c, d)| [172, 16, c, d]);
    let packet = (prop_oneof![Just(6u8), Just(17)], address, port.clone(), port, any::<bool>());
    let packet = packet.prop_map(|(protocol, peer, own_port, port, is_egress)| match is_egress {
        true => mirrored(protocol, OWN, own_port, peer, port),
        false => mirrored(protocol, peer, port, OWN, own_port),
    });
    proptest::collection::vec(packet, 1..60)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// What a suggestion claims is what its rules do, judged packet by packet after a trip through JSON.
    #[test]
    fn the_claimed_figures_are_those_of_the_evaluator(
        frames in packets(), port in prop_oneof![Just(80u16), Just(443), Just(53)], keep in any::<bool>(),
        net in 0..4u8, only_tcp in any::<bool>(),
    ) {
        let goal = if keep { Goal::Keep } else { Goal::Drop };
        let chooses = |packet: &Packet<'_>| seen(packet).is_some_and(|(layer, addresses, ports)| {
            let is_within = addresses.iter().any(|a| matches!(a, IpAddr::V4(v4) if v4.octets()[2] == net));
            (ports.contains(&port) || is_within) && (!only_tcp || layer == Layer::Tcp)
        });
        let suggestion = suggest(goal, &frames, chooses);
        prop_assert!(suggestion.filter.rules.len() <= MAX_RULES);
        let inventory = describe::parse(suggestion.filter.to_json().as_bytes()).unwrap();
        let mut explainer = Explainer::new(inventory.clone());
        let (mut wrongly_kept, mut wrongly_dropped) = (0, 0);
        for frame in &frames {
            with_packet(frame, |packet| {
                explainer.add(packet);
                let traffic = Traffic::of(packet, &mut crate::aws::traffic::Source::new(OWN.into(), None)).unwrap();
                let is_kept = inventory.filters[0].judge(&traffic).is_mirrored();
                let should_be_kept = chooses(packet) == keep;
                wrongly_kept += u64::from(is_kept && !should_be_kept);
                wrongly_dropped += u64::from(!is_kept && should_be_kept);
            });
        }
        let explained = explainer.finish();
        prop_assert_eq!(explained.filters[0].accepted, suggestion.kept);
        prop_assert_eq!(wrongly_kept, suggestion.wrongly_kept.packets);
        prop_assert_eq!((wrongly_dropped, suggestion.wrongly_dropped.packets), (0, 0));
    }
}
