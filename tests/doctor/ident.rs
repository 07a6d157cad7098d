//! The ident responder of a running gatepost, asked as mail servers ask.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use gatepost::cli::demo::dns::Zone;

use crate::support::{process, wait};
use crate::world::World;

#[test]
fn every_question_is_answered_at_once() {
    let mut world = World::new(Zone::new(), "");
    let address = SocketAddr::from(([127, 0, 0, 1], process::free_tcp_port()));
    world.more(&format!("[ident]\naddress = [\"{address}\"]"));
    let server = process::Server::start(&mut world.command(&["run"]));
    let up = wait::until(|| TcpStream::connect(address).is_ok().then_some(()));
    assert!(up.is_some(), "{}", server.output());
    let ask = |question: &[u8]| {
        let mut stream = TcpStream::connect(address).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        stream.write_all(question).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).map(|_| answer)
    };
    for (question, answer) in [
        (&b"6193, 25\r\n"[..], "6193, 25 : ERROR : HIDDEN-USER\r\n"),
        (b"0, 25\r\n", "0, 25 : ERROR : INVALID-PORT\r\n"),
        (b"GET / HTTP/1.1\r\n", ""),
        (&[b'1'; 64], ""),
    ] {
        assert_eq!(ask(question).unwrap(), answer);
    }
    // Who says nothing is not waited for.
    let mut silent = TcpStream::connect(address).unwrap();
    silent
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    assert_eq!(silent.read(&mut [0; 1]).unwrap(), 0);
}
