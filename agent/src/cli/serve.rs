//! `mirrorscope serve`: its options, and what they mean. [`config`] gathers them, [`sinks`] says where packets go.

use std::{
    ffi::OsString,
    hash::{BuildHasher, RandomState},
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use clap::{Args as ClapArgs, Command, FromArgMatches};
use ipnet::IpNet;
use mirrorscope_core::{
    aws::gwlb::EndpointId,
    filter::Filter,
    flow::{FlowOptions, options::DEFAULT_MAX_FLOWS},
    layers::geneve,
};

mod config;
mod sinks;

use self::sinks::SinkArgs;
use super::{
    aws::files::SourceFiles,
    flow_log::{FlowLogArgs, options_of_logs},
};
use crate::{
    failure::Failure,
    flow_log::{FlowLog, Run},
    http::{Listen, Page},
    serve::{
        self, Drain, Plan,
        flow_logs::{OpenLog, Pace},
        intake::Way,
        settings::{Mode, Settings},
    },
    talk::say,
};

/// Networks that may send, unless options say otherwise: private, link-local and loopback ones. GWLB sends from an
/// address of its own in the appliance's subnet.
const PRIVATE: [&str; 9] = [
    "10.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "100.64.0.0/10",
    "169.254.0.0/16",
    "127.0.0.0/8",
    "fc00::/7",
    "fe80::/10",
    "::1/128",
];

/// The kind of interface that belongs to an endpoint. The addresses of others are those of customers.
const ENDPOINT_INTERFACE: &str = "gateway_load_balancer_endpoint";

/// Receive what a Gateway Load Balancer sends, until stopped
///
/// By default nothing is ever sent and no privilege is needed. Once everything is open, the agent gives up all
/// capabilities but a TAP's, and all files but its own. That holds for root too, who then may no more than others
/// (CAP_DAC_OVERRIDE is gone): files that are written, and those that SIGHUP reads, must be open to the user by their
/// own permissions.
///
/// SIGTERM drains: health says 503, the data path stays up until it is quiet. A second SIGTERM, or Ctrl-C, stops at
/// once. SIGHUP reads --config and the AWS files again, and takes EXPR, --drop, --allow-from and --mirror-endpoint
/// from them.
#[derive(ClapArgs, Debug)]
#[command(
    args_override_self = true,
    after_help = "\
Examples:
  mirrorscope serve                                   receive on UDP 6081, health on 8080, API on 127.0.0.1:8081
  mirrorscope serve --text - tcp port 443             and print what matches
  mirrorscope serve --write /var/lib/mirror.pcapng.zst --rotate-size 100 --keep-files 20
  mirrorscope serve --tap 'ms-{session}'              a device for each mirror session, for Suricata or Zeek
  mirrorscope serve --config /etc/mirrorscope.toml --check
  curl -sN localhost:8081/v1/capture | wireshark -k -i -
  mirrorscope serve --mode auto --mirror-endpoint vpce-0123456789abcdef0
  mirrorscope serve --receive ring                    as root: the same for much less processor time

Memory is bounded: some for each worker and each of --max-flows, three times --queue for each sink and each reader of
the API, and the API's answers; --check adds it up.

Exit status: 0 stopped in order, 1 failed to start, a sink lost packets at the end, or a file could not be finished."
)]
pub(super) struct Args {
    /// Which packets go to the sinks, in the language of `read`
    #[arg(value_name = "EXPR")]
    expression: Vec<String>,

    /// Options from a TOML file, under the same names. Those of the command line win, then those of the environment
    /// (MIRRORSCOPE_SERVE_WORKERS=4), then those of the file
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,

    /// Check the options, and whether this user has the capabilities and the files that they take; say what is wrong, and
    /// leave everything as it is. A port that is taken is only noted: the agent may be running
    #[arg(long)]
    check: bool,

    /// UDP address and port to receive on [default: every address, both families]
    #[arg(long, value_name = "ADDR:PORT", conflicts_with = "port")]
    listen: Option<SocketAddr>,

    /// UDP port to receive on, at every address
    #[arg(long, value_name = "PORT", default_value_t = geneve::UDP_PORT)]
    port: u16,

