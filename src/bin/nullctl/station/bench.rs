//! `bench`: measures the round trips of a method.

use std::collections::VecDeque;
use std::ffi::CStr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use nullink::json::Raw;
use nullink::unix::Stream;
use nullink::{Client, Mode};

use super::options::settings;
use super::progress::Progress;
use super::source::{LONGEST, printable};
use super::value::Value;
use crate::tool::connect::connect;
use crate::tool::{Failure, Tool, fail, json, text};

/// The time to measure, if neither the time nor the number of calls is given.
const TIME: Duration = Duration::from_secs(3);

/// What all clients call, and when they stop.
struct Plan<'a> {
    method: &'a str,
    parameters: Raw<'a>,
    mode: Mode,
    pipeline: usize,
    /// The number of calls that may still be made.
    left: AtomicU64,
    end: Option<Instant>,
    /// The number of finished calls, for the progress line.
    done: AtomicU64,
    /// True if a client has failed, and the others should stop.
    failed: AtomicBool,
}

impl Plan<'_> {
    /// True if a client should make another call.
    fn take(&self) -> bool {
        let in_time = self.end.is_none_or(|end| Instant::now() < end);
        in_time
            && !self.failed.load(Ordering::Relaxed)
            && self
                .left
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
                    left.checked_sub(1)
                })
                .is_ok()
    }
}

/// The measurements of a client.
#[derive(Default)]
struct Tally {
    errors: u64,
    latencies: Latencies,
}

