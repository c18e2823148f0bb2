//! `mirrorscope send`: GWLB and a mirror source in a box, to a socket or to a file.

use std::{
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use clap::{ArgGroup, Args as ClapArgs};
use mirrorscope_core::{
    aws::gwlb::EndpointId,
    encap::{FaultShares, Network, NetworkOptions},
    generate::{GeneratorOptions, Sizes},
    layers::geneve,
};

use super::input::refuse_as_output;
use crate::{
    failure::Failure,
    send::{self, Goal, Plan, Source, pace::Pace, target},
};

/// Wrap traffic as AWS does, and send it to an appliance or write it to a file
///
/// The traffic is a capture of plain packets, or made up (--generate). Each packet is copied by a mirror session
/// (VXLAN) and delivered by a load balancer (Geneve with its three options); with --inline, a share of the flows
/// is routed through the endpoint instead, and what comes back is checked.
#[derive(ClapArgs, Debug)]
#[command(
    group(ArgGroup::new("source").required(true).args(["file", "generate"])),
    group(ArgGroup::new("goal").required(true).args(["to", "write"])),
    after_help = "\
Examples:
  mirrorscope send --generate --sessions 16 -w mirror.pcap      a capture to try everything on
  mirrorscope send --generate --rate 10000 --to 127.0.0.1       feed the agent on this machine
  mirrorscope send lan.pcap --vni 42 --to 127.0.0.1 --speed 2   replay a capture, twice as fast
  mirrorscope send --generate --inline 0.2 --to 127.0.0.1       with packets that must come back
  mirrorscope send --generate --to 10.0.0.9 --yes-send-to 10.0.0.9

Exit status: 0 done, 1 failed or a packet came back wrong, 2 the capture is damaged."
)]
pub(super) struct Args {
    /// Capture of plain traffic to wrap; tunnels of AWS in it are taken off first
    file: Option<PathBuf>,

    /// Make the traffic up: TCP with TLS and HTTP, DNS, other UDP, pings
    #[arg(long)]
    generate: bool,

    /// With --generate: number of flows, no two of a session with the same addresses, protocol and ports; 1000 unless
    /// given
    #[arg(long, value_name = "N", conflicts_with = "file", value_parser = clap::value_parser!(u64).range(1..))]
    flows: Option<u64>,

    /// With --generate: number of packets, of which every flow has one at least; 100000 unless given, or as many as
    /// flows
    #[arg(long, value_name = "N", conflicts_with = "file")]
    packets: Option<u64>,

    /// With --generate: the smallest packets instead of an Internet mix
    #[arg(long, conflicts_with = "file")]
    small: bool,

    /// With --generate: share of flows that are IPv6
    #[arg(long, value_name = "SHARE", default_value_t = 0.0, value_parser = share, conflicts_with = "file")]
    ipv6: f64,

    /// With --generate: share of flows with a VLAN tag
    #[arg(long, value_name = "SHARE", default_value_t = 0.0, value_parser = share, conflicts_with = "file")]
    vlan: f64,

    /// What chance is made of: the same seed makes the same octets
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,

    /// Number of mirror sessions
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=i64::from(Network::MAX_SESSIONS)))]
    sessions: u32,

    /// Number of endpoints among which the sessions are dealt out; their VNIs and addresses overlap
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    endpoints: u32,

    /// VNI of the first session; the others count on
    #[arg(long, value_name = "N", default_value_t = NetworkOptions::default().first_vni, value_parser = clap::value_parser!(u32).range(0..1 << 24))]
    vni: u32,

    /// Id of the first endpoint
    #[arg(long, value_name = "VPCE", default_value_t = NetworkOptions::default().first_endpoint)]
    endpoint: EndpointId,

    /// Share of sessions whose mirror packets have an IPv6 header
    #[arg(long, value_name = "SHARE", default_value_t = 0.0, value_parser = share)]
    mirror_ipv6: f64,

    /// Cut mirrored frames to N octets, as a session's PacketLength does
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=8500))]
    packet_length: Option<u32>,

    /// Share of flows that are routed through the endpoint instead of being mirrored
    #[arg(long, value_name = "SHARE", default_value_t = 0.0, value_parser = share)]
    inline: f64,

    /// Packets a second; without it and --speed as fast as possible
    #[arg(long, value_name = "PPS", conflicts_with = "speed", value_parser = clap::value_parser!(u64).range(1..=1_000_000_000))]
    rate: Option<u64>,

    /// Keep the packets' own time, X times as fast
    #[arg(long, value_name = "X", value_parser = speed)]
    speed: Option<f64>,

    /// Stop after N packets
    #[arg(long, value_name = "N")]
    count: Option<u64>,

    /// Stop after that many seconds
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    duration: Option<Duration>,

    /// Send to this address; the port is 6081 unless given
    #[arg(long, value_name = "ADDR[:PORT]", value_parser = target::parse)]
    to: Option<SocketAddr>,

    /// Really send to an address that is not loopback: repeat it here
    #[arg(long, value_name = "ADDR", requires = "to")]
    yes_send_to: Option<IpAddr>,

    /// Send from this address; for a target on loopback 127.0.0.2 (or .3)
    #[arg(long, value_name = "ADDR", requires = "to")]
    from: Option<IpAddr>,

    /// Sockets to send from, each a source port of the load balancer
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=512), requires = "to")]
    sockets: u16,

    /// Give up waiting for inline packets when none has come back for so long
    #[arg(long, value_name = "SECONDS", default_value = "1", value_parser = seconds, requires = "to")]
    wait: Duration,

    /// Write to this capture instead: pcapng, or pcap with nanoseconds if the name ends in .pcap; `-` for
    /// standard output
    #[arg(short, long, value_name = "FILE")]
    write: Option<PathBuf>,

    #[command(flatten)]
    faults: Faults,

    /// Print the summary as JSON
    #[arg(long)]
    json: bool,

    /// Print no summary
    #[arg(short, long)]
    quiet: bool,
}

