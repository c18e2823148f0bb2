//! The contests: what is measured, against whom, and what must be said beside the figure.

use crate::{
    answer::Answer,
    contest::{Contest, Entrant},
    corpus::{self, Corpus},
};

/// Every contest with the capture that it is run on.
pub(crate) const ALL: &[(Corpus, Contest)] = &[
    (corpus::IMIX, COUNT),
    (corpus::SMALL, COUNT),
    (corpus::IMIX, FLOWS_AGAINST_COUNTING),
    (corpus::SHORT, TEXT),
    (corpus::TINY, JSON),
    (corpus::TINY, FIELDS),
    (corpus::TINY, CONVERSATIONS),
];

const COUNT: Contest = Contest {
    work: "decode every layer and count",
    ours: Entrant {
        name: "mirrorscope read --count",
        command: "{mirrorscope} read --quiet --count {file}",
        answer: Answer::LastNumber,
        note: "every layer of every packet",
    },
    peers: &[
        Entrant { name: "cat", command: "cat {file}", answer: Answer::Nothing, note: "reads the file" },
        Entrant {
            name: "C loop over libpcap",
            command: "{pcap_count} {file}",
            answer: Answer::LastNumber,
            note: "counts, decodes nothing",
        },
        Entrant {
            name: "capinfos",
            command: "capinfos -c -M {file}",
            answer: Answer::LastNumber,
            note: "counts, decodes nothing",
        },
        Entrant {
            name: "gopacket",
            command: "{gopacket} {file}",
            answer: Answer::LastNumber,
            note: "DecodingLayerParser, the faster of its two ways",
        },
    ],
};

const FLOWS_AGAINST_COUNTING: Contest = Contest {
    work: "flows, against decoding and against counting alone",
    ours: Entrant {
        name: "mirrorscope flows",
        command: "{mirrorscope} flows --quiet --csv {file}",
        answer: Answer::Nothing,
        note: "20,000 flows, printed",
    },
    peers: &[
        Entrant {
            name: "mirrorscope read --count",
            command: "{mirrorscope} read --quiet --count {file}",
            answer: Answer::Nothing,
            note: "decodes, keeps nothing",
        },
        Entrant {
            name: "C loop over libpcap",
            command: "{pcap_count} {file}",
            answer: Answer::Nothing,
            note: "counts, decodes nothing",
        },
    ],
};

const TEXT: Contest = Contest {
    work: "the text of tcpdump",
    ours: Entrant {
        name: "mirrorscope read --style tcpdump",
        command: "{mirrorscope} read --style tcpdump {file}",
        answer: Answer::Octets,
        note: "",
    },
    peers: &[Entrant {
        name: "tcpdump",
        command: "tcpdump -tttt -nn -r {file}",
        answer: Answer::Octets,
        note: "the same octets",
    }],
};

const JSON: Contest = Contest {
    work: "a JSON object a packet",
    ours: Entrant {
        name: "mirrorscope read --json",
        command: "{mirrorscope} read --quiet --json {file}",
        answer: Answer::Lines,
        note: "what a packet is and who mirrored it",
    },
    peers: &[Entrant {
        name: "tshark -T ek",
        command: "tshark -n -T ek -r {file}",
        answer: Answer::ElasticPackets,
        note: "prints every field, and dissects what the packets carry",
    }],
};

const FIELDS: Contest = Contest {
    work: "some fields of every packet",
    ours: Entrant {
        name: "mirrorscope read --json",
        command: "{mirrorscope} read --quiet --json {file}",
        answer: Answer::Lines,
        note: "more fields than asked of the peer",
    },
    peers: &[Entrant {
        name: "tshark -T fields",
        command: "tshark -n -T fields -e frame.time_epoch -e vxlan.vni -e ip.src -e ip.dst -e tcp.srcport \
                  -e tcp.dstport -e udp.srcport -e udp.dstport -e frame.len -r {file}",
        answer: Answer::Lines,
        note: "dissects what the packets carry",
    }],
};

const CONVERSATIONS: Contest = Contest {
    work: "TCP conversations",
    ours: Entrant {
        name: "mirrorscope flows FILE tcp",
        command: "{mirrorscope} flows --quiet --csv {file} tcp",
        answer: Answer::FlowsCsv,
        note: "with round trips, retransmissions, names",
    },
    peers: &[
        Entrant {
            name: "tshark -z conv,tcp",
            command: "tshark -n -q -z conv,tcp -r {file}",
            answer: Answer::Conversations,
            note: "dissects what the packets carry",
        },
        Entrant {
            name: "the same, nothing above TCP",
            command: "tshark -n -q --disable-protocol tls --disable-protocol http --disable-protocol dns \
                      --disable-protocol ssh --disable-protocol data -z conv,tcp -r {file}",
            answer: Answer::Conversations,
            note: "",
        },
    ],
};
