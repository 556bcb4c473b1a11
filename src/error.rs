//! Error types, grouped by who is at fault.
//!
//! | type | who is at fault | what helps |
//! |---|---|---|
//! | [`SyntaxError`] | who wrote the bytes: they are not JSON | nothing, the message is lost |
//! | [`Violation`] | the peer: its message is JSON, but not Varlink | nothing, the connection is over |
//! | [`DecodeError`] | the peer, or the type that it was read into: they differ | compare the type with the definition |
//! | [`EncodeError`] | the caller: a value is not a Varlink value, or too long for the send buffer | change the value, or the buffer |
//! | [`Error`] | any of these, or the stream below | see its variants |
//!
//! None of them holds an allocation; those that name something borrow its name from the message.

use core::convert::Infallible;
use core::fmt;

/// Why a text is not JSON, and where.
///
/// JSON is RFC 8259 to the letter: UAPI.20, "Mapping the Type System to JSON".
///
/// ```
/// use nullink::{Syntax, json};
///
/// let error = json::scan(br#"{"a": 01}"#).unwrap_err();
/// assert_eq!((error.kind, error.offset), (Syntax::Unexpected, 7));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SyntaxError {
    /// What is wrong.
    pub kind: Syntax,
    /// Where: bytes from the beginning of the text.
    pub offset: usize,
}

/// What can be wrong with a text that should be JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Syntax {
    /// The text ends before its value does. An empty text is one of these.
    Incomplete,
    /// A byte that can't stand where it stands.
    Unexpected,
    /// Something other than white space follows the value.
    Trailing,
    /// A control character (below U+0020) in a string that is not escaped.
    Control,
    /// A backslash in a string that begins none of JSON's escapes.
    Escape,
    /// Half of a surrogate pair.
    Surrogate,
    /// Bytes that are not UTF-8.
    Utf8,
    /// Arrays and objects within one another, deeper than [`json::MAX_DEPTH`](crate::json::MAX_DEPTH).
    Depth,
}

impl fmt::Display for Syntax {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Syntax::Incomplete => "the text ends before its value does",
            Syntax::Unexpected => "a byte that can't stand here",
            Syntax::Trailing => "something follows the value",
            Syntax::Control => "a control character in a string has to be escaped",
            Syntax::Escape => "not one of JSON's escapes",
            Syntax::Surrogate => "half of a surrogate pair",
            Syntax::Utf8 => "not UTF-8",
            Syntax::Depth => "nested too deeply",
        })
    }
}

impl core::error::Error for Syntax {}

impl fmt::Display for SyntaxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not JSON at byte {}: {}", self.offset, self.kind)
    }
}

impl core::error::Error for SyntaxError {}

