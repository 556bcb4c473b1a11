//! The client of Nullink.

use common::Job;
use nullink::unix::Stream;
use nullink::{Client, Method, Mode, NoError};
use serde::{Deserialize, Serialize};

#[derive(Serialize)]
struct Ping<'a> {
    ping: &'a str,
}

#[derive(Deserialize)]
struct Pong<'a> {
    pong: &'a str,
}

impl Method for Ping<'_> {
    const NAME: &'static str = "org.example.ping.Ping";
    type Output<'r> = Pong<'r>;
    type Error<'r> = NoError;
}

#[derive(Serialize)]
struct Count {
    n: u64,
}

#[derive(Deserialize)]
struct Counted {
    i: u64,
}

impl Method for Count {
    const NAME: &'static str = "org.example.ping.Count";
    type Output<'r> = Counted;
    type Error<'r> = NoError;
}

fn main() {
    let job = common::client();
    let (mut receive, mut send) = (vec![0; 2 << 20], vec![0; 2 << 20]);
    let stream = common::connect(|| Stream::connect(&job.path));
    let mut client = Client::new(stream, &mut receive, &mut send);
    match &job.job {
        Job::Ping { text, depth: 1, .. } => job.measure(|| {
            let reply = client.call(&Ping { ping: text }).expect("a reply");
            assert_eq!(reply.pong.len(), text.len());
        }),
        Job::Ping { text, depth, .. } => job.measure(|| {
            for _ in 0..*depth {
                client
                    .queue(&Ping { ping: text }, Mode::Simple)
                    .expect("room");
            }
            for _ in 0..*depth {
                let reply = client.receive::<Ping>().expect("a reply");
                assert_eq!(reply.pong.len(), text.len());
            }
        }),
        Job::Count { n } => job.measure(|| {
            let mut replies = client.more(&Count { n: *n as u64 }).expect("a call");
            let mut last = 0;
            while let Some(reply) = replies.next().expect("a reply") {
                last = reply.i;
            }
            assert_eq!(last, *n as u64);
        }),
        Job::Connect { .. } => panic!("not measured"),
    }
}
