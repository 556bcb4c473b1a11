//! A method, as a client calls it.

use core::fmt;

use serde::{Deserialize, Serialize};

use crate::json::Decode;
use crate::name;

/// A method, as a client calls it: the value holds the parameters.
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
    /// The full name.
    const NAME: &'static str;
    /// What a reply is read as: any type that serde can deserialize, or a
    /// [`Value`](crate::json::Value).
    type Output<'r>: Decode<'r>;
    /// The errors of the method's interface, an enum; [`NoError`] if it has none.
    type Error<'r>: Deserialize<'r>;
}

/// The errors of an interface without errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum NoError {}

impl fmt::Display for NoError {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {}
    }
}

impl core::error::Error for NoError {}

/// The name of a method, which is checked while compiling.
pub(crate) const fn full_name<M: Method>() -> &'static str {
    const { assert!(name::is_full(M::NAME), "not the full name of a method") };
    M::NAME
}
