//! HTTP/1 (RFC 9112): the first line of a request or response, and the host that a request is for.

/// Octets in which the head of a message is looked for; what lies behind is not read.
pub const MAX_HEAD_LEN: usize = 16 * 1024;

/// Header lines that are looked through for one field.
pub const MAX_FIELDS: usize = 128;

/// The first line of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FirstLine<'a> {
    /// A request line.
    Request {
        /// `GET`, `POST`, …
        method: &'a str,
        /// The target as it stands: a path, a URL, `host:port` or `*`.
        target: &'a str,
        /// `HTTP/1.1`.
        version: &'a str,
    },
    /// A status line.
    Response {
        /// `HTTP/1.1`.
        version: &'a str,
        /// 100 to 999.
        status: u16,
        /// The words behind the status; may be empty.
        reason: &'a str,
    },
}

/// The first line of the HTTP message that begins at the first octet; none if there is none, or its end is cut.
pub fn first_line(bytes: &[u8]) -> Option<FirstLine<'_>> {
    let line = lines(bytes).next()?;
    let (first, rest) = line.split_once(' ')?;
    if is_version(first) {
        let (status, reason) = rest.split_once(' ').unwrap_or((rest, ""));
        let status = (status.len() == 3).then(|| status.parse().ok())?.filter(|status| *status >= 100)?;
        return Some(FirstLine::Response { version: first, status, reason });
    }
    let (target, version) = rest.rsplit_once(' ')?;
    let sound = is_token(first) && is_version(version) && !target.is_empty();
    sound.then_some(FirstLine::Request { method: first, target, version })
}

/// The host that the request at the first octet is for, without port: from the target where that is a URL or
/// `host:port` (RFC 9112, 3.2), else from the `Host` field. None for a response.
pub fn host(bytes: &[u8]) -> Option<&str> {
    let FirstLine::Request { method, target, .. } = first_line(bytes)? else { return None };
    if method == "CONNECT" {
        return without_port(target);
    }
    if let Some((_, rest)) = target.split_once("://") {
        let authority = rest.split(['/', '?', '#']).next()?;
        return without_port(authority.rsplit('@').next()?);
    }
    without_port(field(bytes, "host")?)
}

/// The value of the header field `name` (any case) of the message that begins at the first octet.
pub fn field<'a>(bytes: &'a [u8], name: &str) -> Option<&'a str> {
    lines(bytes)
        .skip(1)
        .take(MAX_FIELDS)
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.split_once(':'))
        .find(|(key, _)| key.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.trim_matches([' ', '\t']))
}

/// Whole lines of printable text, as far as they go.
fn lines(bytes: &[u8]) -> impl Iterator<Item = &str> {
    let head = bytes.get(..MAX_HEAD_LEN).unwrap_or(bytes);
    head.split_inclusive(|octet| *octet == b'\n').map_while(|line| {
        let line = line.strip_suffix(b"\n")?;
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        core::str::from_utf8(line).ok().filter(|text| !text.contains(|c: char| c != '\t' && c.is_control()))
    })
}

fn is_version(word: &str) -> bool {
    matches!(word.as_bytes(), [b'H', b'T', b'T', b'P', b'/', b'0'..=b'9', b'.', b'0'..=b'9'])
}

fn is_token(word: &str) -> bool {
    !word.is_empty()
        && word.bytes().all(|octet| octet.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&octet))
}

fn without_port(authority: &str) -> Option<&str> {
    let host = match authority.strip_prefix('[') {
        Some(literal) => literal.split(']').next()?,
        None => authority.split(':').next()?,
    };
    let sound = !host.is_empty() && host.bytes().all(|octet| octet.is_ascii_graphic());
    sound.then_some(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn request_line_and_host_are_read() {
        let request = b"GET /latest/meta-data HTTP/1.1\r\nAccept: */*\r\nhOsT:  example.com:8080 \r\n\r\n";
        let expected = FirstLine::Request { method: "GET", target: "/latest/meta-data", version: "HTTP/1.1" };
        assert_eq!(first_line(request), Some(expected));
        assert_eq!(host(request), Some("example.com"));
    }

    #[test]
    fn target_with_authority_goes_before_the_host_field() {
        assert_eq!(host(b"GET http://u@a.example/x HTTP/1.1\r\nHost: b.example\r\n\r\n"), Some("a.example"));
        assert_eq!(host(b"CONNECT [2001:db8::1]:443 HTTP/1.1\r\n\r\n"), Some("2001:db8::1"));
    }

    #[test]
    fn response_has_a_status_and_no_host() {
        let response = b"HTTP/1.1 404 Not Found\r\nHost: no.example\r\n\r\n";
        let expected = FirstLine::Response { version: "HTTP/1.1", status: 404, reason: "Not Found" };
        assert_eq!(first_line(response), Some(expected));
        assert_eq!(host(response), None);
        assert_eq!(
            first_line(b"HTTP/1.0 200\n"),
            Some(FirstLine::Response { version: "HTTP/1.0", status: 200, reason: "" })
        );
    }

    #[test]
    fn what_is_not_http_or_is_cut_has_no_first_line() {
        for bytes in [
            &b""[..],
            b"GET / HTTP/1.1",
            b"\x16\x03\x01\x02\0\x01\0\n",
            b"GET /\x1b[2J HTTP/1.1\r\n",
            b"HTTP/1.1 20x Odd\r\n",
            b"HTTP/1.1 +20 Odd\r\n",
            b"220 mail ESMTP\r\n",
            b"\xff\xfe a HTTP/1.1\r\n",
        ] {
            assert_eq!(first_line(bytes), None, "{bytes:?}");
        }
    }

    #[test]
    fn body_is_not_searched_for_the_host() {
        assert_eq!(host(b"POST / HTTP/1.0\r\n\r\nHost: body.example\r\n"), None);
        assert_eq!(host(b"GET / HTTP/1.1\r\nHost: half.exam"), None);
    }
}
