//! Calls and replies, and the envelopes that they are received and sent in: UAPI.20, "Call",
//! "Reply" and "Vendor Extensions".

use core::ops::Range;
use core::{fmt, mem, str};

use serde::Deserialize;

use crate::error::{DecodeError, EncodeError, Violation};
use crate::json::{self, Content, Cursor, MemberDeserializer, Raw, Reader, Value, Writer};
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
pub struct Call<'c> {
    /// The full name of the method: UTF-8.
    method: &'c [u8],
    mode: Mode,
    parameters: Parameters<'c>,
    peer: Option<Peer>,
    /// The length of the interface's name, if a service has found it. Otherwise 0.
    interface_length: usize,
}

impl<'c> Call<'c> {
    /// Parses a message, without its NUL, as a call.
    ///
    /// # Errors
    ///
    /// Returns a [`Violation`] if the message is not a call. Such messages get no reply: the
    /// connection must be closed.
    pub fn parse(message: &'c mut [u8]) -> Result<Self, Violation> {
        Call::parse_with(message, &mut |_, _| false).map(|(call, _)| call)
    }

    /// Like `parse`, but calls `check` for each valid call, and perhaps for a message that is not one.
    /// Also returns the range of the method's name in the received message. The decoded name is at
    /// the beginning of that range.
    pub(crate) fn parse_with(
        message: &'c mut [u8],
        check: &mut CheckParameters<'_>,
    ) -> Result<(Self, Range<usize>), Violation> {
        let (mode, members) = scan_call(message, check)?;
        let name = members.string().ok_or(Violation::NoMethod)?;
        let is_checked = members.checked;
        let (method, parameters) = members.split(message);
        if !is_checked {
            check(method, &mut parameters_cursor(parameters.text));
        }
        let call = Call {
            method,
            mode,
            parameters,
            peer: None,
            interface_length: 0,
        };
        Ok((call, name))
    }

    /// Records the calling process, and the length of the interface's name.
    pub(crate) fn identify(&mut self, peer: Option<Peer>, interface_length: usize) {
        self.peer = peer;
        self.interface_length = interface_length;
    }

    /// Returns the calling process, if the system vouches for it: on the Unix sockets of a
    /// [`Server`](crate::server::Server).
    pub fn peer(&self) -> Option<Peer> {
        self.peer
    }

    /// Returns the full name of the method, which is not checked: `org.example.ftl.Jump`.
    pub fn method(&self) -> &'c str {
        str::from_utf8(self.method).unwrap_or_default()
    }

    /// Returns the full name of the method as bytes.
    pub(crate) fn name(&self) -> &'c [u8] {
        self.method
    }

    /// Returns the interface in the method's name. Empty if that name is not valid.
    pub fn interface(&self) -> &'c str {
        name::split(self.method()).map_or("", |(interface, _)| interface)
    }

    /// Returns the method's name within its interface. Empty if the full name is not valid.
    pub fn member(&self) -> &'c str {
        name::split(self.method()).map_or("", |(_, member)| member)
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
        let (interface, name) = match self.method.split_at_checked(self.interface_length) {
            Some((interface @ [_, ..], [b'.', name @ ..])) => (interface, name),
            _ => name::split_at_dot(self.method).unwrap_or_default(),
        };
        let Parameters { text, offset } = self.parameters;
        let mut reader = Reader::of_parameters(text, offset).in_call();
        decode_member(interface, name, &mut reader)
    }

    /// Returns the text of the parameters, which is not decoded.
    pub fn parameters(&self) -> Raw<'_> {
        self.parameters.raw()
    }

    /// Returns the text of the parameters, and its offset in the message.
    pub(crate) fn parameters_mut(&mut self) -> (&mut [u8], usize) {
        (self.parameters.text, self.parameters.offset)
    }

    /// Returns the parameters, for decoding them piece by piece.
    pub fn into_parameters(self) -> Value<'c> {
        self.parameters.value().in_call()
    }
}

impl fmt::Debug for Call<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call")
            .field("method", &self.method())
            .field("mode", &self.mode)
            .field("parameters", &self.parameters)
            .field("peer", &self.peer)
            .finish()
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
    parameters: Parameters<'r>,
}

