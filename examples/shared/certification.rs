//! The service and the client of `org.varlink.certification`, without allocations.

use heapless::{LinearMap, String, Vec};
use nullink::json::Raw;
use nullink::service::{Answer, Info, Refusal, Responder, Service};
use nullink::{Call, Client, Interface, Method, Mode, interface};
use serde::{Deserialize, Serialize};

/// One field of every type.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub struct MyType<'a> {
    #[serde(borrow)]
    object: Raw<'a>,
    r#enum: OneTwoThree,
    r#struct: FirstSecond<'a>,
    array: Vec<&'a str, 3>,
    dictionary: Map<'a>,
    stringset: Set<'a>,
    nullable: Option<&'a str>,
    nullable_array_struct: Option<Vec<FirstSecond<'a>, 3>>,
    interface: InterfaceType<'a>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum OneTwoThree {
    One,
    Two,
    Three,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FirstSecond<'a> {
    first: i64,
    second: &'a str,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct InterfaceType<'a> {
    #[serde(borrow)]
    foo: Option<Vec<Option<LinearMap<&'a str, FooBarBaz, 4>>, 4>>,
    anon: Anon,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum FooBarBaz {
    Foo,
    Bar,
    Baz,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Anon {
    foo: bool,
    bar: bool,
}

type Map<'a> = LinearMap<&'a str, &'a str, 2>;

type Set<'a> = LinearMap<&'a str, Empty, 3>;

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Empty {}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct AllScalars<'a> {
    bool: bool,
    int: i64,
    float: f64,
    string: &'a str,
}

/// The scalar values that are passed around in the certification.
const SCALARS: AllScalars<'static> = AllScalars {
    bool: false,
    int: 2,
    float: core::f64::consts::PI,
    string: "a lot of string",
};

fn map() -> Map<'static> {
    [("foo", "Foo"), ("bar", "Bar")].into_iter().collect()
}

fn set() -> Set<'static> {
    ["one", "two", "three"]
        .map(|item| (item, Empty {}))
        .into_iter()
        .collect()
}

/// Returns a function that is true for equal maps, with a function that compares their keys.
fn same_maps<V: PartialEq, const N: usize>(
    same_keys: fn(&str, &str) -> bool,
) -> impl Fn(&LinearMap<&str, V, N>, &LinearMap<&str, V, N>) -> bool {
    move |a, b| {
        let is_in = |map: &LinearMap<&str, V, N>, key: &str, value: &V| {
            let mut entries = map.iter();
            entries.any(|(other, content)| same_keys(key, other) && value == content)
        };
        a.len() == b.len() && a.iter().all(|(key, value)| is_in(b, key, value))
    }
}

/// The call that the field `object` holds.
#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct ObjectCall<'a> {
    method: &'a str,
    #[serde(borrow)]
    parameters: ObjectParameters<'a>,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct ObjectParameters<'a> {
    #[serde(borrow)]
    map: Map<'a>,
}

const OBJECT: &str = concat!(
    r#"{"method":"org.varlink.certification.Test09","#,
    r#""parameters":{"map":{"foo":"Foo","bar":"Bar"}}}"#
);

