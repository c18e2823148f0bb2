//! Whatever octets come under whatever link type, nothing panics in any decoder, printer, table or writer, and what
//! they say stays well-formed: JSON is JSON, a line is a line, a written capture reads back.

use std::fs;

use mirrorscope_core::{Decoder, capture::CaptureReader};
use mirrorscope_tests::{
    everything::{Everything, LINK_TYPES, record},
    fixture,
};
use proptest::prelude::*;

fn judge(packets: &[(u16, u32, Vec<u8>)]) {
    let mut everything = Everything::default();
    for (link_type, more, data) in packets {
        everything.take(record(*link_type, (data.len() as u32).saturating_add(*more), data));
    }
    everything.finish();
}

/// The mission's packets: good octets to spoil.
fn good() -> Vec<Vec<u8>> {
    ["mirror/ping-curl-traceroute.pcap", "mirror/ssm-tcp443.pcap"]
        .into_iter()
        .flat_map(|name| {
            let bytes = fs::read(fixture(name)).expect("the fixture is there");
            let (mut reader, mut rest, mut records) = (CaptureReader::new(), &bytes[..], Vec::new());
            while !rest.is_empty() {
                rest = reader.push(rest);
                while let Ok(Some(record)) = reader.next() {
                    records.push(record.data.to_vec());
                }
            }
            records
        })
        .collect()
}

/// Octets that mean something to some layer more often than chance.
fn telling_octet() -> impl Strategy<Value = u8> {
    prop_oneof![
        3 => any::<u8>(),
        2 => prop::sample::select(vec![0x45, 0x60, 0x46, 6, 17, 41, 4, 47, 44, 0, 43, 60, 51, 58, 0xff, 0x81, 0x88, 8]),
    ]
}

fn any_packet() -> impl Strategy<Value = (u16, u32, Vec<u8>)> {
    let link_type = prop::sample::select(LINK_TYPES.to_vec());
    let more = prop_oneof![4 => Just(0u32), 1 => 0..3000u32, 1 => any::<u32>()];
    (link_type, more, prop::collection::vec(telling_octet(), 0..300))
}

fn spoiled_packet() -> impl Strategy<Value = (u16, u32, Vec<u8>)> {
    let spoils = prop::collection::vec((any::<prop::sample::Index>(), telling_octet()), 0..6);
    (prop::sample::select(good()), spoils, any::<prop::sample::Index>(), 0..4u8).prop_map(
        |(mut data, spoils, cut, whole)| {
            for (at, octet) in spoils {
                let at = at.index(data.len());
                data[at] = octet;
            }
            if whole == 0 {
                data.truncate(cut.index(data.len()));
            }
            (1, 0, data)
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_octets_pass_through_everything(packets in prop::collection::vec(any_packet(), 1..6)) {
        judge(&packets);
    }

    #[test]
    fn spoiled_mirror_packets_pass_through_everything(packets in prop::collection::vec(spoiled_packet(), 1..8)) {
        judge(&packets);
    }
}

/// An Ethernet header in front of `repeated`, as often as asked.
fn nested(ether_type: [u8; 2], repeated: &[u8], times: usize) -> Vec<u8> {
    [&[2; 12][..], &ether_type, &repeated.repeat(times)].concat()
}

#[test]
fn a_thousand_nested_headers_end_at_the_depth_limit() {
    let ipv4 = |protocol| [&[0x45, 0, 0, 0, 0, 0, 0, 0, 64, protocol, 0, 0][..], &[10; 8]].concat();
    let ipv6 = |next: u8| [&[0x60, 0, 0, 0, 0, 0, next, 64][..], &[0xfd; 32]].concat();
    let vxlan =
        [&ipv4(17)[..], &[0xff, 0, 0x12, 0xb5, 0, 0, 0, 0, 8, 0, 0, 0, 0, 0, 7, 0], &[2; 12], &[8, 0]]
            .concat();
    let geneve = [&ipv4(17)[..], &[0xff, 0, 0x17, 0xc1, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0, 0, 0]].concat();
    let gre = [&ipv4(47)[..], &[0, 0, 8, 0]].concat();
    let bombs = [
        nested([0x81, 0], &[0, 7, 0x81, 0], 1000),
        nested([8, 0], &ipv4(4), 1000),
        nested([0x86, 0xdd], &ipv6(41), 1000),
        nested([8, 0], &gre, 1000),
        nested([8, 0], &vxlan, 1000),
        nested([8, 0], &geneve, 1000),
        nested([0x86, 0xdd], &[&ipv6(60)[..], &[60, 0, 0, 0, 0, 0, 0, 0].repeat(1000)].concat(), 1),
        nested([0x86, 0xdd], &[&ipv6(44)[..], &[44, 0, 0, 0, 0, 0, 0, 0].repeat(1000)].concat(), 1),
        nested(
            [0x86, 0xdd],
            &[&ipv6(51)[..], &[51, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0].repeat(1000)].concat(),
            1,
        ),
    ];
    for (index, bomb) in bombs.into_iter().enumerate() {
        let stack = Decoder::default().decode(&record(1, bomb.len() as u32, &bomb));
        let cause = stack.stop().map(|stop| stop.cause);
        assert_eq!(cause, Some(mirrorscope_core::Cause::TooDeep), "bomb {index}: {:?}", stack.layers());
        judge(&[(1, 0, bomb)]);
    }
}

#[test]
fn a_record_of_four_mebibytes_passes_through_everything() {
    let mut data = good().swap_remove(0);
    data.resize(4 << 20, 0x45);
    judge(&[(1, 0, data.clone()), (101, u32::MAX, data[132..].to_vec()), (0, 0, data)]);
}

#[test]
fn headers_that_claim_the_greatest_lengths_do_not_overflow() {
    let mut everything = vec![0xff; 400];
    for link_type in LINK_TYPES {
        judge(&[(link_type, u32::MAX, everything.clone()), (link_type, 0, Vec::new())]);
    }
    everything[12..15].copy_from_slice(&[0x86, 0xdd, 0x60]);
    judge(&[(1, u32::MAX, everything)]);
}

#[test]
fn every_prefix_of_a_good_packet_agrees_with_it_up_to_the_cut() {
    let decoder = Decoder::default();
    for data in good().iter().step_by(9) {
        let whole = decoder.decode(&record(1, data.len() as u32, data));
        for len in 0..data.len() {
            let cut = decoder.decode(&record(1, data.len() as u32, &data[..len]));
            let complete = (0..cut.layers().len()).filter(|at| cut.is_complete(*at)).count();
            for (ours, theirs) in cut.layers()[..complete].iter().zip(whole.layers()) {
                assert_eq!((ours.layer, ours.offset, ours.end), (theirs.layer, theirs.offset, theirs.end));
                assert!(ours.payload == theirs.payload || ours.payload as usize == len);
            }
            let reached = whole.layers().iter().filter(|span| (span.payload as usize) <= len).count();
            assert!(complete >= reached, "{complete} of {reached} layers at {len}");
            if let Some(stop) = cut.stop() {
                assert!(
                    stop.had < stop.needed && (stop.offset + stop.had) as usize == len,
                    "{stop:?} at {len}"
                );
            }
        }
    }
}