impl<'r> Reply<'r> {
    /// Parses a message, without its NUL, as a reply.
    ///
    /// # Errors
    ///
    /// Returns a [`Violation`] if the message is not a reply. The connection must be closed.
    pub fn parse(message: &'r mut [u8]) -> Result<Self, Violation> {
        let (continues, members) = scan_reply(message)?;
        let is_error = members.string().is_some();
        let (error, parameters) = members.split(message);
        Ok(Reply {
            error: str::from_utf8(error).ok().filter(|_| is_error),
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
        self.parameters.value()
    }
}

/// Decodes a method or an error of an interface as the variant of an enum. If the enum has no such
/// variant ([`Mismatch::Member`](crate::Mismatch::Member)), the parameters stay unchanged.
#[inline(never)] // keeps its variables out of the stack frames of callers
pub(crate) fn decode_member<'de, T: Deserialize<'de>>(
    interface: &'de [u8],
    name: &'de [u8],
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

/// The values that a member of an envelope may have.
#[derive(Clone, Copy)]
enum Expected {
    String,
    NullableString,
    NullableObject,
    NullableFlag,
    Anything,
    Nothing,
}

/// A member of an envelope.
struct Member {
    /// Its name in quotes, and a colon.
    key: &'static str,
    bit: u8,
    expected: Expected,
}

impl Member {
    const fn new(key: &'static str, bit: u8, expected: Expected) -> Self {
        Member { key, bit, expected }
    }

    #[inline(never)] // most members are in order, and need no name
    fn name(&self) -> &'static str {
        let quote = self.key.len().wrapping_sub(2);
        self.key.get(1..quote).unwrap_or_default()
    }
}

const STRING: u8 = 1;
const PARAMETERS: u8 = 1 << 1;
const ONEWAY: u8 = 1 << 2;
const MORE: u8 = 1 << 3;
const UPGRADE: u8 = 1 << 4;
const CONTINUES: u8 = 1 << 5;

const CALL: &[Member] = &[
    Member::new("\"method\":", STRING, Expected::String),
    Member::new("\"parameters\":", PARAMETERS, Expected::NullableObject),
    Member::new("\"oneway\":", ONEWAY, Expected::NullableFlag),
    Member::new("\"more\":", MORE, Expected::NullableFlag),
    Member::new("\"upgrade\":", UPGRADE, Expected::NullableFlag),
];

const REPLY: &[Member] = &[
    Member::new("\"error\":", STRING, Expected::NullableString),
    Member::new("\"parameters\":", PARAMETERS, Expected::NullableObject),
    Member::new("\"continues\":", CONTINUES, Expected::NullableFlag),
];

/// A vendor's member, which is ignored. Its name has a dot.
const VENDOR: Member = Member::new("", 0, Expected::Anything);

/// A member that is not allowed.
const UNKNOWN: Member = Member::new("", 0, Expected::Nothing);

/// Checks the parameters of a call, which are an object at the cursor. Gets the name of the method
/// as well. Returns true if it has moved the cursor past them, which only valid JSON allows.
///
/// If the name comes before the parameters, the strict pass calls this function instead of
/// scanning them. It scans them only if the function returns false.
pub(crate) type CheckParameters<'k> = dyn FnMut(&[u8], &mut Cursor<'_>) -> bool + 'k;

/// The members that a strict pass over an envelope has found.
#[derive(Default)]
pub(crate) struct Members {
    /// The bits of the members that are present.
    seen: u8,
    /// The bits of those that are neither `null` nor `false`.
    set: u8,
    /// The range of the string, without its quotes.
    string: Range<usize>,
    /// True if the string contains an escape.
    has_escapes: bool,
    /// True if the parameters were checked.
    checked: bool,
    /// The range of the parameters. Empty if there are none.
    pub parameters: Range<usize>,
}

impl Members {
    /// Returns the range of the string, without its quotes.
    pub fn string(&self) -> Option<Range<usize>> {
        (self.set & STRING != 0).then(|| self.string.clone())
    }

