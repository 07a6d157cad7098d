//! How fast Postfix's time goes: its defaults (postconf(5)), divided by the clocks of the run as far as whole seconds allow.

use crate::cli::bench::world::LIST_TTL;

/// The fastest session clock: Postfix counts whole seconds, and begins to count within one.
pub(in crate::cli::bench) const FASTEST: u32 = 3;

/// Postfix's defaults, seconds (postconf(5)).
const GREET_WAIT: u32 = 6;
const DNSBL_TIMEOUT: u32 = 10;
const GREET_TTL: u32 = 86_400;
const DNSBL_TTL: [u32; 2] = [60, 3600];
/// Connections of one client at one time.
const CONNECTIONS: u32 = 50;
/// Processes of one kind, and so the connections that postscreen holds and hands on; as many as Exim may have sessions.
const PROCESSES: u32 = 500;
/// A setting, its default and what it is here, and their unit.
type Scaled = (&'static str, [u32; 2], &'static str);

/// How fast its time goes.
#[derive(Clone, Copy, Debug)]
pub(in crate::cli::bench) struct Pace {
    pub(in crate::cli::bench) clock: u32,
    pub(in crate::cli::bench) session_clock: u32,
}

impl Pace {
    fn settings(self) -> [Scaled; 9] {
        let Self {
            clock,
            session_clock,
        } = self;
        let (clock, session) = (clock.max(1), session_clock.max(1));
        let connections = CONNECTIONS.saturating_mul((clock / session).max(1));
        // How long a list's answer may be kept, which it says in seconds of its own.
        let [least, most] = DNSBL_TTL;
        let kept = LIST_TTL.clamp(least, most).div_ceil(clock);
        [
            (
                "postscreen_greet_wait",
                [GREET_WAIT, (GREET_WAIT / session).max(1)],
                "s",
            ),
            (
                "postscreen_dnsbl_timeout",
                [DNSBL_TIMEOUT, DNSBL_TIMEOUT.div_ceil(session)],
                "s",
            ),
            (
                "postscreen_greet_ttl",
                [GREET_TTL, GREET_TTL.div_ceil(clock)],
                "s",
            ),
            ("postscreen_dnsbl_min_ttl", [least, kept], "s"),
            ("postscreen_dnsbl_max_ttl", [most, kept], "s"),
            ("in_flow_delay", [1, 0], "s"),
            ("default_process_limit", [100, PROCESSES], ""),
            (
                "postscreen_client_connection_count_limit",
                [CONNECTIONS, connections],
                "",
            ),
            (
                "smtpd_client_connection_count_limit",
                [CONNECTIONS, connections],
                "",
            ),
        ]
    }

    /// What is changed, one a line.
    pub(super) fn scaled(self) -> Vec<String> {
        let line = |(name, [before, after], unit): Scaled| {
            format!("{name} = {before}{unit} is {after}{unit}")
        };
        self.settings().map(line).to_vec()
    }

    /// As lines of main.cf.
    pub(super) fn text(self) -> String {
        let line = |(name, [_, after], unit): Scaled| format!("{name} = {after}{unit}\n");
        self.settings().map(line).concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_and_memory_go_by_their_clocks_and_never_below_a_second() {
        let pace = |clock, session_clock| Pace {
            clock,
            session_clock,
        };
        let lines = pace(180, 3).scaled();
        for line in [
            "postscreen_greet_wait = 6s is 2s",
            "postscreen_dnsbl_timeout = 10s is 4s",
            "postscreen_greet_ttl = 86400s is 480s",
            "postscreen_dnsbl_min_ttl = 60s is 1s",
            "postscreen_client_connection_count_limit = 50 is 3000",
        ] {
            assert!(lines.contains(&line.to_owned()), "{line}: {lines:#?}");
        }
        let text = pace(1, 1).text();
        for line in [
            "postscreen_greet_wait = 6s\n",
            "postscreen_dnsbl_max_ttl = 60s\n",
        ] {
            assert!(text.contains(line), "{line}: {text}");
        }
        assert!(
            pace(3600, FASTEST)
                .text()
                .contains("postscreen_greet_wait = 2s\n")
        );
    }
}
