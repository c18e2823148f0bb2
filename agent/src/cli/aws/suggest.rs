//! `mirrorscope aws suggest`: the smallest mirror filter that keeps or drops what an expression chooses.

use clap::{Args as ClapArgs, ValueEnum};
use mirrorscope_core::{
    Packet,
    aws::suggest::{Goal, Suggester, Suggestion},
    filter::Filter,
};

use super::{super::input::Input, files::AwsFiles, lint::print};
use crate::{failure::Failure, output::Output, pipeline::Sink, talk::say};

/// Suggest the smallest mirror filter that keeps or drops traffic
///
/// The expression is learned from the capture and turned into at most ten rules, which are then checked against
/// every mirrored packet of it. Nothing is changed at AWS: the commands are printed.
#[derive(ClapArgs, Debug)]
#[command(group = clap::ArgGroup::new("goal").required(true), after_help = "\
Examples:
  mirrorscope aws suggest mirror.pcap --drop 'port 443'
  mirrorscope aws suggest mirror.pcap --keep 'tcp port 80 or icmp' --format cloudformation
  mirrorscope aws suggest mirror.pcap --drop 'port 443' --format json > filter.json")]
pub(super) struct Args {
    #[command(flatten)]
    input: Input,

    /// Mirror everything but the packets that this expression chooses
    #[arg(long, value_name = "EXPR", group = "goal")]
    drop: Option<String>,

    /// Mirror nothing but the packets that this expression chooses
    #[arg(long, value_name = "EXPR", group = "goal")]
    keep: Option<String>,

    #[command(flatten)]
    files: AwsFiles,

    /// What is printed
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Format {
    /// The rules, what they do with the capture, and the commands that make them
    #[default]
    Text,
    /// AWS CLI commands alone
    Cli,
    /// What `describe-traffic-mirror-filters` would print
    Json,
    /// A CloudFormation template in YAML
    Cloudformation,
    /// The whole report as JSON
    Report,
}

/// Runs the command.
pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let (goal, text) = match (&args.drop, &args.keep) {
        (Some(text), _) => (Goal::Drop, text),
        (None, Some(text)) => (Goal::Keep, text),
        (None, None) => return Err(Failure::new("neither --drop nor --keep was given")),
    };
    let filter = Filter::parse(text).map_err(|error| Failure::filter(&error, text))?;
    let suggester = Suggester::new(goal, args.input.decoder()?, args.files.read(&[])?);
    let mut sink = Learning { suggester, filter };
    let result = args.input.read(true, &mut sink)?;
    let suggestion = sink.suggester.finish();
    show(&suggestion, args.format)?;
    result
}

fn show(suggestion: &Suggestion, format: Format) -> Result<(), Failure> {
    let filter = &suggestion.filter;
    let text = match format {
        Format::Report => return print(suggestion, true),
        Format::Text => format!("{suggestion}\n{}", filter.to_cli()),
        Format::Cli => filter.to_cli(),
        Format::Json => filter.to_json(),
        Format::Cloudformation => filter.to_cloudformation(),
    };
    if format != Format::Text && !suggestion.is_exact() {
        say!("{}", suggestion.exactness());
    }
    let mut output = Output::new();
    output.print(|line| {
        line.str(&text);
    })?;
    output.flush()
}

struct Learning {
    suggester: Suggester,
    filter: Filter,
}

impl Sink for Learning {
    fn packet(&mut self, packet: &Packet<'_>) -> Result<(), Failure> {
        self.suggester.add(packet, |packet| self.filter.matches(packet));
        Ok(())
    }

    fn finish(&mut self) -> Result<(), Failure> {
        Ok(())
    }
}
