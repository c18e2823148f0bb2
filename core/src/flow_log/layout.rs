//! Where files of flow logs lie and what they are called: by hour, as AWS lays out VPC Flow Logs for Hive.
//!
//! ```text
//! AWSLogs/aws-account-id=123456789012/aws-service=mirrorscope/aws-region=eu-central-1/
//!   year=2026/month=11/day=25/hour=17/
//!     123456789012_mirrorscope_eu-central-1_AGENT_20261125T1700Z_RUN-000001.log.parquet
//! ```
//!
//! A record lies in the hour of its first packet. The name of a file follows from who wrote it and as its how many-th,
//! so that a file that is delivered again replaces itself.
//! <https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs-s3-path.html>

use super::record::Writer;
use crate::sinks::time::civil;

/// Nanoseconds of the time that a folder holds.
pub const HOUR_NS: i64 = 3_600_000_000_000;
/// What stands for an account or a region that is not known.
const UNKNOWN: &str = "unknown";

/// Which hour a time lies in, counted since 1970.
pub fn hour(timestamp_ns: i64) -> i64 {
    timestamp_ns.div_euclid(HOUR_NS)
}

/// The folders of an account and a region, below which there are those of time.
pub fn root(writer: &Writer) -> String {
    let [account, region] = account_and_region(writer);
    format!("AWSLogs/aws-account-id={account}/aws-service=mirrorscope/aws-region={region}")
}

/// The path of a file: `run` tells apart the runs of an agent, `number` the files of a run, `extension` the formats.
pub fn path(writer: &Writer, hour: i64, run: &str, number: u64, extension: &str) -> String {
    let [account, region] = account_and_region(writer);
    let agent = safe(&writer.agent_id);
    let (year, month, day) = civil(hour.div_euclid(24));
    let hour = hour.rem_euclid(24);
    format!(
        "{}/year={year:04}/month={month:02}/day={day:02}/hour={hour:02}/\
         {account}_mirrorscope_{region}_{agent}_{year:04}{month:02}{day:02}T{hour:02}00Z_{run}-{number:06}.log.{extension}",
        root(writer)
    )
}

fn account_and_region(writer: &Writer) -> [String; 2] {
    [&writer.account_id, &writer.region].map(|value| safe(value.as_deref().unwrap_or(UNKNOWN)))
}

/// A name without anything that a path, a URL or Hive would take for something else.
fn safe(name: &str) -> String {
    let is_safe = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '.');
    let name: String = name.chars().map(|letter| if is_safe(letter) { letter } else { '-' }).collect();
    match name.trim_start_matches('.') {
        "" => UNKNOWN.to_owned(),
        name => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_lies_in_the_hour_of_its_records() {
        let writer = Writer {
            agent_id: "i-1/../x".to_owned(),
            account_id: Some("123456789012".to_owned()),
            region: Some("eu-central-1".to_owned()),
        };
        assert_eq!(
            path(&writer, hour(1_656_579_314_000_000_000), "a1", 7, "parquet"),
            "AWSLogs/aws-account-id=123456789012/aws-service=mirrorscope/aws-region=eu-central-1/\
             year=2022/month=06/day=30/hour=08/\
             123456789012_mirrorscope_eu-central-1_i-1-..-x_20220630T0800Z_a1-000007.log.parquet"
        );
    }

    #[test]
    fn what_is_not_known_has_a_folder_too() {
        assert_eq!(
            root(&Writer::default()),
            "AWSLogs/aws-account-id=unknown/aws-service=mirrorscope/aws-region=unknown"
        );
    }
}