    /// Returns the string, if it is written without escapes.
    pub fn plain_string<'m>(&self, message: &'m [u8]) -> Option<&'m [u8]> {
        let range = self.string().filter(|_| !self.has_escapes)?;
        message.get(range)
    }

    /// Makes one strict pass over a message.
    fn scan(
        message: &[u8],
        members: &'static [Member],
        check: &mut CheckParameters<'_>,
    ) -> Result<Self, Violation> {
        let mut cursor = Cursor::untrusted(message)?;
        if !cursor.eat(b'{') {
            // The message is another JSON value, or not JSON.
            let scanned = cursor.value(0).and_then(|_| cursor.end());
            return Err(match scanned {
                Some(()) => Violation::NotAnObject,
                None => cursor.error().into(),
            });
        }
        let mut found = Members::default();
        let (mut first, mut next) = (true, members.iter());
        while cursor
            .more(b'}', mem::take(&mut first))
            .ok_or_else(|| cursor.error())?
        {
            // Most members are in the order of the table.
            let next = next.find(|member| cursor.skip_all(member.key.as_bytes()));
            let member = match next {
                Some(member) => member,
                None => {
                    let name = cursor.member().ok_or_else(|| cursor.error())?;
                    // The name may contain escapes, and is compared unescaped.
                    match members.iter().find(|member| name.is(member.name())) {
                        Some(member) => member,
                        None if name.has_dot() => &VENDOR,
                        None => &UNKNOWN,
                    }
                }
            };
            found.value(member, &mut cursor, check)?;
        }
        cursor.end().ok_or_else(|| cursor.error())?;
        Ok(found)
    }

    /// Scans the value of a member.
    fn value(
        &mut self,
        member: &Member,
        cursor: &mut Cursor<'_>,
        check: &mut CheckParameters<'_>,
    ) -> Result<(), Violation> {
        let first = cursor.peek();
        let start = cursor.offset();
        let is_set = match (member.expected, first) {
            (Expected::String | Expected::NullableString, Some(b'"')) => {
                self.has_escapes = cursor.skip_string().ok_or_else(|| cursor.error())?;
                self.string = start.wrapping_add(1)..cursor.offset().wrapping_sub(1);
                true
            }
            (Expected::NullableObject, Some(b'{')) => {
                let method = self.plain_string(cursor.text());
                self.checked = method.is_some();
                if !method.is_some_and(|method| check(method, cursor)) {
                    cursor.value(1).ok_or_else(|| cursor.error())?;
                }
                self.parameters = start..cursor.offset();
                true
            }
            (expected, _) => {
                cursor.value(1).ok_or_else(|| cursor.error())?;
                match (expected, first) {
                    (Expected::Anything, _) => false,
                    (Expected::Nothing, _) => return Err(Violation::UnknownMember),
                    (Expected::NullableFlag, Some(b't')) => true,
                    (Expected::NullableFlag, Some(b'f')) => false,
                    (Expected::String, _) => return Err(Violation::MemberType(member.name())),
                    (_, Some(b'n')) => false,
                    _ => return Err(Violation::MemberType(member.name())),
                }
            }
        };
        if self.seen & member.bit != 0 {
            return Err(Violation::DuplicateMember);
        }
        self.seen |= member.bit;
        if is_set {
            self.set |= member.bit;
        }
        Ok(())
    }

    /// Returns the string, decoded in place, and the parameters. The string is empty if there is
    /// none.
    fn split(self, message: &mut [u8]) -> (&[u8], Parameters<'_>) {
        let offset = self.parameters.start;
        let ranges = [self.string, self.parameters];
        // Absent parameters are an empty text, which is decoded as an empty object.
        let [string, text] = message.get_disjoint_mut(ranges).unwrap_or_default();
        let string = if self.has_escapes {
            json::unescape(string).unwrap_or_default()
        } else {
            string
        };
        (string, Parameters { text, offset })
    }
}

/// The parameters of a received message.
struct Parameters<'m> {
    /// Empty if there are none.
    text: &'m mut [u8],
    /// Where the text begins in the message.
    offset: usize,
}

impl<'m> Parameters<'m> {
    fn raw(&self) -> Raw<'_> {
        json::raw(self.text)
    }

    fn value(self) -> Value<'m> {
        Value::scanned(self.text, self.offset)
    }
}

/// Returns a cursor at the parameters of a message. An empty text is an empty object.
pub(crate) fn parameters_cursor(text: &[u8]) -> Cursor<'_> {
    Cursor::new(if text.is_empty() { b"{}" } else { text })
}

impl fmt::Debug for Parameters<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.raw().fmt(f)
    }
}

/// Makes one strict pass over a call.
fn scan_call(
    message: &[u8],
    check: &mut CheckParameters<'_>,
) -> Result<(Mode, Members), Violation> {
    let members = Members::scan(message, CALL, check)?;
    let mode = match members.set & (ONEWAY | MORE | UPGRADE) {
        0 => Mode::Simple,
        ONEWAY => Mode::Oneway,
        MORE => Mode::More,
        UPGRADE => Mode::Upgrade,
        _ => return Err(Violation::Flags),
    };
    Ok((mode, members))
}

/// Makes one strict pass over a reply. Returns true if more replies follow.
pub(crate) fn scan_reply(message: &[u8]) -> Result<(bool, Members), Violation> {
    let members = Members::scan(message, REPLY, &mut |_, _| false)?;
    let continues = members.set & CONTINUES != 0;
    if continues && members.string().is_some() {
        return Err(Violation::Continues);
    }
    Ok((continues, members))
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
                if !name::is_full(method.as_bytes()) {
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
                writer.object(b"{\"parameters\":", content);
                // The key of empty parameters is undone, and the brace before it.
                if writer.is_empty() {
                    writer.bytes(b"{");
                }
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
