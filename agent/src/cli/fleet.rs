//! `mirrorscope fleet`: the queries over the flow logs of any number of agents, as statements for the engine at hand.
//!
//! A query is a file in `agent/queries` and a row in [`QUERIES`]. It is the same text for every engine; what differs is
//! how an engine is told where the files are.

use clap::{Args as ClapArgs, ValueEnum, builder::PossibleValuesParser};
use mirrorscope_core::flow_log::{Writer, athena};

use crate::{failure::Failure, output::Output};

const QUERIES: [(&str, &str); 7] = [
    ("top-talkers", include_str!("../../queries/top-talkers.sql")),
    ("who-talks-to-whom", include_str!("../../queries/who-talks-to-whom.sql")),
    ("new-destinations", include_str!("../../queries/new-destinations.sql")),
    ("noise-by-port", include_str!("../../queries/noise-by-port.sql")),
    ("per-session", include_str!("../../queries/per-session.sql")),
    ("retransmissions", include_str!("../../queries/retransmissions.sql")),
    ("loss", include_str!("../../queries/loss.sql")),
];

/// What the queries call the table, and the view of whole conversations.
const TABLE: &str = "flow_logs";
const VIEW: &str = "conversations";
const CONVERSATIONS: &str = include_str!("../../queries/conversations.sql");

/// Print a query over the flow logs of all agents, for DuckDB, Spark or Athena
///
/// Without a query: which there are. The flow logs are those that `--flow-log parquet:PLACE` writes. What several
/// agents saw of one flow is put together, and what was mirrored at both ends is counted once.
#[derive(ClapArgs, Debug)]
#[command(after_help = "\
Examples:
  mirrorscope fleet                                            which queries there are
  mirrorscope fleet top-talkers logs | duckdb                  on this machine (pip install duckdb-cli)
  mirrorscope fleet loss s3://bucket/logs --engine athena --account-id 123456789012 --region eu-central-1
  spark-sql --master spark://HOST:7077 -f <(mirrorscope fleet per-session s3a://bucket/logs --engine spark)")]
pub(super) struct Args {
    /// Which query
    #[arg(value_parser = PossibleValuesParser::new(QUERIES.map(|(name, _)| name)))]
    query: Option<String>,

    /// Folder or bucket of the flow logs
    #[arg(default_value = "logs")]
    place: String,

    /// What will run the query
    #[arg(long, value_enum, default_value_t)]
    engine: Engine,

    /// Account in the paths of the flow logs; Athena alone has to know it
    #[arg(long, value_name = "ID")]
    account_id: Option<String>,

    /// Region in the paths of the flow logs; Athena alone has to know it
    #[arg(long, value_name = "NAME")]
    region: Option<String>,
}

/// Engines that the queries were tried on, and Athena.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum Engine {
    /// DuckDB
    #[default]
    Duckdb,
    /// Spark SQL
    Spark,
    /// Amazon Athena
    Athena,
}

/// Runs the command.
pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let mut output = Output::new();
    let text = match &args.query {
        Some(name) => {
            script(args, QUERIES.iter().find(|(known, _)| known == name).map_or("", |(_, sql)| sql))
        }
        None => QUERIES.map(|(name, sql)| format!("{name:<18} {}\n", purpose(sql))).concat(),
    };
    output.print(|line| {
        line.str(&text);
    })?;
    output.flush()
}

/// The first line of a query is the question that it answers.
fn purpose(sql: &str) -> &str {
    sql.lines().next().unwrap_or_default().trim_start_matches("-- ")
}

fn script(args: &Args, query: &str) -> String {
    let place = args.place.trim_end_matches('/').replace('\'', "''");
    let (table, kind) = match args.engine {
        Engine::Duckdb => (
            format!("CREATE OR REPLACE TEMP VIEW {TABLE} AS SELECT * FROM '{place}/**/*.parquet'"),
            "TEMP VIEW",
        ),
        Engine::Spark => (
            format!("CREATE OR REPLACE TEMP VIEW {TABLE} USING parquet OPTIONS (path '{place}/AWSLogs')"),
            "TEMP VIEW",
        ),
        Engine::Athena => {
            let writer = Writer {
                account_id: args.account_id.clone(),
                region: args.region.clone(),
                ..Writer::default()
            };
            (athena::create_table(TABLE, &place, &writer).trim_end().to_owned(), "VIEW")
        }
    };
    format!("{table};\n\nCREATE OR REPLACE {kind} {VIEW} AS\n{CONVERSATIONS};\n\n{query};\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_of_queries_is_in_the_table_and_says_what_it_asks() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/queries");
        let files = std::fs::read_dir(folder).unwrap().flatten().map(|entry| entry.path());
        let mut names: Vec<_> = files
            .filter(|path| path.extension().is_some_and(|extension| extension == "sql"))
            .map(|path| path.file_stem().unwrap().to_string_lossy().into_owned())
            .filter(|name| name != VIEW)
            .collect();
        names.sort();
        let mut known = QUERIES.map(|(name, _)| name);
        known.sort();
        assert_eq!(names, known);
        assert!(QUERIES.iter().all(|(_, sql)| purpose(sql).contains('?')), "a question");
    }
}
