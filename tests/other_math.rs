//! The same verdict with another system's mathematics: this test is linked with functions of its own for those of the C library, from the
//! crate `libm`, which is the port of musl's to Rust. It stands for Linux with musl, and for what else is not glibc.
#![cfg(unix)]
#![allow(clippy::disallowed_methods)] // compared to a tolerance
#![allow(clippy::unwrap_used)]

use std::{
    fs,
    path::Path,
    sync::atomic::{AtomicU64, Ordering},
};

use offprint::{
    analysis::summarise,
    bundle::{Bundle, verify},
    claims::{
        Claims, Id, Own, Value,
        agree::{Agreement, Edition},
    },
    evidence::all_claims,
    store::Run,
};

static CALLS: AtomicU64 = AtomicU64::new(0);

macro_rules! ours {
    ($($name:ident($($x:ident),+)),* $(,)?) => {
        $(
            #[unsafe(no_mangle)]
            extern "C" fn $name($($x: f64),+) -> f64 {
                CALLS.fetch_add(1, Ordering::Relaxed);
                libm::$name($($x),+)
            }
        )*
    };
}

ours! {
    exp(x), exp2(x), expm1(x), log(x), log1p(x), log2(x), log10(x), pow(x, y), sin(x), cos(x), tan(x), asin(x), acos(x), atan(x),
    atan2(x, y), hypot(x, y), cbrt(x), tgamma(x), lgamma(x),
}

#[test]
fn committed_bundles_are_accepted_with_musl_s_mathematics() {
    let before = CALLS.load(Ordering::Relaxed);
    assert!((std::hint::black_box(1.5f64).exp() - 4.481_689_070_338_065).abs() < 1e-12);
    assert_eq!(CALLS.load(Ordering::Relaxed), before + 1, "std's exp is not this test's");
    let (mut bundles, mut moved) = (0, 0);
    for entry in fs::read_dir("results/bundles").unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "zip") {
            let before = CALLS.load(Ordering::Relaxed);
            let report = verify(&Bundle::open(&path).unwrap(), None).unwrap();
            assert!(report.is_fine(), "{}: {:#?}", path.display(), report.problems);
            assert!(CALLS.load(Ordering::Relaxed) > before + 1000);
            bundles += 1;
            moved += others(&path);
        }
    }
    assert!(bundles > 0);
    assert!(moved > 50, "only {moved} values differ: is this the mathematics that the bundles were made with?");
}

/// An author's own claims, made with the other mathematics, are those that are committed: texts exactly, values to the tolerance.
#[test]
fn own_claims_are_the_same_with_musl_s_mathematics() {
    let before = CALLS.load(Ordering::Relaxed);
    let run = Run::open(Path::new("tests/data/fake_run")).unwrap();
    let summary = summarise(&run.study, &run.records).unwrap();
    let text = include_str!("data/own_claims.yaml");
    let mut own = all_claims(&run, &summary, Some(text)).unwrap();
    let names: Vec<String> = Own::read("own_claims.yaml", text).unwrap().names().map(str::to_owned).collect();
    let is_own = |id: &Id| names.iter().any(|name| **id == **name || id.starts_with(&format!("{name}.")));
    own.claims.retain(|id, _| is_own(id));
    own.predicates.retain(|id, _| is_own(id));
    let given: Claims = serde_json::from_str(include_str!("data/own_claims.json")).unwrap();
    let found = Agreement::of(&own, &given, Edition::This);
    assert!(found.differences.is_empty(), "{:#?}", found.differences);
    assert!(found.agreed > 20 && CALLS.load(Ordering::Relaxed) > before, "{}", found.agreed);
}

/// How many values of a bundle's claims are not, to the last bit, those that this mathematics gives.
fn others(path: &Path) -> usize {
    let bundle = Bundle::open(path).unwrap();
    let given: Claims = serde_json::from_slice(&bundle.read("data/paper/claims.json").unwrap()).unwrap();
    let run = bundle.run().unwrap();
    let own = all_claims(&run, &summarise(&run.study, &run.records).unwrap(), None).unwrap();
    let number = |value: &Value| if let Value::Number(value) = value { Some(value.to_bits()) } else { None };
    let differs = |id: &&Id| number(&own.claims[*id].value) != number(&given.claims[*id].value);
    own.claims.keys().filter(|id| given.claims.contains_key(*id)).filter(differs).count()
}
