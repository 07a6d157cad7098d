//! `gatepost history`: recorded sessions, the newest first, one a line.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use ipnet::{IpNet, Ipv4Net};

use crate::checks::ALL;
use crate::cli::config_file::ConfigFile;
use crate::cli::output::{self, Paint};
use crate::cli::report::{Place, in_order, no_records};
use crate::cli::when;
use crate::journal::{Bounds, Digest, Filter, Timestamp, Wanted, search};

/// A search that takes longer is cut: nobody waits so long.
const PATIENCE: Duration = Duration::from_hours(1);

/// Arguments of `gatepost history`.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// Sessions of this client: an address or a network
    #[arg(long, value_name = "NETWORK", value_parser = network)]
    client: Option<IpNet>,
    /// Sessions with this in a name in HELO
    #[arg(long, value_name = "TEXT")]
    helo: Option<String>,
    /// Sessions with this in a sender
    #[arg(long, value_name = "TEXT")]
    from: Option<String>,
    /// Sessions with this in a recipient
    #[arg(long, value_name = "TEXT")]
    rcpt: Option<String>,
    /// Sessions whose gravest verdict was this: clear, greylist, deny, drop, or none where nobody was judged
    #[arg(long, value_name = "VERDICT", hide_possible_values = true, value_parser = ["clear", "greylist", "deny", "drop", "none"])]
    verdict: Option<String>,
    /// Sessions in which this check spoke for or against the client, or would have where nobody was judged
    #[arg(long, value_name = "NAME", hide_possible_values = true, value_parser = ALL.iter().map(|kind| kind.name).collect::<Vec<_>>())]
    check: Option<String>,
    /// Sessions of this listener
    #[arg(long, value_name = "NAME")]
    listener: Option<String>,
    /// Sessions that began then or later: a day, a time (2026-11-21T10:00, UTC), or how long ago (24h, 7d)
    #[arg(long, value_name = "TIME", value_parser = when::time)]
    since: Option<Timestamp>,
    /// Sessions that began before
    #[arg(long, value_name = "TIME", value_parser = when::time)]
    until: Option<Timestamp>,
    /// The most sessions that are listed
    #[arg(long, value_name = "NUMBER", default_value_t = 50)]
    limit: usize,
    /// Write JSON
    #[arg(long)]
    json: bool,
    /// The directory of the records; the configuration's by default, which need not be there if this is given
    #[arg(long, value_name = "DIRECTORY")]
    journal: Option<PathBuf>,
    #[command(flatten)]
    config: ConfigFile,
}

fn network(text: &str) -> Result<IpNet, String> {
    let network = text.parse().ok().or_else(|| {
        text.parse()
            .ok()
            .map(|address: std::net::IpAddr| address.into())
    });
    network.map(unmapped).ok_or_else(|| {
        "write an address or a network, such as 192.0.2.1 or 2001:db8::/32".to_owned()
    })
}

/// IPv4 in IPv6's clothes (RFC 4291 §2.5.5.2) as IPv4, as clients are compared.
fn unmapped(network: IpNet) -> IpNet {
    let IpNet::V6(six) = network else {
        return network;
    };
    let four = six.addr().to_ipv4_mapped();
    let prefix = six.prefix_len().checked_sub(96);
    let four = four
        .zip(prefix)
        .and_then(|(four, prefix)| Ipv4Net::new(four, prefix).ok());
    four.map_or(network, IpNet::V4)
}

/// Lists.
pub(in crate::cli) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    in_order(arguments.since, arguments.until)?;
    let Place {
        directory,
        policies,
        ..
    } = match Place::new(&arguments.config, arguments.journal.as_deref()) {
        Ok(place) => place,
        Err(code) => return Ok(code),
    };
    let wanted = Wanted::filtered(Filter {
        client: arguments.client,
        helo: arguments.helo.clone(),
        sender: arguments.from.clone(),
        recipient: arguments.rcpt.clone(),
        verdict: arguments.verdict.clone(),
        check: arguments.check.clone(),
        policies,
        listener: arguments.listener.clone(),
        since: arguments.since,
        until: arguments.until,
    });
    let bounds = Bounds {
        octets: u64::MAX,
        time: PATIENCE,
        hits: arguments.limit,
        since: arguments.since,
    };
    let hits = search(&directory, &wanted, bounds).with_context(|| no_records(&directory))?;
    let mut out = std::io::stdout().lock();
    if arguments.json {
        serde_json::to_writer_pretty(&mut out, &hits.digests)?;
        writeln!(out)?;
    } else {
        let paint = Paint::stdout();
        for digest in &hits.digests {
            writeln!(out, "{}", line(digest, paint))?;
        }
    }
    if hits.cut {
        output::complain(&format!(
            "there are more; these are the newest {} (--limit)",
            hits.digests.len()
        ));
    }
    Ok(ExitCode::SUCCESS)
}

/// What a client said is escaped: a terminal obeys none of it.
fn line(digest: &Digest, paint: Paint) -> String {
    let or_dash = |text: &Option<String>| {
        text.as_ref()
            .map_or_else(|| "-".to_owned(), |text| text.escape_debug().to_string())
    };
    let client = digest
        .client
        .map_or_else(|| "-".to_owned(), |client| client.to_string());
    let verdict = match digest.verdict {
        "clear" => paint.good("clear"),
        "none" => paint.dim("none"),
        other => paint.bad(other),
    };
    let observed = if digest.observed { " (observed)" } else { "" };
    let more = match digest.recipients.len() {
        0 | 1 => String::new(),
        many => format!(" and {} more", many - 1),
    };
    let why = digest
        .reason
        .as_ref()
        .map_or_else(String::new, |why| format!("  {}", why.escape_debug()));
    format!(
        "{}  {}  {client}  {}  {} → {}{more}  {verdict}{observed} {}  {}{why}",
        digest.time,
        digest.id.escape_debug(),
        or_dash(&digest.helo),
        or_dash(&digest.sender),
        or_dash(&digest.recipient),
        digest.points,
        digest.ended
    )
}
