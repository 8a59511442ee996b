//! A hub on this machine: one model and, if a test adds it, one data set, over HTTP/1.1, with the faults that a test asks for. It speaks what
//! `huggingface.co` speaks: revisions, `resolve` with entity tags and the commit, large files behind a redirect, ranges.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
};

use offprint::digest::sha256_hex;

/// The only commit of the repository, which `main` and `v1` stand for.
pub const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// What goes wrong, and with what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// Every transfer of the file ends after so many bytes.
    Breaks { file: String, after: usize },
    /// One byte of the file is another.
    Altered { file: String },
    /// The file is refused with this status, although the repository is shown: a gated model.
    Refused { file: String, status: u16 },
    /// Every request is refused with this status.
    Closed(u16),
    /// The files come from another commit than the one that was asked for.
    OtherCommit,
    /// The entity tag of the file leads out of the cache.
    Climbs { file: String },
}

/// One request, as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    pub path: String,
    /// First byte of the `Range` header.
    pub from: Option<usize>,
    pub to: Option<usize>,
    pub token: Option<String>,
}

#[derive(Debug, Default)]
struct State {
    files: BTreeMap<String, Vec<u8>>,
    /// Of the data set `org/texts`, and its card.
    texts: Option<(BTreeMap<String, Vec<u8>>, serde_json::Value)>,
    fault: Option<Fault>,
    requests: Vec<Request>,
}

/// The running hub; it ends with the test.
#[derive(Debug, Clone)]
pub struct Hub {
    pub address: String,
    state: Arc<Mutex<State>>,
}

impl Hub {
    /// Serves `files` as the repository `org/model`.
    pub fn serve(files: BTreeMap<String, Vec<u8>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(Mutex::new(State { files, ..State::default() }));
        let hub = Hub { address, state };
        let serving = hub.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let hub = serving.clone();
                // A client that hangs up is no fault of the hub's.
                thread::spawn(move || drop(hub.answer(stream)));
            }
        });
        hub
    }

    /// Serves `files` as the data set `org/texts` beside the model; `card` is what its `README.md` says of itself.
    pub fn serve_texts(&self, files: BTreeMap<String, Vec<u8>>, card: serde_json::Value) {
        self.state.lock().unwrap().texts = Some((files, card));
    }

    pub fn set_fault(&self, fault: Option<Fault>) {
        self.state.lock().unwrap().fault = fault;
    }

    /// The requests since the last call.
    pub fn requests(&self) -> Vec<Request> {
        std::mem::take(&mut self.state.lock().unwrap().requests)
    }

    fn answer(&self, stream: TcpStream) -> std::io::Result<()> {
        let request = read(&stream)?;
        let (fault, files, texts) = {
            let mut state = self.state.lock().unwrap();
            state.requests.push(request.clone());
            (state.fault.clone(), state.files.clone(), state.texts.clone())
        };
        let reply = Reply { stream };
        if let Some(Fault::Closed(status)) = fault {
            return reply.status(status);
        }
        let path = request.path.as_str();
        let (texts, card) = texts.unwrap_or_default();
        for (prefix, folder, files, card) in [
            ("models/org/model", "org/model", &files, None),
            ("datasets/org/texts", "datasets/org/texts", &texts, Some(card)),
        ] {
            if files.is_empty() {
                continue;
            }
            if let Some(revision) = path.strip_prefix(&format!("/api/{prefix}/revision/")) {
                if !["main", "v1", COMMIT].contains(&revision) {
                    return reply.status(404);
                }
                let siblings: Vec<_> = files.keys().map(|name| serde_json::json!({ "rfilename": name })).collect();
                // As the hub has them, with more that nobody here asks for.
                let info = serde_json::json!({ "id": "x", "sha": COMMIT, "private": false, "siblings": siblings, "cardData": card });
                return reply.whole(info.to_string().as_bytes());
            }
            if let Some(name) = path.strip_prefix(&format!("/{folder}/resolve/{COMMIT}/")) {
                let Some(content) = files.get(name) else { return reply.status(404) };
                return self.resolve(&reply, &request, fault.as_ref(), name, content);
            }
        }
        let files: BTreeMap<&String, &Vec<u8>> = files.iter().chain(&texts).collect();
        if let Some(name) = path.strip_prefix("/large/")
            && let Some(content) = files.get(&name.to_owned())
        {
            let mut content = content.to_vec();
            let mut after = usize::MAX;
            match fault {
                Some(Fault::Altered { file }) if file == name => *content.last_mut().unwrap() ^= 1,
                Some(Fault::Breaks { file, after: n }) if file == name => after = n,
                _ => {}
            }
            return reply.part(&content, &request, after, &[]);
        }
        reply.status(404)
    }

    /// A small file, or the way to a large one.
    fn resolve(
        &self,
        reply: &Reply,
        request: &Request,
        fault: Option<&Fault>,
        name: &str,
        content: &[u8],
    ) -> std::io::Result<()> {
        if let Some(Fault::Refused { file, status }) = fault
            && file == name
        {
            return reply.status(*status);
        }
        let climbs = matches!(fault, Some(Fault::Climbs { file }) if file == name);
        let commit = if fault == Some(&Fault::OtherCommit) { COMMIT.replace('0', "f") } else { COMMIT.to_owned() };
        let large = [".safetensors", ".parquet"].iter().any(|ending| name.ends_with(ending));
        let etag = if climbs {
            "../../../escaped".to_owned()
        } else {
            sha256_hex(content)[..if large { 64 } else { 40 }].to_owned()
        };
        let headers =
            [("X-Repo-Commit", commit), (if large { "X-Linked-Etag" } else { "ETag" }, format!("\"{etag}\""))];
        if large {
            reply.redirect(&format!("{}/large/{name}", self.address), &headers)
        } else {
            reply.part(content, request, usize::MAX, &headers)
        }
    }
}

