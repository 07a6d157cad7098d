//! Who listens on a port of this machine, from /proc: a port that a third program has is found before Exim is moved.

use std::fs;
use std::path::Path;

/// The names of the programs that listen on TCP `port`, on whatever address; of one that can not be seen, a question mark.
pub(super) fn of(port: u16) -> Vec<String> {
    let mut names: Vec<String> = ["tcp", "tcp6"]
        .iter()
        .filter_map(|table| fs::read_to_string(format!("/proc/net/{table}")).ok())
        .flat_map(|table| sockets(&table, port))
        .flat_map(|inode| programs(&inode))
        .collect();
    names.sort();
    names.dedup();
    names
}

/// The inodes of the sockets in a table of the kernel that listen on `port`.
fn sockets(table: &str, port: u16) -> Vec<String> {
    let listening = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let (local, state, inode) = (words.get(1)?, words.get(3)?, words.get(9)?);
        let (_, found) = local.rsplit_once(':')?;
        // 0A: TCP_LISTEN.
        (*state == "0A" && u16::from_str_radix(found, 16) == Ok(port)).then(|| (*inode).to_owned())
    };
    table.lines().filter_map(listening).collect()
}

fn programs(inode: &str) -> Vec<String> {
    let wanted = format!("socket:[{inode}]");
    let has = |process: &Path| {
        let descriptors = fs::read_dir(process.join("fd")).into_iter().flatten();
        descriptors.flatten().any(|descriptor| {
            fs::read_link(descriptor.path()).is_ok_and(|link| link == Path::new(&wanted))
        })
    };
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let names: Vec<String> = processes
        .map(|entry| entry.path())
        .filter(|process| has(process))
        .filter_map(|process| fs::read_to_string(process.join("comm")).ok())
        .map(|name| name.trim().to_owned())
        .collect();
    match names.is_empty() {
        true => vec!["?".to_owned()],
        false => names,
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn a_listener_of_our_own_is_found() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let own = fs::read_to_string("/proc/self/comm").unwrap();
        let found = of(port);
        assert!(found.contains(&own.trim().to_owned()), "{found:?}");
    }
}
