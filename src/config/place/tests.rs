//! Places in every shape of table, over every layer.

use super::*;

const TEXT: &str = "hostname = \"é\"; x\n";

#[test]
fn places_are_found_in_every_shape_of_table() {
    let text = "\
[listen.mx]
  address = [\"a\", \"b\"]
[[tls.certificates]]
chain = 1
[[tls.certificates]]
  key = 2
[policy]
a.checks.dnsbl = { zones = [{ zone = 1 }, { zone = 2 }] }
";
    let places = Places::new(Some((Path::new("g.toml"), text)), Vec::new(), Vec::new()).unwrap();
    for (key, place) in [
        ("listen.mx", "g.toml:1:9"),
        ("listen.mx.address", "g.toml:2:3"),
        ("listen.mx.address[1]", "g.toml:2:19"),
        ("listen.mx.backend", "g.toml:1:9"),
        ("tls.certificates[1].key", "g.toml:6:3"),
        ("tls.certificates[0].key", "g.toml:3:1"),
        ("policy.a.checks.dnsbl.zones[1].zone", "g.toml:8:45"),
        ("limits.connections", "g.toml"),
    ] {
        assert_eq!(
            places.place(&key_from_text(key)).to_string(),
            place,
            "{key}"
        );
    }
    assert_eq!(
        places.origin(&key_from_text("listen.mx.backend")),
        Place::Default
    );
}

#[test]
fn arguments_hide_the_environment_and_that_hides_the_file() {
    let text = "[store]\ndirectory = \"/a\"\n";
    let set = key(&["store", "directory"]);
    let variable = "GATEPOST_STORE__DIRECTORY".to_owned();
    let file = Some((Path::new("g.toml"), text));
    let places = Places::new(file, vec![(set.clone(), variable.clone())], Vec::new()).unwrap();
    assert_eq!(
        places.place(&set).to_string(),
        "environment GATEPOST_STORE__DIRECTORY"
    );
    let places = Places::new(file, vec![(set.clone(), variable)], vec![set.clone()]).unwrap();
    assert_eq!(places.place(&set).to_string(), "argument store.directory");
}

#[test]
fn columns_count_characters_and_syntax_faults_have_a_place() {
    assert_eq!(position(TEXT, TEXT.find('x').unwrap()), (1, 17));
    let (place, message) =
        Places::new(Some((Path::new("g.toml"), TEXT)), Vec::new(), Vec::new()).unwrap_err();
    assert_eq!(place.to_string(), "g.toml:1:15");
    assert!(!message.is_empty());
}

#[test]
fn left_out_elements_do_not_shift_the_others() {
    let left_out = ["a[0]", "a[2]", "b.c[0]"]
        .map(key_from_text)
        .into_iter()
        .collect();
    for (key, expected) in [
        ("a[0]", "a[1]"),
        ("a[1]", "a[3]"),
        ("b.c[0].d", "b.c[1].d"),
        ("b[0]", "b[0]"),
    ] {
        assert_eq!(
            key_text(&original(&key_from_text(key), &left_out)),
            expected,
            "{key}"
        );
    }
}

#[test]
fn keys_are_written_as_in_toml() {
    for text in [
        "listen.mx.address[1]",
        "hostname",
        "policy.a-b.checks.dnsbl.zones[0].zone",
    ] {
        assert_eq!(key_text(&key_from_text(text)), text);
    }
    assert_eq!(key_text(&key(&["listen", "a b"])), "listen.\"a b\"");
}
