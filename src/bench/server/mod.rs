//! A server of others, started, waited for, asked and ended by us, or already at work. It is asked over HTTP; what it says of itself and
//! what it can do is found out before the first run.

mod listener;
mod probe;
mod says;
mod several;
mod watch;

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    sync::atomic::{AtomicBool, Ordering},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use super::{
    process::{Process, Program, last_words},
    programs::{Place, Programs, SERVED, Started},
    worker::Lost,
};
use crate::{
    digest,
    engine::{
        Request,
        http::{Answer, Client, Failure},
    },
    record::{Clock, CountedBy, RunRecord},
    study::{Http, Length, Server, Tokens},
};
use watch::Watch;

/// Between two questions whether it is ready.
const PAUSE: Duration = Duration::from_millis(50);

/// A server that may be asked.
#[derive(Debug)]
pub struct Served {
    http: Http,
    client: Client,
    /// Its model, as it calls it.
    model: Option<String>,
    /// Ours; `None`: somebody else has started it.
    process: Option<Process>,
    /// What it says on stdout is read away.
    chatter: Option<JoinHandle<String>>,
    /// A request was given up, and it may be at work on it still.
    busy: bool,
}

impl Served {
    /// Starts the server, unless somebody has, and waits until it is ready.
    ///
    /// # Errors
    /// A port that is taken, a program that ends or does not get ready, a listener that is none of ours; in words.
    pub fn start(
        http: &Http,
        argv: Vec<String>,
        place: &Place,
        programs: &Programs,
        deadline: Instant,
        stop: &AtomicBool,
    ) -> Result<(Served, Started), Lost> {
        let key = http.key_from.as_ref().and_then(|name| std::env::var(name).ok());
        let mut served = Served {
            http: http.clone(),
            client: Client::new(http, &http.url, http.model.clone(), Vec::new(), key.clone()),
            model: http.model.clone(),
            process: None,
            chatter: None,
            busy: false,
        };
        let mut startup_ns = None;
        let mut base = http.url.clone();
        if !argv.is_empty() {
            let port = port(&http.url).map_err(Lost::Failed)?;
            base = http.url.replace("{port}", &port.to_string());
            let command = argv.iter().map(|argument| argument.replace("{port}", &port.to_string())).collect();
            let program = Program { command, variables: http.env.clone(), pass: Some(http.pass.clone()) };
            let began = Instant::now();
            let (process, pipes) = Process::start(&program, programs.guard.as_ref())
                .map_err(|error| Lost::Failed(format!("server: it could not be started: {error}")))?;
            drop(pipes.stdin);
            served.chatter = Some(thread::spawn(move || last_words(pipes.stdout)));
            served.process = Some(process);
            served.client = Client::new(http, &base, None, Vec::new(), key.clone());
            served.ready(deadline, stop)?;
            startup_ns = Some(began.elapsed().as_nanos() as u64);
            let group = served.process.as_ref().map_or(0, Process::id);
            if listener::is_of(group, port) == Some(false) {
                return Err(Lost::Failed(format!("server: what listens at port {port} is another program's")));
            }
        } else {
            served.ready(deadline, stop)?;
        }
        // What mlx_lm.server lists is the machine's cache; asked for one of those it would load it.
        let of_start = (http.server == Some(Server::MlxLm)).then(|| "default_model".to_owned());
        served.model = http.model.clone().or(of_start).or_else(|| says::first_model(&served.client));
        let eos = if http.length == Length::LogitBias { eos(place).map_err(Lost::Failed)? } else { Vec::new() };
        served.client = Client::new(http, &base, served.model.clone(), eos, key);
        Ok((served, Started { load_ns: None, startup_ns, backend: SERVED.to_owned() }))
    }

    /// Waits until its path answers with status 200.
    fn ready(&mut self, deadline: Instant, stop: &AtomicBool) -> Result<(), Lost> {
        let within = Duration::from_secs_f64(self.http.ready.within_s);
        let until = deadline.min(Instant::now() + within);
        loop {
            let found = match self.client.get(&self.http.ready.path, Duration::from_secs(2)) {
                Ok(page) if page.status == 200 => return Ok(()),
                Ok(page) => format!("status {}", page.status),
                Err(error) => error,
            };
            if self.process.as_mut().is_some_and(Process::has_ended) {
                return Err(Lost::Failed(format!("server: it {} while loading", self.obituary())));
            }
            if stop.load(Ordering::SeqCst) {
                return Err(Lost::Stopped);
            }
            // Who is at work already need not be waited for.
            if Instant::now() >= until || self.process.is_none() {
                let path = &self.http.ready.path;
                return Err(Lost::Failed(match self.process {
                    Some(_) => format!("server: not ready within {} s: {path}: {found}", self.http.ready.within_s),
                    None => format!("connect: {path}: {found}"),
                }));
            }
            thread::sleep(PAUSE);
        }
    }

