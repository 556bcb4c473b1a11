//! Error types, grouped by who is at fault.
//!
//! | type | who is at fault | what to do |
//! |---|---|---|
//! | [`SyntaxError`] | the author of the text: it is not JSON | nothing, the message is lost |
//! | [`Violation`] | the peer: its message is JSON, but not Varlink | close the connection |
//! | [`DecodeError`] | the peer or the Rust type: they differ | compare the type with the definition |
//! | [`EncodeError`] | the caller: a value is not a Varlink value, or is too long for the send buffer | change the value or the buffer |
//! | [`Misuse`] | the caller: it uses a client in the wrong order | see its variants |
//! | [`Error`] | any of these, or the underlying stream | see its variants |
//!
//! No error type allocates. A name from a message is stored as its position in the message.

use core::convert::Infallible;
use core::fmt;

use crate::bytes::{MAX_DIGITS, decimal};

/// The reason why a text is not JSON, and the position.
///
/// JSON means strict RFC 8259: UAPI.20, "Mapping the Type System to JSON".
///
/// ```
/// use nullink::{Syntax, json};
///
/// let error = json::scan(br#"{"a": 01}"#).unwrap_err();
/// assert_eq!((error.kind, error.offset), (Syntax::Unexpected, 7));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SyntaxError {
    /// The kind of the error.
    pub kind: Syntax,
    /// The position of the error, in bytes from the beginning of the text.
    pub offset: usize,
}

/// The kinds of errors in a text that should be JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Syntax {
    /// The text is empty, or ends inside its value.
    Incomplete,
    /// A byte that JSON does not allow at this position.
    Unexpected,
    /// Something other than white space follows the value.
    Trailing,
    /// An unescaped control character, below U+0020, in a string.
    Control,
    /// A backslash in a string that does not begin a JSON escape.
    Escape,
    /// An escape for one half of a surrogate pair, without the other half.
    Surrogate,
    /// Bytes that are not UTF-8.
    Utf8,
    /// Arrays and objects nested deeper than [`Definition::MAX_DEPTH`](crate::idl::Definition::MAX_DEPTH).
    Depth,
}

impl fmt::Display for Syntax {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Syntax::Incomplete => "unexpected end of text",
            Syntax::Unexpected => "unexpected byte",
            Syntax::Trailing => "text after the value",
            Syntax::Control => "unescaped control character in a string",
            Syntax::Escape => "unknown escape",
            Syntax::Surrogate => "unpaired surrogate",
            Syntax::Utf8 => "not UTF-8",
            Syntax::Depth => "nested too deeply",
        })
    }
}

impl core::error::Error for Syntax {}

impl fmt::Display for SyntaxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not JSON at byte {}: {}", Number(self.offset), self.kind)
    }
}

impl core::error::Error for SyntaxError {}

/// A message of the peer that violates the protocol. The connection must be closed: UAPI.20,
/// "Connection Lifecycle", defines no reply to an invalid message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Violation {
    /// The message is not JSON.
    Syntax(SyntaxError),
    /// The message is JSON, but not an object.
    NotAnObject,
    /// The protocol does not define a member, and it is not a vendor's: its name has no dot.
    UnknownMember,
    /// A member that the protocol defines occurs twice.
    DuplicateMember,
    /// A call has no member `method`.
    NoMethod,
    /// The named member has the wrong type.
    MemberType(&'static str),
    /// A call has more than one of `oneway`, `more` and `upgrade`.
    Flags,
    /// A reply has `continues`, but its call has no `more`, or the reply is an error.
    Continues,
    /// The service has sent bytes while no call was outstanding, before an upgrade.
    Unasked,
    /// The peer has closed the connection in the middle of a message.
    Truncated,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Violation::Syntax(error) => error.fmt(f),
            Violation::MemberType(name) => {
                write!(f, "the message member {name} has the wrong type")
            }
            Violation::NotAnObject => f.write_str("the message is not an object"),
            Violation::UnknownMember => {
                f.write_str("a member is unknown and has no dot in its name")
            }
            Violation::DuplicateMember => f.write_str("the message repeats a member"),
            Violation::NoMethod => f.write_str("the call has no method"),
            Violation::Flags => {
                f.write_str("the call has more than one of oneway, more and upgrade")
            }
            Violation::Continues => f.write_str("unexpected continues in a reply"),
            Violation::Unasked => f.write_str("the service sent data that no call asked for"),
            Violation::Truncated => f.write_str("the connection was closed inside a message"),
        }
    }
}

impl core::error::Error for Violation {}

impl From<SyntaxError> for Violation {
    fn from(error: SyntaxError) -> Self {
        Violation::Syntax(error)
    }
}

