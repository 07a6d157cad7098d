//! A front proxy for clients that cannot write a PROXY header themselves.

use std::io;
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::thread;

use crate::support::client;

/// Listens for one connection and passes it on to `server`, with a PROXY header that says it came from `client`.
/// Returns where it listens.
pub(crate) fn stand_before(server: SocketAddr, client: &str) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback has free ports");
    let address = listener
        .local_addr()
        .expect("a bound socket has an address");
    let header = client::proxy_header(client);
    thread::spawn(move || {
        let (near, _) = listener.accept()?;
        let far = TcpStream::connect(server)?;
        io::Write::write_all(&mut &far, header.as_bytes())?;
        let (near_too, far_too) = (near.try_clone()?, far.try_clone()?);
        let back = thread::spawn(move || pass_on(&far_too, &near_too));
        pass_on(&near, &far)?;
        back.join().expect("copying does not panic")
    });
    address
}

fn pass_on(mut from: &TcpStream, mut to: &TcpStream) -> io::Result<()> {
    let copied = io::copy(&mut from, &mut to);
    to.shutdown(Shutdown::Write)?;
    copied.map(drop)
}
