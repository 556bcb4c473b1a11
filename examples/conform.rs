//! Judges any service of `org.example.t`, or any client: tests/conformance/README.md.
//!
//! ```sh
//! cargo run --features tools --example conform unix:/tmp/t
//! cargo run --features tools --example conform -- --client unix:/tmp/t
//! ```

#[path = "shared/output.rs"]
#[allow(dead_code)] // only `say` is used here
mod output;
#[path = "../tests/conformance/suite/mod.rs"]
mod suite;

use std::process::ExitCode;
use std::time::Duration;

use output::{complain, say};
use suite::report::{Line, reproducer};
use suite::service::{Abilities, is_alive, scenes};
use suite::wire::{Started, Wire};
use suite::{Basis, Verdict, client};

const USAGE: &str = "usage: conform [OPTIONS] ADDRESS [-- COMMAND...]
       conform --client [OPTIONS] ADDRESS [-- COMMAND...]
Judges the service of org.example.t at ADDRESS, such as unix:/path or tcp:127.0.0.1:1234; with
--client, listens at ADDRESS and judges a client. COMMAND starts the service or the client.
  --list             prints the checks, and runs none
  --only ID          runs the checks with this id, such as C1, or with this name
  --json             prints one JSON object for each check
  --limit BYTES      the longest message of the service
  --timeout SECONDS  for each check, 5 by default
  --strict           counts a check that differs as failed
A check that differs is a choice of Nullink, where UAPI.20 is silent or permits another.
Exit status: 1 if a check has failed, 2 if none could be run.";

#[derive(Default)]
struct Options {
    client: bool,
    list: bool,
    only: Vec<String>,
    json: bool,
    strict: bool,
    limit: Option<usize>,
    timeout: Option<u64>,
    address: Option<String>,
    command: Vec<String>,
}

impl Options {
    fn parse() -> Result<Self, String> {
        let mut options = Options::default();
        let mut arguments = std::env::args().skip(1);
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or(format!("{argument} needs a value"));
            let number = |text: String| {
                let number = text.parse::<usize>();
                number.map_err(|_| format!("{argument} {text}: not a number"))
            };
            match &*argument {
                "--client" => options.client = true,
                "--list" => options.list = true,
                "--json" => options.json = true,
                "--strict" => options.strict = true,
                "--only" => options.only.push(value()?),
                "--limit" => options.limit = Some(number(value()?)?),
                "--timeout" => options.timeout = Some(number(value()?)? as u64),
                "--help" | "-h" => return Err(USAGE.into()),
                "--" => options.command = arguments.by_ref().collect(),
                _ if argument.starts_with('-') => {
                    return Err(format!("unknown option {argument}\n{USAGE}"));
                }
                _ if options.address.is_none() => options.address = Some(argument),
                _ => return Err(USAGE.into()),
            }
        }
        Ok(options)
    }

    fn is_chosen(&self, id: &str, what: &str) -> bool {
        let is = |only: &String| only.eq_ignore_ascii_case(id) || only == what;
        self.only.is_empty() || self.only.iter().any(is)
    }
}

fn main() -> ExitCode {
    match Options::parse().and_then(run) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            complain(format_args!("conform: {error}"));
            ExitCode::from(2)
        }
    }
}

/// Returns true if no check has failed.
fn run(options: Options) -> Result<bool, String> {
    if options.list {
        return Ok(list(&options));
    }
    let address = options.address.clone().ok_or(USAGE)?;
    let timeout = Duration::from_secs(options.timeout.unwrap_or(5));
    let mut count = Count::default();
    if options.client {
        client::judge_at(&address, timeout, &options.command, |line| {
            if options.is_chosen(line.id, &line.what) {
                count.add(line, options.json);
            }
        })?;
        return count.finish(&options);
    }
    let command = (!options.command.is_empty()).then(|| Started::new(options.command.clone()));
    let mut wire = Wire {
        address,
        timeout,
        limit: options.limit,
        service: command,
    };
    wire.ready()?;
    is_alive(&mut wire).map_err(|error| {
        format!("org.example.t.Need has no reply, so no check can be judged: {error}")
    })?;
    let abilities = Abilities::find(&mut wire);
    for scene in scenes(options.limit) {
        if !options.is_chosen(scene.id, &scene.what) {
            continue;
        }
        let (verdict, came) = scene.run(&mut wire, &abilities);
        let line = Line {
            id: scene.id,
            what: scene.what.clone(),
            basis: scene.basis,
            verdict,
            sent: scene.sent(),
            came,
            reproducer: reproducer(&scene, &wire.address),
        };
        count.add(line, options.json);
    }
    count.finish(&options)
}

fn list(options: &Options) -> bool {
    let service = scenes(options.limit)
        .into_iter()
        .map(|scene| (scene.id, scene.what, scene.basis));
    let client = client::checks()
        .into_iter()
        .map(|check| (check.id, check.what, check.basis));
    let all: Vec<_> = if options.client {
        client.collect()
    } else {
        service.collect()
    };
    for (id, what, basis) in all {
        if options.is_chosen(id, &what) {
            say!("{id} {what} ({})", basis.name());
        }
    }
    true
}

#[derive(Default)]
struct Count {
    passed: usize,
    failed: usize,
    differing: usize,
    not_applicable: usize,
}

impl Count {
    fn add(&mut self, line: Line, as_json: bool) {
        match line.verdict {
            Verdict::Pass => self.passed += 1,
            Verdict::Fail(_) if line.basis == Basis::Own => self.differing += 1,
            Verdict::Fail(_) => self.failed += 1,
            Verdict::NotApplicable(_) => self.not_applicable += 1,
        }
        if as_json {
            say!("{}", line.json());
        } else {
            say!("{}", line.text());
        }
    }

    fn finish(self, options: &Options) -> Result<bool, String> {
        let Count {
            passed,
            failed,
            differing,
            not_applicable,
        } = self;
        if !options.json {
            say!(
                "{passed} passed, {failed} failed, {differing} differ, {not_applicable} not applicable"
            );
        }
        match passed + failed + differing + not_applicable {
            0 => Err("no check has this id or name: --list".into()),
            _ => Ok(failed == 0 && !(options.strict && differing > 0)),
        }
    }
}
