//! TLS (RFC 8446): the server name that a ClientHello asks for (RFC 6066, section 3).
//!
//! The name is found when it lies in the octets given, whether or not the rest of the ClientHello does: large
//! ones (post-quantum key shares) go on in the next segment, and mirror sessions cut packets.
//!
//! ```text
//!  record: 22 | version 2 | length 2    handshake: 1 | length 3
//!  ClientHello: version 2 | random 32 | session id 1+n | cipher suites 2+n | compression 1+n | extensions 2+n
//!  extension: type 2 | length 2 | server name list: length 2 | 0 | name length 2 | name
//! ```

const HANDSHAKE_RECORD: u8 = 22;
const CLIENT_HELLO: u8 = 1;
const RECORD_HEADER_LEN: usize = 5;
const SERVER_NAME_EXTENSION: u16 = 0;
const HOST_NAME: u8 = 0;

/// The server name in the ClientHello that begins at the first octet: letters, digits, `-`, `_` and dots only.
pub fn server_name(bytes: &[u8]) -> Option<&str> {
    let mut reader = Reader(client_hello(bytes)?);
    reader.take(2 + 32)?; // version and random
    let session_id_len = reader.u8()?;
    reader.take(session_id_len.into())?;
    let cipher_suites_len = reader.u16()?;
    reader.take(cipher_suites_len.into())?;
    let compression_len = reader.u8()?;
    reader.take(compression_len.into())?;
    let extensions_len = reader.u16()?;
    let mut extensions = Reader(reader.at_most(extensions_len.into()));
    loop {
        let (kind, len) = (extensions.u16()?, extensions.u16()?);
        let body = extensions.at_most(len.into());
        if kind == SERVER_NAME_EXTENSION {
            return host_name(body);
        }
        if body.len() < usize::from(len) {
            return None;
        }
    }
}

/// The body of the ClientHello, as far as it lies in the first record and in the octets given.
fn client_hello(bytes: &[u8]) -> Option<&[u8]> {
    let (header, rest) = bytes.split_first_chunk::<RECORD_HEADER_LEN>()?;
    let [HANDSHAKE_RECORD, 3, _, high, low] = *header else { return None };
    let record = Reader(rest).at_most(u16::from_be_bytes([high, low]).into());
    let (header, rest) = record.split_first_chunk::<4>()?;
    let [CLIENT_HELLO, a, b, c] = *header else { return None };
    Some(Reader(rest).at_most(u32::from_be_bytes([0, a, b, c]) as usize))
}

/// The first host name of a server name list. There is one kind of name, so that the first entry is it.
fn host_name(list: &[u8]) -> Option<&str> {
    let mut reader = Reader(list);
    reader.u16()?; // length of the list
    if reader.u8()? != HOST_NAME {
        return None;
    }
    let len = reader.u16()?;
    let name = reader.take(len.into())?;
    let sound = |octet: &u8| octet.is_ascii_alphanumeric() || b"-._".contains(octet);
    core::str::from_utf8(name).ok().filter(|_| !name.is_empty() && name.iter().all(sound))
}

/// Octets that are taken from the front.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(taken)
    }

    /// The next `len` octets, or as many as there are.
    fn at_most(&mut self, len: usize) -> &'a [u8] {
        self.take(len.min(self.0.len())).unwrap_or_default()
    }

    fn u8(&mut self) -> Option<u8> {
        Some(self.take(1)?[0])
    }

    fn u16(&mut self) -> Option<u16> {
        Some(u16::from_be_bytes(*self.take(2)?.first_chunk()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A ClientHello as a client sends it: an extension before the server name and one behind it.
    fn hello(name: &[u8]) -> Vec<u8> {
        let len = name.len() as u16;
        let mut extensions = b"\0\x17\0\0".to_vec(); // extended master secret, empty
        extensions.extend([0, 0].into_iter().chain((len + 5).to_be_bytes())); // server_name
        extensions.extend((len + 3).to_be_bytes()); // list
        extensions.push(0); // host_name
        extensions.extend(len.to_be_bytes());
        extensions.extend(name);
        extensions.extend(b"\0\x2b\0\x03\x02\x03\x04"); // supported versions
        let mut body = b"\x03\x03".to_vec();
        body.extend([0x5a; 32]); // random
        body.extend([32]); // session id
        body.extend([0xa5; 32]);
        body.extend(b"\0\x04\x13\x01\x13\x02\x01\0"); // two cipher suites, null compression
        body.extend((extensions.len() as u16).to_be_bytes());
        body.extend(extensions);
        let mut record = b"\x16\x03\x01".to_vec();
        record.extend((body.len() as u16 + 4).to_be_bytes());
        record.extend([1, 0]);
        record.extend((body.len() as u16).to_be_bytes());
        record.extend(body);
        record
    }

    #[test]
    fn server_name_is_read_whole_and_when_the_hello_is_cut_behind_it() {
        let hello = hello(b"ssm.ap-northeast-1.amazonaws.com");
        let behind_name = hello.len() - 7;
        for len in 0..=hello.len() {
            let expected = (len >= behind_name).then_some("ssm.ap-northeast-1.amazonaws.com");
            assert_eq!(server_name(&hello[..len]), expected, "{len} octets");
        }
    }

    #[test]
    fn name_that_is_no_host_name_is_not_shown() {
        for name in [&b""[..], b"a b", b"\x1b[2J", b"caf\xc3\xa9", b"x<script>"] {
            assert_eq!(server_name(&hello(name)), None, "{name:?}");
        }
    }

    #[test]
    fn lengths_that_lie_are_no_name() {
        let sound = hello(b"a.example");
        for at in 0..sound.len() {
            for value in [0, 0x7f, 0xff] {
                let mut bad = sound.clone();
                bad[at] = value;
                let name = server_name(&bad);
                assert!(name.is_none_or(|name| name.len() <= 9), "octet {at} = {value}: {name:?}");
            }
        }
    }

    #[test]
    fn other_records_and_handshakes_have_none() {
        let mut server_hello = hello(b"a.example");
        server_hello[5] = 2;
        assert_eq!(server_name(&server_hello), None);
        assert_eq!(server_name(b"\x17\x03\x03\0\x10abcdefghijklmnop"), None);
        assert_eq!(server_name(b"GET / HTTP/1.1\r\n\r\n"), None);
    }
}
