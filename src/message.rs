//! The envelopes of the protocol: what a call and a reply look like, both ways.
//!
//! UAPI.20, "Call", "Reply" and "Vendor Extensions".

use core::ops::Range;
use core::{mem, str};

use serde::Deserialize;

use crate::error::{DecodeError, EncodeError, Violation};
use crate::json::{self, Cursor, MemberDeserializer, Raw, Reader, Text, Value, ValueKind, Writer};
use crate::name;
use crate::peer::Peer;

/// How a call wants to be answered: at most one of the protocol's three flags is set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// No flag: one reply.
    #[default]
    Simple,
    /// `oneway`: no reply, and no error either.
    Oneway,
    /// `more`: any number of replies, all but the last with `continues`.
    More,
    /// `upgrade`: one reply, and from there on the connection belongs to another protocol.
    Upgrade,
}

impl Mode {
    /// The member of the call that says so.
    fn flag(self) -> Option<&'static str> {
        match self {
            Mode::Simple => None,
            Mode::Oneway => Some("oneway"),
            Mode::More => Some("more"),
            Mode::Upgrade => Some("upgrade"),
        }
    }
}

/// A call that has been received.
///
/// ```
/// use nullink::{Call, Mode};
///
/// let mut message = *br#"{"method":"org.example.ftl.Jump","more":true,"parameters":{"to":"Caprica"}}"#;
/// let call = Call::parse(&mut message)?;
/// assert_eq!((call.interface(), call.member()), ("org.example.ftl", "Jump"));
/// assert_eq!(call.mode(), Mode::More);
///
/// #[derive(serde::Deserialize)]
/// enum Ftl<'a> { Jump { to: &'a str } }
/// let Ftl::Jump { to } = call.decode()?;
/// assert_eq!(to, "Caprica");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Call<'c> {
    method: &'c str,
    mode: Mode,
    parameters: Value<'c>,
    peer: Option<Peer>,
}

impl<'c> Call<'c> {
    /// Reads the envelope of a call: a message without its NUL.
    ///
    /// # Errors
    ///
    /// If it is not a call. There is no reply to such a message: the connection is to be closed.
    pub fn parse(message: &'c mut [u8]) -> Result<Self, Violation> {
        Call::parse_with_place(message).map(|(call, _)| call)
    }

    /// Like `parse`, with the range of the method's name in the message as it came. The decoded
    /// name stands at the beginning of that range.
    pub(crate) fn parse_with_place(
        message: &'c mut [u8],
    ) -> Result<(Self, Range<usize>), Violation> {
        let (mode, [method, parameters]) = scan_call(message)?;
        let place = method.ok_or(Violation::NoMethod)?;
        let (method, parameters) = parts(message, Some(place.clone()), parameters);
        let call = Call {
            method: method.ok_or(Violation::NoMethod)?,
            mode,
            parameters: parameters.in_call(),
            peer: None,
        };
        Ok((call, place))
    }

    /// Records who calls.
    pub(crate) fn with_peer(self, peer: Option<Peer>) -> Self {
        Call { peer, ..self }
    }

    /// Who calls, if the system vouches for it: on Unix sockets.
    pub fn peer(&self) -> Option<Peer> {
        self.peer
    }

    /// The full name of the method, as the call has it: `org.example.ftl.Jump`.
    pub fn method(&self) -> &'c str {
        self.method
    }

    /// The interface in the method's name; empty if that name is not a valid one.
    pub fn interface(&self) -> &'c str {
        name::split(self.method).map_or("", |(interface, _)| interface)
    }

    /// The method's name within its interface; empty if that name is not a valid one.
    pub fn member(&self) -> &'c str {
        name::split(self.method).map_or("", |(_, member)| member)
    }

    /// How the call wants to be answered.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// Reads method and parameters as an enum, whose variants are the interface's methods.
    ///
    /// A method without parameters is a unit variant; one with parameters is a struct variant, or
    /// holds one struct. Parameters that are absent are an empty object.
    ///
    /// A service with several interfaces has one more enum around these, whose variants have the
    /// interfaces' names:
    ///
    /// ```
    /// # use nullink::Call;
    /// # use serde::Deserialize;
    /// #[derive(Deserialize)]
    /// enum Calls<'a> {
    ///     #[serde(rename = "org.example.disks", borrow)]
    ///     Disks(Disks<'a>),
    ///     #[serde(rename = "org.example.power")]
    ///     Power(Power),
    /// }
    ///
    /// #[derive(Deserialize)]
    /// enum Disks<'a> { List, Format { name: &'a str } }
    ///
    /// #[derive(Deserialize)]
    /// enum Power { List }
    ///
    /// let mut message = *br#"{"method":"org.example.power.List"}"#;
    /// let call = Call::parse(&mut message)?;
    /// assert!(matches!(call.decode()?, Calls::Power(Power::List)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If the enum has no such method, or the parameters do not fit. In a service's handler `?`
    /// makes the standard error of it. A `T` that is not an enum fits no call.
    pub fn decode<T: Deserialize<'c>>(self) -> Result<T, DecodeError> {
        let (interface, name) = name::split_at_dot(self.method).unwrap_or_default();
        let mut parameters = self.parameters;
        decode_member(interface, name, parameters.reader())
    }

    /// The parameters' text, without reading it.
    pub fn parameters(&self) -> Raw<'_> {
        self.parameters.raw()
    }

    /// The parameters' text; empty if there are none.
    pub(crate) fn parameters_text(&self) -> &[u8] {
        self.parameters.text().0
    }

    /// The parameters, to be read piece by piece.
    pub fn into_parameters(self) -> Value<'c> {
        self.parameters
    }
}

