//! The table over the files in S3, in the words of Athena (and of Hive, Glue and Spark, which share them).
//!
//! The hours are projected: Athena computes which folders there are, and nobody has to tell it of new ones.
//! <https://docs.aws.amazon.com/athena/latest/ug/partition-projection.html>

use super::{
    columns::{COLUMNS, Kind},
    layout,
    record::Writer,
};

/// The statement that makes the table `name` over the Parquet files below `place`, such as `s3://bucket/prefix`.
pub fn create_table(name: &str, place: &str, writer: &Writer) -> String {
    let columns: Vec<_> = COLUMNS
        .iter()
        .map(|column| {
            let kind = match column.kind {
                Kind::Int => "int",
                Kind::BigInt => "bigint",
                Kind::Text => "string",
            };
            format!("  `{}` {kind} COMMENT '{}'", column.name, column.meaning.replace('\'', "''"))
        })
        .collect();
    let location = format!("{}/{}", place.trim_end_matches('/'), layout::root(writer));
    format!(
        "CREATE EXTERNAL TABLE IF NOT EXISTS `{name}` (\n{columns}\n)\n\
         PARTITIONED BY (`year` int, `month` int, `day` int, `hour` int)\n\
         STORED AS PARQUET\n\
         LOCATION '{location}/'\n\
         TBLPROPERTIES (\n\
         \x20 'projection.enabled' = 'true',\n\
         \x20 'projection.year.type' = 'integer', 'projection.year.range' = '2020,2100',\n\
         \x20 'projection.month.type' = 'integer', 'projection.month.range' = '1,12', 'projection.month.digits' = '2',\n\
         \x20 'projection.day.type' = 'integer', 'projection.day.range' = '1,31', 'projection.day.digits' = '2',\n\
         \x20 'projection.hour.type' = 'integer', 'projection.hour.range' = '0,23', 'projection.hour.digits' = '2',\n\
         \x20 'storage.location.template' = '{location}/year=${{year}}/month=${{month}}/day=${{day}}/hour=${{hour}}/'\n\
         )\n",
        columns = columns.join(",\n"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_every_column_and_reads_the_folders_as_they_are_named() {
        let statement = create_table("flow_logs", "s3://b/p/", &Writer::default());
        let lines: Vec<_> = statement.lines().filter(|line| line.contains("COMMENT")).collect();
        assert_eq!(lines.len(), COLUMNS.len());
        assert!(lines[0].starts_with("  `version` int COMMENT 'The version"));
        assert!(
            statement.contains("aws-region=unknown/year=${year}/month=${month}/day=${day}/hour=${hour}/'")
        );
    }
}
