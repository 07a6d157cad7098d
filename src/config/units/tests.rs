//! Every unit is read, written and refused as promised.

use std::fmt;

use super::*;

fn same_again<T: Text + PartialEq + fmt::Debug>(texts: &[&str]) {
    for text in texts {
        let value = T::read(text).unwrap();
        assert_eq!(value.text(), *text);
        assert_eq!(T::read(&value.text()).unwrap(), value);
    }
}

#[test]
fn every_unit_is_written_as_it_is_read() {
    same_again::<Duration>(&["0s", "6s", "90s", "5m", "2h", "30d", "1500ms", "250us"]);
    same_again::<ByteSize>(&["0B", "1000B", "64KiB", "50MiB", "1GiB"]);
    same_again::<Option<Rate>>(&["60/min", "5/s", "1000/h", "off"]);
    same_again::<SocketAddr>(&["0.0.0.0:25", "[::]:25", "127.0.0.1:0"]);
    same_again::<DnsServer>(&["127.0.0.1:5353", "[::1]:53"]);
    same_again::<IpNet>(&["192.0.2.0/24", "2001:db8::/32", "192.0.2.1/32"]);
    assert_eq!(Duration::read("1h 30m").unwrap(), Duration::from_secs(5400));
    assert_eq!(ByteSize::read("50 MB").unwrap(), ByteSize::mb(50));
    assert_eq!(DnsServer::read("9.9.9.9").unwrap().text(), "9.9.9.9:53");
    assert_eq!(
        IpNet::read("192.0.2.7").unwrap().to_string(),
        "192.0.2.7/32"
    );
    assert_eq!(
        IpNet::read("2001:db8::1").unwrap().to_string(),
        "2001:db8::1/128"
    );
}

#[test]
fn what_is_wrong_says_what_to_write() {
    for (message, expected) in [
        (
            Duration::read("6").unwrap_err(),
            "\"6\" has no unit; write \"6s\"",
        ),
        (
            ByteSize::read("50").unwrap_err(),
            "\"50\" has no unit; write \"50MiB\" or \"50B\"",
        ),
        (
            <Option<Rate>>::read("60").unwrap_err(),
            "\"60\" has no unit; write \"60/min\"",
        ),
        (
            SocketAddr::read("0.0.0.0").unwrap_err(),
            "\"0.0.0.0\" has no port; write \"0.0.0.0:25\"",
        ),
        (
            SocketAddr::read("::").unwrap_err(),
            "\"::\" has no port; write \"[::]:25\"",
        ),
        (
            SocketAddr::read("[::1]").unwrap_err(),
            "\"[::1]\" has no port; write \"[::1]:25\"",
        ),
        (
            IpNet::read("192.0.2.7/24").unwrap_err(),
            "\"192.0.2.7/24\" has bits set behind its prefix; write \"192.0.2.0/24\" or \"192.0.2.7\"",
        ),
    ] {
        assert_eq!(message, expected);
    }
    for text in ["", "six", "-1s", "5 parsecs"] {
        assert!(Duration::read(text).is_err(), "{text}");
    }
    for text in ["0/min", "60/year", "/s", "-1/s", "99999999999/s"] {
        assert!(<Option<Rate>>::read(text).is_err(), "{text}");
    }
    for text in ["", "mail", "5 stones", "-1MiB"] {
        assert!(ByteSize::read(text).is_err(), "{text}");
    }
}
