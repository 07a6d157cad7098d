//! `--compare postscreen`: a real Postfix, which `make test` unpacks into target/postfix (`tools/fetch-postfix`), as it can not be
//! installed beside Exim.

use std::path::Path;

use tempfile::TempDir;

use crate::{bench, class, is_whole, run, running, server};

fn postfix() -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/postfix");
    assert!(
        folder.join("usr/lib/postfix/sbin/postscreen").is_file(),
        "there is no Postfix in {}; fetch it with tools/fetch-postfix",
        folder.display()
    );
    folder.display().to_string()
}

#[test]
fn postscreen_is_measured_by_the_same_traffic() {
    let folder = TempDir::new().unwrap();
    let postfix = postfix();
    let arguments = [
        "--errands",
        "120",
        "--compare",
        "postscreen",
        "--postfix",
        &postfix,
        "--clock",
        "600",
        "--session-clock",
        "3",
        "--keep",
        "kept",
    ];
    let (finished, result) = run(folder.path(), &arguments);
    let postscreen = server(&result, 0);
    let score = &postscreen["score"];
    assert_eq!(score["target"], "postscreen");
    is_whole(postscreen);
    assert_eq!(score["troubled"], 0, "{}", score["troubles"]);
    assert!(score["cost"]["backend_cpu"].as_f64().unwrap() > 0.0);
    assert!(score["cost"]["dns"].as_f64().unwrap() > 0.0);

    // It asks the lists; who never sends mail and speaks too early or not at all does not come to smtpd.
    assert!(score["spam_stopped"]["part"].as_u64().unwrap() > 0);
    let guessers = class(postscreen, "A1");
    assert!(
        guessers["reached"].as_u64() < guessers["connections"].as_u64(),
        "{guessers:#}"
    );
    assert_eq!(score["legitimate_rejected"]["part"], 0);

    // It has no way for postmaster@, and that is all that it fails.
    for case in score["cases"].as_array().unwrap() {
        let to_postmaster = ["listed_to_postmaster", "postmaster_among_others"]
            .contains(&case["case"].as_str().unwrap());
        assert_eq!(case["failed"].as_u64() > Some(0), to_postmaster, "{case:#}");
    }
    assert_eq!(finished.code, Some(1));

    // Nothing of it is left, and it understood all that it was told.
    let kept = folder.path().join("kept");
    assert_eq!(running(&kept.display().to_string()), Vec::<String>::new());
    let log = std::fs::read_to_string(kept.join("postscreen/postfix/maillog")).unwrap();
    for wrong in ["fatal:", "panic:", "malformed", "unused parameter"] {
        assert!(!log.contains(wrong), "{wrong} in {log}");
    }
}

#[test]
fn what_postscreen_can_not_do_is_said_before_anything_starts() {
    let folder = TempDir::new().unwrap();
    let fast = ["--compare", "gatepost,postscreen", "--session-clock", "20"];
    let fast = bench(folder.path(), &fast);
    assert_eq!(fast.code, Some(2), "{}", fast.transcript);
    assert!(
        fast.transcript.contains("write 3 or less"),
        "{}",
        fast.transcript
    );
    let nothing = bench(
        folder.path(),
        &["--compare", "postscreen", "--postfix", "."],
    );
    assert_eq!(nothing.code, Some(1), "{}", nothing.transcript);
    assert!(
        nothing.transcript.contains("dpkg -x"),
        "{}",
        nothing.transcript
    );
    assert_eq!(
        std::fs::read_dir(folder.path()).unwrap().count(),
        0,
        "nothing is left behind"
    );
}
