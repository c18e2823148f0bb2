//! An IPFIX collector, over UDP or TCP.
//!
//! Neither way tells whether the collector kept a record. What could not be sent at all is counted as lost; over TCP
//! the connection is made anew after a while, and begins with the templates.

use std::{
    io::{self, Write},
    net::{SocketAddr, TcpStream, UdpSocket},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use mirrorscope_core::flow_log::{LogRecord, ipfix};

use crate::failure::Failure;

/// How long a collector may take to answer, and to take a message.
const TIMEOUT: Duration = Duration::from_secs(5);
/// How long a collector that failed is left alone.
const RETRY_AFTER: Duration = Duration::from_secs(5);
/// Messages over UDP that go out at once; a collector's buffer is short, and a moment between bursts keeps it so.
const BURST: u32 = 32;
const PAUSE: Duration = Duration::from_millis(2);

/// A collector.
pub(super) struct Collector {
    address: SocketAddr,
    tcp: bool,
    domain: u32,
    connection: Option<(Connection, ipfix::Exporter)>,
    retry_at: Instant,
    /// Records that could not be sent.
    pub(super) lost_records: u64,
    pending_records: u64,
}

enum Connection {
    Tcp(TcpStream),
    Udp { socket: UdpSocket, sent: u32 },
}

impl Collector {
    pub(super) fn open(address: SocketAddr, tcp: bool, agent_id: &str) -> Result<Self, Failure> {
        let mut collector = Self {
            address,
            tcp,
            domain: ipfix::domain(agent_id),
            connection: None,
            retry_at: Instant::now(),
            lost_records: 0,
            pending_records: 0,
        };
        collector.connect().map_err(|error| {
            Failure::new(format_args!("cannot reach the collector at {address}: {error}"))
                .hint("it must be there when the program starts; afterwards it may come and go")
        })?;
        Ok(collector)
    }

    pub(super) fn push(&mut self, record: &LogRecord<'_>) {
        if record.part().is_some() {
            self.pending_records += 1;
            self.with_exporter(|exporter, now_s, send| exporter.push(record, now_s, send));
        }
    }

    pub(super) fn flush(&mut self) {
        self.with_exporter(|exporter, now_s, send| exporter.flush(now_s, send));
    }

    fn connect(&mut self) -> io::Result<()> {
        let connection = if self.tcp {
            let stream = TcpStream::connect_timeout(&self.address, TIMEOUT)?;
            stream.set_write_timeout(Some(TIMEOUT))?;
            Connection::Tcp(stream)
        } else {
            let any = if self.address.is_ipv6() { "[::]:0" } else { "0.0.0.0:0" };
            let socket = UdpSocket::bind(any)?;
            socket.connect(self.address)?;
            Connection::Udp { socket, sent: 0 }
        };
        self.connection = Some((connection, ipfix::Exporter::new(self.domain, !self.tcp)));
        Ok(())
    }

    fn with_exporter(&mut self, work: impl FnOnce(&mut ipfix::Exporter, i64, &mut dyn FnMut(&[u8]))) {
        if self.connection.is_none() && Instant::now() >= self.retry_at && self.connect().is_err() {
            self.retry_at = Instant::now() + RETRY_AFTER;
        }
        let now_s = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs() as i64;
        let mut result = Ok(());
        match &mut self.connection {
            Some((connection, exporter)) => {
                work(exporter, now_s, &mut |message| {
                    if result.is_ok() {
                        result = connection.send(message);
                    }
                });
                if result.is_ok() && exporter.is_empty() {
                    self.pending_records = 0;
                }
            }
            None => result = Err(io::ErrorKind::NotConnected.into()),
        }
        if result.is_err() {
            // A UDP socket hears of a closed port with the message after; TCP loses what was under way.
            self.lost_records += std::mem::take(&mut self.pending_records);
            if self.tcp {
                self.connection = None;
                self.retry_at = Instant::now() + RETRY_AFTER;
            }
        }
    }
}

impl Connection {
    fn send(&mut self, message: &[u8]) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.write_all(message),
            Self::Udp { socket, sent } => {
                *sent += 1;
                if sent.is_multiple_of(BURST) {
                    std::thread::sleep(PAUSE);
                }
                socket.send(message).map(|_| ())
            }
        }
    }
}
