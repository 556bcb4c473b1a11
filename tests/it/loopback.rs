//! A service and a client in one program, without a socket.

use nullink::Loopback;
use nullink::client::CallError;
use nullink::service::{Answer, Info, Responder, Service};
use nullink::{Call, Client, Error, Interface, Method, Mode, NoError, interface};
use serde::{Deserialize, Serialize};

const ADD: Interface = interface!(
    text "
interface org.example.add

method Add(n: int) -> (n: int)
"
);

#[derive(Deserialize)]
enum Methods {
    Add(Add),
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Add {
    n: u32,
}

impl Method for Add {
    const NAME: &'static str = "org.example.add.Add";
    type Output<'r> = Add;
    type Error<'r> = NoError;
}

#[derive(Default)]
struct Adder {
    sum: u32,
}

impl Service for Adder {
    const INTERFACES: &'static [Interface] = &[ADD];

    fn info(&self) -> Info<'_> {
        Info::default()
    }

    fn call<'c>(&mut self, call: Call<'c>, reply: Responder<'c>) -> Answer<'c> {
        let Methods::Add(Add { n }) = call.decode()?;
        self.sum += n;
        reply.send(&Add { n: self.sum })
    }
}

const ONE: Add = Add { n: 1 };

#[test]
fn a_oneway_call_reaches_the_service_when_it_is_sent() {
    let (mut a, mut b, mut c, mut d) = ([0; 80], [0; 64], [0; 64], [0; 80]);
    let stream = Loopback::new(Adder::default(), &mut a, &mut b);
    let mut client = Client::new(stream, &mut c, &mut d);
    for sum in 1..100 {
        client.oneway(&ONE).unwrap_or_else(|e| panic!("{sum}: {e}"));
        assert_eq!(client.stream().service().sum, sum);
    }
}

#[test]
fn calls_that_fit_into_the_services_buffer_can_be_pipelined() {
    let (mut a, mut b, mut c, mut d) = ([0; 170], [0; 60], [0; 64], [0; 256]);
    let stream = Loopback::new(Adder::default(), &mut a, &mut b);
    let mut client = Client::new(stream, &mut c, &mut d);
    for _ in 0..4 {
        client.queue(&ONE, Mode::Simple).expect("room");
    }
    for n in 1..5 {
        assert_eq!(client.receive::<Add>(), Ok(Add { n }));
    }
}

#[test]
fn f4_a_call_that_is_too_long_for_the_service_closes_the_connection() {
    let (mut a, mut b, mut c, mut d) = ([0; 32], [0; 64], [0; 64], [0; 256]);
    let stream = Loopback::new(Adder::default(), &mut a, &mut b);
    let mut client = Client::new(stream, &mut c, &mut d);
    assert_eq!(client.call(&ONE), Err(CallError::Connection(Error::Closed)));
}