pub fn bench(tool: &mut Tool<'_>, words: &[&'static CStr]) -> Result<(), Failure> {
    let [address, method, rest @ ..] = words else {
        return Err(fail(format_args!("bench needs an address and a method")));
    };
    let (address, method) = (text(address), text(method));
    let parameters = rest.first().copied().map_or("{}", text);
    let parameters = Raw::new(parameters)
        .map_err(|error| fail(format_args!("the parameters are not JSON: {error}")))?;
    let (clients, pipeline, count, time) = {
        let settings = settings();
        (
            settings.clients,
            settings.pipeline,
            settings.count,
            settings.time,
        )
    };
    let time = time.or(if count.is_some() { None } else { Some(TIME) });
    let mut streams = Vec::new();
    for _ in 0..clients {
        let stream = connect(tool.system, tool.options, address)?;
        streams.push(stream);
    }
    let mode = if tool.options.more {
        Mode::More
    } else {
        Mode::Simple
    };
    let begin = Instant::now();
    let plan = Plan {
        method,
        parameters,
        mode,
        pipeline,
        left: AtomicU64::new(count.unwrap_or(u64::MAX)),
        end: time.and_then(|time| begin.checked_add(time)),
        done: AtomicU64::new(0),
        failed: AtomicBool::new(false),
    };
    let graceful = &tool.options.graceful[..];
    let mut progress = Progress::new(tool.options.quiet);
    let (mut tally, mut failure) = (Tally::default(), None);
    thread::scope(|scope| {
        let (sender, receiver) = mpsc::channel();
        for stream in streams {
            let (sender, plan) = (sender.clone(), &plan);
            scope.spawn(move || {
                let measured = measure(stream, plan, graceful);
                plan.failed.fetch_or(measured.is_err(), Ordering::Relaxed);
                let _ = sender.send(measured);
            });
        }
        drop(sender);
        loop {
            match receiver.recv_timeout(Progress::INTERVAL) {
                Ok(Ok(measured)) => tally.add(&measured),
                Ok(Err(message)) => failure = failure.take().or(Some(message)),
                Err(RecvTimeoutError::Timeout) => {
                    let done = plan.done.load(Ordering::Relaxed);
                    progress.show(format_args!(
                        "{done} calls, {:.0} per second",
                        per_second(done, begin.elapsed())
                    ));
                }
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
    });
    let elapsed = begin.elapsed();
    progress.clear();
    if let Some(message) = failure {
        return Err(fail(format_args!("{address}: {}", printable(&message))));
    }
    report(tool, &tally, elapsed)
}

/// Makes calls until the plan ends.
fn measure(stream: Stream, plan: &Plan<'_>, graceful: &[&str]) -> Result<Tally, String> {
    let mut receive = vec![0; LONGEST];
    // Each call has its parameters, the name of the method, and less than 100 bytes around them.
    let call = plan.parameters.as_str().len() + plan.method.len() + 100;
    let mut send = vec![0; call * plan.pipeline];
    let mut client = Client::new(stream, &mut receive, &mut send);
    let mut tally = Tally::default();
    let mut begun = VecDeque::new();
    loop {
        // Calls are queued in groups, so that a write has many of them.
        let is_low = begun.len() <= plan.pipeline / 2;
        while is_low && begun.len() < plan.pipeline && plan.take() {
            let queued = client.queue_raw(plan.method, plan.mode, plan.parameters);
            queued.map_err(|error| format!("{}: {error}", plan.method))?;
            begun.push_back(Instant::now());
        }
        let Some(begin) = begun.pop_front() else {
            return Ok(tally);
        };
        let error = loop {
            let reply = client.receive_raw().map_err(|error| error.to_string())?;
            if !reply.continues() {
                let message = |error| format!("{}: {error} {}", plan.method, reply.parameters());
                break reply
                    .error()
                    .filter(|error| !graceful.contains(error))
                    .map(message);
            }
        };
        if let Some(message) = error {
            // A call that fails at once fails always: its parameters are wrong.
            if tally.latencies.count == 0 {
                return Err(message);
            }
            tally.errors += 1;
        }
        tally.latencies.add(begin.elapsed());
        plan.done.fetch_add(1, Ordering::Relaxed);
    }
}

fn per_second(calls: u64, elapsed: Duration) -> f64 {
    calls as f64 / elapsed.as_secs_f64().max(1e-9)
}

fn report(tool: &mut Tool<'_>, tally: &Tally, elapsed: Duration) -> Result<(), Failure> {
    let latencies = &tally.latencies;
    let (calls, errors) = (latencies.count, tally.errors);
    let per_second = per_second(calls, elapsed);
    let percentiles = [
        ("p50", latencies.percentile(50)),
        ("p90", latencies.percentile(90)),
        ("p99", latencies.percentile(99)),
        ("max", latencies.longest),
    ];
    let micros = |nanos: u64| nanos as f64 / 1000.0;
    if tool.options.wants_json() {
        let members = percentiles
            .map(|(name, nanos)| (name, Value::token(format_args!("{:.1}", micros(nanos)))));
        let value = Value::object([
            ("calls", Value::token(calls)),
            ("errors", Value::token(errors)),
            (
                "seconds",
                Value::token(format_args!("{:.3}", elapsed.as_secs_f64())),
            ),
            (
                "callsPerSecond",
                Value::token(format_args!("{per_second:.1}")),
            ),
            ("latencyMicroseconds", Value::object(members)),
        ])
        .to_string();
        let value = Raw::new(&value).map_err(|error| fail(format_args!("{error}")))?;
        json::print(tool.out, value, json::Style::of(tool.options));
    } else {
        tool.out.print(format_args!(
            "calls       {calls:>12}\nerrors      {errors:>12}\n\
                 time        {:>12.3} s\nper second  {per_second:>12.0}\n",
            elapsed.as_secs_f64()
        ));
        for (name, nanos) in percentiles {
            let micros = micros(nanos);
            tool.out
                .print(format_args!("latency {name} {micros:>12.1} us\n"));
        }
    }
    if errors > 0 {
        return Err(fail(format_args!("{errors} calls have failed")));
    }
    Ok(())
}

/// The number of counters for each power of two: a percentile is at most 1.6 % too long.
const STEPS: u64 = 128;

/// How often each latency has been measured, in constant memory.
struct Latencies {
    counters: Vec<u64>,
    count: u64,
    /// The longest, in nanoseconds.
    longest: u64,
}

impl Default for Latencies {
    fn default() -> Self {
        let counters = vec![0; counter(u64::MAX) + 1];
        Latencies {
            counters,
            count: 0,
            longest: 0,
        }
    }
}

/// Returns the counter of a latency: exact for small ones, and then `STEPS` for each power of two.
fn counter(nanos: u64) -> usize {
    let shift = (nanos / STEPS).checked_ilog2().map_or(0, |power| power + 1);
    let step = (nanos >> shift).saturating_sub(if shift > 0 { STEPS / 2 } else { 0 });
    let first = if shift > 0 {
        STEPS + u64::from(shift - 1) * (STEPS / 2)
    } else {
        0
    };
    (first + step) as usize
}

/// Returns the longest latency of a counter.
fn longest(counter: usize) -> u64 {
    let counter = counter as u64;
    if counter < STEPS {
        return counter;
    }
    let above = counter - STEPS;
    let shift = above / (STEPS / 2) + 1;
    let step = above % (STEPS / 2) + STEPS / 2;
    ((u128::from(step + 1) << shift) - 1).min(u64::MAX.into()) as u64
}

impl Latencies {
    fn add(&mut self, latency: Duration) {
        let nanos = u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX);
        self.counters[counter(nanos)] += 1;
        self.count += 1;
        self.longest = self.longest.max(nanos);
    }

    /// Returns the latency that a part of the calls does not exceed, in nanoseconds.
    fn percentile(&self, percent: u64) -> u64 {
        let wanted = (u128::from(self.count) * u128::from(percent)).div_ceil(100);
        let mut seen = 0_u128;
        for (index, count) in self.counters.iter().enumerate() {
            seen += u128::from(*count);
            if seen >= wanted && seen > 0 {
                return longest(index).min(self.longest);
            }
        }
        0
    }
}

impl Tally {
    fn add(&mut self, other: &Tally) {
        self.errors += other.errors;
        let (latencies, others) = (&mut self.latencies, &other.latencies);
        for (counter, count) in latencies.counters.iter_mut().zip(&others.counters) {
            *counter += count;
        }
        latencies.count += others.count;
        latencies.longest = latencies.longest.max(others.longest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_cover_all_latencies_in_order() {
        let mut last = None;
        for power in 2..64 {
            for offset in [0, 1, 2] {
                let nanos = (1_u64 << power) - 1 + offset;
                let counter = counter(nanos);
                assert!(last.is_none_or(|last| counter >= last), "{nanos}");
                last = Some(counter);
                let longest = longest(counter);
                assert!(longest >= nanos, "{nanos}: {longest}");
                assert!(longest - nanos <= nanos / 64, "{nanos}: {longest}");
            }
        }
        assert_eq!(longest(counter(u64::MAX)), u64::MAX);
        for counter in 0..=counter(u64::MAX) {
            assert_eq!(super::counter(longest(counter)), counter);
        }
    }

    #[test]
    fn percentiles_are_those_of_the_sorted_latencies() {
        let mut latencies = Latencies::default();
        for micros in (1..=1000).rev() {
            latencies.add(Duration::from_micros(micros));
        }
        for percent in [50, 90, 99] {
            let exact = percent * 10_000;
            let percentile = latencies.percentile(percent);
            assert!(
                (exact..exact + exact / 64).contains(&percentile),
                "{percent}: {percentile}"
            );
        }
        assert_eq!(
            (latencies.percentile(100), latencies.longest),
            (1_000_000, 1_000_000)
        );
        assert_eq!(Latencies::default().percentile(50), 0);
    }
}