impl MyType<'static> {
    /// Returns the value that Test09 must return. Never None: the tests show that the maps are
    /// large enough.
    pub fn expected() -> Option<Self> {
        let numbers = |entries: [(&'static str, FooBarBaz); 2]| {
            let mut map = LinearMap::new();
            for (key, value) in entries {
                map.insert(key, value).ok()?;
            }
            Some(map)
        };
        let list = [
            None,
            Some(numbers([("foo", FooBarBaz::Foo), ("bar", FooBarBaz::Bar)])?),
            None,
            Some(numbers([("one", FooBarBaz::Foo), ("two", FooBarBaz::Bar)])?),
        ];
        Some(MyType {
            object: Raw::new(OBJECT).ok()?,
            r#enum: OneTwoThree::Two,
            r#struct: FirstSecond {
                first: 1,
                second: "2",
            },
            array: ["one", "two", "three"].into_iter().collect(),
            dictionary: map(),
            stringset: set(),
            nullable: None,
            nullable_array_struct: None,
            interface: InterfaceType {
                foo: Some(list.into_iter().collect()),
                anon: Anon {
                    foo: true,
                    bar: false,
                },
            },
        })
    }

    /// True if another value is equal. In `object`, white space and order may differ. `same_keys`
    /// compares the keys of maps.
    fn says(&self, other: &MyType<'_>, same_keys: fn(&str, &str) -> bool) -> bool {
        let (mut a, mut b) = ([0; 256], [0; 256]);
        let (Ok(a), Ok(b)) = (
            self.object.decode_in::<ObjectCall>(&mut a),
            other.object.decode_in::<ObjectCall>(&mut b),
        ) else {
            return false;
        };
        let same_lists = match (&self.interface.foo, &other.interface.foo) {
            (Some(a), Some(b)) => {
                let same = |(a, b): (&Option<_>, &Option<_>)| match (a, b) {
                    (Some(a), Some(b)) => same_maps(same_keys)(a, b),
                    (a, b) => a.is_none() && b.is_none(),
                };
                a.len() == b.len() && a.iter().zip(b).all(same)
            }
            (a, b) => a.is_none() && b.is_none(),
        };
        a.method == b.method
            && same_maps(same_keys)(&a.parameters.map, &b.parameters.map)
            && self.r#enum == other.r#enum
            && self.r#struct == other.r#struct
            && self.array == other.array
            && same_maps(same_keys)(&self.dictionary, &other.dictionary)
            && same_maps(same_keys)(&self.stringset, &other.stringset)
            && self.nullable == other.nullable
            && self.nullable_array_struct == other.nullable_array_struct
            && same_lists
            && self.interface.anon == other.interface.anon
    }
}