/// How the peer broke the protocol. The connection can't be used any further: UAPI.20,
/// "Connection Lifecycle", knows no reply to such a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Violation {
    /// The message is not JSON.
    Syntax(SyntaxError),
    /// The message is JSON, but not an object.
    NotAnObject,
    /// A member that neither the protocol nor, having no dot in its name, a vendor has defined.
    UnknownMember,
    /// One of the protocol's own members occurs twice.
    DuplicateMember,
    /// `method` is missing from a call.
    NoMethod,
    /// The named member has a type that it can't have.
    MemberType(&'static str),
    /// More than one of `oneway`, `more` and `upgrade`.
    Flags,
    /// `continues` in a reply to a call without `more`, or together with `error`.
    Continues,
    /// The service has sent something that no call has asked for, before an upgrade.
    Unasked,
    /// The peer closed the connection inside of a message.
    Truncated,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Violation::Syntax(error) => error.fmt(f),
            Violation::MemberType(name) => {
                write!(f, "the message's member {name} has a wrong type")
            }
            Violation::NotAnObject => f.write_str("the message is not an object"),
            Violation::UnknownMember => {
                f.write_str("the message has an unknown member without a dot")
            }
            Violation::DuplicateMember => f.write_str("the message has a member twice"),
            Violation::NoMethod => f.write_str("the call names no method"),
            Violation::Flags => {
                f.write_str("the call has more than one of oneway, more and upgrade")
            }
            Violation::Continues => f.write_str("a reply continues where it must not"),
            Violation::Unasked => f.write_str("the service has sent what no call has asked for"),
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

/// Why a value could not be written. Nothing of it has been.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EncodeError {
    /// It is longer than the send buffer; or, if it is a call, than what other calls have left of
    /// it.
    Full,
    /// A float that is NaN or infinite: UAPI.20, "Floating Point Numbers".
    NotFinite,
    /// Bytes, which Varlink has no type for: a string or a list of integers can hold them.
    Bytes,
    /// An integer of 128 bits, which Varlink has no type for.
    Integer128,
    /// A variant of an enum that has content: a value of an enumeration is a name.
    VariantWithContent,
    /// A map whose keys are not strings.
    KeyNotAString,
    /// An error that is not a variant of an enum.
    NotAnEnum,
    /// Parameters that are neither a struct, a map nor nothing.
    NotAnObject,
    /// A name of a method, or of an error, that is not valid: UAPI.20, "Names".
    Name,
    /// The value's own `Serialize` has given up.
    Custom,
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            EncodeError::Bytes => f.write_str("Varlink has no type for bytes"),
            EncodeError::Integer128 => f.write_str("Varlink has no type for integers of 128 bits"),
            EncodeError::VariantWithContent => {
                f.write_str("Varlink has no type for an enum variant with content")
            }
            EncodeError::KeyNotAString => f.write_str("the keys of a map have to be strings"),
            EncodeError::NotAnEnum => f.write_str("an error has to be a variant of an enum"),
            EncodeError::Full => f.write_str(
                "the message does not fit into the send buffer: send others first, or use a larger one",
            ),
            EncodeError::NotFinite => f.write_str("JSON has neither NaN nor the infinities"),
            EncodeError::NotAnObject => f.write_str("parameters have to be a struct or a map"),
            EncodeError::Name => {
                f.write_str("not the name of a method or an error: org.example.ftl.Jump is one")
            }
            EncodeError::Custom => f.write_str("the value's own Serialize has failed"),
        }
    }
}

impl core::error::Error for EncodeError {}

/// Why a value of a message could not be read as the type that was asked for.
///
/// It knows the top-level field in which that happened, which is what
/// `org.varlink.service.InvalidParameter` names.
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
    /// The text is a call's, and not any other.
    pub(crate) in_call: bool,
}

/// A top-level field of a message's parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FieldName {
    /// By the name that the type has for it.
    Named(&'static str),
    /// By the place of its name in the message, after that was decoded.
    At { offset: usize, length: usize },
}

impl FieldName {
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

/// How a value and the type that it is read into differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Mismatch {
    /// A field is missing that is not nullable.
    Missing,
    /// A field that the type does not have, and refuses (`deny_unknown_fields`).
    Unknown,
    /// A field that occurs twice.
    Duplicate,
    /// Another type: a string for a number, `null` for what is not nullable.
    Type,
    /// A number out of the type's range, or with a fraction or an exponent where an integer is
    /// expected; or another value that the type refuses.
    Range,
    /// Too many elements, or too few.
    Length,
    /// A value that the enumeration does not have.
    Variant,
    /// A method, or an error, that the enum does not have.
    Member,
    /// The type's own `Deserialize` has refused.
    Custom,
    /// Not JSON. Can't happen to a message that was received: that has been scanned.
    Syntax,
}

impl DecodeError {
    /// How value and type differ.
    pub fn mismatch(&self) -> Mismatch {
        self.mismatch
    }

