//! The options of flow logs, which `flows` and `serve` share.

use std::{path::PathBuf, time::Duration};

use clap::{ArgGroup, Args};
use mirrorscope_core::{aws::inventory::Inventory, flow_log::Writer};

use crate::flow_log::{
    Options, Run,
    place::{Place, Target},
};

/// Which flow logs, and what stands in them.
#[derive(Args, Clone, Debug)]
pub(crate) struct FlowLogArgs {
    /// Write flow logs: `vpc`, `json`, `parquet` or `ipfix`, and behind a colon where to: a folder,
    /// `s3://BUCKET/PREFIX`, or for ipfix `udp://HOST:PORT` or `tcp://HOST:PORT`; nothing for standard output
    #[arg(long, value_name = "FORMAT[:PLACE]")]
    pub(crate) flow_log: Vec<Target>,

    /// Flow logs tell of a flow that goes on when a multiple of so many seconds has passed, and when it ends
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=3600))]
    flow_log_interval: u32,

    /// What the agent is called in flow logs; no two that write to one place may be called the same
    /// [default: the name of the machine, or of the capture]
    #[arg(long, value_name = "NAME")]
    agent_id: Option<String>,

    /// Account to which the flow logs belong
    #[arg(long, value_name = "ID")]
    account_id: Option<String>,

    /// Region to which the flow logs belong
    #[arg(long, value_name = "NAME")]
    region: Option<String>,

    /// Folder in which files wait for a bucket that cannot be reached [default: mirrorscope-spool, in the state
    /// directory of a systemd unit if there is one]
    #[arg(long, value_name = "DIR")]
    spool: Option<PathBuf>,

    /// What may wait there, MiB; flow logs beyond it are lost, and counted
    #[arg(long, value_name = "MIB", default_value_t = 1024, value_parser = clap::value_parser!(u64).range(1..=1 << 20))]
    spool_size: u64,
}

/// The options that mean nothing without a flow log.
pub(crate) fn options_of_logs() -> ArgGroup {
    let options = ["flow_log_interval", "agent_id", "account_id", "region", "spool", "spool_size"];
    ArgGroup::new("options of flow logs").args(options).multiple(true).requires("flow_log")
}

impl FlowLogArgs {
    /// Nanoseconds of an interval.
    pub(crate) fn interval_ns(&self) -> i64 {
        i64::from(self.flow_log_interval) * 1_000_000_000
    }

    /// Folders that will be written to, or made.
    pub(crate) fn folders(&self) -> Vec<PathBuf> {
        let is_bucket = |target: &Target| matches!(target.place, Place::Bucket { .. });
        let spool =
            self.flow_log.iter().any(is_bucket).then(|| self.spool.clone().unwrap_or_else(default_spool));
        let folders = self.flow_log.iter().filter_map(|target| match &target.place {
            Place::Folder(folder) => Some(folder.clone()),
            _ => None,
        });
        folders.chain(spool).collect()
    }

    /// The interval.
    pub(crate) fn interval(&self) -> Duration {
        Duration::from_secs(self.flow_log_interval.into())
    }

    /// What a flow log has to know; `name` is the agent's unless the options say another.
    pub(crate) fn options(&self, inventory: Inventory, name: &str, run: Run) -> Options {
        let writer = Writer {
            agent_id: self.agent_id.clone().unwrap_or_else(|| name.to_owned()),
            account_id: self.account_id.clone(),
            region: self.region.clone(),
        };
        Options {
            writer,
            inventory,
            run,
            spool: self.spool.clone().unwrap_or_else(default_spool),
            spool_len: self.spool_size << 20,
            waits: false,
        }
    }
}

fn default_spool() -> PathBuf {
    PathBuf::from(std::env::var_os("STATE_DIRECTORY").unwrap_or_default()).join("mirrorscope-spool")
}
