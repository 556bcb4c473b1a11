//! The trait [`Method`]: a call as a client makes it.

use core::fmt;

use serde::{Deserialize, Serialize};

use crate::json::Decode;
use crate::name;

/// A call as a client makes it: the value holds the parameters, the type names the method.
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

/// Returns the name of a method, which is checked at compile time.
pub(crate) const fn full_name<M: Method>() -> &'static str {
    const { assert!(name::is_full(M::NAME), "not the full name of a method") };
    M::NAME
}
