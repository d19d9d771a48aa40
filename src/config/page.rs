//! The files of a web page, read whole before a socket opens.
//!
//! What is served later is what was there then, under exactly these names: no path a browser may
//! write leads to another file, and a page that is built anew is not seen half. A file `x.br` or
//! `x.gz` beside `x` is `x` made smaller beforehand, not a file of its own.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::fs;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use sha2::{Digest as _, Sha256};

use super::Refused;

/// Bytes of all files together: a page has a few hundred kilobytes, a folder named by mistake more.
const MAX_BYTES: u64 = 32 * 1024 * 1024;

/// Folders within one another, likewise.
const MAX_DEPTH: usize = 8;

/// The file that `/` shows.
pub(crate) const INDEX: &str = "index.html";

/// A web page.
#[derive(Clone)]
pub struct Page(Arc<BTreeMap<String, PageFile>>);

/// One file of it.
pub(crate) struct PageFile {
    /// As it is.
    pub(crate) plain: Bytes,
    /// Compressed with Brotli.
    pub(crate) brotli: Option<Bytes>,
    /// Compressed with gzip.
    pub(crate) gzip: Option<Bytes>,
    /// Differs where the bytes differ, on whatever node.
    pub(crate) tag: String,
    /// What a browser is to take it for.
    pub(crate) kind: &'static str,
}

impl Page {
    /// Reads a folder, unless it cannot be a page.
    pub(super) fn read(folder: &Path) -> Result<Self, Refused> {
        let refused = |why| Refused::new("--page", "ADDA_PAGE", why);
        let mut found = BTreeMap::new();
        let mut left = MAX_BYTES;
        collect(folder, "", 0, &mut left, &mut found).map_err(refused)?;
        if !found.contains_key(INDEX) {
            let why = format!("no {INDEX} in {}: `make page` builds one", folder.display());
            return Err(refused(why));
        }
        let is_smaller = |name: &str| {
            [".br", ".gz"]
                .iter()
                .any(|end| name.strip_suffix(end).is_some_and(|whole| found.contains_key(whole)))
        };
        let names: Vec<String> = found.keys().filter(|name| !is_smaller(name)).cloned().collect();
        let file = |name: String| {
            let plain = found[&name].clone();
            let file = PageFile {
                brotli: found.get(&format!("{name}.br")).cloned(),
                gzip: found.get(&format!("{name}.gz")).cloned(),
                tag: tag(&plain),
                kind: kind(&name),
                plain,
            };
            (name, file)
        };
        Ok(Self(Arc::new(names.into_iter().map(file).collect())))
    }

    /// The file of this name, without a leading slash.
    pub(crate) fn get(&self, name: &str) -> Option<&PageFile> {
        self.0.get(name)
    }
}

impl fmt::Debug for Page {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Page({} files)", self.0.len())
    }
}

/// Files below a folder. What begins with a dot is nobody's; folders are not followed elsewhere.
fn collect(
    folder: &Path,
    before: &str,
    depth: usize,
    left: &mut u64,
    found: &mut BTreeMap<String, Bytes>,
) -> Result<(), String> {
    let cannot = |error: std::io::Error| format!("{}: {error}", folder.display());
    if depth > MAX_DEPTH {
        return Err(format!("{}: more than {MAX_DEPTH} folders deep", folder.display()));
    }
    for entry in fs::read_dir(folder).map_err(cannot)? {
        let entry = entry.map_err(cannot)?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        if name.starts_with('.') {
            continue;
        }
        let path = entry.path();
        let name = format!("{before}{name}");
        if entry.file_type().map_err(cannot)?.is_dir() {
            collect(&path, &format!("{name}/"), depth + 1, left, found)?;
            continue;
        }
        let cannot = |error: std::io::Error| format!("{}: {error}", path.display());
        let about = fs::metadata(&path).map_err(cannot)?;
        if !about.is_file() {
            continue;
        }
        *left = left
            .checked_sub(about.len())
            .ok_or_else(|| format!("over {} MB: this is no page", MAX_BYTES / 1024 / 1024))?;
        found.insert(name, fs::read(&path).map_err(cannot)?.into());
    }
    Ok(())
}

/// Weak, for the same file goes out compressed and not.
fn tag(bytes: &[u8]) -> String {
    let mut tag = "W/\"".to_owned();
    for byte in &Sha256::digest(bytes)[..12] {
        // Writing to a String cannot fail.
        let _ = write!(tag, "{byte:02x}");
    }
    tag.push('"');
    tag
}

/// By its name: these files are the operator's own.
fn kind(name: &str) -> &'static str {
    match name.rsplit_once('.').map(|(_, end)| end) {
        Some("html") => "text/html; charset=utf-8",
        Some("js" | "mjs") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("json" | "map") => "application/json",
        Some("webmanifest") => "application/manifest+json",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("jpg" | "jpeg") => "image/jpeg",
        Some("webp") => "image/webp",
        Some("ico") => "image/vnd.microsoft.icon",
        Some("woff2") => "font/woff2",
        Some("txt") => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}
