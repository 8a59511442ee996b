//! How late a stamp is, and what a chunk costs: a server writes its own clock into each event. Bounds are loose, since other programs
//! share the machine; what was found is printed (`--nocapture`).

use super::*;

const EVENTS: u32 = 400;

fn clock() -> u64 {
    let now = nix::time::clock_gettime(nix::time::ClockId::CLOCK_MONOTONIC).unwrap();
    now.tv_sec() as u64 * 1_000_000_000 + now.tv_nsec() as u64
}

fn own_time() -> u64 {
    let now = nix::time::clock_gettime(nix::time::ClockId::CLOCK_THREAD_CPUTIME_ID).unwrap();
    now.tv_sec() as u64 * 1_000_000_000 + now.tv_nsec() as u64
}

#[test]
fn a_stamp_is_soon_after_the_write() {
    let port = one(|stream| {
        stream.set_nodelay(true).unwrap();
        write(stream, HEAD);
        for _ in 0..EVENTS {
            write(stream, &token(&format!("{} ", clock())));
            thread::sleep(Duration::from_millis(2));
        }
        write(stream, &end(EVENTS));
    });
    let http = http(port, "cache: allowed");
    let client = Client::new(&http, &format!("http://127.0.0.1:{port}"), None, Vec::new(), None);
    let (before, cost) = (clock(), own_time());
    let answer = of(client.ask(&request(EVENTS), Instant::now() + PATIENCE, &AtomicBool::new(false))).unwrap();
    let (after, cost) = (clock(), (own_time() - cost) / u64::from(EVENTS));
    let written: Vec<u64> = answer.text.split_whitespace().map(|time| time.parse().unwrap()).collect();
    let read = answer.token_times_ns().unwrap();
    let late = |zero: u64, share: f64| {
        let mut late: Vec<i64> =
            read.iter().zip(&written).map(|(read, written)| (zero + read) as i64 - *written as i64).collect();
        late.sort_unstable();
        late[(share * (late.len() - 1) as f64) as usize] / 1000
    };
    // The zero of the answer's times lies between these two.
    let (least, most) = (before + answer.connect_ns.unwrap(), after - answer.done_ns.unwrap());
    let [median, p99] = [0.5, 0.99].map(|share| (late(least, share), late(most, share)));
    println!("stamps, us after the write: median {median:?}, p99 {p99:?}; {cost} ns of processor a chunk");
    assert!(median.0 < 20_000 && median.1 >= 0 && median.1 < 50_000, "{median:?}");
    assert!(cost < 1_000_000, "{cost} ns");
}
