//! What an inline appliance must give back, and whether it does.
//!
//! GWLB wants the answer with addresses swapped and ports not: it comes from the appliance's address, with the
//! source port from which GWLB had sent, to GWLB's own address and the Geneve port. So it never reaches the
//! socket that sent; another one listens on the Geneve port. The Geneve header must be the one sent, octet for
//! octet, and the packet inside may not be changed (wire notes 1.3, from four independent implementations).
//!
//! A packet is recognised by its inner octets. Packets in flight are bounded: beyond [`MAX_IN_FLIGHT`] the
//! oldest counts as lost.

use std::{
    collections::VecDeque,
    hash::{BuildHasher, RandomState},
    net::{IpAddr, SocketAddr, UdpSocket},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use hashbrown::HashTable;
use hdrhistogram::Histogram;
use mirrorscope_core::{Decoder, Layer};

use crate::failure::Failure;

/// Inline packets that can be under way at a time.
pub(crate) const MAX_IN_FLIGHT: usize = 65_536;

const GENEVE_LEN: usize = 40;
/// Largest datagram that is received whole.
const MAX_DATAGRAM_LEN: usize = 65_536;
/// Receive buffer, octets: what comes back while this program waits for its turn on a busy machine. With Linux's
/// default of 208 KiB, packets that an appliance had returned in good order were counted as lost.
const BUFFER_LEN: usize = 64 << 20;
/// How often the listener looks whether it should stop.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// Latencies are kept to 0.1 percent, up to a minute.
const MAX_LATENCY_NS: u64 = 60_000_000_000;

/// Matches what comes back with what was sent.
pub(crate) struct Echo {
    socket: UdpSocket,
    appliance: IpAddr,
    hasher: RandomState,
    state: Mutex<State>,
    stop: AtomicBool,
}

struct State {
    table: HashTable<u64>,
    /// In order of sending; `None` came back. The front has number `first`.
    in_flight: VecDeque<Option<Expected>>,
    first: u64,
    highest_returned: Option<u64>,
    /// Of those in flight, the ones that need not come back.
    damaged: u64,
    counts: EchoCounts,
    latency_ns: Option<Histogram<u64>>,
}

struct Expected {
    hash: u64,
    header: [u8; GENEVE_LEN],
    port: u16,
    sent: Instant,
    /// Damaged on purpose: an appliance may return it as it is, or drop it.
    damaged: bool,
}

/// What came back, and how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct EchoCounts {
    /// Inline packets sent whole.
    pub(crate) expected: u64,
    /// Came back as they must.
    pub(crate) returned: u64,
    /// Of these, came back after a packet that was sent later.
    pub(crate) reordered: u64,
    /// Never came back, or too late.
    pub(crate) lost: u64,
    /// Datagrams that did come back and found this program's own receive buffer full: not the appliance's fault.
    pub(crate) overflowed: u64,
    /// Came back with another Geneve header (endpoint, attachment, cookie).
    pub(crate) header_changed: u64,
    /// Came back from another source port or address.
    pub(crate) port_changed: u64,
    /// Came, but had not been sent so: changed inside, repeated, or foreign.
    pub(crate) unknown: u64,
    /// Mirrored packets that came back, though they must be swallowed.
    pub(crate) mirrored: u64,
    /// Damaged on purpose, came back as they were sent: neither asked for nor wrong.
    pub(crate) damaged: u64,
}

/// Time from sending to return, nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Latency {
    pub(crate) min_ns: u64,
    pub(crate) p50_ns: u64,
    pub(crate) p90_ns: u64,
    pub(crate) p99_ns: u64,
    pub(crate) p999_ns: u64,
    pub(crate) max_ns: u64,
}

