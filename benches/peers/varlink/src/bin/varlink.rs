//! The service of the crate varlink.

varlink_derive::varlink_file!(org_example_ping, "../org.example.ping.varlink");

use org_example_ping::{Call_Count, Call_Ping, VarlinkInterface};
use varlink::{ListenConfig, VarlinkService};

struct Pinger;

impl VarlinkInterface for Pinger {
    fn ping(&self, call: &mut dyn Call_Ping, ping: String) -> varlink::Result<()> {
        call.reply(ping)
    }

    fn count(&self, call: &mut dyn Call_Count, n: i64) -> varlink::Result<()> {
        call.set_continues(true);
        for i in 1..n {
            call.reply(i)?;
        }
        call.set_continues(false);
        call.reply(n)
    }
}

fn main() {
    let address = format!("unix:{}", common::service(0).path);
    let interface = Box::new(org_example_ping::new(Box::new(Pinger)));
    let service = VarlinkService::new(
        "Example",
        "Pinger",
        "1",
        "https://example.org",
        vec![interface],
    );
    let threads = ListenConfig {
        max_worker_threads: 1000,
        ..ListenConfig::default()
    };
    varlink::listen(service, &address, &threads).expect("a socket");
}
