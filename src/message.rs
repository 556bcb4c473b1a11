//! Calls and replies, and the envelopes that they are received and sent in: UAPI.20, "Call",
//! "Reply" and "Vendor Extensions".

use core::ops::Range;
use core::{mem, str};

use serde::Deserialize;

use crate::error::{DecodeError, EncodeError, Violation};
use crate::json::{
    self, Content, Cursor, MemberDeserializer, Raw, Reader, Text, Value, ValueKind, Writer,
};
use crate::name;
use crate::peer::Peer;

/// The kind of answer that a call asks for. At most one of the protocol's three flags is set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// No flag: one reply.
    #[default]
    Simple,
    /// `oneway`: neither a reply nor an error.
    Oneway,
    /// `more`: any number of replies. All except the last have the flag `continues`.
    More,
    /// `upgrade`: one reply, after which the connection belongs to another protocol.
    Upgrade,
}

impl Mode {
    /// Returns the member of the call that asks for this mode.
    fn flag(self) -> Option<&'static str> {
        match self {
            Mode::Simple => None,
            Mode::Oneway => Some("oneway"),
            Mode::More => Some("more"),
            Mode::Upgrade => Some("upgrade"),
        }
    }
}

/// A received call.
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
    /// Parses a message, without its NUL, as a call.
    ///
    /// # Errors
    ///
    /// Returns a [`Violation`] if the message is not a call. Such messages get no reply: the
    /// connection must be closed.
    pub fn parse(message: &'c mut [u8]) -> Result<Self, Violation> {
        Call::parse_with_name_range(message).map(|(call, _)| call)
    }

    /// Like `parse`, but also returns the range of the method's name in the received message. The
    /// decoded name is at the beginning of that range.
    pub(crate) fn parse_with_name_range(
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

    /// Records the calling process.
    pub(crate) fn with_peer(self, peer: Option<Peer>) -> Self {
        Call { peer, ..self }
    }

    /// Returns the calling process, if the system vouches for it: on the Unix sockets of a
    /// [`Server`](crate::server::Server).
    pub fn peer(&self) -> Option<Peer> {
        self.peer
    }

    /// Returns the full name of the method, which is not checked: `org.example.ftl.Jump`.
    pub fn method(&self) -> &'c str {
        self.method
    }

    /// Returns the interface in the method's name. Empty if that name is not valid.
    pub fn interface(&self) -> &'c str {
        name::split(self.method).map_or("", |(interface, _)| interface)
    }

    /// Returns the method's name within its interface. Empty if the full name is not valid.
    pub fn member(&self) -> &'c str {
        name::split(self.method).map_or("", |(_, member)| member)
    }

    /// Returns the kind of answer that the call asks for.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// Decodes the call as an enum, whose variants are the methods of the interface.
    ///
    /// A method without parameters is a unit variant. A method with parameters is a struct variant,
    /// or a variant with one struct. Absent parameters are decoded as an empty object.
    ///
    /// A service with several interfaces puts these enums into another enum, whose variants have
    /// the names of the interfaces:
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
    /// Fails if the enum does not have the method, or if the parameters do not match its variant.
    /// In a handler, `?` returns the standard error. Fails for every call if `T` is not an enum.
    pub fn decode<T: Deserialize<'c>>(self) -> Result<T, DecodeError> {
        let (interface, name) = name::split_at_dot(self.method).unwrap_or_default();
        let mut parameters = self.parameters;
        decode_member(interface, name, parameters.reader())
    }

    /// Returns the text of the parameters, which is not decoded.
    pub fn parameters(&self) -> Raw<'_> {
        self.parameters.raw()
    }

    /// Returns the text of the parameters. Empty if there are none.
    pub(crate) fn parameters_text(&self) -> &[u8] {
        self.parameters.text().0
    }

    /// Returns the parameters, for decoding them piece by piece.
    pub fn into_parameters(self) -> Value<'c> {
        self.parameters
    }
}

/// A received reply.
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
    /// Parses a message, without its NUL, as a reply.
    ///
    /// # Errors
    ///
    /// Returns a [`Violation`] if the message is not a reply. The connection must be closed.
    pub fn parse(message: &'r mut [u8]) -> Result<Self, Violation> {
        let (continues, [error, parameters]) = scan_reply(message)?;
        let (error, parameters) = parts(message, error, parameters);
        Ok(Reply {
            error,
            continues,
            parameters,
        })
    }

    /// Returns the full name of the error, if the reply is one: `org.example.ftl.NotEnoughEnergy`.
    pub fn error(&self) -> Option<&'r str> {
        self.error
    }

    /// True if more replies to the same call follow.
    pub fn continues(&self) -> bool {
        self.continues
    }

    /// Returns the text of the parameters of the reply or the error, which is not decoded.
    pub fn parameters(&self) -> Raw<'_> {
        self.parameters.raw()
    }

    /// Returns the parameters of the reply or the error, for decoding them.
    pub fn into_parameters(self) -> Value<'r> {
        self.parameters
    }
}

