//! The client of zlink.

use std::pin::pin;

use common::Job;
use futures_util::{Stream, StreamExt};
use serde::Deserialize;
use tokio::runtime::Builder;

#[derive(Debug, Deserialize)]
struct Pong {
    pong: String,
}

#[derive(Debug, Deserialize)]
struct Counted {
    i: i64,
}

#[derive(Debug, zlink::ReplyError)]
#[zlink(interface = "org.example.ping")]
enum NoError {}

#[zlink::proxy("org.example.ping")]
trait Pinger {
    async fn ping(&mut self, ping: &str) -> zlink::Result<Result<Pong, NoError>>;

    #[zlink(more)]
    async fn count(
        &mut self,
        n: i64,
    ) -> zlink::Result<impl Stream<Item = zlink::Result<Result<Counted, NoError>>>>;
}

fn main() {
    let job = common::client();
    let runtime = Builder::new_current_thread()
        .enable_io()
        .build()
        .expect("a runtime");
    let mut client = common::connect(|| runtime.block_on(zlink::tokio::unix::connect(&job.path)));
    match &job.job {
        Job::Ping { text, depth: 1, .. } => job.measure(|| {
            let reply = runtime.block_on(client.ping(text)).expect("a reply");
            assert_eq!(reply.expect("no error").pong.len(), text.len());
        }),
        Job::Ping { text, depth, .. } => job.measure(|| {
            runtime.block_on(async {
                let mut chain = client.chain_ping(text).expect("a call");
                for _ in 1..*depth {
                    chain = chain.ping(text).expect("a call");
                }
                let replies = chain.send::<Pong, NoError>().await.expect("a connection");
                let mut replies = pin!(replies);
                while let Some(reply) = replies.next().await {
                    let reply = reply.expect("a reply").0.expect("no error");
                    assert_eq!(
                        reply.into_parameters().expect("parameters").pong.len(),
                        text.len()
                    );
                }
            });
        }),
        Job::Count { n } => job.measure(|| {
            runtime.block_on(async {
                let replies = client.count(*n as i64).await.expect("a call");
                let mut replies = pin!(replies);
                let mut last = 0;
                while let Some(reply) = replies.next().await {
                    last = reply.expect("a reply").expect("no error").i;
                }
                assert_eq!(last, *n as i64);
            });
        }),
        Job::Connect { .. } => panic!("not measured"),
    }
}