    /// How to receive
    #[arg(long, value_enum, default_value_t, value_name = "WAY")]
    receive: Way,

    /// Threads that receive, a socket or ring each [default: one for each processor, at most 16]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=128))]
    workers: Option<u16>,

    /// Receive buffer of each socket, or memory of each ring, MiB
    #[arg(long, value_name = "MIB", default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=1024))]
    buffer: u32,

    /// What may wait for each sink and each reader of the API, MiB
    #[arg(long, value_name = "MIB", default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=4096))]
    queue: u32,

    /// Flows that are followed at a time, all workers together
    #[arg(long, value_name = "N", default_value_t = DEFAULT_MAX_FLOWS, value_parser = super::flows::max_flows)]
    max_flows: usize,

    /// What becomes of packets that are no mirror's
    #[arg(long, value_enum, default_value_t)]
    mode: Mode,

    /// Networks that may send; what comes from elsewhere is counted and dropped [default: private ranges]
    #[arg(long, value_name = "CIDR", value_delimiter = ',')]
    allow_from: Vec<IpNet>,

    /// With --mode auto: endpoints that are targets of mirror sessions
    #[arg(long, value_name = "VPCE", value_delimiter = ',')]
    mirror_endpoint: Vec<EndpointId>,

    /// With --mode inline or auto: inline packets that do not go back (all others do: it fails open)
    #[arg(long, value_name = "EXPR")]
    drop: Option<String>,

    /// With --mode inline or auto: do not return packets in which a layer cannot be read (fail closed)
    #[arg(long)]
    drop_undecodable: bool,

    #[command(flatten)]
    aws: SourceFiles,

    #[command(flatten)]
    sinks: SinkArgs,

    #[command(flatten)]
    logs: FlowLogArgs,

    /// Files of flow logs are finished and delivered after so many seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 300, value_parser = clap::value_parser!(u64).range(1..=3600))]
    flow_log_file: u64,

    /// Where health is told; `none` for nowhere
    #[arg(long, value_name = "ADDR:PORT", default_value = "0.0.0.0:8080")]
    health: String,

    /// Where metrics, sessions, flows and the live capture are; `unix:PATH` for a socket, `none` for nowhere
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:8081")]
    api: String,

    /// File with the token that the API asks for
    #[arg(long, value_name = "FILE")]
    api_token_file: Option<PathBuf>,

    /// Folder of the built page, which then follows this agent in a browser at the API's address
    #[arg(long, value_name = "DIR")]
    page: Option<PathBuf>,

    /// After SIGTERM: stop when no datagram came for so many seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 130)]
    drain_quiet: u64,

    /// After SIGTERM: stop after that many seconds at the latest
    #[arg(long, value_name = "SECONDS", default_value_t = 310)]
    drain_deadline: u64,
}

/// Runs the command.
pub(super) fn run(_: Args) -> Result<(), Failure> {
    let words: Vec<OsString> = std::env::args_os().skip_while(|word| word != "serve").skip(1).collect();
    let args = read(&words)?;
    let check = args.check;
    let mut plan = args.plan(Box::new(move || read(&words)?.settings()))?;
    if check {
        args.sinks.check()?;
        serve::check(&plan, &args.logs.folders())?;
        say!(
            "mirrorscope: the options are in order; memory stays below {} MiB, beside {} MiB in the kernel",
            plan.memory_bound() >> 20,
            (plan.workers * plan.buffer_len) >> 20
        );
        return Ok(());
    }
    plan.flow_logs = args.flow_logs()?;
    serve::run(plan)
}

/// The options of the command line, the environment and the configuration file together.
fn read(words: &[OsString]) -> Result<Args, Failure> {
    parse(config::gather(&command(), words, std::env::vars_os())?)
}

fn command() -> Command {
    Args::augment_args(Command::new("mirrorscope serve"))
}

