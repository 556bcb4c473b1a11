//! `fuzz`: makes valid and nearly valid calls from the definitions of a service, and checks what the
//! service does with them.
//!
//! | file | content |
//! |---|---|
//! | `random` | a small generator of numbers, with a seed |
//! | `case` | one call or frame |
//! | `generate` | makes cases from definitions |
//! | `shrink` | makes cases smaller |
//! | `probe` | sends a case, and checks the replies |
//! | `reproduce` | prints a case as a command for the shell |

mod case;
mod generate;
mod probe;
mod random;
mod reproduce;
mod shrink;

use std::ffi::CStr;
use std::process;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use nullink::Interface;
use nullink::idl::{Definition, MemberKind};
use nullink::interface;

use super::options::settings;
use super::progress::Progress;
use super::source::{Buffers, Source, interfaces, printable};
use crate::tool::{Failure, Tool, complain, fail, text};
use case::Case;
use generate::{Generator, Target};
use probe::{Fault, Peer};
use random::Random;

/// The interface of every service. Some services do not list it.
const SERVICE: Interface = interface!("../../../org.varlink.service.varlink");

/// The number of runs without `--runs`.
const RUNS: u64 = 1000;

/// The time to wait for a reply without `--timeout`.
const TIMEOUT: Duration = Duration::from_secs(5);

/// How many smaller cases are tried, and for how long.
const ATTEMPTS: usize = 2000;
const SHRINKING: Duration = Duration::from_secs(30);

pub fn fuzz(tool: &mut Tool<'_>, words: &[&'static CStr]) -> Result<(), Failure> {
    let (runs, seed, exclude, strict, command) = {
        let settings = settings();
        let seed = settings.seed.unwrap_or_else(new_seed);
        let runs = settings.runs.unwrap_or(RUNS);
        let exclude = settings.exclude.clone();
        (runs, seed, exclude, settings.strict, settings.start.clone())
    };
    let [address, wanted @ ..] = words else {
        return Err(fail(format_args!("fuzz needs an address")));
    };
    let address = text(address);
    let wanted: Vec<&str> = wanted.iter().map(|word| text(word)).collect();
    let limit = tool.options.timeout.filter(|limit| !limit.is_zero());
    let mut peer = Peer {
        system: tool.system,
        options: tool.options,
        address,
        limit: limit.unwrap_or(TIMEOUT),
        strict,
        command: command.as_deref(),
        child: None,
        connection: None,
        process: None,
    };
    let there = match command {
        Some(_) => peer.await_service(),
        None => peer.renew(),
    };
    there.map_err(|fault| fail(format_args!("{address}: {fault}")))?;
    // Some services have one client at a time.
    peer.connection = None;

    let mut sources = definitions(&peer, &wanted)?;
    let mut definitions = vec![SERVICE];
    for source in &mut sources {
        definitions.push(source.definition()?);
    }
    let targets = targets(&definitions, &wanted, &exclude, tool.options.upgrade);
    if targets.is_empty() {
        return Err(fail(format_args!("{address}: there is no method to call")));
    }

    let mut progress = Progress::new(tool.options.quiet);
    for run in 0..runs {
        progress.show(format_args!("run {run} of {runs}, seed {seed}"));
        // Each run has its own numbers, so that it does not depend on those before it.
        let mut generator = Generator {
            random: Random::new(seed, run),
            targets: &targets,
            more: tool.options.more,
            upgrade: tool.options.upgrade,
        };
        let case = generator.case();
        let Err(fault) = peer.check(&case, &definitions) else {
            continue;
        };
        progress.clear();
        let (case, fault, remark) = shrink(&mut peer, &definitions, case, fault, &mut progress);
        progress.clear();
        complain(format_args!(
            "{address}: run {run} of seed {seed}: {}",
            printable(&fault.to_string())
        ));
        if let Some(remark) = remark {
            complain(format_args!("{remark}"));
        }
        tool.out
            .print(format_args!("{}\n", reproduce::command(address, &case)));
        return Err(Failure::Failed);
    }
    progress.clear();
    if tool.options.quiet {
        return Ok(());
    }
    tool.out.print(format_args!(
        "{runs} runs with seed {seed}, {} methods: no fault\n",
        targets.len()
    ));
    Ok(())
}

