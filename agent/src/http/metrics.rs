//! The counters for Prometheus, in its text format or in OpenMetrics. Reading them changes nothing.

use std::{
    fmt,
    sync::{Arc, atomic::Ordering},
};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric, text},
    metrics::{MetricType, counter::ConstCounter, gauge::ConstGauge},
    registry::{Registry, Unit},
};

use crate::serve::{Agent, flow_logs::LogState};

/// How the counters are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// Prometheus's own text format, which everything reads.
    Prometheus,
    /// Its standardized successor.
    OpenMetrics,
}

impl Format {
    /// What a reader with this `Accept` header wants.
    pub(super) fn wanted(accept: Option<&[u8]>) -> Self {
        let accept = String::from_utf8_lossy(accept.unwrap_or_default());
        if accept.contains("application/openmetrics-text") { Self::OpenMetrics } else { Self::Prometheus }
    }

    /// The media type.
    pub(super) fn content_type(self) -> &'static str {
        match self {
            Self::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// All metrics as text.
pub(super) fn text(agent: &Arc<Agent>, format: Format) -> Result<String, fmt::Error> {
    let mut registry = Registry::with_prefix("mirrorscope");
    registry.register_collector(Box::new(Metrics { agent: Arc::clone(agent) }));
    let mut text = String::new();
    text::encode(&mut text, &registry)?;
    Ok(match format {
        Format::OpenMetrics => text,
        Format::Prometheus => prometheus(&text),
    })
}

/// OpenMetrics names a counter without the `_total` of its samples; the older format wants it in every line. It
/// knows neither units nor an end.
fn prometheus(open_metrics: &str) -> String {
    let lines: Vec<&str> = open_metrics.lines().collect();
    let is_counter = |name: &str| lines.contains(&format!("# TYPE {name} counter").as_str());
    let mut text = String::with_capacity(open_metrics.len() + 1024);
    for line in &lines {
        let mut words = line.splitn(4, ' ');
        match (words.next(), words.next(), words.next(), words.next()) {
            (Some("#"), Some(word @ ("HELP" | "TYPE")), Some(name), Some(rest)) if is_counter(name) => {
                text.push_str(&format!("# {word} {name}_total {rest}\n"));
            }
            (Some("#"), Some("EOF" | "UNIT"), ..) => {}
            _ => {
                text.push_str(line);
                text.push('\n');
            }
        }
    }
    text
}

#[derive(Debug)]
struct Metrics {
    agent: Arc<Agent>,
}

impl Collector for Metrics {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let agent = &*self.agent;
        self.tallies(&mut encoder)?;
        let restarts = |encoder: &mut DescriptorEncoder<'_>| {
            let mut family = encoder.encode_descriptor(
                "worker_restarts",
                "Times that a worker died and was started again",
                None,
                MetricType::Counter,
            )?;
            for (index, worker) in agent.workers.iter().enumerate() {
                let count = worker.restarts.load(Ordering::Relaxed);
                let labels = [("worker", index.to_string())];
                ConstCounter::new(count).encode(family.encode_family(&labels)?)?;
            }
            Ok(())
        };
        restarts(&mut encoder)?;
        self.sinks(&mut encoder)?;
        self.flow_logs(&mut encoder)?;
        let flows: usize = agent.workers.iter().map(|worker| worker.state().flows.len()).sum();
        gauge(&mut encoder, "flows", "Flows in the tables", None, flows as f64)?;
        let readers = agent.readers.load(Ordering::Relaxed);
        gauge(&mut encoder, "capture_readers", "Readers of the endless capture", None, readers as f64)?;
        let healthy = if agent.health().is_ok() { 1.0 } else { 0.0 };
        gauge(&mut encoder, "healthy", "1 while the health listener answers 200", None, healthy)?;
        let draining = if agent.is_draining() { 1.0 } else { 0.0 };
        gauge(&mut encoder, "draining", "1 while the agent is about to stop", None, draining)?;
        let uptime = agent.started.elapsed().as_secs_f64();
        gauge(&mut encoder, "uptime", "Time since the start", Some(&Unit::Seconds), uptime)?;
        let mut build =
            encoder.encode_descriptor("build_info", "The program's version", None, MetricType::Gauge)?;
        let labels = [("version", env!("CARGO_PKG_VERSION"))];
        ConstGauge::new(1.0).encode(build.encode_family(&labels)?)
    }
}

