//! How a request travels: ureq, told everything that it would otherwise decide for itself.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use ureq::{
    Agent,
    config::Config,
    unversioned::{
        resolver::DefaultResolver,
        transport::{Buffers, ConnectionDetails, Connector, NextTimeout, RustlsConnector, TcpConnector, Transport},
    },
};

/// Of a moment that is not yet.
type Moment = Arc<Mutex<Option<Instant>>>;

/// What an answer says of how it is packed.
type Told = Arc<Mutex<Option<String>>>;

/// One request's connection.
#[derive(Debug)]
pub(super) struct Wire {
    pub(super) agent: Agent,
    began: Moment,
    /// The connection stands, and the request is written next: the zero of all its times.
    pub(super) connected: Moment,
    packed: Told,
}

impl Wire {
    /// For a request that may take so long in all.
    pub(super) fn new(within: Duration) -> Wire {
        let config = Config::builder()
            // It would obey HTTP_PROXY even for this machine.
            .proxy(None)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .http_status_as_error(false)
            // A stream that is compressed comes in lumps.
            .accept_encoding("identity")
            .user_agent(concat!("offprint/", env!("CARGO_PKG_VERSION")))
            // A connection that a server has closed meanwhile would be a failure that is none of its.
            .max_idle_connections(0)
            .no_delay(true)
            .timeout_global(Some(within))
            .build();
        let (began, connected, packed) = (Moment::default(), Moment::default(), Told::default());
        let connector =
            ().chain(Stamp(Arc::clone(&began)))
                .chain(TcpConnector::default())
                .chain(RustlsConnector::default())
                .chain(Stamp(Arc::clone(&connected)))
                .chain(Look(Arc::clone(&packed)));
        Wire { agent: Agent::with_parts(config, connector, DefaultResolver::default()), began, connected, packed }
    }

    /// When the connection stood, and when it was begun.
    pub(super) fn connected(&self) -> (Option<Instant>, Option<Instant>) {
        let read = |moment: &Moment| *moment.lock().unwrap_or_else(PoisonError::into_inner);
        (read(&self.connected), read(&self.began))
    }
}

impl Wire {
    /// How the body is packed, as its head says: ureq unpacks some in silence, and takes the word for it away.
    pub(super) fn packed(&self) -> Option<String> {
        self.packed.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Remembers when a connection came by.
#[derive(Debug)]
struct Stamp(Moment);

impl<In: Transport> Connector<In> for Stamp {
    type Out = In;

    fn connect(&self, _: &ConnectionDetails, chained: Option<In>) -> Result<Option<In>, ureq::Error> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        Ok(chained)
    }
}

/// Reads an answer's head as it comes by.
#[derive(Debug)]
struct Look(Told);

/// A transport that is looked at.
#[derive(Debug)]
struct Seen<In> {
    inner: In,
    packed: Told,
    whole: bool,
}

impl<In: Transport> Connector<In> for Look {
    type Out = Seen<In>;

    fn connect(&self, _: &ConnectionDetails, chained: Option<In>) -> Result<Option<Seen<In>>, ureq::Error> {
        Ok(chained.map(|inner| Seen { inner, packed: Arc::clone(&self.0), whole: false }))
    }
}

impl<In: Transport> Transport for Seen<In> {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.inner.buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), ureq::Error> {
        self.inner.transmit_output(amount, timeout)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, ureq::Error> {
        let came = self.inner.await_input(timeout)?;
        // A head stays in the buffer until it is whole.
        if !self.whole
            && let Some(head) = head(self.inner.buffers().input())
        {
            self.whole = true;
            *self.packed.lock().unwrap_or_else(PoisonError::into_inner) = encoding(head);
        }
        Ok(came)
    }

    fn is_open(&mut self) -> bool {
        self.inner.is_open()
    }

    fn is_tls(&self) -> bool {
        self.inner.is_tls()
    }
}

/// A whole head but an interim one.
fn head(bytes: &[u8]) -> Option<&[u8]> {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
    let interim = bytes.get(8..10) == Some(b" 1");
    if interim { head(&bytes[end + 4..]) } else { Some(&bytes[..end]) }
}

/// `gzip`, of a head that says so; what changes nothing is none.
fn encoding(head: &[u8]) -> Option<String> {
    let head = String::from_utf8_lossy(head).to_ascii_lowercase();
    let values = head.lines().filter_map(|line| {
        let (name, value) = line.split_once(':')?;
        ["content-encoding", "transfer-encoding"].contains(&name.trim()).then_some(value)
    });
    let mut each = values.flat_map(|value| value.split(',')).map(str::trim);
    each.find(|value| !["", "identity", "chunked"].contains(value)).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_says_how_its_body_is_packed() {
        let of = |bytes: &str| head(bytes.as_bytes()).map(encoding);
        assert_eq!(of("HTTP/1.1 200 OK\r\nContent-Encoding: gz"), None);
        assert_eq!(of("HTTP/1.1 200 OK\r\nA: b\r\n\r\ncontent-encoding: x"), Some(None));
        assert_eq!(of("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"), Some(None));
        for head in [
            "HTTP/1.1 200 OK\r\ncontent-ENCODING:GZip\r\n\r\n",
            "HTTP/1.0 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
            "HTTP/1.1 103 X\r\n\r\nHTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n",
        ] {
            assert_eq!(of(head), Some(Some("gzip".to_owned())), "{head}");
        }
    }
}
