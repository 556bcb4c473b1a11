//! The client of the crate varlink.

varlink_derive::varlink_file!(org_example_ping, "../org.example.ping.varlink");

use common::Job;
use org_example_ping::{VarlinkClient, VarlinkClientInterface};
use varlink::Connection;

fn main() {
    let job = common::client();
    let address = format!("unix:{}", job.path);
    let connection = common::connect(|| Connection::with_address(&address));
    let mut client = VarlinkClient::new(connection);
    match &job.job {
        Job::Ping { text, depth: 1, .. } => job.measure(|| {
            let reply = client.ping(text.clone()).call().expect("a reply");
            assert_eq!(reply.pong.len(), text.len());
        }),
        Job::Count { n } => job.measure(|| {
            let mut call = client.count(*n as i64);
            let replies = call.more().expect("a call");
            let last = replies.map(|reply| reply.expect("a reply").i).last();
            assert_eq!(last, Some(*n as i64));
        }),
        Job::Ping { .. } => panic!("it sends no second call before a reply"),
        Job::Connect { .. } => panic!("not measured"),
    }
}