/// The reason why a value cannot be written. No part of it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EncodeError {
    /// The message is longer than the free part of the send buffer. A reply has half of the send
    /// buffer; a call has the part that earlier calls do not occupy.
    Full,
    /// A float that is NaN or infinite: UAPI.20, "Floating Point Numbers".
    NotFinite,
    /// A value of serde's type for bytes, which Varlink does not have. Use a string or a list of
    /// integers.
    Bytes,
    /// A 128-bit integer, which Varlink does not have.
    Integer128,
    /// An enum variant with content. A value of a Varlink enumeration is only a name.
    VariantWithContent,
    /// A map whose keys are not strings.
    KeyNotAString,
    /// An error that is not a variant of an enum.
    NotAnEnum,
    /// Parameters that are not a struct, a map, `()` or `None`.
    NotAnObject,
    /// An invalid name of a method or an error: UAPI.20, "Names".
    Name,
    /// The value's implementation of `Serialize` has failed.
    Custom,
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            EncodeError::Bytes => f.write_str("Varlink has no type for bytes"),
            EncodeError::Integer128 => f.write_str("Varlink has no type for 128-bit integers"),
            EncodeError::VariantWithContent => {
                f.write_str("Varlink has no type for enum variants with content")
            }
            EncodeError::KeyNotAString => f.write_str("the keys of a map must be strings"),
            EncodeError::NotAnEnum => f.write_str("an error must be a variant of an enum"),
            EncodeError::Full => f.write_str(
                "the message does not fit in the send buffer: enlarge it or send pending calls first",
            ),
            EncodeError::NotFinite => f.write_str("JSON cannot represent NaN or infinity"),
            EncodeError::NotAnObject => f.write_str("parameters must be a struct or a map"),
            EncodeError::Name => {
                f.write_str("invalid method or error name: expected one like org.example.Jump")
            }
            EncodeError::Custom => f.write_str("Serialize failed for the value"),
        }
    }
}

impl core::error::Error for EncodeError {}

/// The reason why a value of a message cannot be read into a Rust type.
///
/// It includes the top-level field of the error, which `org.varlink.service.InvalidParameter`
/// names.
///
/// ```
/// use nullink::{Mismatch, json};
///
/// #[derive(serde::Deserialize, Debug)]
/// struct Jump { speed: u8 }
///
/// let mut text = *br#"{"speed": 300}"#;
/// let error = json::decode::<Jump>(&mut text).unwrap_err();
/// assert_eq!((error.mismatch(), error.offset()), (Mismatch::Range, 10));
/// assert_eq!(error.field_in(&text), Some("speed"));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecodeError {
    pub(crate) mismatch: Mismatch,
    pub(crate) field: Option<FieldName>,
    pub(crate) offset: usize,
    /// True if the value is part of a call's parameters.
    pub(crate) in_call: bool,
}

/// A top-level field of a message's parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FieldName {
    /// The field's name in the Rust type.
    Named(&'static str),
    /// The position of the decoded name in the message, in bytes.
    At { offset: usize, length: usize },
}

impl FieldName {
    /// Returns the field's name; None if `message` does not hold it.
    pub fn name_in<'a>(&self, message: &'a [u8]) -> Option<&'a str> {
        match *self {
            FieldName::Named(name) => Some(name),
            FieldName::At { offset, length } => {
                let name = message.get(offset..offset.saturating_add(length))?;
                core::str::from_utf8(name).ok()
            }
        }
    }
}

/// The difference between a value and its type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Mismatch {
    /// A field that is not nullable is missing.
    Missing,
    /// The type does not have the field, and rejects unknown fields.
    Unknown,
    /// A field occurs twice.
    Duplicate,
    /// The value has another type, such as a string instead of a number, or is `null` and the type
    /// is not nullable.
    Type,
    /// A number is out of the type's range, or has a fraction or an exponent and the type is an
    /// integer; or the type rejects the value for another reason.
    Range,
    /// A list has too many or too few elements.
    Length,
    /// The enumeration does not have the value.
    Variant,
    /// The enum does not have the method or error.
    Member,
    /// The type's implementation of `Deserialize` has rejected the value.
    Custom,
    /// The text is not JSON. This cannot happen with a received message, which was checked before.
    Syntax,
}

impl DecodeError {
    /// Returns the difference between the value and the type.
    pub fn mismatch(&self) -> Mismatch {
        self.mismatch
    }

    /// Returns the name of the top-level field that is, or contains, the mismatch; None if it is
    /// not in a field.
    ///
    /// `message` must be the message that was decoded, because it holds the name.
    pub fn field_in<'a>(&self, message: &'a [u8]) -> Option<&'a str> {
        self.field?.name_in(message)
    }

    /// Returns the position of the last value that was examined, in bytes from the beginning of the
    /// message. If the text is not JSON, it is the position of the mistake.
    pub fn offset(&self) -> usize {
        self.offset
    }
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Mismatch::Missing => "a field is missing",
            Mismatch::Unknown => "an unknown field",
            Mismatch::Duplicate => "a field occurs twice",
            Mismatch::Type => "a value of a wrong type",
            Mismatch::Range => "a value out of range, or not an integer",
            Mismatch::Length => "a list of wrong length",
            Mismatch::Variant => "an unknown value of an enumeration",
            Mismatch::Member => "an unknown method or error",
            Mismatch::Custom => "a value rejected by its type",
            Mismatch::Syntax => "not JSON",
        })
    }
}

