//! `mirrorscope aws explain`: which rule of which mirror filter the packets of a capture match.

use clap::Args as ClapArgs;
use mirrorscope_core::{Packet, aws::explain::Explainer};

use super::{super::input::Input, files::AwsFiles, lint::print};
use crate::{failure::Failure, pipeline::Sink};

/// Show which rule of which mirror filter each packet matches
///
/// Without --sessions every filter judges every mirrored packet; with it, each packet is judged by the filter of
/// its own session, which is found by VNI, mirrored interface and endpoint.
#[derive(ClapArgs, Debug)]
#[command(after_help = "\
Examples:
  aws ec2 describe-traffic-mirror-filters > filters.json
  mirrorscope aws explain mirror.pcap --filters filters.json
  mirrorscope aws explain mirror.pcap --filters filters.json --sessions sessions.json --enis enis.json")]
pub(super) struct Args {
    #[command(flatten)]
    input: Input,

    #[command(flatten)]
    files: AwsFiles,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let inventory = args.files.read(&[])?;
    if inventory.filters.is_empty() {
        return Err(Failure::new("there is no mirror filter to explain").hint(
            "run `aws ec2 describe-traffic-mirror-filters > filters.json` and give --filters filters.json",
        ));
    }
    let mut sink = Explaining(Explainer::new(inventory));
    let result = args.input.read(true, &mut sink)?;
    let explanation = sink.0.finish();
    print(&explanation, args.json)?;
    result
}

struct Explaining(Explainer);

impl Sink for Explaining {
    fn packet(&mut self, packet: &Packet<'_>) -> Result<(), Failure> {
        self.0.add(packet);
        Ok(())
    }

    fn finish(&mut self) -> Result<(), Failure> {
        Ok(())
    }
}
