//! Names: domains, hosts, local-parts, and the reverse names that providers number their customers through with. All under
//! `.example` (RFC 2606), so that nothing made here exists anywhere else.

use std::net::IpAddr;

use super::draw::Draw;

const SYLLABLES: [&str; 24] = [
    "ba", "be", "bo", "da", "do", "fe", "ga", "ha", "ka", "ki", "la", "le", "lu", "ma", "mo", "na",
    "no", "pa", "ra", "ro", "sa", "so", "ta", "vi",
];

/// A word of `length` syllables, another for every number below 24 to the power of `length`.
fn word(mut number: u64, length: usize) -> String {
    let count = SYLLABLES.len() as u64;
    let mut text = String::with_capacity(length * 2);
    for _ in 0..length {
        let syllable = usize::try_from(number % count).ok();
        text.push_str(syllable.and_then(|at| SYLLABLES.get(at)).unwrap_or(&"ze"));
        number /= count;
    }
    text
}

/// Gives names out.
#[derive(Debug, Default)]
pub(super) struct Names {
    domains: u64,
    missing: u64,
}

impl Names {
    /// A registered domain that was not given out before.
    pub(super) fn domain(&mut self) -> String {
        self.domains += 1;
        // 24 to the power of 5, and a factor that shares no divisor with it.
        let scattered = self.domains.wrapping_mul(3_141_593) % 7_962_624;
        format!("{}.example", word(scattered, 5))
    }

    /// A domain that nobody has registered: those that are have no hyphen.
    pub(super) fn missing(&mut self) -> String {
        self.missing += 1;
        let scattered = self.missing.wrapping_mul(3_141_593) % 7_962_624;
        format!("no-{}.example", word(scattered, 5))
    }
}

/// A word of two or three syllables.
pub(super) fn any_word(draw: &mut Draw) -> String {
    let length = 2 + draw.below(2);
    word(draw.number(), length)
}

/// The local-part of somebody.
pub(super) fn person(draw: &mut Draw) -> String {
    let (first, last) = (any_word(draw), any_word(draw));
    match draw.below(4) {
        0 => first,
        1 => format!("{first}{}", draw.below(100)),
        _ => format!("{first}.{last}"),
    }
}

/// A name that a provider gives to the connection of this address: one of the shapes in use.
pub(super) fn dynamic(address: IpAddr, provider: &str, draw: &mut Draw) -> String {
    let v4 = match address {
        IpAddr::V4(v4) => v4,
        IpAddr::V6(v6) => {
            let dashed = v6.segments().map(|group| format!("{group:x}")).join("-");
            return match draw.below(2) {
                0 => format!("{dashed}.dyn.{provider}"),
                _ => format!("dynamic-{dashed}.{provider}"),
            };
        }
    };
    let [a, b, c, d] = v4.octets();
    match draw.below(10) {
        0 => format!("{a}-{b}-{c}-{d}.dyn.{provider}"),
        1 => format!("pool-{a}-{b}-{c}-{d}.wash.{provider}"),
        2 => format!("adsl-{d}.{c}.{b}.{a}.{provider}"),
        3 => format!("host{a:03}{b:03}{c:03}{d:03}.dsl.{provider}"),
        4 => format!("p{a:02x}{b:02x}{c:02x}{d:02x}.dip0.{provider}"),
        5 => format!("{d}.{c}.{b}.{a}.dynamic.{provider}"),
        6 => format!("cpe-{a}-{b}-{c}-{d}.res.{provider}"),
        7 => format!("c-{a}-{b}-{c}-{d}.cable.{provider}"),
        8 => format!("ip-{d}-{c}-{b}-{a}.ppp.{provider}"),
        _ => format!("customer-{c}-{d}.dynamic.{provider}"),
    }
}

/// The name under which the reverse name of an address is asked for (RFC 1035 §3.5, RFC 3596 §2.5).
pub(super) fn reversed(address: IpAddr) -> String {
    match address {
        IpAddr::V4(v4) => {
            let [a, b, c, d] = v4.octets();
            format!("{d}.{c}.{b}.{a}.in-addr.arpa")
        }
        IpAddr::V6(v6) => {
            let nibbles = format!("{:032x}", u128::from(v6));
            let mut name = String::with_capacity(72);
            for nibble in nibbles.chars().rev() {
                name.push(nibble);
                name.push('.');
            }
            name.push_str("ip6.arpa");
            name
        }
    }
}