/// Returns a seed that differs from run to run.
fn new_seed() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = now.map_or(0, |now| u64::from(now.subsec_nanos()) ^ now.as_secs());
    (now ^ (u64::from(process::id()) << 20)) % 1_000_000_000
}

/// Reads the definitions of the service, without that of `org.varlink.service`.
fn definitions(peer: &Peer<'_>, wanted: &[&str]) -> Result<Vec<Source>, Failure> {
    let address = peer.address;
    let failed = |problem: String| fail(format_args!("{address}: {}", printable(&problem)));
    let mut buffers = Buffers::new();
    let stream = peer
        .connect()
        .map_err(|problem| failed(problem.to_string()))?;
    let mut client = buffers.client(stream);
    // All are read, because an error of one interface may be returned by a method of another.
    let names = interfaces(&mut client).map_err(failed)?;
    for wanted in wanted {
        if *wanted != SERVICE.name() && !names.iter().any(|name| name == wanted) {
            return Err(failed(format!("the service has no interface {wanted}")));
        }
    }
    let others = names.iter().filter(|name| *name != SERVICE.name());
    others
        .map(|name| Source::service(&mut client, name).map_err(failed))
        .collect()
}

/// Returns the methods to call.
fn targets<'d>(
    definitions: &[Definition<'d>],
    wanted: &[&str],
    exclude: &[String],
    upgrade: bool,
) -> Vec<Target<'d>> {
    let mut targets = Vec::new();
    for definition in definitions {
        let interface = definition.name();
        if !wanted.is_empty() && !wanted.contains(&interface) {
            continue;
        }
        for member in definition.members() {
            let name = format!("{interface}.{}", member.name());
            let is_excluded = exclude
                .iter()
                .any(|other| *other == name || *other == member.name());
            let upgrades = member.supports_upgrade() && !upgrade;
            if member.kind() == MemberKind::Method && !is_excluded && !upgrades {
                targets.push(Target { name, member });
            }
        }
    }
    targets
}

/// Looks for a smaller case with a fault of the same kind. Returns a remark if there is none for
/// another reason than that the case is small.
fn shrink(
    peer: &mut Peer<'_>,
    definitions: &[Definition<'_>],
    mut case: Case,
    mut fault: Fault,
    progress: &mut Progress,
) -> (Case, Fault, Option<&'static str>) {
    const GONE: &str = "the service does not come back, so this may not be the smallest call: \
                        see --start";
    const OTHER: &str = "the call did not fail a second time: earlier calls may be the cause, \
                         and the same seed repeats them";
    let mut again = |case: &Case| -> Result<Option<Fault>, &'static str> {
        peer.connection = None;
        peer.await_service().map_err(|_| GONE)?;
        let fault = peer.check(case, definitions).err();
        Ok(fault)
    };
    match again(&case) {
        Ok(Some(same)) if same.is_like(&fault) => fault = same,
        Ok(_) => return (case, fault, Some(OTHER)),
        Err(remark) => return (case, fault, Some(remark)),
    }
    let end = Instant::now() + SHRINKING;
    let mut attempts = 0;
    'smaller: loop {
        for candidate in shrink::smaller(&case) {
            attempts += 1;
            if attempts > ATTEMPTS || Instant::now() > end {
                let remark = "there was no time to look for a smaller call";
                return (case, fault, Some(remark));
            }
            progress.show(format_args!("attempt {attempts} to find a smaller call"));
            match again(&candidate) {
                Ok(Some(same)) if same.is_like(&fault) => {
                    (case, fault) = (candidate, same);
                    continue 'smaller;
                }
                Ok(_) => {}
                Err(remark) => return (case, fault, Some(remark)),
            }
        }
        return (case, fault, None);
    }
}
