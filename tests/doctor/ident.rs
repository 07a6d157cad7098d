//! The ident responder of a running gatepost, asked as mail servers ask.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
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

/// Whether a question is answered there.
fn answers(address: SocketAddr) -> bool {
    let Ok(mut stream) = TcpStream::connect(address) else {
        return false;
    };
    let patience = Some(Duration::from_secs(20));
    stream.set_read_timeout(patience).unwrap();
    stream.write_all(b"1, 25\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.contains("HIDDEN-USER")
}

#[test]
fn a_reload_opens_and_closes_all_or_nothing() {
    let [first, second, third] =
        [(); 3].map(|()| SocketAddr::from(([127, 0, 0, 1], process::free_tcp_port())));
    let mut world = World::new(Zone::new(), "");
    let ident = |addresses: &[SocketAddr]| {
        let quoted: Vec<String> = addresses.iter().map(|one| format!("\"{one}\"")).collect();
        format!("[ident]\naddress = [{}]", quoted.join(", "))
    };
    world.more(&ident(&[first]));
    let server = process::Server::start(&mut world.command(&["run"]));
    let said = |part: &str, times: usize| {
        let is_said = || (server.output().matches(part).count() == times).then_some(());
        let known = wait::until(is_said);
        assert!(known.is_some(), "{part}, {times}:\n{}", server.output());
    };
    let change = |world: &mut World, addresses: &[SocketAddr]| {
        world.more(&ident(addresses));
        world.save();
        server.signal("HUP");
    };
    said("questions of ident are answered", 1);
    change(&mut world, &[first, second]);
    said("the configuration is taken up", 1);
    assert!(answers(first) && answers(second));
    // That which was open has not been opened again.
    said("questions of ident are answered", 2);

    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    change(&mut world, &[third, taken.local_addr().unwrap()]);
    said("the changed configuration is refused", 1);
    said("ident.address: cannot listen on", 1);
    assert!(answers(first) && answers(second) && !answers(third));

    change(&mut world, &[second]);
    said("the configuration is taken up", 2);
    said("questions of ident are no longer answered", 1);
    let closed = wait::until(|| TcpStream::connect(first).is_err().then_some(()));
    assert!(closed.is_some() && answers(second), "{}", server.output());
    said("questions of ident are answered", 2);
}
