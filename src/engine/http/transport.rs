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
        transport::{ConnectionDetails, Connector, RustlsConnector, TcpConnector, Transport},
    },
};

/// Of a moment that is not yet.
type Moment = Arc<Mutex<Option<Instant>>>;

/// One request's connection.
#[derive(Debug)]
pub(super) struct Wire {
    pub(super) agent: Agent,
    began: Moment,
    /// The connection stands, and the request is written next: the zero of all its times.
    pub(super) connected: Moment,
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
        let (began, connected) = (Moment::default(), Moment::default());
        let connector =
            ().chain(Stamp(Arc::clone(&began)))
                .chain(TcpConnector::default())
                .chain(RustlsConnector::default())
                .chain(Stamp(Arc::clone(&connected)));
        Wire { agent: Agent::with_parts(config, connector, DefaultResolver::default()), began, connected }
    }

    /// When the connection stood, and when it was begun.
    pub(super) fn connected(&self) -> (Option<Instant>, Option<Instant>) {
        let read = |moment: &Moment| *moment.lock().unwrap_or_else(PoisonError::into_inner);
        (read(&self.connected), read(&self.began))
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