impl core::error::Error for Mismatch {}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.mismatch.fmt(f)?;
        write!(f, " at byte {}", Number(self.offset))
    }
}

impl core::error::Error for DecodeError {}

/// A use of a client in the wrong order. The connection is unchanged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Misuse {
    /// Replies to earlier calls are outstanding. Receive them first.
    RepliesOutstanding,
    /// No reply is outstanding.
    NothingOutstanding,
    /// The oldest outstanding call has asked for `more`, and the caller reads a single reply; or it
    /// has not, and the caller reads several.
    OtherMode,
    /// [`MAX_CALLS`](crate::client::Session::MAX_CALLS) calls are outstanding. Receive some replies
    /// first.
    TooManyCalls,
    /// The connection has failed earlier, or was upgraded. Open a new one.
    Unusable,
}

impl fmt::Display for Misuse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Misuse::RepliesOutstanding => {
                "earlier calls have replies outstanding: receive them first"
            }
            Misuse::NothingOutstanding => "no reply is outstanding",
            Misuse::OtherMode => "the next reply is to a call in another mode",
            Misuse::TooManyCalls => "too many calls wait for replies: receive some first",
            Misuse::Unusable => "the connection failed or was upgraded: open a new one",
        })
    }
}

impl core::error::Error for Misuse {}

/// The reason why a connection, or one call, has failed. `T` is the error type of the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error<T = Infallible> {
    /// The peer has violated the protocol. The connection must be closed.
    Protocol(Violation),
    /// A message is longer than the receive buffer.
    ///
    /// A service closes the connection. A client can continue with the next call, unless this one
    /// asked for `more` or `upgrade`: the lost message then determines what follows it.
    TooLong,
    /// A call or a reply cannot be written. No part of it was written.
    ///
    /// A service closes the connection, because the client waits for a reply that cannot be sent. A
    /// client can continue.
    Encode(EncodeError),
    /// The service has closed the connection, and replies are outstanding.
    Closed,
    /// The caller has used the client in the wrong order.
    Misuse(Misuse),
    /// The stream accepts no more bytes: a write has returned 0.
    WriteZero,
    /// An answer of the service does not match the definition of its interface, and was not sent.
    /// Only debug builds check this: [`Service::CHECKED`](crate::Service::CHECKED).
    NotAsDefined {
        /// The difference. [`Mismatch::Member`] means that the interface does not have the error.
        why: Mismatch,
        /// The top-level field that is, or contains, the mismatch; None if the definition does not
        /// have it.
        field: Option<&'static str>,
        /// The position in the message, in bytes.
        offset: usize,
    },
    /// The underlying stream has failed. The connection must be closed.
    Transport(T),
}

impl Error {
    /// Converts the error to that of a connection whose stream has the error type `T`.
    pub fn with_transport<T>(self) -> Error<T> {
        match self {
            Error::Protocol(violation) => Error::Protocol(violation),
            Error::TooLong => Error::TooLong,
            Error::Encode(error) => Error::Encode(error),
            Error::Closed => Error::Closed,
            Error::Misuse(misuse) => Error::Misuse(misuse),
            Error::WriteZero => Error::WriteZero,
            Error::NotAsDefined { why, field, offset } => {
                Error::NotAsDefined { why, field, offset }
            }
            Error::Transport(never) => match never {},
        }
    }
}

impl<T: fmt::Display> fmt::Display for Error<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Protocol(violation) => violation.fmt(f),
            Error::TooLong => {
                f.write_str("a message is longer than the receive buffer: use a larger buffer")
            }
            Error::Encode(error) => error.fmt(f),
            Error::Closed => f.write_str("the service closed the connection before replying"),
            Error::Misuse(misuse) => misuse.fmt(f),
            Error::WriteZero => f.write_str("the stream takes no more bytes"),
            Error::NotAsDefined { why, field, offset } => {
                write!(f, "the answer is not as defined: {why}")?;
                if let Some(field) = field {
                    write!(f, " in field {field}")?;
                }
                write!(
                    f,
                    " at byte {}: test the types with tools::contract",
                    Number(*offset)
                )
            }
            Error::Transport(error) => error.fmt(f),
        }
    }
}

impl<T: fmt::Debug + fmt::Display> core::error::Error for Error<T> {}

impl<T> From<Violation> for Error<T> {
    fn from(violation: Violation) -> Self {
        Error::Protocol(violation)
    }
}

impl<T> From<EncodeError> for Error<T> {
    fn from(error: EncodeError) -> Self {
        Error::Encode(error)
    }
}

impl<T> From<Misuse> for Error<T> {
    fn from(misuse: Misuse) -> Self {
        Error::Misuse(misuse)
    }
}

/// A number in a text.
pub(crate) struct Number(pub usize);

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut digits = [0; MAX_DIGITS];
        let digits = decimal(self.0 as u64, &mut digits);
        f.write_str(str::from_utf8(digits).unwrap_or_default())
    }
}