impl Echo {
    /// Listens on `from`, at the port of `to`.
    pub(crate) fn listen(from: IpAddr, to: SocketAddr) -> Result<Self, Failure> {
        let at = SocketAddr::new(from, to.port());
        let socket = UdpSocket::bind(at).and_then(|socket| {
            socket.set_read_timeout(Some(LOOK_EVERY))?;
            buffer::enlarge(&socket);
            Ok(socket)
        });
        let socket = socket.map_err(|error| {
            Failure::new(format_args!("cannot listen on {at} for inline packets that come back: {error}"))
                .hint("answers come to the sender's own address at the target's port: --from another address, or stop what listens there")
        })?;
        let state = State {
            table: HashTable::new(),
            in_flight: VecDeque::new(),
            first: 0,
            highest_returned: None,
            damaged: 0,
            counts: EchoCounts::default(),
            latency_ns: Histogram::new_with_bounds(1, MAX_LATENCY_NS, 3).ok(),
        };
        let (appliance, hasher) = (to.ip(), RandomState::new());
        Ok(Self { socket, appliance, hasher, state: Mutex::new(state), stop: AtomicBool::new(false) })
    }

    /// Takes note of an inline packet that is about to leave from `port`, or of any that was damaged on purpose.
    pub(crate) fn expect(&self, datagram: &[u8], port: u16, damaged: bool) {
        let Some((header, inner)) = datagram.split_first_chunk() else { return };
        let hash = self.hasher.hash_one(inner);
        let sent = Instant::now();
        self.state().expect(Expected { hash, header: *header, port, sent, damaged });
    }

    /// Receives until [`stop`](Self::stop), and then until nothing is missing or nothing that was missing came for
    /// `wait`.
    pub(crate) fn run(&self, wait: Duration) {
        let mut buffer = vec![0; MAX_DATAGRAM_LEN];
        let mut quiet_since: Option<Instant> = None;
        loop {
            let was_expected = match self.socket.recv_from(&mut buffer) {
                Ok((len, peer)) => self.take(buffer.get(..len).unwrap_or_default(), peer),
                Err(_) => false,
            };
            if !self.stop.load(Ordering::Relaxed) {
                continue;
            }
            if was_expected {
                quiet_since = None;
            }
            let is_quiet = quiet_since.get_or_insert_with(Instant::now).elapsed() >= wait;
            if is_quiet || self.state().table.is_empty() {
                return;
            }
        }
    }

    /// Says that nothing more is sent.
    pub(crate) fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    /// What was seen; what is still missing counts as lost.
    pub(crate) fn outcome(&self) -> (EchoCounts, Latency) {
        let state = self.state();
        let mut counts = state.counts;
        counts.lost += state.table.len() as u64 - state.damaged;
        counts.overflowed = buffer::overflowed(&self.socket);
        (counts, state.latency_ns.as_ref().map(latency).unwrap_or_default())
    }

