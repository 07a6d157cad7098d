//! Tests of the keeper: files that change, half written, bad, about to end; on a clock that only the test moves.

use std::fs;
use std::path::Path;

use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256};
use tempfile::TempDir;

use super::*;
use crate::net::tls::{self, PairFiles, Settings};

const HOST: &str = "mx.example.org";
const INTERVAL: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Certificate and key, holding from `from` days before today to `to` days after.
fn made(from: u32, to: u32) -> (String, String) {
    let now = clock::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
    let mut params = CertificateParams::new(vec![HOST.to_owned()]).unwrap();
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    params.not_before = epoch + (now - DAY * from);
    params.not_after = epoch + now + DAY * to;
    (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
}

fn files(directory: &Path) -> PairFiles {
    PairFiles {
        chain: directory.join("chain.pem"),
        key: directory.join("key.pem"),
    }
}

fn write(files: &PairFiles, (chain, key): &(String, String)) {
    fs::write(&files.chain, chain).unwrap();
    fs::write(&files.key, key).unwrap();
}

/// A keeper at work.
struct House {
    keeper: Arc<Keeper>,
    files: PairFiles,
    draining: CancellationToken,
    _directory: TempDir,
}

impl House {
    fn begin(pair: &(String, String)) -> Self {
        let directory = TempDir::new().unwrap();
        let files = files(directory.path());
        write(&files, pair);
        let settings = Settings {
            files: vec![files.clone()],
            hostname: HOST.to_owned(),
            state_directory: directory.path().to_owned(),
            only_tls13: false,
        };
        let acceptor = tls::load(settings, clock::now()).unwrap();
        let keeper = Keeper::new(acceptor);
        let draining = CancellationToken::new();
        keeper.begin(&Tasks::default(), INTERVAL, &draining);
        Self {
            keeper,
            files,
            draining,
            _directory: directory,
        }
    }

    fn shows(&self, pair: &(String, String)) -> bool {
        let other = TempDir::new().unwrap();
        let files = files(other.path());
        write(&files, pair);
        let expected = tls::check(&files).unwrap();
        self.keeper.standing()[0].pair.is_same(&expected)
    }

    fn trouble(&self) -> Option<String> {
        self.keeper.standing()[0].trouble.clone()
    }
}

impl Drop for House {
    fn drop(&mut self) {
        self.draining.cancel();
    }
}

/// Long enough for a look, and for the second one.
async fn a_look() {
    sleep(INTERVAL + 2 * SETTLE).await;
}

#[tokio::test(start_paused = true)]
async fn a_new_pair_is_taken_up_by_itself() {
    let (old, new) = (made(1, 90), made(0, 90));
    let house = House::begin(&old);
    a_look().await;
    assert!(house.shows(&old));
    write(&house.files, &new);
    assert!(house.shows(&old), "not before a look");
    a_look().await;
    assert!(house.shows(&new));
    assert_eq!(house.trouble(), None);
}

/// certbot: `live/NAME/fullchain.pem` is a link into `archive/NAME`, and is put in place after `privkey.pem`.
#[tokio::test(start_paused = true)]
async fn links_that_are_swapped_one_by_one_are_taken_up_together() {
    let (old, new) = (made(1, 90), made(0, 90));
    let house = House::begin(&old);
    let archive = TempDir::new().unwrap();
    let (chain, key) = (archive.path().join("chain2"), archive.path().join("key2"));
    fs::write(&chain, &new.0).unwrap();
    fs::write(&key, &new.1).unwrap();
    let swap = |target: &Path, link: &Path| {
        fs::remove_file(link).unwrap();
        std::os::unix::fs::symlink(target, link).unwrap();
    };
    swap(&key, &house.files.key);
    // The first look falls between the two.
    sleep(INTERVAL + SETTLE / 2).await;
    assert!(house.shows(&old));
    swap(&chain, &house.files.chain);
    sleep(2 * SETTLE).await;
    assert!(house.shows(&new));
    assert_eq!(house.trouble(), None, "nothing was said");
}

#[tokio::test(start_paused = true)]
async fn a_bad_pair_leaves_the_old_one_in_use_and_is_said_once() {
    let old = made(1, 90);
    let other = made(1, 90);
    let house = House::begin(&old);
    let crossed = (other.0.clone(), old.1.clone());
    let half = other.0.len() / 2;
    for (bad, said) in [
        (&crossed, "does not belong"),
        (
            &(other.0[..half].to_owned(), other.1.clone()),
            "no usable certificate",
        ),
        (
            &("junk".to_owned(), other.1.clone()),
            "no usable certificate",
        ),
        (&(other.0.clone(), String::new()), "no usable private key"),
        (&made(9, 0), "the certificate expired on"),
        // On the clock of the wall, which does not stand still.
    ] {
        write(&house.files, bad);
        if said.contains("expired") {
            wait_for_the_wall().await;
        }
        a_look().await;
        let trouble = house.trouble().unwrap_or_default();
        assert!(trouble.contains(said), "{said}: {trouble}");
        assert!(house.shows(&old), "{said}");
    }
    fs::remove_file(&house.files.key).unwrap();
    a_look().await;
    assert!(
        house
            .trouble()
            .is_some_and(|trouble| trouble.contains("cannot read"))
    );
    write(&house.files, &old);
    a_look().await;
    assert_eq!(house.trouble(), None);
    write(&house.files, &other);
    a_look().await;
    assert!(house.shows(&other), "and a good one is taken up afterwards");
}

/// A certificate that ends now has ended in the next second.
async fn wait_for_the_wall() {
    let begun = clock::now();
    while clock::now() < begun + Duration::from_secs(1) {
        tasks::on_a_thread(|| std::thread::sleep(Duration::from_millis(20))).await;
    }
}

#[tokio::test(start_paused = true)]
async fn where_the_old_one_is_over_a_new_one_is_taken_as_it_is() {
    let (old, new) = (made(9, 0), made(8, 0));
    let house = House::begin(&old);
    wait_for_the_wall().await;
    write(&house.files, &new);
    a_look().await;
    assert!(house.shows(&new));
}

#[tokio::test(start_paused = true)]
async fn one_that_is_not_valid_yet_waits_for_its_day() {
    let old = made(1, 90);
    let house = House::begin(&old);
    let tomorrow = {
        let now = clock::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
        let mut params = CertificateParams::new(vec![HOST.to_owned()]).unwrap();
        params.not_before = rcgen::date_time_ymd(1970, 1, 1) + now + DAY;
        params.not_after = rcgen::date_time_ymd(1970, 1, 1) + now + 9 * DAY;
        (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
    };
    write(&house.files, &tomorrow);
    a_look().await;
    assert!(house.trouble().unwrap().contains("holds only from"));
    assert!(house.shows(&old));
    let read = house.keeper.acceptor.read().remove(0);
    let in_use = &house.keeper.acceptor.pairs()[0];
    assert_eq!(judge(in_use, &read, clock::now() + 2 * DAY), Found::New);
}

#[tokio::test(start_paused = true)]
async fn who_asks_does_not_wait_for_the_interval() {
    let (old, new) = (made(1, 90), made(0, 90));
    let house = House::begin(&old);
    // The task has begun to wait.
    sleep(Duration::from_secs(1)).await;
    write(&house.files, &new);
    house.keeper.look();
    sleep(Duration::from_secs(1)).await;
    assert!(house.shows(&new));
}

#[tokio::test(start_paused = true)]
async fn the_end_is_told_once_a_day() {
    let ends_soon = made(80, 10);
    let house = House::begin(&ends_soon);
    let told = || house.keeper.told()[0].ending;
    // It was said at the start.
    let first = told().unwrap();
    sleep(DAY - INTERVAL).await;
    assert_eq!(told(), Some(first));
    sleep(2 * INTERVAL).await;
    let second = told().unwrap();
    assert!(second > first);
    let new = made(0, 90);
    write(&house.files, &new);
    a_look().await;
    assert!(house.shows(&new));
    assert_eq!(told(), None);
}
