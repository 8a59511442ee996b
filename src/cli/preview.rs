//! The paper as it is written, for a browser on this machine: one page on 127.0.0.1, which reloads itself when it is made again. Nothing
//! else is served, to nobody else, and it ends with the program.

use std::{
    io::{Read, Write},
    net::{Ipv4Addr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use anyhow::{Context, Result};

/// A request is a line and a few headers.
const LONGEST_REQUEST: usize = 16 << 10;
const PATIENCE: Duration = Duration::from_secs(2);
/// Browsers open a few connections at once.
const MOST_CONNECTIONS: usize = 16;

/// Asks for the number of the page a few times a second and loads the page again when it is another.
const RELOAD: &str = "<script>(() => { const now = async () => { try { const said = await fetch('/version', {cache: 'no-store'}); \
     if (said.ok && await said.text() !== document.documentElement.dataset.version) location.reload(); } catch {} }; \
     setInterval(now, 250); })();</script>";

/// What is shown.
#[derive(Debug, Clone, Default)]
struct Page {
    version: u64,
    html: String,
}

/// The preview; others may hold it while it is served.
#[derive(Debug, Clone)]
pub(super) struct Preview {
    page: Arc<Mutex<Page>>,
    port: u16,
}

impl Preview {
    /// Serves from now on; port 0 takes one that is free.
    ///
    /// # Errors
    /// The port is taken.
    pub(super) fn serve(port: u16) -> Result<Self> {
        let hint = "hint: without --port one is taken that is free";
        let listener =
            TcpListener::bind((Ipv4Addr::LOCALHOST, port)).with_context(|| format!("port {port}\n{hint}"))?;
        let port = listener.local_addr().context("the preview's port")?.port();
        let preview = Preview { page: Arc::new(Mutex::new(Page::default())), port };
        let (served, open) = (preview.clone(), Arc::new(AtomicUsize::new(0)));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if open.fetch_add(1, Ordering::SeqCst) >= MOST_CONNECTIONS {
                    open.fetch_sub(1, Ordering::SeqCst);
                    continue;
                }
                let (served, open) = (served.clone(), Arc::clone(&open));
                thread::spawn(move || {
                    // Who hangs up has seen enough.
                    let _ = served.answer(stream);
                    open.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        Ok(preview)
    }

    pub(super) fn address(&self) -> String {
        format!("http://127.0.0.1:{}/", self.port)
    }

    /// Shows a page from now on. `trouble` is said above it: what is wrong with what was saved last.
    pub(super) fn show(&self, html: &str, trouble: Option<&str>) {
        let mut page = self.page.lock().unwrap_or_else(PoisonError::into_inner);
        page.version += 1;
        let banner = trouble.map_or_else(String::new, |trouble| {
            let text = trouble.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
            format!(
                "<pre style=\"position:sticky;top:0;z-index:9;margin:0;padding:.8em;white-space:pre-wrap;background:#7a1010;color:#fff\">{text}</pre>"
            )
        });
        let version = format!("<script>document.documentElement.dataset.version = '{}';</script>", page.version);
        // The paper's own policy lets no other script in; this one is served to nobody else.
        let html =
            html.replacen("<meta http-equiv=\"Content-Security-Policy\"", "<meta name=\"policy-of-the-paper\"", 1);
        let (before, after) = html.split_once("<body>").unwrap_or(("", &html));
        page.html = format!("{before}<body>{version}{RELOAD}{banner}{after}");
    }

    fn answer(&self, mut stream: TcpStream) -> std::io::Result<()> {
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let mut request = Vec::new();
        let mut buffer = [0; 2048];
        while !request.windows(4).any(|window| window == b"\r\n\r\n") {
            let read = stream.read(&mut buffer)?;
            request.extend_from_slice(&buffer[..read]);
            if read == 0 || request.len() > LONGEST_REQUEST {
                break;
            }
        }
        let page = self.page.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let (status, kind, body) = respond(&String::from_utf8_lossy(&request), self.port, &page);
        let head = format!(
            "HTTP/1.1 {status}\r\nContent-Type: {kind}; charset=utf-8\r\nContent-Length: {}\r\nCache-Control: no-store\r\n\
             X-Content-Type-Options: nosniff\r\nX-Frame-Options: DENY\r\nReferrer-Policy: no-referrer\r\nConnection: close\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes())?;
        stream.write_all(body.as_bytes())
    }
}

/// Status, type and body. A page of another site that asks through the browser names another host.
fn respond(request: &str, port: u16, page: &Page) -> (&'static str, &'static str, String) {
    let mut lines = request.split("\r\n");
    let line = lines.next().unwrap_or_default();
    let host = lines.find_map(|header| {
        let (name, value) = header.split_once(':')?;
        name.eq_ignore_ascii_case("host").then(|| value.trim())
    });
    let ours = [format!("127.0.0.1:{port}"), format!("localhost:{port}")];
    if !host.is_some_and(|host| ours.iter().any(|own| own == host)) {
        return ("403 Forbidden", "text/plain", "this preview is for a browser on this machine".to_owned());
    }
    match line {
        "GET / HTTP/1.1" | "GET / HTTP/1.0" => ("200 OK", "text/html", page.html.clone()),
        "GET /version HTTP/1.1" | "GET /version HTTP/1.0" => ("200 OK", "text/plain", page.version.to_string()),
        line if line.starts_with("GET ") => {
            ("404 Not Found", "text/plain", "there is the paper, and nothing else".to_owned())
        }
        _ => ("405 Method Not Allowed", "text/plain", "the paper may be read".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(port: u16, request: &str) -> String {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut said = String::new();
        let _ = stream.read_to_string(&mut said);
        said
    }

    #[test]
    fn the_paper_is_served_and_nothing_else_to_nobody_else() {
        let preview = Preview::serve(0).unwrap();
        preview.show("<html><head></head><body><p>One</p></body></html>", None);
        let get = |path: &str, host: &str| asked(preview.port, &format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n"));
        let own = format!("127.0.0.1:{}", preview.port);
        let page = get("/", &own);
        assert!(
            page.starts_with("HTTP/1.1 200 OK") && page.contains("<p>One</p>") && page.contains("/version"),
            "{page}"
        );
        assert!(get("/version", &own).ends_with("\r\n\r\n1"));
        preview.show("<body>Two", Some("templates/x.md:1:2: <wrong> & so"));
        let page = get("/", &own);
        assert!(
            page.contains("Two") && page.contains("&lt;wrong&gt; &amp; so") && page.contains("version = '2'"),
            "{page}"
        );
        assert!(get("/", "evil.example").starts_with("HTTP/1.1 403"));
        for path in ["/../../etc/passwd", "/paper.md", "/etc/passwd", "//", "/%2e%2e/"] {
            assert!(get(path, &own).starts_with("HTTP/1.1 404"), "{path}");
        }
        let post = asked(preview.port, &format!("POST / HTTP/1.1\r\nHost: {own}\r\n\r\n"));
        assert!(post.starts_with("HTTP/1.1 405"), "{post}");
        for nonsense in ["", "\r\n\r\n", "GET", &"x".repeat(LONGEST_REQUEST * 2)] {
            let said = asked(preview.port, &format!("{nonsense}\r\n\r\n"));
            assert!(said.is_empty() || said.starts_with("HTTP/1.1 403"), "{said}");
        }
        let error = Preview::serve(preview.port).unwrap_err().to_string();
        assert!(error.contains("hint: without --port"), "{error}");
    }
}
