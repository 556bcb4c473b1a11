//! The service `org.example.t`, for conformance tests: it has every type and every mode of call.

use core::fmt;
use core::marker::PhantomData;

use nullink::json::Raw;
use nullink::service::{Answer, Info, Refusal, Responder, Service};
use nullink::{Call, Interface, interface};
use serde::de::{Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};

/// The service. It copies a call's parameters into `scratch`, because decoding changes them.
pub struct T<'b> {
    pub scratch: &'b mut [u8],
}

#[derive(Deserialize)]
#[allow(dead_code)] // Echo is decoded only to check the types
enum Method<'a> {
    #[serde(borrow)]
    Echo(Echo<'a>),
    Need(Need<'a>),
    Empty,
    Count {
        n: i64,
    },
    Fail,
    Unbound,
    Fds,
    Pipe,
}

/// The parameters of Echo. They are decoded only to check their types.
#[derive(Deserialize)]
#[allow(dead_code)]
struct Echo<'a> {
    i: Option<i64>,
    f: Option<f64>,
    b: Option<bool>,
    s: Option<&'a str>,
    #[serde(borrow)]
    o: Option<Object<'a>>,
    #[serde(borrow)]
    a: Option<Raw<'a>>,
    l: Option<ListOf<i64>>,
    #[serde(borrow)]
    m: Option<MapOf<&'a str>>,
    c: Option<Color>,
}

#[derive(Serialize, Deserialize)]
struct Need<'a> {
    s: &'a str,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Color {
    Red,
    Green,
}

#[derive(Serialize)]
struct Got<'a> {
    got: Raw<'a>,
}

#[derive(Serialize)]
struct Number {
    n: usize,
}

#[derive(Serialize)]
struct Counted {
    i: i64,
}

#[derive(Serialize)]
enum Error<'a> {
    Oops { why: &'a str },
}

/// The cursor of Count: the next number, and the count of numbers.
pub type Cursor = (i64, i64);

impl Service<Cursor> for T<'_> {
    const INTERFACES: &'static [Interface] = &[interface!("org.example.t.varlink")];
    const UPGRADES: bool = true;

    fn info(&self) -> Info<'_> {
        Info {
            vendor: "Nullink",
            product: "Conformance",
            version: env!("CARGO_PKG_VERSION"),
            url: "https://uapi-group.org/specifications/specs/varlink/",
        }
    }

    fn call<'c>(&mut self, call: Call<'c>, mut reply: Responder<'c, Cursor>) -> Answer<'c, Cursor> {
        let parameters = call.parameters().as_str();
        let copy = self.scratch.get_mut(..parameters.len());
        let copy = copy.ok_or(Refusal::PermissionDenied)?;
        copy.copy_from_slice(parameters.as_bytes());
        match call.decode()? {
            Method::Echo(_) => {
                let text = core::str::from_utf8(copy).unwrap_or_default();
                let got = Raw::new(text).unwrap_or(Raw::EMPTY_OBJECT);
                reply.send(&Got { got })
            }
            Method::Need(need) => reply.send(&need),
            Method::Empty => reply.send(&()),
            Method::Count { n } => self.resume((0, n), reply),
            Method::Fail => reply.error(&Error::Oops { why: "because" }),
            Method::Unbound => Err(Refusal::MethodNotImplemented),
            Method::Fds => {
                let n = reply.descriptors();
                for index in 0..n {
                    let descriptor = reply.descriptor(index, "n")?;
                    // The reply has as many descriptors as the call.
                    let _ = reply.attach(descriptor);
                }
                reply.send(&Number { n })
            }
            Method::Pipe => reply.upgrade()?.send(&(), (0, 0)),
        }
    }

    fn resume<'c>(&mut self, (i, n): Cursor, reply: Responder<'c, Cursor>) -> Answer<'c, Cursor> {
        let reply = reply.more()?;
        if n <= 0 {
            Err(Refusal::invalid_parameter("n"))
        } else if i + 1 < n {
            reply.next(&Counted { i })?.then((i + 1, n))
        } else {
            reply.send(&Counted { i })
        }
    }
}

/// An object with any members.
struct Object<'a>(PhantomData<&'a ()>);

impl<'de: 'a, 'a> Deserialize<'de> for Object<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if Raw::deserialize(deserializer)?.is_object() {
            Ok(Object(PhantomData))
        } else {
            Err(D::Error::custom("not an object"))
        }
    }
}

/// A list of any length. Its items are checked and not kept.
struct ListOf<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for ListOf<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(Every(PhantomData::<T>))?;
        Ok(ListOf(PhantomData))
    }
}

/// A map of any length. Its values are checked and not kept.
struct MapOf<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for MapOf<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Every(PhantomData::<T>))?;
        Ok(MapOf(PhantomData))
    }
}

struct Every<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for Every<T> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list or a map")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while list.next_element::<T>()?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while map.next_entry::<&str, T>()?.is_some() {}
        Ok(())
    }
}
