//! The counters for Prometheus, in the OpenMetrics text format. Reading them changes nothing.

use std::{fmt, sync::Arc};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric, text},
    metrics::{MetricType, counter::ConstCounter, gauge::ConstGauge},
    registry::{Registry, Unit},
};

use crate::serve::Agent;

/// The media type of the answer.
pub(super) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// All metrics as text.
pub(super) fn text(agent: &Arc<Agent>) -> Result<String, fmt::Error> {
    let mut registry = Registry::with_prefix("mirrorscope");
    registry.register_collector(Box::new(Metrics { agent: Arc::clone(agent) }));
    let mut text = String::new();
    text::encode(&mut text, &registry)?;
    Ok(text)
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
                let count = worker.restarts.load(std::sync::atomic::Ordering::Relaxed);
                let labels = [("worker", index.to_string())];
                ConstCounter::new(count).encode(family.encode_family(&labels)?)?;
            }
            Ok(())
        };
        restarts(&mut encoder)?;
        self.sinks(&mut encoder)?;
        let flows: usize = agent.workers.iter().map(|worker| worker.state().flows.len()).sum();
        gauge(&mut encoder, "flows", "Flows in the tables", None, flows as f64)?;
        let readers = agent.readers.load(std::sync::atomic::Ordering::Relaxed);
        gauge(&mut encoder, "capture_readers", "Readers of the endless capture", None, readers as f64)?;
        let healthy = if agent.health().is_ok() { 1.0 } else { 0.0 };
        gauge(&mut encoder, "healthy", "1 while the health listener answers 200", None, healthy)?;
        let uptime = agent.started.elapsed().as_secs_f64();
        gauge(&mut encoder, "uptime", "Time since the start", Some(&Unit::Seconds), uptime)
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
