//! The service of zlink.

use futures_util::Stream;
use serde::{Deserialize, Serialize};
use zlink::introspect::Type;
use zlink::{Reply, Server};

#[derive(Debug, Serialize, Deserialize, Type)]
struct Pong {
    pong: String,
}

#[derive(Debug, Serialize, Deserialize, Type)]
struct Counted {
    i: i64,
}

struct Pinger;

#[zlink::service(interface = "org.example.ping")]
impl Pinger {
    async fn ping(&self, ping: String) -> Pong {
        Pong { pong: ping }
    }

    #[zlink(more)]
    async fn count(&self, more: bool, n: i64) -> impl Stream<Item = Reply<Counted>> + Unpin {
        let first = if more { 1 } else { n };
        futures_util::stream::iter(
            (first..=n).map(move |i| Reply::new(Some(Counted { i })).set_continues(Some(i < n))),
        )
    }
}

fn main() {
    let path = common::service(0).path;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build();
    let served = runtime.expect("a runtime").block_on(async {
        let listener = zlink::tokio::unix::bind(&path)?;
        Server::new(listener, Pinger).run().await
    });
    served.expect("a service");
}