fn parse(words: impl IntoIterator<Item = OsString>) -> Result<Args, Failure> {
    let words = std::iter::once(OsString::from("mirrorscope serve")).chain(words);
    // Only here have the options of all places come together: one may stand in the file, and what it needs not.
    let command = command().groups(sinks::options_of_files()).group(options_of_logs().arg("flow_log_file"));
    let matches = command.try_get_matches_from(words);
    let args = matches.and_then(|matches| Args::from_arg_matches(&matches));
    args.map_err(|error| {
        Failure::new(super::cut(&error.to_string()).trim_start_matches("error: ").trim_end())
    })
}

impl Args {
    fn plan(&self, reload: Box<dyn Fn() -> Result<Settings, Failure>>) -> Result<Plan, Failure> {
        let workers = self.workers.map_or_else(processors, usize::from);
        let api = self.api()?;
        Ok(Plan {
            way: self.receive,
            listen: self.listen,
            port: self.port,
            workers,
            buffer_len: (self.buffer as usize) << 20,
            queue_len: (self.queue as usize) << 20,
            settings: self.settings()?,
            reload,
            flows: FlowOptions {
                max_flows: self.max_flows.div_ceil(workers),
                seed: RandomState::new().hash_one(0),
                copies_seed: RandomState::new().hash_one(1),
                ..FlowOptions::default()
            },
            sinks: self.sinks.sinks(),
            flow_logs: Vec::new(),
            pace: Pace { interval: self.logs.interval(), files: Duration::from_secs(self.flow_log_file) },
            sinks_required: self.sinks.require_sinks,
            health: match self.health.as_str() {
                "none" => None,
                address => Some(socket_address("--health", address)?),
            },
            api_token: self.api_token_file.as_ref().map(serve::read_token).transpose()?,
            api,
            reads: self.config.iter().chain(self.aws.paths()).cloned().collect(),
            page: self.page.as_deref().map(Page::read).transpose()?,
            drain: Drain {
                quiet: Duration::from_secs(self.drain_quiet),
                deadline: Duration::from_secs(self.drain_deadline),
            },
        })
    }

    fn settings(&self) -> Result<Settings, Failure> {
        let inventory = self.aws.read()?;
        let from_targets = inventory.targets.iter().filter_map(|target| target.endpoint_id);
        let mirror_endpoints = self.mirror_endpoint.iter().copied().chain(from_targets).collect();
        let endpoint_addresses = inventory
            .interfaces
            .iter()
            .filter(|interface| interface.kind.as_deref() == Some(ENDPOINT_INTERFACE))
            .flat_map(|interface| interface.addresses.iter().copied())
            .collect();
        let allow_from = match self.allow_from.is_empty() {
            true => PRIVATE.iter().filter_map(|network| network.parse().ok()).collect(),
            false => self.allow_from.clone(),
        };
        let settings = Settings {
            allow_from,
            filter: filter(&self.expression.join(" "))?,
            mode: self.mode,
            mirror_endpoints,
            endpoint_addresses,
            drop: self.drop.as_deref().map(filter).transpose()?.flatten(),
            drop_undecodable: self.drop_undecodable,
        };
        self.check_mode(&settings)?;
        Ok(settings)
    }

    fn check_mode(&self, settings: &Settings) -> Result<(), Failure> {
        let knows_mirrors = !settings.mirror_endpoints.is_empty() || !settings.endpoint_addresses.is_empty();
        match self.mode {
            Mode::Auto if !knows_mirrors => Err(Failure::new(
                "--mode auto cannot tell mirrored from inline packets: it knows no mirror endpoint",
            )
            .hint(
                "give --mirror-endpoint vpce-…, or --targets FILE with the output of `aws ec2 describe-traffic-mirror-targets`",
            )),
            Mode::Mirror if self.drop.is_some() || self.drop_undecodable => {
                Err(Failure::new("--drop needs --mode inline or auto: in mirror mode nothing goes back"))
            }
            Mode::Inline | Mode::Auto if self.receive == Way::Ring => {
                Err(Failure::new("--receive ring is for receiving only: nothing goes back from a ring")
                    .hint("--receive socket does both"))
            }
            _ => Ok(()),
        }
    }

