//! The page that follows this agent: the files of a folder, read once and served at the root of the API.
//!
//! They are the same files that any static host serves, no secret, and need no token: the page asks for the API with
//! its token itself. What tells it that an agent is behind it is one mark in `index.html`.

use std::{fs, path::Path};

use axum::{
    Router,
    body::Bytes,
    http::{HeaderName, header},
    response::IntoResponse,
    routing::get,
};

use crate::failure::Failure;

/// Octets of all files: twenty times what the page has.
const MAX_LEN: u64 = 64 << 20;
/// Files: the page has a dozen.
const MAX_FILES: usize = 256;
/// Folders within folders: the page has one.
const MAX_DEPTH: usize = 4;

/// What stands in `index.html`; the page reads there where the API is, and on which port Geneve comes.
const MARK: &str = r#"<meta name="mirrorscope-agent" content="">"#;

fn marked(geneve_port: u16) -> String {
    format!(r#"<meta name="mirrorscope-agent" content="./" data-geneve-port="{geneve_port}">"#)
}

/// By the ending of a name; browsers run scripts and modules of the right type only.
const TYPES: [(&str, &str); 6] = [
    ("html", "text/html; charset=utf-8"),
    ("js", "text/javascript"),
    ("css", "text/css"),
    ("wasm", "application/wasm"),
    ("svg", "image/svg+xml"),
    ("json", "application/json"),
];

/// What goes with every file. A page must not be put into another one, which its own policy cannot say.
const HEADERS: [(HeaderName, &str); 3] = [
    (header::CACHE_CONTROL, "no-cache"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::CONTENT_SECURITY_POLICY, "frame-ancestors 'none'"),
];

/// The files, in memory.
#[derive(Debug)]
pub(crate) struct Page {
    /// Path from the root, type, content.
    files: Vec<(String, &'static str, Bytes)>,
}

impl Page {
    /// Reads the folder that `cargo xtask page` writes.
    ///
    /// # Errors
    /// Where a file cannot be read, there is more than a page has, or `index.html` is another page's.
    pub(crate) fn read(folder: &Path) -> Result<Self, Failure> {
        let mut page = Self { files: Vec::new() };
        page.take(folder, "", 0, &mut 0).map_err(|reason| {
            Failure::new(format_args!("--page {}: {reason}", folder.display()))
                .hint("`cargo xtask page` builds the page into web-demo/dist")
        })?;
        page.check().map_err(|reason| Failure::new(format_args!("--page {}: {reason}", folder.display())))?;
        Ok(page)
    }

    fn take(&mut self, folder: &Path, prefix: &str, depth: usize, len: &mut u64) -> Result<(), String> {
        if depth > MAX_DEPTH {
            return Err(format!("folders are nested deeper than {MAX_DEPTH}"));
        }
        for entry in fs::read_dir(folder).map_err(|error| error.to_string())? {
            let path = entry.map_err(|error| error.to_string())?.path();
            let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
            let name = format!("{prefix}{name}");
            if path.is_dir() {
                self.take(&path, &format!("{name}/"), depth + 1, len)?;
                continue;
            }
            *len += path.metadata().map_err(|error| format!("{name}: {error}"))?.len();
            if *len > MAX_LEN || self.files.len() >= MAX_FILES {
                return Err(format!("more than {MAX_FILES} files or {} MiB: not the page", MAX_LEN >> 20));
            }
            let content = fs::read(&path).map_err(|error| format!("{name}: {error}"))?;
            let kind = content_type(&name);
            self.files.push((name, kind, content.into()));
        }
        Ok(())
    }

    fn check(&self) -> Result<(), &'static str> {
        let index = self.files.iter().find(|(name, ..)| name == "index.html");
        let Some((_, _, content)) = index else { return Err("there is no index.html") };
        let is_ours = std::str::from_utf8(content).is_ok_and(|text| text.contains(MARK));
        if is_ours { Ok(()) } else { Err("its index.html is not the page of Mirrorscope") }
    }

    /// Tells the page that an agent serves it, which receives on this port.
    pub(crate) fn of_agent(mut self, geneve_port: u16) -> Self {
        for (_, _, content) in self.files.iter_mut().filter(|(name, ..)| name == "index.html") {
            *content = String::from_utf8_lossy(content).replace(MARK, &marked(geneve_port)).into();
        }
        self
    }

    /// A route for each file, and `/` for `index.html`.
    pub(super) fn router(self) -> Router {
        self.files.into_iter().fold(Router::new(), |router, (name, kind, content)| {
            let answer =
                move || async move { (HEADERS, [(header::CONTENT_TYPE, kind)], content).into_response() };
            let path = if name == "index.html" { "/".to_owned() } else { format!("/{name}") };
            // A brace would be a pattern to the router; no file of the page has one.
            if path.contains(['{', '}']) { router } else { router.route(&path, get(answer)) }
        })
    }
}

fn content_type(name: &str) -> &'static str {
    let ending = name.rsplit('.').next().unwrap_or_default();
    TYPES.iter().find(|(known, _)| *known == ending).map_or("application/octet-stream", |(_, kind)| kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(name: &str, files: &[(&str, &str)]) -> std::path::PathBuf {
        let folder = std::env::temp_dir().join(format!("mirrorscope-page-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(folder.join("assets")).unwrap();
        files.iter().for_each(|(name, text)| fs::write(folder.join(name), text).unwrap());
        folder
    }

    #[test]
    fn the_page_learns_that_an_agent_serves_it() {
        let folder = folder("whole", &[("index.html", MARK), ("assets/a.js", "1")]);
        let page = Page::read(&folder).unwrap().of_agent(7081);
        let content =
            |name: &str| page.files.iter().find(|file| file.0 == name).map(|file| (file.1, &file.2[..]));
        assert_eq!(content("index.html"), Some(("text/html; charset=utf-8", marked(7081).as_bytes())));
        assert_eq!(content("assets/a.js"), Some(("text/javascript", &b"1"[..])));
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn another_page_is_refused() {
        let empty = folder("empty", &[]);
        assert!(format!("{:?}", Page::read(&empty)).contains("no index.html"));
        let other = folder("other", &[("index.html", "<p>hello")]);
        assert!(format!("{:?}", Page::read(&other)).contains("not the page"));
        [empty, other].iter().for_each(|folder| fs::remove_dir_all(folder).unwrap());
    }
}
