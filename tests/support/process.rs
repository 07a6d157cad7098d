//! Child processes: servers that end with their handle, and programs that run to their end within a time limit.

use std::fs;
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use crate::support::wait;

/// A server that is killed, by its process id, when this handle is dropped.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    output: Output,
}

/// What a server has written so far.
#[derive(Clone, Debug, Default)]
struct Output(Arc<Mutex<Vec<u8>>>);

impl Server {
    /// Starts `command`; its standard output and standard error are collected together.
    pub(crate) fn start(command: &mut Command) -> Self {
        Self::start_with(command, Stdio::null())
    }

    /// The same with something as its standard input.
    pub(crate) fn start_with(command: &mut Command, stdin: impl Into<Stdio>) -> Self {
        let mut child = command
            .stdin(stdin)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
        let output = Output::default();
        output.collect(child.stdout.take().expect("standard output is piped"));
        output.collect(child.stderr.take().expect("standard error is piped"));
        Self { child, output }
    }

    /// Everything it has written so far.
    pub(crate) fn output(&self) -> String {
        let bytes = self.output.0.lock().expect("no reader panics");
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Its process id.
    #[allow(dead_code, reason = "for the soak")]
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// How it ended, if it has.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child
            .try_wait()
            .expect("our own child can be waited for")
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args(["-s", name, &id]).status();
        assert!(sent.expect("kill is there").success());
    }

    /// Asks it to end (SIGTERM), and waits until it has.
    pub(crate) fn terminate(&mut self) {
        self.signal("TERM");
        let ended = wait::until(|| self.ended());
        assert!(ended.is_some(), "does not end:\n{}", self.output());
    }

    /// Ends it now and waits until it is gone.
    pub(crate) fn kill(&mut self) {
        // An error means that it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Output {
    fn collect(&self, mut from: impl Read + Send + 'static) {
        let output = self.clone();
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(count @ 1..) = from.read(&mut buffer) {
                output
                    .0
                    .lock()
                    .expect("no reader panics")
                    .extend_from_slice(&buffer[..count]);
            }
        });
    }
}

/// How a program ended, and what it wrote to standard output and standard error together.
#[derive(Debug)]
pub(crate) struct Finished {
    /// Its exit code.
    pub(crate) code: Option<i32>,
    /// What it wrote.
    pub(crate) transcript: String,
}

/// Runs a program to its end. Each step of the `script` waits until the transcript contains its first text, behind
/// what the step before it waited for, and then writes its second to the program's standard input, which is closed
/// behind the last. A program that does not end in time is killed, and the test fails.
pub(crate) fn run(command: &mut Command, script: &[(&str, &str)]) -> Finished {
    run_within(wait::PATIENCE, command, script)
}

/// The same for a program that takes its time.
pub(crate) fn run_within(
    patience: Duration,
    command: &mut Command,
    script: &[(&str, &str)],
) -> Finished {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
    let output = Output::default();
    output.collect(child.stdout.take().expect("standard output is piped"));
    output.collect(child.stderr.take().expect("standard error is piped"));
    let mut stdin = child.stdin.take().expect("standard input is piped");
    let mut server = Server { child, output };

    let mut seen = 0;
    for (awaited, line) in script {
        let found = wait::until(|| {
            let output = server.output();
            let found = output[seen..]
                .find(awaited)
                .map(|at| seen + at + awaited.len());
            (found.is_some() || server.ended().is_some()).then_some(found)
        });
        let Some(Some(end)) = found else { break };
        seen = end;
        // A program that has ended does not read; what it wrote tells why.
        let _ = stdin.write_all(line.as_bytes());
    }
    drop(stdin);
    let status = wait::until_within(patience, || server.ended())
        .unwrap_or_else(|| panic!("{command:?} does not end:\n{}", server.output()));
    // The pipes are read to their end a moment after the process has gone.
    wait::until(|| (Arc::strong_count(&server.output.0) == 1).then_some(()));
    Finished {
        code: status.code(),
        transcript: server.output(),
    }
}

/// Ends every `program` whose command line names a file in `directory`, and waits until they are gone. For what a server
/// of ours has begun beside itself: nobody else has files in a test's directory.
pub(crate) fn end_all(program: &str, directory: &Path) {
    // One that is just becoming another program has no command line for a moment: they are gone when twice none is seen.
    let mut none_seen = 0;
    wait::until(|| {
        let left = processes(program, directory);
        signal(&left, "-KILL");
        none_seen = if left.is_empty() { none_seen + 1 } else { 0 };
        (none_seen == 2).then_some(())
    });
}

/// Stops them where they stand, so that they are silent and their sockets are still there.
pub(crate) fn freeze_all(program: &str, directory: &Path) {
    signal(&processes(program, directory), "-STOP");
}

fn signal(processes: &[String], signal: &str) {
    for process in processes {
        let mut kill = Command::new("kill");
        // An error means that it has ended meanwhile.
        let _ = kill.args([signal, process]).stderr(Stdio::null()).status();
    }
}

/// Process ids; one that has ended and that nobody has waited for has no command line.
fn processes(program: &str, directory: &Path) -> Vec<String> {
    let directory = directory.display().to_string();
    let ours = |id: &String| {
        let line = fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).into_owned();
        let first = line.split('\0').next().unwrap_or_default();
        first.ends_with(program) && line.contains(&directory)
    };
    let all = fs::read_dir("/proc").expect("Linux has /proc").flatten();
    all.filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| name.bytes().all(|byte| byte.is_ascii_digit()))
        .filter(ours)
        .collect()
}

/// A TCP port on `127.0.0.1` that nobody listens on at this moment.
pub(crate) fn free_tcp_port() -> u16 {
    let any = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
    let listener = TcpListener::bind(any).expect("loopback has free ports");
    listener
        .local_addr()
        .expect("a bound socket has an address")
        .port()
}

/// A UDP port on `127.0.0.1` that nobody uses at this moment.
pub(crate) fn free_udp_port() -> u16 {
    let any = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
    let socket = UdpSocket::bind(any).expect("loopback has free ports");
    socket
        .local_addr()
        .expect("a bound socket has an address")
        .port()
}
