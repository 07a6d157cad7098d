//! What is drawn is well-formed, says what it should, and holds nothing that runs.

use proptest::prelude::*;

use super::*;

fn bar(label: &str, value: f64, interval: Option<(f64, f64)>) -> Bar {
    Bar {
        label: label.to_owned(),
        value,
        interval: interval.map(|(low, high)| Interval { low, high }),
    }
}

/// Every `<` opens an element that is closed, in order.
fn is_well_formed(svg: &str) -> bool {
    let mut open = Vec::new();
    for piece in svg.split('<').skip(1) {
        let Some((tag, text)) = piece.split_once('>') else {
            return false;
        };
        if text.contains('>') {
            return false;
        }
        match tag.strip_prefix('/') {
            Some(name) if open.pop() == Some(name) => {}
            Some(_) => return false,
            None if tag.ends_with('/') => {}
            None => open.extend(tag.split(' ').next()),
        }
    }
    open.is_empty() && svg.starts_with("<svg")
}

fn texts(svg: &str) -> Vec<&str> {
    let pieces = svg
        .split("</text>")
        .filter_map(|piece| piece.rsplit_once('>'));
    pieces.map(|(_, text)| text.trim()).collect()
}

#[test]
fn bars_say_their_values_and_hostile_labels_stay_text() {
    let hostile = "<script>alert('x')</script>&\"";
    let svg = bars(
        Unit::Share,
        &[
            bar("dnsbl", 0.412, Some((0.4, 0.43))),
            bar(hostile, -0.05, None),
        ],
    )
    .unwrap();
    assert!(is_well_formed(&svg), "{svg}");
    let texts = texts(&svg);
    assert!(
        texts.contains(&"41.2 %") && texts.contains(&"dnsbl"),
        "{texts:?}"
    );
    assert!(texts.contains(&"-5 %"), "{texts:?}");
    assert!(svg.contains("&lt;script&gt;alert(&apos;x&apos;)"));
    assert!(!svg.contains("<script"));
    assert!(svg.contains("currentColor") && !svg.contains(INK_WRITTEN));
}

#[test]
fn parts_of_a_stack_lie_behind_each_other_and_are_named() {
    let stack = |label: &str, parts: &[f64]| Stack {
        label: label.to_owned(),
        parts: parts.to_vec(),
    };
    let svg = stacked(
        Unit::Count,
        &["refused", "put off"],
        &[stack("10:00", &[3.0, 1.0]), stack("11:00", &[0.0, 4.0])],
    )
    .unwrap();
    assert!(is_well_formed(&svg));
    // Two parts of each, and two in the legend.
    assert_eq!(svg.matches("<rect").count(), 6);
    assert!(texts(&svg).contains(&"put off"));
}

#[test]
fn lines_have_a_scale_in_time_and_value() {
    let noon = 1_795_262_400.0;
    let points = |value: f64| {
        (0..24)
            .map(|hour| (noon + f64::from(hour) * 3600.0, value))
            .collect()
    };
    let line = |label: &str, value| Line {
        label: label.to_owned(),
        points: points(value),
    };
    let svg = lines(Unit::Count, &[line("sessions", 40.0), line("refused", 7.0)]).unwrap();
    assert!(is_well_formed(&svg));
    let texts = texts(&svg);
    for text in ["40", "0", "12:00", "11:00", "sessions", "refused"] {
        assert!(texts.contains(&text), "{text}: {texts:?}");
    }
}

#[test]
fn nothing_is_a_plot_too() {
    for svg in [
        bars(Unit::Count, &[]),
        stacked(Unit::Count, &[], &[]),
        lines(Unit::Seconds, &[]),
        bars(Unit::Seconds, &[bar("", 0.0, None)]),
        bars(Unit::Seconds, &[bar("", f64::NAN, None)]),
    ] {
        assert!(is_well_formed(&svg.unwrap()));
    }
}

#[test]
fn numbers_have_three_digits_that_count() {
    for (unit, value, text) in [
        (Unit::Count, 1_234_567.0, "1.235 M"),
        (Unit::Count, 1234.0, "1234"),
        (Unit::Share, 0.123_45, "12.3 %"),
        (Unit::Share, 0.001_2, "0.12 %"),
        (Unit::Seconds, 6.0, "6 s"),
    ] {
        assert_eq!(unit.text(value), text);
    }
    assert_eq!(
        (step(100.0, 5), step(0.07, 5), step(0.0, 5)),
        (20.0, 0.02, 0.0)
    );
}

proptest! {
    #[test]
    fn whatever_the_values_it_is_drawn(values in prop::collection::vec(any::<f64>(), 0..9), label in any::<String>()) {
        let all: Vec<Bar> = values.iter().map(|value| bar(&label, *value, Some((value / 2.0, value * 2.0)))).collect();
        prop_assert!(is_well_formed(&bars(Unit::Share, &all).unwrap()));
        let points = values.iter().map(|value| (*value, *value)).collect();
        let line = Line { label, points };
        prop_assert!(is_well_formed(&lines(Unit::Count, &[line]).unwrap()));
    }
}