/// The methods: the service decodes calls into this enum.
#[derive(Deserialize)]
#[allow(clippy::large_enum_variant)] // nothing can be boxed
enum Methods<'a> {
    Start,
    #[serde(borrow)]
    Test01(Test01<'a>),
    #[serde(borrow)]
    Test02(Test02<'a>),
    #[serde(borrow)]
    Test03(Test03<'a>),
    #[serde(borrow)]
    Test04(Test04<'a>),
    #[serde(borrow)]
    Test05(Test05<'a>),
    #[serde(borrow)]
    Test06(Test06<'a>),
    #[serde(borrow)]
    Test07(Test07<'a>),
    #[serde(borrow)]
    Test08(Test08<'a>),
    #[serde(borrow)]
    Test09(Test09<'a>),
    #[serde(borrow)]
    Test10(Test10<'a>),
    #[serde(borrow)]
    Test11(Test11<'a>),
    #[serde(borrow)]
    End(End<'a>),
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Test01<'a> {
    client_id: &'a str,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Test02<'a> {
    client_id: &'a str,
    bool: bool,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Test03<'a> {
    client_id: &'a str,
    int: i64,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Test04<'a> {
    client_id: &'a str,
    float: f64,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Test05<'a> {
    client_id: &'a str,
    string: &'a str,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Test06<'a> {
    client_id: &'a str,
    bool: bool,
    int: i64,
    float: f64,
    string: &'a str,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Test07<'a> {
    client_id: &'a str,
    #[serde(borrow)]
    r#struct: AllScalars<'a>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Test08<'a, T = Map<'a>> {
    client_id: &'a str,
    map: T,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Test09<'a, T = Set<'a>> {
    client_id: &'a str,
    set: T,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Test11<'a> {
    client_id: &'a str,
    #[serde(borrow)]
    last_more_replies: Vec<&'a str, 10>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct End<'a> {
    client_id: &'a str,
}

#[derive(Serialize)]
struct Start;

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Test10<'a, T = MyType<'a>> {
    client_id: &'a str,
    mytype: T,
}

/// Implements [`Method`] for each type, with its name and the type of its reply.
macro_rules! methods {
    ($($name:literal $type:ty => $output:ty;)*) => {$(
        impl Method for $type {
            const NAME: &'static str = concat!("org.varlink.certification.", $name);
            type Output<'r> = $output;
            type Error<'r> = Error<Raw<'r>, Raw<'r>>;
        }
    )*};
}

methods! {
    "Start" Start => StartReply<'r>;
    "Test01" Test01<'_> => BoolReply;
    "Test02" Test02<'_> => IntReply;
    "Test03" Test03<'_> => FloatReply;
    "Test04" Test04<'_> => StringReply<'r>;
    "Test05" Test05<'_> => AllScalars<'r>;
    "Test06" Test06<'_> => StructReply<'r>;
    "Test07" Test07<'_> => MapReply<Raw<'r>>;
    "Test08" Test08<'_, Raw<'_>> => SetReply<Raw<'r>>;
    "Test09" Test09<'_, Raw<'_>> => MyTypeReply<Raw<'r>>;
    "Test10" Test10<'_, Raw<'_>> => StringReply<'r>;
    "Test11" Test11<'_> => ();
    "End" End<'_> => EndReply;
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct StartReply<'a> {
    client_id: &'a str,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct BoolReply {
    bool: bool,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct IntReply {
    int: i64,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct FloatReply {
    float: f64,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct StringReply<'a> {
    string: &'a str,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct StructReply<'a> {
    #[serde(borrow)]
    r#struct: AllScalars<'a>,
}

/// The client keeps the texts of `map`, `set` and `mytype`, and decodes copies.
#[derive(Debug, Serialize, Deserialize)]
struct MapReply<T> {
    map: T,
}

#[derive(Debug, Serialize, Deserialize)]
struct SetReply<T> {
    set: T,
}

#[derive(Debug, Serialize, Deserialize)]
struct MyTypeReply<T> {
    mytype: T,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct EndReply {
    all_ok: bool,
}

#[derive(Debug, Serialize, Deserialize)]
pub enum Error<W, G> {
    ClientIdError,
    CertificationError { wants: W, got: G },
}

/// Returns the string in a reply to Test10.
fn reply_number(number: u8) -> String<16> {
    let mut text = String::new();
    let _ = core::fmt::write(&mut text, format_args!("Reply number {number}"));
    text
}

/// The number of replies to Test10.
const REPLIES: u8 = 10;

/// The service.
#[derive(Default)]
pub struct Certification {
    /// The certifications in progress: their numbers, and the steps that must follow.
    clients: Vec<(u32, u8), 32>,
    started: u32,
}

/// The step of End. Test01 to Test11 are the steps 1 to 11.
const END: u8 = 12;

/// The service's verdict on a call.
enum Verdict {
    Right,
    Wrong,
    /// The call is not the next step, or its certification is unknown.
    OutOfOrder,
}

impl Certification {
    /// Starts a certification, and returns its ID. If there are too many, the oldest is dropped.
    fn start(&mut self) -> String<32> {
        self.started = self.started.wrapping_add(1);
        if self.clients.is_full() {
            self.clients.remove(0);
        }
        let _ = self.clients.push((self.started, 1));
        let mut id = String::new();
        let _ = core::fmt::write(&mut id, format_args!("nullink-{}", self.started));
        id
    }

    /// Judges a call, and goes on to the next step. A mistake ends the certification, and so does
    /// End.
    fn judge(&mut self, client_id: &str, step: u8, right: bool) -> Verdict {
        let number = client_id
            .strip_prefix("nullink-")
            .and_then(|number| number.parse().ok());
        let mut clients = self.clients.iter_mut().enumerate();
        let Some((at, (_, next))) = clients.find(|(_, (client, _))| Some(*client) == number) else {
            return Verdict::OutOfOrder;
        };
        let verdict = match (*next == step, right) {
            (false, _) => Verdict::OutOfOrder,
            (true, false) => Verdict::Wrong,
            (true, true) => Verdict::Right,
        };
        if matches!(verdict, Verdict::Right) && step != END {
            *next += 1;
        } else {
            self.clients.remove(at);
        }
        verdict
    }

    /// Answers a call: with a single reply if it is right, else with an error.
    fn check<'c, P, R>(
        &mut self,
        reply: Responder<'c, u8>,
        (step, client_id): (u8, &str),
        got: &P,
        wants: &P,
        answer: &R,
    ) -> Answer<'c, u8>
    where
        P: PartialEq + Serialize,
        R: Serialize,
    {
        match self.judge(client_id, step, got == wants) {
            Verdict::Right => reply.send(answer),
            Verdict::Wrong => reply.error(&Error::CertificationError { wants, got }),
            Verdict::OutOfOrder => reply.error(&Error::<(), ()>::ClientIdError),
        }
    }
}

/// The cursor, used by Test10, is the number of the next reply.
impl Service<u8> for Certification {
    const INTERFACES: &'static [Interface] = &[interface!("org.varlink.certification.varlink")];

    fn info(&self) -> Info<'_> {
        Info {
            vendor: "Nullink",
            product: "Certification",
            version: env!("CARGO_PKG_VERSION"),
            url: "https://varlink.org",
        }
    }

    fn call<'c>(&mut self, call: Call<'c>, reply: Responder<'c, u8>) -> Answer<'c, u8> {
        let mode = call.mode();
        let AllScalars {
            bool,
            int,
            float,
            string,
        } = SCALARS;
        match call.decode()? {
            Methods::Start => {
                let id = self.start();
                reply.send(&StartReply { client_id: &id })
            }
            Methods::Test01(got) => {
                let client_id = got.client_id;
                let wants = Test01 { client_id };
                self.check(
                    reply,
                    (1, client_id),
                    &got,
                    &wants,
                    &BoolReply { bool: true },
                )
            }
            Methods::Test02(got) => {
                let client_id = got.client_id;
                let wants = Test02 {
                    client_id,
                    bool: true,
                };
                self.check(reply, (2, client_id), &got, &wants, &IntReply { int: 1 })
            }
            Methods::Test03(got) => {
                let client_id = got.client_id;
                let wants = Test03 { client_id, int: 1 };
                self.check(
                    reply,
                    (3, client_id),
                    &got,
                    &wants,
                    &FloatReply { float: 1.0 },
                )
            }
            Methods::Test04(got) => {
                let client_id = got.client_id;
                let wants = Test04 {
                    client_id,
                    float: 1.0,
                };
                self.check(
                    reply,
                    (4, client_id),
                    &got,
                    &wants,
                    &StringReply { string: "ping" },
                )
            }
            Methods::Test05(got) => {
                let client_id = got.client_id;
                let wants = Test05 {
                    client_id,
                    string: "ping",
                };
                self.check(reply, (5, client_id), &got, &wants, &SCALARS)
            }
            Methods::Test06(got) => {
                let client_id = got.client_id;
                let wants = Test06 {
                    client_id,
                    bool,
                    int,
                    float,
                    string,
                };
                self.check(
                    reply,
                    (6, client_id),
                    &got,
                    &wants,
                    &StructReply { r#struct: SCALARS },
                )
            }
            Methods::Test07(got) => {
                let client_id = got.client_id;
                let wants = Test07 {
                    client_id,
                    r#struct: SCALARS,
                };
                self.check(
                    reply,
                    (7, client_id),
                    &got,
                    &wants,
                    &MapReply { map: map() },
                )
            }
            Methods::Test08(got) => {
                let client_id = got.client_id;
                let wants = Test08 {
                    client_id,
                    map: map(),
                };
                let set = set();
                self.check(reply, (8, client_id), &got, &wants, &SetReply { set })
            }
            Methods::Test09(got) => {
                let client_id = got.client_id;
                let wants = Test09 {
                    client_id,
                    set: set(),
                };
                let mytype = MyType::expected();
                self.check(reply, (9, client_id), &got, &wants, &MyTypeReply { mytype })
            }
            Methods::Test10(_) if mode != Mode::More => Err(Refusal::ExpectedMore),
            Methods::Test10(got) => {
                let client_id = got.client_id;
                let wants = MyType::expected();
                let right = wants
                    .as_ref()
                    .is_some_and(|wants| wants.says(&got.mytype, str::eq));
                match self.judge(client_id, 10, right) {
                    Verdict::Right => self.resume(1, reply),
                    Verdict::Wrong => {
                        let wants = Test10 {
                            client_id,
                            mytype: wants,
                        };
                        reply.error(&Error::CertificationError { wants, got })
                    }
                    Verdict::OutOfOrder => reply.error(&Error::<(), ()>::ClientIdError),
                }
            }
            Methods::Test11(got) => {
                let client_id = got.client_id;
                let replies = (1..=REPLIES).map(reply_number);
                let right =
                    mode == Mode::Oneway && replies.eq(got.last_more_replies.iter().copied());
                // A oneway call gets no reply, so a mistake shows in the reply to End.
                self.judge(client_id, 11, right);
                reply.send(&())
            }
            Methods::End(got) => {
                let client_id = got.client_id;
                let wants = End { client_id };
                self.check(
                    reply,
                    (END, client_id),
                    &got,
                    &wants,
                    &EndReply { all_ok: true },
                )
            }
        }
    }

    fn resume<'c>(&mut self, number: u8, reply: Responder<'c, u8>) -> Answer<'c, u8> {
        let string = reply_number(number);
        let parameters = StringReply { string: &string };
        let reply = reply.more()?;
        if number < REPLIES {
            reply.next(&parameters)?.then(number + 1)
        } else {
            reply.send(&parameters)
        }
    }
}

/// A result that the client reports during a certification.
pub enum Progress<'a> {
    /// The reply to this method is right.
    Passed(&'a str),
    /// The call of this method failed, or its reply is wrong, for this reason.
    Failed(&'a str, &'a dyn core::fmt::Display),
}

/// Runs the client: makes all calls in order, and checks all replies. Returns true if there was no
/// mistake on either side.
pub fn certify<S>(client: &mut Client<'_, S>, tell: &mut dyn FnMut(Progress<'_>)) -> bool
where
    S: embedded_io::Read + embedded_io::Write,
    S::Error: core::fmt::Display,
{
    let mut id = String::<64>::new();
    if !check(client, &Start, tell, |reply| {
        id.push_str(reply.client_id).is_ok()
    }) {
        return false;
    }
    let client_id = &id[..];
    let AllScalars {
        bool,
        int,
        float,
        string,
    } = SCALARS;
    let Some(wants) = MyType::expected() else {
        return false;
    };
    // Replies are copied and sent back as they were received: in `object`, every byte is the same.
    // Some services write the keys of their maps with capitals.
    let (mut map_text, mut set_text) = (String::<128>::new(), String::<128>::new());
    let mut mytype_text = String::<1024>::new();
    let any_case = str::eq_ignore_ascii_case;

    let simple = check(client, &Test01 { client_id }, tell, |reply| reply.bool)
        && check(
            client,
            &Test02 {
                client_id,
                bool: true,
            },
            tell,
            |reply| reply.int == 1,
        )
        && check(client, &Test03 { client_id, int: 1 }, tell, |reply| {
            reply.float == 1.0
        })
        && check(
            client,
            &Test04 {
                client_id,
                float: 1.0,
            },
            tell,
            |reply| reply.string == "ping",
        )
        && check(
            client,
            &Test05 {
                client_id,
                string: "ping",
            },
            tell,
            |reply| reply == SCALARS,
        )
        && check(
            client,
            &Test06 {
                client_id,
                bool,
                int,
                float,
                string,
            },
            tell,
            |reply| reply.r#struct == SCALARS,
        )
        && check(
            client,
            &Test07 {
                client_id,
                r#struct: SCALARS,
            },
            tell,
            |reply| {
                let mut scratch = [0; 128];
                let received = reply.map.decode_in::<Map>(&mut scratch);
                let same_maps = same_maps(any_case);
                received.is_ok_and(|received| same_maps(&map(), &received))
                    && map_text.push_str(reply.map.as_str()).is_ok()
            },
        )
        && Raw::new(&map_text).is_ok_and(|map| {
            check(client, &Test08 { client_id, map }, tell, |reply| {
                let mut scratch = [0; 128];
                let received = reply.set.decode_in::<Set>(&mut scratch);
                let same_maps = same_maps(any_case);
                received.is_ok_and(|received| same_maps(&set(), &received))
                    && set_text.push_str(reply.set.as_str()).is_ok()
            })
        })
        && Raw::new(&set_text).is_ok_and(|set| {
            check(client, &Test09 { client_id, set }, tell, |reply| {
                let mut scratch = [0; 1024];
                let received = reply.mytype.decode_in::<MyType>(&mut scratch);
                received.is_ok_and(|received| wants.says(&received, any_case))
                    && mytype_text.push_str(reply.mytype.as_str()).is_ok()
            })
        });
    let (true, Ok(mytype)) = (simple, Raw::new(&mytype_text)) else {
        return false;
    };
    let mut replies = Vec::<String<16>, 10>::new();
    match client.more(&Test10 { client_id, mytype }) {
        Ok(mut stream) => loop {
            match stream.next() {
                Ok(None) => break,
                Ok(Some(reply)) => {
                    let kept = String::try_from(reply.string).unwrap_or_default();
                    if replies.push(kept).is_err() {
                        tell(Progress::Failed("Test10", &"more than ten replies"));
                        return false;
                    }
                }
                Err(error) => {
                    tell(Progress::Failed("Test10", &error));
                    return false;
                }
            }
        },
        Err(error) => {
            tell(Progress::Failed("Test10", &error));
            return false;
        }
    }
    if !(1..=REPLIES).map(reply_number).eq(replies.iter().cloned()) {
        tell(Progress::Failed(
            "Test10",
            &"the replies are not Reply number 1 to 10",
        ));
        return false;
    }
    tell(Progress::Passed("Test10"));

    let last_more_replies = replies.iter().map(|reply| &reply[..]).collect();
    match client.oneway(&Test11 {
        client_id,
        last_more_replies,
    }) {
        Ok(()) => tell(Progress::Passed("Test11")),
        Err(error) => {
            tell(Progress::Failed("Test11", &error));
            return false;
        }
    }
    check(client, &End { client_id }, tell, |reply| reply.all_ok)
}

/// Calls a method, and reports if its reply is right.
fn check<M, S>(
    client: &mut Client<'_, S>,
    method: &M,
    tell: &mut dyn FnMut(Progress<'_>),
    right: impl FnOnce(M::Output<'_>) -> bool,
) -> bool
where
    M: Method,
    for<'r> M::Error<'r>: core::fmt::Debug,
    S: embedded_io::Read + embedded_io::Write,
    S::Error: core::fmt::Display,
{
    let name = M::NAME.rsplit('.').next().unwrap_or(M::NAME);
    match client.call(method) {
        Ok(reply) => {
            let right = right(reply);
            tell(if right {
                Progress::Passed(name)
            } else {
                Progress::Failed(name, &"the reply is wrong")
            });
            right
        }
        Err(error) => {
            tell(Progress::Failed(name, &error));
            false
        }
    }
}
