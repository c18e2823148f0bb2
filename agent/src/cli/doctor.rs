//! `mirrorscope doctor`: what is wrong with this machine and its load balancer, why, and what mends it.

use std::path::PathBuf;

use clap::{Args as ClapArgs, ValueEnum};
use mirrorscope_core::{
    doctor::{self, AwsFacts, Diagnosis, Intent, Severity},
    layers::geneve,
};

use super::aws::{files, lint};
use crate::{
    doctor::look,
    failure::{DAMAGED_INPUT, Failure},
};

/// Exit status where there are warnings and no errors.
const WARNED: u8 = 3;

/// Look for what would lose packets on this machine and in its load balancer
///
/// Looks at the MTU, offloads and queues of interfaces, socket buffers, who holds the port, and the health
/// listener; and, in what the AWS CLI printed, at target groups, their attributes and targets, and security groups.
/// It only reads. Every finding says why it matters and which command mends it.
#[derive(ClapArgs, Debug)]
#[command(after_help = "\
Examples:
  mirrorscope doctor
  mirrorscope doctor --interface ens5 --port 6081
  mirrorscope doctor target-groups.json attributes.json target-health.json security-groups.json
  aws elbv2 describe-target-groups --names mirror | mirrorscope doctor -

Exit status: 0 all is well, 1 something loses packets, 2 a file is broken, 3 something may lose packets.")]
pub(super) struct Args {
    /// Files that `aws elbv2 describe-target-groups`, describe-target-group-attributes,
    /// describe-load-balancer-attributes, describe-target-health, or `aws ec2 describe-security-groups` printed;
    /// `-` for standard input
    json_files: Vec<PathBuf>,

    /// Interfaces to look at [default: those of the default route]
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    interface: Vec<String>,

    /// What `serve` is to do with packets that are no mirror's
    #[arg(long, value_enum, default_value_t)]
    mode: Mode,

    /// UDP port of `serve`
    #[arg(long, value_name = "PORT", default_value_t = geneve::UDP_PORT)]
    port: u16,

    /// TCP port on which `serve` tells its health
    #[arg(long, value_name = "PORT", default_value_t = 8080)]
    health_port: u16,

    /// Receive buffer of each socket of `serve`, MiB
    #[arg(long, value_name = "MIB", default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=1024))]
    buffer: u32,

    /// As of `serve`
    #[arg(long, value_name = "SECONDS", default_value_t = 130)]
    drain_quiet: u64,

    /// As of `serve`
    #[arg(long, value_name = "SECONDS", default_value_t = 310)]
    drain_deadline: u64,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// As of `serve`.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum Mode {
    #[default]
    Mirror,
    Inline,
    Auto,
}

/// Runs the command.
pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let mut aws = AwsFacts::default();
    for path in &args.json_files {
        let json = files::read_octets(path)?;
        aws.add_json(&json).map_err(|error| files::broken(path, &error))?;
    }
    let facts = look(args.intent(), &args.interface, aws);
    if let Some(missing) =
        args.interface.iter().find(|name| facts.interfaces.iter().all(|i| i.name != **name))
    {
        return Err(Failure::new(format_args!("there is no interface {missing}"))
            .hint("`ip -brief link` names those that there are"));
    }
    let diagnosis = doctor::diagnose(&facts);
    lint::print(&diagnosis, args.json)?;
    verdict(&diagnosis)
}

fn verdict(diagnosis: &Diagnosis) -> Result<(), Failure> {
    const _: () = assert!(WARNED != DAMAGED_INPUT);
    match (diagnosis.count(Severity::Error), diagnosis.count(Severity::Warning)) {
        (0, 0) => Ok(()),
        (0, _) => Err(Failure::already_told().status(WARNED)),
        _ => Err(Failure::already_told()),
    }
}

impl Args {
    fn intent(&self) -> Intent {
        Intent {
            mode: match self.mode {
                Mode::Mirror => doctor::Mode::Mirror,
                Mode::Inline | Mode::Auto => doctor::Mode::Inline,
            },
            port: self.port,
            health_port: self.health_port,
            buffer_len: u64::from(self.buffer) << 20,
            drain_quiet_s: self.drain_quiet,
            drain_deadline_s: self.drain_deadline,
        }
    }
}