/// A reply that has been received.
///
/// ```
/// let mut message = *br#"{"error":"org.example.ftl.NotEnoughEnergy"}"#;
/// let reply = nullink::Reply::parse(&mut message)?;
/// assert_eq!(reply.error(), Some("org.example.ftl.NotEnoughEnergy"));
/// assert_eq!(reply.parameters().as_str(), "{}");
/// # Ok::<(), nullink::Violation>(())
/// ```
#[derive(Debug)]
pub struct Reply<'r> {
    error: Option<&'r str>,
    continues: bool,
    parameters: Value<'r>,
}

impl<'r> Reply<'r> {
    /// Reads the envelope of a reply: a message without its NUL.
    ///
    /// # Errors
    ///
    /// If it is not a reply. The connection can't be used any further.
    pub fn parse(message: &'r mut [u8]) -> Result<Self, Violation> {
        let (continues, [error, parameters]) = scan_reply(message)?;
        let (error, parameters) = parts(message, error, parameters);
        Ok(Reply {
            error,
            continues,
            parameters,
        })
    }

    /// The full name of the error, if the reply is one: `org.example.ftl.NotEnoughEnergy`.
    pub fn error(&self) -> Option<&'r str> {
        self.error
    }

    /// Whether more replies to the same call follow.
    pub fn continues(&self) -> bool {
        self.continues
    }

    /// The text of the parameters, of the reply or of the error, without reading it.
    pub fn parameters(&self) -> Raw<'_> {
        self.parameters.raw()
    }

    /// The parameters, of the reply or of the error, to be read.
    pub fn into_parameters(self) -> Value<'r> {
        self.parameters
    }
}

/// Reads a member of an interface, a method or an error, as an enum of them. If it has no such
/// variant ([`Mismatch::Member`](crate::Mismatch::Member)), the parameters are not touched.
#[inline(never)] // smaller: its variables make no frame of a caller larger
pub(crate) fn decode_member<'de, T: Deserialize<'de>>(
    interface: &'de str,
    name: &'de str,
    parameters: &mut Reader<'de>,
) -> Result<T, DecodeError> {
    let member = MemberDeserializer {
        interface,
        name,
        parameters,
    };
    let read = T::deserialize(member).and_then(|value| parameters.end().map(|()| value));
    read.map_err(|stop| parameters.error(stop))
}

/// Where the string and the parameters of an envelope are, without quotes.
type Spans = [Option<Range<usize>>; 2];

/// One strict pass over a call. The string is `method`.
fn scan_call(message: &[u8]) -> Result<(Mode, Spans), Violation> {
    let (mut method, mut parameters) = (None, None);
    let (mut oneway, mut more, mut upgrade) = (None, None, None);
    members(message, |name, member| {
        if name.is("method") {
            once(&mut method, member.string("method")?)
        } else if name.is("parameters") {
            once(&mut parameters, member.object("parameters")?)
        } else if name.is("oneway") {
            once(&mut oneway, member.flag("oneway")?)
        } else if name.is("more") {
            once(&mut more, member.flag("more")?)
        } else if name.is("upgrade") {
            once(&mut upgrade, member.flag("upgrade")?)
        } else {
            name.vendor()
        }
    })?;
    let set = |flag| flag == Some(true);
    let mode = match (set(oneway), set(more), set(upgrade)) {
        (false, false, false) => Mode::Simple,
        (true, false, false) => Mode::Oneway,
        (false, true, false) => Mode::More,
        (false, false, true) => Mode::Upgrade,
        _ => return Err(Violation::Flags),
    };
    Ok((mode, [method, parameters.flatten()]))
}

/// One strict pass over a reply. The string is `error`.
pub(crate) fn scan_reply(message: &[u8]) -> Result<(bool, Spans), Violation> {
    let (mut error, mut parameters, mut continues) = (None, None, None);
    members(message, |name, member| {
        if name.is("parameters") {
            once(&mut parameters, member.object("parameters")?)
        } else if name.is("error") {
            let string = match member.kind {
                ValueKind::Null => None,
                _ => Some(member.string("error")?),
            };
            once(&mut error, string)
        } else if name.is("continues") {
            once(&mut continues, member.flag("continues")?)
        } else {
            name.vendor()
        }
    })?;
    let (error, continues) = (error.flatten(), continues == Some(true));
    if continues && error.is_some() {
        return Err(Violation::Continues);
    }
    Ok((continues, [error, parameters.flatten()]))
}