    /// Asks once and puts what came into the row, as far as it came.
    ///
    /// # Errors
    /// As [`Client::ask`].
    pub fn measure(
        &mut self,
        request: &Request,
        deadline: Instant,
        stop: &AtomicBool,
        row: &mut RunRecord,
    ) -> Result<(), Lost> {
        let group = self.process.as_ref().map(Process::id);
        let watch = Watch::start(group);
        let outcome = self.client.ask(request, deadline, stop);
        let seen = watch.end();
        row.client_stall_ns = Some(seen.stall_ns);
        row.stolen_ns = seen.stolen_ns;
        row.peak_rss_bytes = seen.peak_rss_bytes;
        (row.clock, row.counted_by) = (Some(Clock::Client), Some(counted_by(self.http.tokens)));
        match outcome {
            Ok(answer) => {
                fill(row, answer);
                Ok(())
            }
            Err(Failure::Stopped) => Err(Lost::Stopped),
            Err(Failure::Failed { reason, answer }) => {
                fill(row, *answer);
                self.busy = reason.starts_with("timeout:");
                if self.process.as_mut().is_some_and(Process::has_ended) {
                    return Err(Lost::Failed(format!("{reason}; server: it {}", self.obituary())));
                }
                Err(Lost::Failed(reason))
            }
        }
    }

    /// May it be asked again?
    pub fn is_idle(&mut self) -> bool {
        let lives = self.process.as_mut().is_none_or(|process| !process.has_ended());
        lives && (!self.busy || self.process.is_none())
    }

    /// How it ended, with what it said last.
    fn obituary(&mut self) -> String {
        let ended = self.process.as_mut().map_or_else(String::new, Process::obituary);
        let said = self.chatter.take().and_then(|thread| thread.join().ok()).unwrap_or_default();
        // Most complain on stderr; some on stdout.
        let said = self.http.secrets().shown(said.trim());
        if ended.contains(':') || said.is_empty() { ended } else { format!("{ended}: {said}") }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        if let Some(process) = &mut self.process
            && !process.has_ended()
        {
            process.signal(self.http.stop.signal);
            process.wait(Duration::from_secs_f64(self.http.stop.within_s));
        }
    }
}

/// A free port, or the one that the study names, if nobody is there.
fn port(url: &str) -> Result<u16, String> {
    if url.contains("{port}") {
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| listener.local_addr());
        return free.map(|at| at.port()).map_err(|error| format!("server: no free port: {error}"));
    }
    let authority = url.split("://").nth(1).unwrap_or_default().split('/').next().unwrap_or_default();
    let port = authority.rsplit(':').next().and_then(|port| port.parse().ok()).unwrap_or(80);
    let at = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    if TcpStream::connect_timeout(&at, Duration::from_millis(200)).is_ok() {
        return Err(format!("server: something answers at port {port} already, and it is not ours"));
    }
    Ok(port)
}

/// End-of-sequence tokens of the checkpoint.
#[cfg(feature = "mlx")]
fn eos(place: &Place) -> Result<Vec<u32>, String> {
    let folder =
        place.folder.as_deref().ok_or("length: logit_bias needs the model's files, for its end-of-sequence tokens")?;
    let checkpoint = crate::model::Checkpoint::open(folder).map_err(|error| error.to_string())?;
    if checkpoint.eos.is_empty() {
        return Err("length: the checkpoint names no end-of-sequence token to put a bias on".to_owned());
    }
    Ok(checkpoint.eos)
}

#[cfg(not(feature = "mlx"))]
fn eos(_: &Place) -> Result<Vec<u32>, String> {
    Err("length: logit_bias needs a build of offprint that opens models".to_owned())
}

fn counted_by(tokens: Tokens) -> CountedBy {
    match tokens {
        Tokens::Usage => CountedBy::Usage,
        Tokens::Ids => CountedBy::Ids,
    }
}

/// What came, into the row. The text is all there when the server says why it ended.
fn fill(row: &mut RunRecord, answer: Answer) {
    row.token_times_ns = answer.token_times_ns().cloned();
    row.output_sha256 = answer.ids.as_deref().map(digest::sha256_ids);
    row.output_text = Some(answer.text).filter(|text| !text.is_empty());
    (row.n_prompt, row.n_gen, row.finish_reason) = (answer.n_prompt, answer.n_gen, answer.finish);
    row.chunk_times_ns = Some(answer.chunk_times_ns).filter(|times| !times.is_empty());
    row.chunk_tokens = answer.chunk_tokens;
    (row.connect_ns, row.headers_ns) = (answer.connect_ns, answer.headers_ns);
    (row.finish_ns, row.e2e_ns, row.done_ns) = (answer.finish_ns, answer.finish_ns, answer.done_ns);
    row.cached_tokens = answer.cached_tokens;
    row.server = answer.server;
}