    fn flow_logs(&self) -> Result<Vec<OpenLog>, Failure> {
        let run = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
        let targets = self.logs.flow_log.iter().enumerate();
        let logs = targets.map(|(at, target)| {
            // Two logs to one place must not take each other's names.
            let run = Run::Once(format!("{run:x}{at}"));
            let options = self.logs.options(self.aws.read()?, &host_name(), run);
            let (log, delivery) = FlowLog::open(target, options)?;
            Ok(OpenLog { name: target.text.clone(), log, delivery })
        });
        logs.collect()
    }

    fn api(&self) -> Result<Option<Listen>, Failure> {
        if self.api == "none" {
            return Ok(None);
        }
        if let Some(path) = self.api.strip_prefix("unix:") {
            return Ok(Some(Listen::Path(path.into())));
        }
        let address = socket_address("--api", &self.api)?;
        if !is_local(address.ip()) && self.api_token_file.is_none() {
            return Err(Failure::new(format_args!(
                "--api {address} would show everyone the packets of your mirrors"
            ))
            .hint("give --api-token-file FILE, or listen on 127.0.0.1 or unix:PATH"));
        }
        Ok(Some(Listen::Address(address)))
    }
}

fn is_local(address: IpAddr) -> bool {
    address.to_canonical().is_loopback()
}

fn socket_address(option: &str, text: &str) -> Result<SocketAddr, Failure> {
    text.parse().map_err(|_| {
        Failure::new(format_args!("{option} {text}: not an address with a port, such as 127.0.0.1:8081"))
    })
}

fn filter(text: &str) -> Result<Option<Filter>, Failure> {
    if text.trim().is_empty() {
        return Ok(None);
    }
    Filter::parse(text).map(Some).map_err(|error| Failure::new(error.render(text).trim_end()))
}

/// What the machine calls itself.
fn host_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    name.trim().to_owned()
}

fn processors() -> usize {
    thread::available_parallelism().map_or(1, |number| number.get().min(16))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(words: &str) -> Vec<OsString> {
        words.split_whitespace().map(OsString::from).collect()
    }

    fn args(text: &str) -> Args {
        parse(words(text)).unwrap()
    }

    #[test]
    fn auto_refuses_to_guess() {
        let refusal = args("--mode auto").settings().unwrap_err();
        assert!(refusal.to_string().contains("no mirror endpoint"), "{refusal}");
        assert!(args("--mode auto --mirror-endpoint vpce-0123456789abcdef0").settings().is_ok());
    }

    #[test]
    fn an_option_without_what_it_is_for_is_refused() {
        for (useless, missing) in [
            ("--outer", "--write"),
            ("--disk-floor 3", "--write"),
            ("--rotate-packets 3", "--write"),
            ("--keep-files 3 --write x", "--rotate-size"),
            ("--spool x", "--flow-log"),
            ("--flow-log-file 3", "--flow-log"),
        ] {
            let refusal = parse(words(useless)).unwrap_err().to_string();
            assert!(refusal.contains("not provided") && refusal.contains(missing), "{useless}: {refusal}");
        }
        args("--write x --outer --disk-floor 3 --rotate-seconds 3 --rotate-size 3 --keep-files 3");
        args("--flow-log json --spool x --flow-log-file 3 --flow-log-interval 3");
    }

    #[test]
    fn the_api_is_not_opened_to_the_network_without_a_token() {
        for closed in ["0.0.0.0:8081", "10.0.0.1:1", "[::]:1"] {
            assert!(args(&format!("--api {closed}")).api().is_err(), "{closed}");
        }
        for open in ["127.0.0.1:1", "[::1]:1", "unix:/run/x", "none"] {
            assert!(args(&format!("--api {open}")).api().is_ok(), "{open}");
        }
    }

    #[test]
    fn only_private_networks_may_send_by_default() {
        let settings = args("").settings().unwrap();
        assert!(settings.allows("10.1.2.3".parse().unwrap()));
        assert!(settings.allows("127.0.0.2".parse().unwrap()));
        assert!(!settings.allows("8.8.8.8".parse().unwrap()));
        let settings = args("--allow-from 8.8.8.0/24").settings().unwrap();
        assert!(settings.allows("8.8.8.8".parse().unwrap()) && !settings.allows("10.1.2.3".parse().unwrap()));
    }
}