fn read(stream: &TcpStream) -> std::io::Result<Request> {
    let mut lines = BufReader::new(stream).lines();
    let first = lines.next().transpose()?.unwrap_or_default();
    let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
    let mut request = Request { path, from: None, to: None, token: None };
    for line in lines {
        let line = line?;
        let Some((name, value)) = line.split_once(": ") else { break };
        match name.to_ascii_lowercase().as_str() {
            "range" => {
                let (from, to) = value.trim_start_matches("bytes=").split_once('-').unwrap();
                (request.from, request.to) = (from.parse().ok(), to.parse().ok());
            }
            "authorization" => request.token = value.strip_prefix("Bearer ").map(str::to_owned),
            _ => {}
        }
    }
    Ok(request)
}

struct Reply {
    stream: TcpStream,
}

impl Reply {
    fn head(&self, status: u16, length: usize, headers: &[(&str, String)]) -> std::io::Result<()> {
        let mut head = format!("HTTP/1.1 {status} Said\r\nConnection: close\r\nContent-Length: {length}\r\n");
        for (name, value) in headers {
            head += &format!("{name}: {value}\r\n");
        }
        (&self.stream).write_all((head + "\r\n").as_bytes())
    }

    fn status(&self, status: u16) -> std::io::Result<()> {
        self.head(status, 0, &[])
    }

    fn whole(&self, content: &[u8]) -> std::io::Result<()> {
        self.head(200, content.len(), &[("Content-Type", "application/json".into())])?;
        (&self.stream).write_all(content)
    }

    fn redirect(&self, location: &str, headers: &[(&str, String)]) -> std::io::Result<()> {
        self.head(302, 0, &[headers, &[("Location", location.to_owned())]].concat())
    }

    /// The range that was asked for, at most `after` bytes of it before the line goes dead.
    fn part(&self, content: &[u8], asked: &Request, after: usize, headers: &[(&str, String)]) -> std::io::Result<()> {
        let from = asked.from.unwrap_or(0);
        let to = asked.to.unwrap_or(usize::MAX).min(content.len() - 1);
        if from > to {
            return self.status(416);
        }
        let range = ("Content-Range", format!("bytes {from}-{to}/{}", content.len()));
        self.head(206, to + 1 - from, &[headers, &[range]].concat())?;
        let part = &content[from..=to];
        (&self.stream).write_all(&part[..part.len().min(after)])
    }
}