    /// Whether it was expected, if not quite so.
    fn take(&self, datagram: &[u8], peer: SocketAddr) -> bool {
        let received = Instant::now();
        let Some((header, inner)) = datagram.split_first_chunk::<GENEVE_LEN>() else {
            self.state().counts.unknown += 1;
            return false;
        };
        let hash = self.hasher.hash_one(inner);
        let is_from_appliance = peer.ip() == self.appliance;
        if self.state().take(hash, header, is_from_appliance.then_some(peer.port()), received) {
            return true;
        }
        let is_mirrored =
            Decoder::default().decode_ip(inner).layers().iter().any(|span| span.layer == Layer::Vxlan);
        let counts = &mut self.state().counts;
        *(if is_mirrored { &mut counts.mirrored } else { &mut counts.unknown }) += 1;
        false
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn expect(&mut self, expected: Expected) {
        self.counts.expected += u64::from(!expected.damaged);
        self.damaged += u64::from(expected.damaged);
        if self.in_flight.len() >= MAX_IN_FLIGHT {
            self.forget_oldest();
        }
        let number = self.first + self.in_flight.len() as u64;
        let hash = expected.hash;
        self.in_flight.push_back(Some(expected));
        let (in_flight, first) = (&self.in_flight, self.first);
        self.table.insert_unique(hash, number, |number| hash_of(in_flight, first, *number));
    }

    fn forget_oldest(&mut self) {
        if let Some(Some(oldest)) = self.in_flight.front() {
            let number = self.first;
            if let Ok(entry) = self.table.find_entry(oldest.hash, |entry| *entry == number) {
                entry.remove();
            }
            self.counts.lost += u64::from(!oldest.damaged);
            self.damaged -= u64::from(oldest.damaged);
        }
        self.in_flight.pop_front();
        self.first += 1;
    }

    /// Whether a packet with these inner octets was on its way. Among equal ones that with the same header and
    /// port is meant, if there is one.
    fn take(&mut self, hash: u64, header: &[u8; GENEVE_LEN], port: Option<u16>, received: Instant) -> bool {
        let (in_flight, first) = (&self.in_flight, self.first);
        let expected = |number: u64| in_flight.get((number - first) as usize).and_then(Option::as_ref);
        let is_exact = |number: &u64| {
            expected(*number)
                .is_some_and(|sent| sent.hash == hash && sent.header == *header && Some(sent.port) == port)
        };
        let is_same_inside = |number: &u64| expected(*number).is_some_and(|sent| sent.hash == hash);
        let found =
            self.table.find(hash, is_exact).or_else(|| self.table.find(hash, is_same_inside)).copied();
        let Some(number) = found else { return false };
        if let Ok(entry) = self.table.find_entry(hash, |entry| *entry == number) {
            entry.remove();
        }
        let slot = self.in_flight.get_mut((number - self.first) as usize);
        let Some(sent) = slot.and_then(Option::take) else { return false };
        self.damaged -= u64::from(sent.damaged);
        self.judge(number, &sent, header, port, received);
        while matches!(self.in_flight.front(), Some(None)) {
            self.in_flight.pop_front();
            self.first += 1;
        }
        true
    }

    fn judge(
        &mut self,
        number: u64,
        sent: &Expected,
        header: &[u8; GENEVE_LEN],
        port: Option<u16>,
        received: Instant,
    ) {
        let counts = &mut self.counts;
        if sent.header != *header {
            counts.header_changed += 1;
        } else if Some(sent.port) != port {
            counts.port_changed += 1;
        } else if sent.damaged {
            counts.damaged += 1;
        } else {
            counts.returned += 1;
            counts.reordered += u64::from(self.highest_returned > Some(number));
            self.highest_returned = self.highest_returned.max(Some(number));
            let latency_ns = received.saturating_duration_since(sent.sent).as_nanos() as u64;
            if let Some(histogram) = &mut self.latency_ns {
                histogram.saturating_record(latency_ns.max(1));
            }
        }
    }
}

fn hash_of(in_flight: &VecDeque<Option<Expected>>, first: u64, number: u64) -> u64 {
    in_flight.get((number - first) as usize).and_then(Option::as_ref).map_or(0, |expected| expected.hash)
}

fn latency(histogram: &Histogram<u64>) -> Latency {
    if histogram.is_empty() {
        return Latency::default();
    }
    let at = |quantile| histogram.value_at_quantile(quantile);
    Latency {
        min_ns: histogram.min(),
        p50_ns: at(0.5),
        p90_ns: at(0.9),
        p99_ns: at(0.99),
        p999_ns: at(0.999),
        max_ns: histogram.max(),
    }
}

/// The receive buffer, as far as the system lets us see to it.
#[cfg(target_os = "linux")]
mod buffer {
    use std::net::UdpSocket;

    use crate::sys::socket;

    pub(super) fn enlarge(socket: &UdpSocket) {
        // What the kernel does not give shows in the count of what overflowed.
        let _ = socket::enlarge_receive_buffer(socket, super::BUFFER_LEN);
    }

    pub(super) fn overflowed(socket: &UdpSocket) -> u64 {
        socket::dropped_datagrams(socket).map_or(0, u64::from)
    }
}

/// Other systems neither force a size nor count.
#[cfg(not(target_os = "linux"))]
mod buffer {
    use std::net::UdpSocket;

    pub(super) fn enlarge(_: &UdpSocket) {
        let _ = super::BUFFER_LEN;
    }

