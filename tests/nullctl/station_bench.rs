//! bench.

use std::process::Stdio;

use crate::tool::{Service, fail, lacks, nullctl, run, shown_on_terminal, succeed};

fn measured(arguments: &[&str]) -> serde_json::Value {
    let shown = succeed(&[&["bench", "-j"], arguments].concat());
    serde_json::from_str(&shown).expect("JSON")
}

#[test]
fn bench_counts_calls_and_measures_latencies() {
    if lacks("bench") {
        return;
    }
    let service = Service::start("conformance", &[]);
    let (address, method) = (&service.address[..], "org.example.t.Need");
    for more in [
        &["--count=300"][..],
        &["--count=300", "--pipeline=7"],
        &["--count=300", "--clients=4", "--pipeline=100"],
    ] {
        let figures = measured(&[more, &[address, method, r#"{"s":"x"}"#]].concat());
        assert_eq!(figures["calls"], 300, "{figures}");
        assert_eq!(figures["errors"], 0);
        let latency = |name: &str| {
            figures["latencyMicroseconds"][name]
                .as_f64()
                .expect("a number")
        };
        assert!(latency("p50") > 0.0, "{figures}");
        assert!(latency("p50") <= latency("p90") && latency("p90") <= latency("p99"));
        assert!(latency("p99") <= latency("max"), "{figures}");
        assert!(figures["callsPerSecond"].as_f64().expect("a number") > 0.0);
    }
    let table = succeed(&["bench", "--count=10", address, method, r#"{"s":"x"}"#]);
    assert!(table.starts_with("calls                 10\n"), "{table}");
    assert!(table.contains("latency p99 "), "{table}");
}

#[test]
fn bench_ends_after_its_time() {
    if lacks("bench") {
        return;
    }
    let service = Service::start("conformance", &[]);
    let figures = measured(&["--time=50ms", &service.address, "org.example.t.Empty"]);
    let seconds = figures["seconds"].as_f64().expect("a number");
    assert!((0.05..10.0).contains(&seconds), "{figures}");
    assert!(figures["calls"].as_u64() > Some(0), "{figures}");
}

/// A reply that does not continue ends a call with more.
#[test]
fn bench_counts_calls_with_more_not_replies() {
    if lacks("bench") {
        return;
    }
    let service = Service::start("conformance", &[]);
    let count = [&service.address[..], "org.example.t.Count", r#"{"n":5}"#];
    let figures = measured(&[&["--more", "--count=20", "--pipeline=3"], &count[..]].concat());
    assert_eq!(figures["calls"], 20, "{figures}");
}

#[test]
fn bench_fails_if_calls_fail() {
    if lacks("bench") {
        return;
    }
    let service = Service::start("conformance", &[]);
    let method = "org.example.t.Fail";
    let message = fail(&["bench", "--count=10", &service.address, method]);
    assert!(
        message.contains("org.example.t.Oops {\"why\":\"because\"}"),
        "{message}"
    );
    let graceful = "--graceful=org.example.t.Oops";
    succeed(&["bench", "--count=10", graceful, &service.address, method]);

    let message = fail(&["bench", "--count=1", "/nowhere/socket", method]);
    assert!(message.contains("/nowhere/socket"), "{message}");
    let message = fail(&["bench", &service.address, method, "{"]);
    assert!(message.contains("not JSON"), "{message}");
    for option in ["--clients=0", "--pipeline=129", "--count=0", "--time=0"] {
        assert_eq!(
            run(&["bench", option, &service.address, method])
                .status
                .code(),
            Some(1)
        );
    }
}

/// Elsewhere than on a terminal there is no progress line, as the other tests show.
#[test]
fn bench_shows_its_progress_after_a_second() {
    if lacks("bench") {
        return;
    }
    let service = Service::start("conformance", &[]);
    let progress = |options: &[&str]| {
        let mut command = nullctl();
        command.arg("bench").args(options);
        command.args([&service.address[..], "org.example.t.Empty"]);
        command.stdout(Stdio::null());
        shown_on_terminal(command, |command, terminal| _ = command.stderr(terminal))
    };
    let shown = progress(&["--time=2.1"]);
    assert!(shown.starts_with("\r\x1b[K"), "{shown:?}");
    assert!(
        shown.contains(" calls, ") && shown.contains(" per second"),
        "{shown:?}"
    );
    // It is removed at the end.
    assert!(shown.ends_with("\r\x1b[K"), "{shown:?}");
    assert_eq!(progress(&["--count=10"]), "");
    assert_eq!(progress(&["--time=1.6", "--quiet"]), "");
}