    /// The name of the top-level field that is, or contains, the cause; None if it is none.
    ///
    /// `message` is the one that the value came from: the name stands in it.
    pub fn field_in<'a>(&self, message: &'a [u8]) -> Option<&'a str> {
        self.field?.name_in(message)
    }

    /// Where in the message: the beginning of the last value that was looked at, in bytes from the
    /// message's beginning.
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
            Mismatch::Type => "a value of another type",
            Mismatch::Range => "a value out of range, or a fraction for an integer",
            Mismatch::Length => "a list of another length",
            Mismatch::Variant => "an unknown value of an enumeration",
            Mismatch::Member => "an unknown method or error",
            Mismatch::Custom => "a value that its type refuses",
            Mismatch::Syntax => "not JSON",
        })
    }
}

impl core::error::Error for Mismatch {}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.mismatch.fmt(f)?;
        write!(f, " at byte {}", self.offset)
    }
}

impl core::error::Error for DecodeError {}

/// What the caller of a client has done out of order. The connection is as it was before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Misuse {
    /// Earlier calls have replies outstanding: receive them first.
    RepliesOutstanding,
    /// No call waits for a reply.
    NothingOutstanding,
    /// The call whose reply is next asked for `more`, and this reads a single reply; or it did
    /// not, and this reads many.
    OtherMode,
    /// [`client::Session::MAX_CALLS`](crate::client::Session::MAX_CALLS) calls wait for their replies: receive some first.
    TooManyCalls,
    /// The connection has failed earlier, or was upgraded: make a new one.
    Unusable,
}

impl fmt::Display for Misuse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Misuse::RepliesOutstanding => {
                "earlier calls have replies outstanding: receive them first"
            }
            Misuse::NothingOutstanding => "no call waits for a reply",
            Misuse::OtherMode => "the next reply is to a call of another kind",
            Misuse::TooManyCalls => "too many calls wait for their replies: receive some first",
            Misuse::Unusable => {
                "the connection has failed earlier, or was upgraded: make a new one"
            }
        })
    }
}

impl core::error::Error for Misuse {}

/// Why a connection has failed. `T` is the error of the stream that it runs over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error<T = Infallible> {
    /// The peer broke the protocol. The connection is over.
    Protocol(Violation),
    /// A message was longer than the receive buffer.
    ///
    /// A service's connection is over. A client may go on with the next call, unless this one
    /// asked for `more`, or for an upgrade: what comes next can't be known then.
    TooLong,
    /// A call or a reply could not be written, and nothing of it was.
    ///
    /// A service's connection is over, because its client waits for a reply that can't come. A
    /// client may go on.
    Encode(EncodeError),
    /// The service closed the connection, and replies are missing.
    Closed,
    /// The caller has done something out of order.
    Misuse(Misuse),
    /// The stream takes no more bytes, and gives no reason.
    WriteZero,
    /// An answer of the service is not as its interface defines it, and was not sent. Only debug
    /// builds check: [`Service::CHECKED`](crate::Service::CHECKED).
    NotAsDefined {
        /// How they differ; [`Mismatch::Member`] is an error that the interface does not have.
        why: Mismatch,
        /// The top-level field that is, or contains, the cause; None if the definition has none.
        field: Option<&'static str>,
        /// Where in the message, in bytes.
        offset: usize,
    },
    /// The stream below has failed. The connection is over.
    Transport(T),
}

impl Error {
    /// The same error of a connection over a stream whose errors are `T`.
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
                f.write_str("a message is longer than the receive buffer: give it a larger one")
            }
            Error::Encode(error) => error.fmt(f),
            Error::Closed => f.write_str("the service closed the connection before its reply"),
            Error::Misuse(misuse) => misuse.fmt(f),
            Error::WriteZero => f.write_str("the stream takes no more bytes"),
            Error::NotAsDefined { why, field, offset } => {
                write!(f, "the answer is not as its interface defines it: {why}")?;
                if let Some(field) = field {
                    write!(f, " in field {field}")?;
                }
                write!(f, " at byte {offset}")
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
