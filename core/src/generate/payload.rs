//! What the made-up flows say: a TLS ClientHello with a server name, HTTP, and DNS.
//!
//! Each function appends a fixed number of octets for its arguments, because TCP counts them before they are
//! written.

/// Octets of every host name, in text: `host-000.example.com`.
const NAME_LEN: usize = 20;

/// Octets of [`put_client_hello`].
pub(super) const CLIENT_HELLO_LEN: usize =
    5 + 4 + 2 + 32 + 1 + 2 + 4 + 2 + 2 + SERVER_NAME_LEN + VERSIONS_LEN;
/// Octets of [`put_http_request`].
pub(super) const HTTP_REQUEST_LEN: usize = REQUEST_HEAD.len() + NAME_LEN + REQUEST_TAIL.len();
/// Octets of [`put_http_response`].
pub(super) const HTTP_RESPONSE_LEN: usize = RESPONSE.len();

const SERVER_NAME_LEN: usize = 4 + 5 + NAME_LEN;
const VERSIONS_LEN: usize = 4 + 3;

const REQUEST_HEAD: &[u8] = b"GET /index.html HTTP/1.1\r\nHost: ";
const REQUEST_TAIL: &[u8] = b"\r\nUser-Agent: mirrorscope-send\r\nAccept: */*\r\n\r\n";
const RESPONSE: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 1000000\r\n\r\n";

/// The name of the host with this number; there are a thousand.
pub(super) fn host_name(host: u32) -> [u8; NAME_LEN] {
    let mut name = *b"host-000.example.com";
    for (at, unit) in [(5, 100), (6, 10), (7, 1)] {
        name[at] = b'0' + (host / unit % 10) as u8;
    }
    name
}

/// Appends a TLS 1.3 ClientHello (RFC 8446 section 4.1.2) for the host: two ciphers, the server name.
pub(super) fn put_client_hello(out: &mut Vec<u8>, host: u32) {
    const RECORD_LEN: u16 = (CLIENT_HELLO_LEN - 5) as u16;
    const EXTENSIONS_LEN: u16 = (SERVER_NAME_LEN + VERSIONS_LEN) as u16;
    // Handshake record of TLS 1.0, as clients write it, then ClientHello of TLS 1.2.
    out.extend_from_slice(&[0x16, 3, 1]);
    put_u16(out, RECORD_LEN);
    out.extend_from_slice(&[1, 0]);
    put_u16(out, RECORD_LEN - 4);
    out.extend_from_slice(&[3, 3]);
    out.extend_from_slice(&[host as u8; 32]);
    // No session id; TLS_AES_128_GCM_SHA256, TLS_AES_256_GCM_SHA384; no compression.
    out.extend_from_slice(&[0, 0, 4, 0x13, 1, 0x13, 2, 1, 0]);
    put_u16(out, EXTENSIONS_LEN);
    // server_name (RFC 6066): a list of one host name.
    put_u16(out, 0);
    put_u16(out, NAME_LEN as u16 + 5);
    put_u16(out, NAME_LEN as u16 + 3);
    out.push(0);
    put_u16(out, NAME_LEN as u16);
    out.extend_from_slice(&host_name(host));
    // supported_versions: TLS 1.3.
    out.extend_from_slice(&[0, 43, 0, 3, 2, 3, 4]);
}

/// Makes one record of application data out of octets that mean nothing, where there is room for its header.
pub(super) fn make_tls_record(octets: &mut [u8]) {
    let len = octets.len().saturating_sub(5) as u16;
    if let Some((header, [_, ..])) = octets.split_first_chunk_mut::<5>() {
        let [high, low] = len.to_be_bytes();
        *header = [0x17, 3, 3, high, low];
    }
}

/// Appends a request to the host.
pub(super) fn put_http_request(out: &mut Vec<u8>, host: u32) {
    out.extend_from_slice(REQUEST_HEAD);
    out.extend_from_slice(&host_name(host));
    out.extend_from_slice(REQUEST_TAIL);
}

/// Appends the head of a long response.
pub(super) fn put_http_response(out: &mut Vec<u8>) {
    out.extend_from_slice(RESPONSE);
}

/// What is asked of the resolver.
#[derive(Clone, Copy, Debug)]
pub(super) struct Question {
    pub(super) id: u16,
    pub(super) host: u32,
    /// AAAA instead of A.
    pub(super) is_ipv6: bool,
}

impl Question {
    /// Octets of [`put_query`](Self::put_query).
    pub(super) const QUERY_LEN: usize = 12 + NAME_LEN + 2 + 4;

    /// Octets of [`put_answer`](Self::put_answer).
    pub(super) const fn answer_len(is_ipv6: bool) -> usize {
        Self::QUERY_LEN + 12 + if is_ipv6 { 16 } else { 4 }
    }

    /// Appends the query (RFC 1035 section 4), recursion desired.
    pub(super) fn put_query(&self, out: &mut Vec<u8>) {
        self.put_head(out, 0x0100, 0);
    }

    /// Appends the answer, one address out of the host's number.
    pub(super) fn put_answer(&self, out: &mut Vec<u8>) {
        self.put_head(out, 0x8180, 1);
        // The name by reference to the question.
        put_u16(out, 0xc00c);
        put_u16(out, self.record_type());
        put_u16(out, 1);
        out.extend_from_slice(&[0, 0, 0, 60]);
        let address = if self.is_ipv6 {
            put_u16(out, 16);
            out.extend_from_slice(&[0x20, 0x01, 0x0d, 0xb8, 0xff, 0xff, 0, 0, 0, 0, 0, 0]);
            self.host
        } else {
            put_u16(out, 4);
            super::frame::REMOTE_IPV4 | self.host & super::frame::REMOTE_IPV4_MASK
        };
        out.extend_from_slice(&address.to_be_bytes());
    }

    fn put_head(&self, out: &mut Vec<u8>, flags: u16, answers: u16) {
        for number in [self.id, flags, 1, answers, 0, 0] {
            put_u16(out, number);
        }
        for label in host_name(self.host).split(|octet| *octet == b'.') {
            out.push(label.len() as u8);
            out.extend_from_slice(label);
        }
        out.push(0);
        put_u16(out, self.record_type());
        put_u16(out, 1);
    }

    fn record_type(&self) -> u16 {
        const A: u16 = 1;
        const AAAA: u16 = 28;
        if self.is_ipv6 { AAAA } else { A }
    }
}

fn put_u16(out: &mut Vec<u8>, value: u16) {
    out.extend_from_slice(&value.to_be_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_payload_is_as_long_as_it_says() {
        let written = |put: &dyn Fn(&mut Vec<u8>)| {
            let mut out = Vec::new();
            put(&mut out);
            out.len()
        };
        assert_eq!(written(&|out| put_client_hello(out, 7)), CLIENT_HELLO_LEN);
        assert_eq!(written(&|out| put_http_request(out, 7)), HTTP_REQUEST_LEN);
        assert_eq!(written(&|out| put_http_response(out)), HTTP_RESPONSE_LEN);
        for is_ipv6 in [false, true] {
            let question = Question { id: 1, host: 7, is_ipv6 };
            assert_eq!(written(&|out| question.put_query(out)), Question::QUERY_LEN);
            assert_eq!(written(&|out| question.put_answer(out)), Question::answer_len(is_ipv6));
        }
        assert_eq!(&host_name(1042), b"host-042.example.com");
    }
}
