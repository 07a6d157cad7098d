use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::IpAddr;

use aws_lc_rs::digest::{SHA256, digest};

use super::*;
use crate::checks::address::is_public;
use crate::facts::RecordData;
use crate::measure::scenario::Trait;
use crate::measure::trace::{Act, Case, Door, Envelope, Parting};

const SEED: u64 = 2026;

fn scenario(name: &str) -> Scenario {
    Scenario::load(name).expect("it is built in")
}

fn hash(trace: &Trace) -> Vec<u8> {
    let json = serde_json::to_vec(trace).expect("it can be written");
    digest(&SHA256, &json).as_ref().to_vec()
}

#[test]
fn the_same_seed_gives_the_same_trace() {
    let scenario = scenario("2026");
    let one = hash(&Trace::make(&scenario, 7, 2000));
    assert_eq!(one, hash(&Trace::make(&scenario, 7, 2000)));
    assert_ne!(one, hash(&Trace::make(&scenario, 8, 2000)));
}

#[test]
fn glance() {
    let scenario = scenario("2026");
    let trace = Trace::make(&scenario, SEED, 2000);
    println!(
        "{} errands, {} records, {} lists",
        trace.errands.len(),
        trace.world.records.len(),
        trace.world.lists.len()
    );
    for class in Class::ALL {
        let of: Vec<&Errand> = trace
            .errands
            .iter()
            .filter(|e| e.class == *class && e.case.is_none())
            .collect();
        let clusters: HashSet<u32> = of.iter().map(|e| e.cluster).collect();
        let from: HashSet<IpAddr> = of.iter().map(|e| e.tries[0].from).collect();
        println!(
            "{} {} errands {} clusters {} addresses",
            class.name(),
            of.len(),
            clusters.len(),
            from.len()
        );
        if let Some(e) = of.first() {
            println!(
                "   {}",
                serde_json::to_string(e)
                    .unwrap()
                    .chars()
                    .take(900)
                    .collect::<String>()
            );
        }
    }
    println!("{:?}", &trace.world.records[..20]);
    let _ = (Trait::ALL, Case::ALL, Door::Primary, Parting::Quit);
    let _: Option<(Act, Envelope, RecordData)> = None;
    let _: (BTreeMap<u8, u8>, HashMap<u8, u8>) = Default::default();
    let _ = is_public("1.1.1.1".parse().unwrap());
}
