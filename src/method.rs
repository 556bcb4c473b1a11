//! The trait [`Method`]: a call as a client makes it.

use core::fmt;

use serde::{Deserialize, Serialize};

use crate::json::Decode;
use crate::name;

/// A call as a client makes it: the value holds the parameters, the type names the method. A unit
/// struct is a call without parameters.
///
/// ```
/// use nullink::Method;
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize)]
/// struct GetByName<'a> { name: &'a str }
///
/// #[derive(Deserialize)]
/// struct Found<'r> { #[serde(borrow)] account: Account<'r> }
///
/// #[derive(Deserialize)]
/// struct Account<'r> { name: &'r str, uid: u32 }
///
/// #[derive(Deserialize, Debug)]
/// enum AccountsError<'r> { NotFound, CreationFailed { field: &'r str } }
///
/// impl Method for GetByName<'_> {
///     const NAME: &'static str = "com.redhat.accounts.GetByName";
///     type Output<'r> = Found<'r>;
///     type Error<'r> = AccountsError<'r>;
/// }
/// ```
pub trait Method: Serialize {
    /// The full name of the method.
    const NAME: &'static str;
    /// True if the method can only be called with `more`, by [`Client::more`](crate::Client::more).
    /// Another call does not compile:
    ///
    /// ```compile_fail
    /// # use nullink::{Client, Duplex, Method, NoError};
    /// #[derive(serde::Serialize)]
    /// struct Follow;
    ///
    /// impl Method for Follow {
    ///     const NAME: &'static str = "org.example.log.Follow";
    ///     const REQUIRES_MORE: bool = true;
    ///     type Output<'r> = ();
    ///     type Error<'r> = NoError;
    /// }
    /// # let mut call = [0; 99];
    /// # let stream = Duplex { reader: &b""[..], writer: &mut call[..] };
    /// # let (mut receive, mut send) = ([0; 99], [0; 99]);
    /// # let mut client = Client::new(stream, &mut receive, &mut send);
    /// let _ = client.call(&Follow);
    /// ```
    const REQUIRES_MORE: bool = false;
    /// True if the method can only be called with `upgrade`, by
    /// [`Client::upgrade`](crate::Client::upgrade).
    const REQUIRES_UPGRADE: bool = false;
    /// The type that a reply is decoded into: any type that implements [`Deserialize`], or a
    /// [`Value`](crate::json::Value).
    type Output<'r>: Decode<'r>;
    /// An enum of the errors of the method's interface; [`NoError`] if it has none.
    type Error<'r>: Deserialize<'r>;
}

/// The error type for the methods of an interface without errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum NoError {}

impl fmt::Display for NoError {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {}
    }
}

impl core::error::Error for NoError {}

/// Returns the name of a method for a call with or without the flags `more` and `upgrade`, which are
/// checked at compile time.
pub(crate) const fn called<M: Method, const MORE: bool, const UPGRADE: bool>() -> &'static str {
    const {
        assert!(
            MORE || !M::REQUIRES_MORE,
            "the method requires `more`: see Client::more"
        )
    };
    const {
        assert!(
            UPGRADE || !M::REQUIRES_UPGRADE,
            "the method requires `upgrade`: see Client::upgrade"
        )
    };
    full_name::<M>()
}

/// Returns the name of a method, which is checked at compile time.
pub(crate) const fn full_name<M: Method>() -> &'static str {
    const {
        assert!(
            name::is_full(M::NAME.as_bytes()),
            "not the full name of a method"
        )
    };
    M::NAME
}