/// What goes wrong on purpose.
#[derive(ClapArgs, Debug)]
#[command(next_help_heading = "Faults (shares of packets, 0 to 1)")]
struct Faults {
    /// Lose packets
    #[arg(long, value_name = "SHARE", default_value_t = 0.0, value_parser = share)]
    loss: f64,

    /// Deliver packets one to four places late
    #[arg(long, value_name = "SHARE", default_value_t = 0.0, value_parser = share)]
    reorder: f64,

    /// Deliver packets twice
    #[arg(long, value_name = "SHARE", default_value_t = 0.0, value_parser = share)]
    duplicate: f64,

    /// Flip a bit, from the Geneve header on
    #[arg(long, value_name = "SHARE", default_value_t = 0.0, value_parser = share)]
    corrupt: f64,

    /// Cut packets, from the Geneve header on
    #[arg(long, value_name = "SHARE", default_value_t = 0.0, value_parser = share)]
    truncate: f64,
}

/// Runs the command.
pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let report = send::run(&args.plan()?)?;
    if !args.quiet {
        let onto_stderr = args.write.as_ref().is_some_and(|path| path.as_os_str() == "-");
        report.print(args.json, onto_stderr)?;
    }
    report.verdict()
}

impl Args {
    fn plan(&self) -> Result<Plan, Failure> {
        Ok(Plan {
            source: self.source()?,
            network: self.network()?,
            inline_share: self.inline,
            seed: self.seed,
            pace: match (self.rate, self.speed) {
                (Some(rate), _) => Pace::Rate(rate),
                (None, Some(speed)) => Pace::Speed(speed),
                (None, None) => Pace::Unbound,
            },
            count: self.count,
            duration: self.duration,
            faults: FaultShares {
                loss: self.faults.loss,
                reorder: self.faults.reorder,
                duplicate: self.faults.duplicate,
                corrupt: self.faults.corrupt,
                truncate: self.faults.truncate,
            },
            goal: self.goal()?,
        })
    }

    fn source(&self) -> Result<Source, Failure> {
        if let Some(path) = &self.file {
            return Ok(Source::Capture(path.clone()));
        }
        let usual = GeneratorOptions::default();
        let packets = self.packets.unwrap_or(usual.packets.max(self.flows.unwrap_or_default()));
        let flows = self.flows.unwrap_or(usual.flows.min(packets));
        if flows > packets {
            return Err(Failure::new(format_args!("{flows} flows cannot be made of {packets} packets"))
                .hint(format_args!("every flow has a packet at least: give --packets {flows} or more")));
        }
        Ok(Source::Generated(GeneratorOptions {
            flows,
            packets,
            rate: self.rate.unwrap_or(usual.rate),
            seed: self.seed,
            sizes: if self.small { Sizes::Small } else { Sizes::Imix },
            ipv6_share: self.ipv6,
            vlan_share: self.vlan,
            inline_share: self.inline,
        }))
    }

    fn network(&self) -> Result<NetworkOptions, Failure> {
        let last = u64::from(self.vni) + u64::from(self.sessions).saturating_sub(1);
        if last > MAX_VNI {
            return Err(Failure::new(format_args!(
                "the last of {} sessions would have VNI {last}",
                self.sessions
            ))
            .hint(format_args!("a VNI has 24 bits, so {MAX_VNI} is the greatest: give a smaller --vni")));
        }
        Ok(NetworkOptions {
            sessions: self.sessions,
            endpoints: self.endpoints,
            first_vni: self.vni,
            first_endpoint: self.endpoint,
            over_ipv6: self.mirror_ipv6,
            packet_len: self.packet_length,
        })
    }

    fn goal(&self) -> Result<Goal, Failure> {
        if let (Some(input), Some(output)) = (&self.file, &self.write) {
            refuse_as_output(input, output)?;
        }
        match (&self.write, self.to) {
            (Some(path), _) => Ok(Goal::File(path.clone())),
            (None, Some(to)) => {
                target::check(to, self.yes_send_to)?;
                let from = target::source_address(to, self.from)?;
                if self.inline > 0.0 {
                    target::check_source(to, from)?;
                }
                Ok(Goal::Socket { to, from, sockets: self.sockets, wait: self.wait })
            }
            (None, None) => Err(Failure::new("nowhere to send to: give --to or --write")),
        }
    }
}

/// The greatest VNI (RFC 7348, 5).
const MAX_VNI: u64 = (1 << 24) - 1;

fn share(text: &str) -> Result<f64, String> {
    let share: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    if (0.0..=1.0).contains(&share) { Ok(share) } else { Err("a share is from 0 to 1".to_owned()) }
}

fn speed(text: &str) -> Result<f64, String> {
    let speed: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    if speed.is_finite() && speed > 0.0 {
        Ok(speed)
    } else {
        Err("more than 0, 1 being real time".to_owned())
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())
}

const _: () = assert!(geneve::UDP_PORT == 6081, "the help text names the port");