/// Decodes a method or an error of an interface as the variant of an enum. If the enum has no such
/// variant ([`Mismatch::Member`](crate::Mismatch::Member)), the parameters stay unchanged.
#[inline(never)] // keeps its variables out of the stack frames of callers
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

/// The ranges of the string, without its quotes, and of the parameters of an envelope.
type Spans = [Option<Range<usize>>; 2];

/// Makes one strict pass over a call. Its string is the member `method`.
fn scan_call(message: &[u8]) -> Result<(Mode, Spans), Violation> {
    let (mut method, mut parameters) = (None, None);
    let (mut oneway, mut more, mut upgrade) = (None, None, None);
    members(message, |name, member| {
        if name.is("method") {
            set_once(&mut method, member.string("method")?)
        } else if name.is("parameters") {
            set_once(&mut parameters, member.object("parameters")?)
        } else if name.is("oneway") {
            set_once(&mut oneway, member.flag("oneway")?)
        } else if name.is("more") {
            set_once(&mut more, member.flag("more")?)
        } else if name.is("upgrade") {
            set_once(&mut upgrade, member.flag("upgrade")?)
        } else {
            name.expect_vendor()
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

/// Makes one strict pass over a reply. Its string is the member `error`.
pub(crate) fn scan_reply(message: &[u8]) -> Result<(bool, Spans), Violation> {
    let (mut error, mut parameters, mut continues) = (None, None, None);
    members(message, |name, member| {
        if name.is("parameters") {
            set_once(&mut parameters, member.object("parameters")?)
        } else if name.is("error") {
            let string = match member.kind {
                ValueKind::Null => None,
                _ => Some(member.string("error")?),
            };
            set_once(&mut error, string)
        } else if name.is("continues") {
            set_once(&mut continues, member.flag("continues")?)
        } else {
            name.expect_vendor()
        }
    })?;
    let (error, continues) = (error.flatten(), continues == Some(true));
    if continues && error.is_some() {
        return Err(Violation::Continues);
    }
    Ok((continues, [error, parameters.flatten()]))
}

/// Scans a message, and passes each of its members to a function.
fn members(
    message: &[u8],
    mut visit: impl FnMut(MemberName<'_>, MemberValue) -> Result<(), Violation>,
) -> Result<(), Violation> {
    let mut cursor = Cursor::strict(message)?;
    if !cursor.eat(b'{') {
        // The message is another JSON value, or not JSON.
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
            visit(MemberName(name), MemberValue { kind, range })?;
        }
    }
    Ok(cursor.end().ok_or_else(|| cursor.error())?)
}

/// The name of a member of the envelope. It may contain escapes, and is compared unescaped.
struct MemberName<'a>(Text<'a>);

impl MemberName<'_> {
    fn is(&self, name: &str) -> bool {
        self.0.is(name)
    }

    /// Checks that an unknown member is a vendor's, which has a dot in its name and is ignored.
    fn expect_vendor(&self) -> Result<(), Violation> {
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
    /// Returns the range of a string without its quotes.
    fn string(self, name: &'static str) -> Result<Range<usize>, Violation> {
        match self.kind {
            ValueKind::String => {
                Ok(self.range.start.wrapping_add(1)..self.range.end.wrapping_sub(1))
            }
            _ => Err(Violation::MemberType(name)),
        }
    }

    /// Returns the range of an object; None for `null`.
    fn object(self, name: &'static str) -> Result<Option<Range<usize>>, Violation> {
        match self.kind {
            ValueKind::Object => Ok(Some(self.range)),
            ValueKind::Null => Ok(None),
            _ => Err(Violation::MemberType(name)),
        }
    }

    /// Returns the value of a flag; false for `null`.
    fn flag(self, name: &'static str) -> Result<bool, Violation> {
        match self.kind {
            ValueKind::True => Ok(true),
            ValueKind::False | ValueKind::Null => Ok(false),
            _ => Err(Violation::MemberType(name)),
        }
    }
}

/// Sets a member of the envelope, which may occur only once.
fn set_once<T>(member: &mut Option<T>, value: T) -> Result<(), Violation> {
    match member.replace(value) {
        None => Ok(()),
        Some(_) => Err(Violation::DuplicateMember),
    }
}

/// Returns the string of an envelope, decoded in place, and its parameters.
fn parts(
    message: &mut [u8],
    string: Option<Range<usize>>,
    parameters: Option<Range<usize>>,
) -> (Option<&str>, Value<'_>) {
    // Absent parameters are an empty text, which is decoded as an empty object.
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

/// The envelope of a message to send. The content is its parameters, or an error.
#[derive(Clone, Copy)]
pub(crate) enum Envelope<'a> {
    Call { method: &'a str, mode: Mode },
    Reply { continues: bool },
    Error { interface: &'a str },
}

impl Envelope<'_> {
    /// Writes a message and its NUL at the beginning of `room`. Returns their length.
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
            // The error is a variant of an enum. The content of the variant is the parameters.
            Envelope::Error { interface } => {
                writer.bytes(b"{\"error\":");
                writer.member(interface, b",\"parameters\":", content);
            }
        }
        writer.bytes(b"}\0");
        writer.end()
    }
}