impl Metrics {
    fn tallies(&self, encoder: &mut DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let tallies: Vec<_> = self.agent.workers.iter().map(|worker| worker.state().tally).collect();
        let Some(first) = tallies.first() else { return Ok(()) };
        for (at, (name, help, _)) in first.fields().into_iter().enumerate() {
            let name = if name == "received_bytes" { name.to_owned() } else { format!("{name}_packets") };
            let mut family = encoder.encode_descriptor(&name, help, None, MetricType::Counter)?;
            for (index, tally) in tallies.iter().enumerate() {
                let (_, _, value) = tally.fields()[at];
                let labels = [("worker", index.to_string())];
                ConstCounter::new(value).encode(family.encode_family(&labels)?)?;
            }
        }
        Ok(())
    }

    fn sinks(&self, encoder: &mut DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        type Count = fn(&crate::sinks::runner::SinkState) -> u64;
        let counts: [(&str, &str, Count); 3] = [
            ("sink_offered_packets", "Packets that were meant for a sink", |sink| sink.feed.offered()),
            ("sink_delivered_packets", "Packets that a sink handed on", |sink| sink.delivered()),
            ("sink_dropped_packets", "Packets that a sink was too slow for, or failed on", |sink| {
                sink.dropped()
            }),
        ];
        for (name, help, count) in counts.into_iter().filter(|_| !self.agent.sinks.is_empty()) {
            let mut family = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
            for sink in &self.agent.sinks {
                let labels = [("sink", sink.name.clone())];
                ConstCounter::new(count(sink)).encode(family.encode_family(&labels)?)?;
            }
        }
        Ok(())
    }

    fn flow_logs(&self, encoder: &mut DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let logs = &self.agent.logs;
        if logs.is_empty() {
            return Ok(());
        }
        let mut counter = |name: &str, help: &str, count: fn(&LogState) -> u64| {
            let mut family = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
            logs.iter().try_for_each(|log| {
                ConstCounter::new(count(log)).encode(family.encode_family(&[("log", log.name.clone())])?)
            })
        };
        counter("flow_log_reports", "Flows, and intervals of flows, that a flow log was told of", |log| {
            log.flows.load(Ordering::Relaxed)
        })?;
        counter("flow_log_lost_records", "Records that found the spool full or the collector away", |log| {
            log.lost.load(Ordering::Relaxed)
        })?;
        let help = "Files of flow logs that wait for their delivery";
        let mut family =
            encoder.encode_descriptor("flow_log_waiting_files", help, None, MetricType::Gauge)?;
        logs.iter().try_for_each(|log| {
            let waiting = log.waiting_files() as f64;
            ConstGauge::new(waiting).encode(family.encode_family(&[("log", log.name.clone())])?)
        })
    }
}

fn gauge(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    unit: Option<&Unit>,
    value: f64,
) -> Result<(), fmt::Error> {
    let metric = encoder.encode_descriptor(name, help, unit, MetricType::Gauge)?;
    ConstGauge::new(value).encode(metric)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_has_the_same_name_in_every_line_of_the_older_format() {
        let open = "# HELP a_seconds Time.\n# TYPE a_seconds gauge\n# UNIT a_seconds seconds\na_seconds 3\n\
                    # HELP b Things.\n# TYPE b counter\nb_total{x=\"1\"} 7\n# EOF\n";
        let old = "# HELP a_seconds Time.\n# TYPE a_seconds gauge\na_seconds 3\n\
                   # HELP b_total Things.\n# TYPE b_total counter\nb_total{x=\"1\"} 7\n";
        assert_eq!(prometheus(open), old);
    }

    #[test]
    fn only_who_asks_for_open_metrics_gets_it() {
        let scraper = "application/openmetrics-text;version=1.0.0;q=0.6,text/plain;version=0.0.4;q=0.5";
        assert_eq!(Format::wanted(Some(scraper.as_bytes())), Format::OpenMetrics);
        assert_eq!(Format::wanted(Some(b"*/*")), Format::Prometheus);
        assert_eq!(Format::wanted(None), Format::Prometheus);
    }
}
