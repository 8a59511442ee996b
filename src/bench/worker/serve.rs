//! The worker's end of the pipe, for the engines of this program: messages from stdin, answers to `out`.

use std::{io::Write, sync::mpsc::channel, thread};

use anyhow::{Context, Result};

use super::{
    clock,
    protocol::{Answer, Can, Failed, Generated, Hello, Kind, Loaded, Message, PROTOCOL, Serve, Served},
};
use crate::{
    complaint::Complaint,
    engine::{self, Engine, Request},
    study::EngineKind,
};

/// Serves until stdin ends, or says goodbye, between two requests; if it ends during one, the runner is gone and `orphaned` is called,
/// which must not return. `kernels`: as [`engine::open`] takes it.
///
/// # Errors
/// A pipe that breaks, a line that is no message.
pub fn serve(mut out: impl Write, kind: EngineKind, kernels: Option<&str>, orphaned: fn()) -> Result<()> {
    let (send, lines) = channel();
    thread::spawn(move || {
        for line in std::io::stdin().lines().map_while(Result::ok) {
            if send.send(line).is_err() {
                return;
            }
        }
        orphaned();
    });
    let mut answer = |answer: Answer| -> Result<()> {
        writeln!(out, "{}", serde_json::to_string(&answer)?)?;
        Ok(out.flush()?)
    };
    let mut engine: Option<Box<dyn Engine>> = None;
    while let Ok(line) = lines.recv() {
        let message: Message = match serde_json::from_str(&line) {
            Ok(message) => message,
            Err(error) => {
                let fields: serde_json::Value = serde_json::from_str(&line).context("a line is no JSON object")?;
                let known = ["hello", "load", "generate", "serve", "bye"].iter().any(|name| fields.get(name).is_some());
                let kind = if known { Kind::Refused } else { Kind::Unsupported };
                let id = fields
                    .pointer("/generate/id")
                    .or_else(|| fields.pointer("/serve/id"))
                    .and_then(serde_json::Value::as_u64);
                answer(Answer::Failed(Failed { id, kind, message: error.to_string() }))?;
                continue;
            }
        };
        answer(match message {
            Message::Hello(_) => Answer::Hello(hello(kind)),
            Message::Bye {} => return Ok(()),
            Message::Load(load) => match open(kind, &load.place, load.draft.as_deref(), kernels) {
                Ok((opened, loaded)) => {
                    engine = Some(opened);
                    Answer::Loaded(loaded)
                }
                // Without its checkpoint it has nothing to say.
                Err(error) => return answer(failed(None, Kind::Engine, &error)),
            },
            Message::Serve(asked) => serve_all(engine.as_deref_mut(), &asked),
            Message::Generate(asked) => {
                let id = Some(asked.id);
                let refused = |message: String| Answer::Failed(Failed { id, kind: Kind::Refused, message });
                match (asked.request(), &mut engine) {
                    (Err(message), _) => refused(message),
                    (Ok(_), None) => refused("nothing is loaded yet".to_owned()),
                    (Ok(request), Some(engine)) => {
                        let start_ns = clock::now().filter(|_| kind != EngineKind::Fake);
                        match engine.generate(&request) {
                            Ok(made) => Answer::Generated(Box::new(Generated::of(asked.id, start_ns, made))),
                            Err(error) => failed(id, Kind::Engine, &error),
                        }
                    }
                }
            }
        })?;
    }
    Ok(())
}

fn serve_all(engine: Option<&mut (dyn Engine + 'static)>, asked: &Serve) -> Answer {
    let id = Some(asked.id);
    let refused = |message: String| Answer::Failed(Failed { id, kind: Kind::Refused, message });
    let requests: Result<Vec<Request>, String> = asked.requests.iter().map(|request| request.request()).collect();
    let in_order = asked.due_ns.len() == asked.requests.len() && asked.due_ns.is_sorted();
    match (requests, engine) {
        (Err(message), _) => refused(message),
        (Ok(_), _) if !in_order || asked.at_once == 0 => {
            refused("expected a time for each request, ascending, and a place at least".to_owned())
        }
        (Ok(_), None) => refused("nothing is loaded yet".to_owned()),
        (Ok(requests), Some(engine)) => match engine.serve(&requests, &asked.due_ns, asked.at_once as usize) {
            Ok(service) => {
                let since = service.began.map(|began| began.elapsed().as_nanos() as u64);
                let start_ns = clock::now().zip(since).map(|(now, since)| now.saturating_sub(since));
                Answer::Served(Box::new(Served::of(asked.id, start_ns, service)))
            }
            Err(error) => failed(id, Kind::Engine, &error),
        },
    }
}

fn failed(id: Option<u64>, kind: Kind, error: &anyhow::Error) -> Answer {
    Answer::Failed(Failed { id, kind, message: Complaint::from(error).to_string() })
}

fn open(
    kind: EngineKind,
    place: &str,
    draft: Option<&str>,
    kernels: Option<&str>,
) -> Result<(Box<dyn Engine>, Loaded)> {
    let mut engine = engine::open(kind, place, draft, kernels)?;
    let load_ns = engine.load()?;
    let backend = engine.backend();
    Ok((engine, Loaded { load_ns, backend, files: Default::default() }))
}

fn hello(kind: EngineKind) -> Hello {
    let shared = clock::now().map(|_| clock::SHARED.to_owned());
    let fake = kind == EngineKind::Fake;
    Hello {
        protocol: PROTOCOL.to_owned(),
        name: "offprint".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        libraries: Default::default(),
        can: Can {
            exact_length: true,
            seed: true,
            token_ids: true,
            prompt_tokens: true,
            context: true,
            chat_template: true,
            batch: if fake { 4096 } else { 1 },
            serve: matches!(kind, EngineKind::Fake | EngineKind::Mlx),
            peak_memory: kind == EngineKind::Mlx,
            clock: if fake { Some(clock::INVENTED.to_owned()) } else { shared },
        },
    }
}