    pub(super) fn overflowed(_: &UdpSocket) -> u64 {
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn echo() -> Echo {
        // Any free port will do: nothing is received in these tests.
        Echo::listen(IpAddr::from([127, 0, 0, 1]), ([127, 0, 0, 9], 0).into()).unwrap()
    }

    fn datagram(cookie: u8, inner: &[u8]) -> Vec<u8> {
        [&[8; 39][..], &[cookie], inner].concat()
    }

    fn give_back(echo: &Echo, datagram: &[u8], from: ([u8; 4], u16)) {
        echo.take(datagram, from.into());
    }

    const APPLIANCE: [u8; 4] = [127, 0, 0, 9];

    #[test]
    fn each_way_of_coming_back_is_told_apart() {
        let echo = echo();
        for inner in 0..6u8 {
            echo.expect(&datagram(1, &[inner; 30]), 5_000, false);
        }
        give_back(&echo, &datagram(1, &[1; 30]), (APPLIANCE, 5_000));
        give_back(&echo, &datagram(1, &[0; 30]), (APPLIANCE, 5_000));
        give_back(&echo, &datagram(2, &[2; 30]), (APPLIANCE, 5_000));
        give_back(&echo, &datagram(1, &[3; 30]), (APPLIANCE, 6_081));
        give_back(&echo, &datagram(1, &[4; 29]), (APPLIANCE, 5_000));
        give_back(&echo, &[1, 2, 3], (APPLIANCE, 5_000));
        let (counts, latency) = echo.outcome();
        let wanted = EchoCounts {
            expected: 6,
            returned: 2,
            reordered: 1,
            header_changed: 1,
            port_changed: 1,
            unknown: 2,
            lost: 2,
            overflowed: 0,
            mirrored: 0,
            damaged: 0,
        };
        assert_eq!(counts, wanted);
        assert!(latency.min_ns > 0 && latency.max_ns >= latency.p50_ns);
    }

    #[test]
    fn what_was_damaged_on_purpose_may_come_back_as_it_was_sent_or_not_at_all() {
        let echo = echo();
        echo.expect(&datagram(1, &[0; 30]), 5_000, false);
        for inner in 1..4u8 {
            echo.expect(&datagram(1, &[inner; 30]), 5_000, true);
        }
        give_back(&echo, &datagram(1, &[0; 30]), (APPLIANCE, 5_000));
        give_back(&echo, &datagram(1, &[1; 30]), (APPLIANCE, 5_000));
        give_back(&echo, &datagram(2, &[2; 30]), (APPLIANCE, 5_000));
        let (counts, _) = echo.outcome();
        let wanted =
            EchoCounts { expected: 1, returned: 1, damaged: 1, header_changed: 1, ..EchoCounts::default() };
        assert_eq!(counts, wanted);
    }

    #[test]
    fn equal_packets_of_two_tenants_are_matched_by_their_headers() {
        let echo = echo();
        echo.expect(&datagram(1, &[7; 30]), 5_000, false);
        echo.expect(&datagram(2, &[7; 30]), 5_001, false);
        give_back(&echo, &datagram(2, &[7; 30]), (APPLIANCE, 5_001));
        give_back(&echo, &datagram(1, &[7; 30]), (APPLIANCE, 5_000));
        let (counts, _) = echo.outcome();
        assert_eq!((counts.returned, counts.lost), (2, 0));
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn what_finds_the_buffer_full_is_not_blamed_on_the_appliance() {
        let echo = echo();
        crate::sys::socket::shrink_receive_buffer(&echo.socket).unwrap();
        let appliance = UdpSocket::bind("127.0.0.1:0").unwrap();
        for number in 0..100u8 {
            let packet = datagram(1, &[number; 1000]);
            echo.expect(&packet, appliance.local_addr().unwrap().port(), false);
            appliance.send_to(&packet, echo.socket.local_addr().unwrap()).unwrap();
        }
        echo.stop();
        echo.run(Duration::from_millis(50));
        let (counts, _) = echo.outcome();
        assert!(counts.overflowed > 0);
        assert_eq!(counts.lost, counts.overflowed, "{counts:?}");
    }

    #[test]
    fn packets_in_flight_are_bounded() {
        let echo = echo();
        let count = MAX_IN_FLIGHT as u32 + 100;
        for number in 0..count {
            echo.expect(&datagram(1, &number.to_be_bytes()), 5_000, false);
        }
        assert_eq!(echo.state().in_flight.len(), MAX_IN_FLIGHT);
        give_back(&echo, &datagram(1, &0u32.to_be_bytes()), (APPLIANCE, 5_000));
        give_back(&echo, &datagram(1, &(count - 1).to_be_bytes()), (APPLIANCE, 5_000));
        let (counts, _) = echo.outcome();
        assert_eq!((counts.returned, counts.unknown, counts.lost), (1, 1, u64::from(count) - 1));
    }
}