/// Scans a message and shows its members.
fn members(
    message: &[u8],
    mut see: impl FnMut(MemberName<'_>, MemberValue) -> Result<(), Violation>,
) -> Result<(), Violation> {
    let mut cursor = Cursor::strict(message)?;
    if !cursor.eat(b'{') {
        // JSON of another kind, or not JSON at all.
        json::scan(message)?;
        return Err(Violation::NotAnObject);
    }
    let mut first = true;
    while cursor
        .more(b'}', mem::take(&mut first))
        .ok_or_else(|| cursor.error())?
    {
        let name = cursor.member().ok_or_else(|| cursor.error())?;
        let kind = cursor.peek().and_then(ValueKind::from_first_byte);
        let start = cursor.offset();
        cursor.value(1).ok_or_else(|| cursor.error())?;
        let range = start..cursor.offset();
        if let Some(kind) = kind {
            see(MemberName(name), MemberValue { kind, range })?;
        }
    }
    Ok(cursor.end().ok_or_else(|| cursor.error())?)
}

/// The name of a member of the envelope, as it is written. It is compared after unescaping.
struct MemberName<'a>(Text<'a>);

impl MemberName<'_> {
    fn is(&self, name: &str) -> bool {
        self.0.is(name)
    }

    /// A name with a dot is a vendor's, and ignored.
    fn vendor(&self) -> Result<(), Violation> {
        if self.0.has_dot() {
            Ok(())
        } else {
            Err(Violation::UnknownMember)
        }
    }
}

struct MemberValue {
    kind: ValueKind,
    range: Range<usize>,
}

impl MemberValue {
    /// The inside of a string.
    fn string(self, name: &'static str) -> Result<Range<usize>, Violation> {
        match self.kind {
            ValueKind::String => {
                Ok(self.range.start.saturating_add(1)..self.range.end.saturating_sub(1))
            }
            _ => Err(Violation::MemberType(name)),
        }
    }

    fn object(self, name: &'static str) -> Result<Option<Range<usize>>, Violation> {
        match self.kind {
            ValueKind::Object => Ok(Some(self.range)),
            ValueKind::Null => Ok(None),
            _ => Err(Violation::MemberType(name)),
        }
    }

    fn flag(self, name: &'static str) -> Result<bool, Violation> {
        match self.kind {
            ValueKind::True => Ok(true),
            ValueKind::False | ValueKind::Null => Ok(false),
            _ => Err(Violation::MemberType(name)),
        }
    }
}

fn once<T>(member: &mut Option<T>, value: T) -> Result<(), Violation> {
    match member.replace(value) {
        None => Ok(()),
        Some(_) => Err(Violation::DuplicateMember),
    }
}

/// The string of an envelope, decoded in place, and its parameters.
fn parts(
    message: &mut [u8],
    string: Option<Range<usize>>,
    parameters: Option<Range<usize>>,
) -> (Option<&str>, Value<'_>) {
    // Absent parameters are an empty text, which is read as an empty object.
    let parameters = parameters.unwrap_or(0..0);
    let offset = parameters.start;
    let (string, parameters) = match string {
        None => (None, message.get_mut(parameters)),
        Some(string) => match message.get_disjoint_mut([string, parameters]) {
            Ok([string, parameters]) => (json::unescape(string).ok(), Some(parameters)),
            Err(_) => (None, None),
        },
    };
    (
        string.and_then(|text| str::from_utf8(text).ok()),
        Value::scanned(parameters.unwrap_or_default(), offset),
    )
}

/// A message that is to be written: all but its content, which is the parameters, or an error.
#[derive(Clone, Copy)]
pub(crate) enum Envelope<'a> {
    Call { method: &'a str, mode: Mode },
    Reply { continues: bool },
    Error { interface: &'a str },
}

/// What is in the envelope. It is one function for all types, so that the rest is there once.
pub(crate) type Content<'a> = &'a dyn Fn(&mut Writer<'_>);

impl Envelope<'_> {
    /// Writes a message and its NUL at the beginning of `room`; returns their length.
    pub fn write(&self, room: &mut [u8], content: Content<'_>) -> Result<usize, EncodeError> {
        let mut writer = Writer::new(room);
        match *self {
            Envelope::Call { method, mode } => {
                if name::split(method).is_none() {
                    return Err(EncodeError::Name);
                }
                writer.bytes(b"{\"method\":");
                writer.string(method);
                if let Some(flag) = mode.flag() {
                    writer.bytes(b",");
                    writer.string(flag);
                    writer.bytes(b":true");
                }
                writer.object(b",\"parameters\":", content);
            }
            Envelope::Reply { continues: true } => {
                writer.bytes(b"{\"continues\":true");
                writer.object(b",\"parameters\":", content);
            }
            Envelope::Reply { continues: false } => {
                writer.bytes(b"{");
                writer.object(b"\"parameters\":", content);
            }
            // The error is a variant of an enum, its parameters are the variant's content.
            Envelope::Error { interface } => {
                writer.bytes(b"{\"error\":");
                writer.member(interface, b",\"parameters\":", content);
            }
        }
        writer.bytes(b"}\0");
        writer.end()
    }
}
