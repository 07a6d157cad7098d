//! What a connection to a backend begins with: TLS, the greeting, EHLO, XCLIENT; up to where a transaction may begin.
//!
//! TLS is as configured or there is no session: nothing falls back to plain text. After STARTTLS everything the backend
//! said before is forgotten, and nothing it said may stand between its 220 and the handshake (RFC 3207 §4.2, §6;
//! CVE-2011-0411 from the other side).

use std::time::Duration;

use tokio::time::timeout;

use crate::net::stream::Stream;
use crate::session::relay::open::Who;
use crate::session::relay::{Relay, Trouble};
use crate::session::upstream::Upstream;
use crate::smtp::command::Command;
use crate::smtp::extension::Extensions;
use crate::smtp::reply::{Reply, ReplyClass};
use crate::smtp::xclient::{Attributes, Xclient};

impl Relay {
    /// Waits for the greeting.
    pub(super) async fn be_greeted(&mut self, within: Duration) -> Result<(), Trouble> {
        let (_, greeting) = self.read("greet", within).await?;
        match greeting.class() {
            ReplyClass::Positive => Ok(()),
            _ => Err(Trouble::Refuses(greeting.to_string())),
        }
    }

    /// EHLO with the client's name; the reply, and noted what the backend offers.
    pub(super) async fn hello(&mut self, within: Duration) -> Result<Reply, Trouble> {
        let ehlo = Command::Ehlo(self.name.clone());
        let hello = self.ask(&ehlo, "answer EHLO", within).await?;
        match (hello.code, hello.class()) {
            (_, ReplyClass::Positive) => {
                self.offered = Extensions::from_ehlo_reply(&hello);
                Ok(hello)
            }
            (503, _) => Err(Trouble::RefusesProxyHeader(hello.to_string())),
            _ => Err(Trouble::RefusesName(hello.to_string())),
        }
    }

    /// STARTTLS and the handshake; EHLO is due again then.
    pub(super) async fn start_tls(&mut self, upstream: &Upstream) -> Result<(), Trouble> {
        if !self.offered.starttls {
            return Err(Trouble::NoStartTls);
        }
        let within = upstream.backend.command_timeout;
        let ready = self.ask(&Command::StartTls, "answer STARTTLS", within);
        let ready = ready.await?;
        if ready.code != 220 {
            return Err(Trouble::Refuses(ready.to_string()));
        }
        // It would be taken for something said under TLS.
        if self.quiet().is_err() {
            return Err(Trouble::Injected);
        }
        self.secure(upstream).await?;
        self.offered = Extensions::default();
        self.client.reset_after_starttls();
        Ok(())
    }

    /// XCLIENT, to which the reply is another greeting; EHLO is due again then. Without the client's address in it the
    /// backend would take the client for us.
    pub(super) async fn introduce(
        &mut self,
        upstream: &Upstream,
        who: &Who,
        hello: &Reply,
    ) -> Result<(), Trouble> {
        let takes = Attributes::from_ehlo_reply(hello).filter(|takes| takes.address);
        let takes = takes.ok_or(Trouble::NoXclient)?;
        let xclient = Xclient {
            name: &who.host_name,
            address: who.client,
            extended: who.extended,
            helo: &who.name,
        };
        self.quiet()?;
        let mut out = Vec::with_capacity(256);
        self.client.send_xclient(&xclient, takes, &mut out)?;
        self.write(&out, upstream.backend.command_timeout).await?;
        let within = upstream.backend.greeting_timeout;
        let (_, greeting) = self.read("greet", within).await?;
        match greeting.code {
            220 => Ok(()),
            _ => Err(Trouble::RefusesXclient(greeting.to_string())),
        }
    }

    /// The TLS handshake.
    pub(super) async fn secure(&mut self, upstream: &Upstream) -> Result<(), Trouble> {
        let Some(connector) = &upstream.connector else {
            return Err(Trouble::Tls("it was not set up".to_owned()));
        };
        let plain = std::mem::replace(&mut self.stream, Stream::closed());
        let within = upstream.backend.greeting_timeout;
        let address = self.server().address;
        match timeout(within, plain.secure(connector, address)).await {
            Ok(Ok(stream)) => {
                self.stream = stream;
                Ok(())
            }
            Ok(Err(error)) => Err(Trouble::Tls(error.to_string())),
            Err(_) => Err(Trouble::Silent("finish the TLS handshake")),
        }
    }
}
