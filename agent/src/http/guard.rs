//! Who may ask the API: whoever has the token, where there is one; otherwise programs of this machine, and pages
//! that the API itself served.
//!
//! A listener on loopback is reached by every page that a browser of this machine shows. A page of a stranger can
//! let its own name lead to 127.0.0.1 ("DNS rebinding") and is then of the same origin as the API. It cannot choose
//! the `Host` header, which is its name; so a host must be an address or `localhost`, and an `Origin` that host.

use std::{net::IpAddr, sync::Arc};

use axum::{
    Router,
    extract::{Request, State},
    http::{HeaderMap, StatusCode, header, uri::Authority},
    middleware::{self, Next},
    response::{IntoResponse, Response},
};
use subtle::ConstantTimeEq;

/// What a request must show.
#[derive(Debug)]
pub(super) struct Guard {
    token: Option<String>,
    checks_host: bool,
}

impl Guard {
    /// For a listener that browsers can reach. Whoever shows the token is no stranger's page.
    pub(super) fn of_network(token: Option<String>) -> Self {
        Self { checks_host: token.is_none(), token }
    }

    /// For a socket in the file system, whose mode says who may connect.
    pub(super) fn of_socket_file(token: Option<String>) -> Self {
        Self { checks_host: false, token }
    }

    fn refusal(&self, headers: &HeaderMap) -> Option<Response> {
        if self.token.as_ref().is_some_and(|token| !shows_token(headers, token)) {
            let challenge = [(header::WWW_AUTHENTICATE, "Bearer")];
            let text = "the token is missing or wrong: send `Authorization: Bearer TOKEN`\n";
            return Some((StatusCode::UNAUTHORIZED, challenge, text).into_response());
        }
        if self.checks_host && !is_from_here(headers) {
            let text = "asked for under a strange name: use an address or localhost, or --api-token-file\n";
            return Some((StatusCode::FORBIDDEN, text).into_response());
        }
        None
    }
}

/// The routes of `router`, behind the guard.
pub(super) fn guarded(router: Router, guard: Guard) -> Router {
    router.layer(middleware::from_fn_with_state(Arc::new(guard), check))
}

async fn check(State(guard): State<Arc<Guard>>, request: Request, next: Next) -> Response {
    match guard.refusal(request.headers()) {
        Some(refusal) => refusal,
        None => next.run(request).await,
    }
}

/// Compared in a time that does not tell how much of it is right.
fn shows_token(headers: &HeaderMap, token: &str) -> bool {
    let given = headers.get(header::AUTHORIZATION).map(|value| value.as_bytes());
    let given = given.and_then(|value| value.strip_prefix(b"Bearer ")).unwrap_or_default();
    given.ct_eq(token.as_bytes()).into()
}

/// Browsers always name the host; a program that does not is none.
fn is_from_here(headers: &HeaderMap) -> bool {
    let Some(host) = headers.get(header::HOST) else { return !headers.contains_key(header::ORIGIN) };
    let Ok(authority) = Authority::try_from(host.as_bytes()) else { return false };
    let name = authority.host().trim_start_matches('[').trim_end_matches(']');
    let is_local_name = name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok();
    let is_same_origin = headers.get(header::ORIGIN).is_none_or(|origin| {
        origin.as_bytes().strip_prefix(b"http://").is_some_and(|origin| origin == host.as_bytes())
    });
    is_local_name && is_same_origin
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn status(guard: &Guard, headers: &[(header::HeaderName, &'static str)]) -> Option<u16> {
        let headers = headers.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value)));
        guard.refusal(&headers.collect()).map(|response| response.status().as_u16())
    }

    #[test]
    fn a_name_that_leads_here_is_not_enough() {
        let guard = Guard::of_network(None);
        for host in ["127.0.0.1:8081", "localhost:8081", "LOCALHOST", "[::1]:8081", "10.0.0.4:80"] {
            assert_eq!(status(&guard, &[(header::HOST, host)]), None, "{host}");
        }
        for host in ["evil.example:8081", "localhost.evil.example", "127.0.0.1.evil.example", "", "a b"] {
            assert_eq!(status(&guard, &[(header::HOST, host)]), Some(403), "{host}");
        }
        assert_eq!(status(&guard, &[]), None);
    }

    #[test]
    fn a_page_of_another_origin_is_refused() {
        let guard = Guard::of_network(None);
        let from = |origin| status(&guard, &[(header::HOST, "localhost:1"), (header::ORIGIN, origin)]);
        assert_eq!(from("http://localhost:1"), None);
        for origin in ["http://localhost:2", "https://evil.example", "null"] {
            assert_eq!(from(origin), Some(403), "{origin}");
        }
    }

    #[test]
    fn with_a_token_nothing_but_the_token_counts() {
        for guard in [Guard::of_network(Some("s".into())), Guard::of_socket_file(Some("s".into()))] {
            let host = (header::HOST, "mirror.example");
            let shown = |text| status(&guard, &[host.clone(), (header::AUTHORIZATION, text)]);
            assert_eq!((shown("Bearer s"), shown("Bearer t"), shown("s")), (None, Some(401), Some(401)));
        }
        assert_eq!(status(&Guard::of_socket_file(None), &[(header::HOST, "x")]), None);
    }
}
