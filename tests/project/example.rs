//! The committed paper of one's own: its records give it, and its bundle verifies. Nothing is measured.

use super::*;

#[test]
fn the_example_s_paper_is_what_its_records_give_and_its_bundle_verifies() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/own-paper");
    let checked = good(offprint(&folder, &["report", "--check"]));
    assert!(said(&checked).contains("is what"), "{}", said(&checked));
    let verified = good(offprint(&folder, &["verify", "results/bundles/two-engines-1.0.0.zip"]));
    assert!(data(&verified).contains("as it should be") || data(&verified).contains("as they should be"));
    let explained = good(offprint(&folder, &["explain", "writing", "--json"]));
    let found: serde_json::Value = serde_json::from_slice(&explained.stdout).unwrap();
    assert_eq!(found[0]["id"], "writing");
    assert!(found[0]["formula"].as_str().unwrap().contains("engine = llama-cpp"), "{found}");
}
