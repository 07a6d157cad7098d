//! Writes `config/gatepost.toml`: every key with its default and what it means. Loading it gives the defaults, and the
//! listeners and the backend it shows.
//!
//! The text of each section stands beside its structure, that of each check beside the check; a test keeps file and
//! code equal.

use crate::checks::{ALL, Kind};
use crate::config::{
    admin, backend, doctor, ident, journal, limits, listen, log, mail_data, policy, resolver,
    store, tls,
};

const HEAD: &str = r#"# gatepost: every key with its default and what it means.
#
# A file needs only what differs; config/minimal.toml is the least. The environment goes over the file
# (GATEPOST_LIMITS__CONNECTIONS=500), arguments go over both. Durations ("90s", "5m", "2h", "30d"), sizes ("64KiB",
# "50MiB") and networks ("192.0.2.0/24") are text. Unknown keys are errors. `gatepost check-config` tells all that is wrong
# with a file, `gatepost check-config --print` shows what holds and where it comes from.

# The name that clients see in the greeting. Default: the system's name.
# hostname = "mx.example.com"

# The user that gatepost becomes when root starts it, once its addresses are open; "root" to stay root. Started as another
# user, as by systemd, it stays who it is.
user = "gatepost"
"#;

/// The reference file.
#[must_use]
pub fn text() -> String {
    let mut sections = vec![
        HEAD.to_owned(),
        listen::SAMPLE.to_owned(),
        backend::SAMPLE.to_owned(),
    ];
    sections.extend([tls::SAMPLE, resolver::SAMPLE, policy::SAMPLE].map(str::to_owned));
    sections.extend(ALL.iter().map(check));
    let rest = [
        mail_data::SAMPLE,
        limits::SAMPLE,
        store::SAMPLE,
        journal::SAMPLE,
        admin::SAMPLE,
        doctor::SAMPLE,
        ident::SAMPLE,
        log::SAMPLE,
    ];
    sections.extend(rest.map(str::to_owned));
    sections.join("\n")
}

fn check(kind: &Kind) -> String {
    let head = format!(
        "# {}: {}\n[policy.default.checks.{}]\n# Whether it looks at all. To look and record without acting, write 0 for its points.\nenabled = true\n",
        kind.name, kind.summary, kind.name
    );
    head + kind.sample.trim() + "\n"
}
