//! The other meters that can be had here: one at the wall, and what `doctor` says of all.

use std::{fs::OpenOptions, io::Write, time::Duration};

use offprint::energy::Domain;

use crate::{Here, lines, study, text, unix_now};

/// A line every 100 ms, 120 W, by this machine's clock.
#[test]
fn a_meter_at_the_wall_is_read_while_its_program_writes() {
    let mut here = Here::new(&study("[8]", 2, "energy: {window_s: 1, idle_s: 1}"));
    let file = here.path("meter.csv");
    std::fs::write(&file, format!("time,watts\n{},120\n", unix_now())).unwrap();
    here.mover(Duration::from_millis(100), move |_| {
        let mut open = OpenOptions::new().append(true).open(&file).unwrap();
        writeln!(open, "{},120.0", unix_now()).unwrap();
    });
    std::thread::sleep(Duration::from_millis(200));
    let folder = here.run(&["--meter", "meter.csv"]);
    for line in lines(&folder) {
        let system = &line.domains[&Domain::System];
        assert_eq!((line.domain, system.source.as_str(), system.unit.as_str()), (Domain::System, "meter", "W"));
        let watts = system.watts().unwrap();
        assert!((watts - 120.0).abs() < 1.0 && (system.idle_w.unwrap() - 120.0).abs() < 1.0, "{system:?}");
        assert!(system.samples >= 10 && (0.05..0.3).contains(&system.period_s.unwrap()), "{system:?}");
    }
}

#[test]
fn doctor_says_of_each_source_what_it_is_or_why_it_is_none() {
    let here = Here::new(&study("[8]", 2, "energy: true")).package(|seconds| (seconds * 33e6) as u64);
    here.zone("intel-rapl:0:0", "dram");
    let said = here.offprint(&["doctor", "study.yaml"]);
    let said = text(&said.stdout);
    // How often, and from which length on, is this machine's to say: a busy one writes late.
    assert!(said.contains("package (rapl package-0): fresh every 0."), "{said}");
    assert!(said.contains(" W now; windows from "), "{said}");
    assert!(said.contains("dram (rapl dram): frozen, it did not move in 5 s"), "{said}");
    assert!(said.contains("the study's joules are of package"), "{said}");
}
