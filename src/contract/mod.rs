//! Whether the types of a program say the same as a definition: a test of one line,
//! [`contract()`].

mod probe;

use core::cell::Cell;
use core::fmt;

use serde::Deserialize;

use probe::{Attempt, MemberProbe, Probe, Refused, Run, variants};

use crate::client::Method;
use crate::idl::{Interface, Member, MemberKind, Type};
use crate::json::Decode;
use crate::name;

/// Whether the types of a program say the same as a definition: names of methods, errors and
/// fields, kinds of types, what may be null, values of enumerations; nothing missing, nothing
/// extra. It is one line in a test:
///
/// ```
/// use nullink::client::Method;
/// use nullink::{Interface, interface};
/// use serde::{Deserialize, Serialize};
///
/// const FTL: Interface = interface!(text "
/// interface org.example.ftl
/// method Jump(to: string, speed: ?int) -> (left: int)
/// error NotEnoughEnergy ()
/// ");
///
/// #[derive(Deserialize)]
/// enum Methods<'a> {
///     #[serde(borrow)]
///     Jump(Jump<'a>),
/// }
///
/// #[derive(Serialize, Deserialize)]
/// struct Jump<'a> { to: &'a str, speed: Option<u32> }
///
/// #[derive(Serialize, Deserialize)]
/// struct Jumped { left: i64 }
///
/// #[derive(Serialize, Deserialize)]
/// enum Error { NotEnoughEnergy }
///
/// impl Method for Jump<'_> {
///     const NAME: &'static str = "org.example.ftl.Jump";
///     type Output<'r> = Jumped;
///     type Error<'r> = Error;
/// }
///
/// // #[test] fn the_types_are_as_defined() {
/// nullink::contract(&FTL, |types| types.methods::<Methods>().call::<Jump>().errors::<Error>()).unwrap();
///
/// #[derive(Deserialize)]
/// struct Other { left: Option<i64>, right: i64 }
///
/// let broken = nullink::contract(&FTL, |types| types.reply::<Other>("Jump")).unwrap_err();
/// assert_eq!(broken.to_string(), "the types are not as org.example.ftl defines them
/// method Jump, output right: the definition does not have it
/// method Jump, output left: is int, which is not nullable; in Rust it is an Option");
/// ```
///
/// It is about the types that are named, and about what they say: a [`Raw`](crate::json::Raw) may be
/// anything, and replies of methods that are not named are not looked at. What is in a list that is
/// generic can be said: `.reply::<ListReply<[Disk; 1]>>("List")`.
///
/// The types are not looked at, which Rust can't do, but tried: serde tells what a type asks for,
/// and it is given that. A type that refuses everything that is tried (`0` and `1`, `""` and `"a"`)
/// is one of the differences, because what is in it was not seen. Names that are aliases look like
/// fields of their own. What is only serialized can't be tried;
/// [`Service::CHECKED`](crate::Service::CHECKED) is for that.
///
/// # Errors
///
/// All differences.
pub fn contract<F>(definition: &Interface, types: F) -> Result<(), Broken<F>>
where
    F: for<'c> Fn(Contract<'c>) -> Contract<'c>,
{
    let broken = Broken {
        definition: *definition,
        types,
    };
    let kept = Cell::new(true);
    broken.differences(&|_| kept.set(false));
    if kept.get() { Ok(()) } else { Err(broken) }
}

/// Types that are not as a definition says: see [`contract()`].
///
/// Displayed, it is a line for each difference. Its `Debug` is the same, for `unwrap` in a test.
#[derive(Clone, Copy)]
pub struct Broken<F> {
    definition: Interface,
    types: F,
}

impl<F: for<'c> Fn(Contract<'c>) -> Contract<'c>> Broken<F> {
    /// Shows the differences, one after another.
    pub fn differences(&self, see: &dyn Fn(&Difference<'_>)) {
        (self.types)(Contract {
            definition: self.definition,
            see,
        });
    }
}

impl<F: for<'c> Fn(Contract<'c>) -> Contract<'c>> fmt::Display for Broken<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the types are not as {} defines them",
            self.definition.name()
        )?;
        let writer = Cell::new(Some(f));
        let result = Cell::new(Ok(()));
        self.differences(&|difference| {
            if let Some(f) = writer.take() {
                result.set(result.get().and(write!(f, "\n{difference}")));
                writer.set(Some(f));
            }
        });
        result.get()
    }
}

impl<F: for<'c> Fn(Contract<'c>) -> Contract<'c>> fmt::Debug for Broken<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl<F: for<'c> Fn(Contract<'c>) -> Contract<'c>> core::error::Error for Broken<F> {}

/// The types that are tried: see [`contract()`].
#[derive(Clone, Copy)]
pub struct Contract<'c> {
    definition: Interface,
    see: &'c dyn Fn(&Difference<'_>),
}

impl fmt::Debug for Contract<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Contract").field(&self.definition).finish()
    }
}

impl Contract<'_> {
    /// The enum of all methods and their parameters: what a service decodes its calls as.
    #[must_use]
    pub fn methods<'de, T: Deserialize<'de>>(self) -> Self {
        self.members::<T>(MemberKind::Method)
    }

    /// The enum of all errors and their parameters.
    #[must_use]
    pub fn errors<'de, T: Deserialize<'de>>(self) -> Self {
        self.members::<T>(MemberKind::Error)
    }

    /// A method that a client calls: that there is one of its name, and what its replies are.
    #[must_use]
    pub fn call<M: Method>(self) -> Self {
        match name::split(M::NAME) {
            Some((interface, member)) if interface == self.definition.name() => {
                self.reply::<M::Output<'static>>(member)
            }
            _ => self.see(None, What::NoMethod(M::NAME)),
        }
    }

    /// The replies of a method, by its name within the interface.
    #[must_use]
    pub fn reply<'de, T: Decode<'de>>(self, method: &'static str) -> Self {
        let Some(member) = self.definition.method(method) else {
            return self.see(None, What::NoMethod(method));
        };
        let try_it = |run: &Run<'_>| T::try_with(Probe::new(run, member.output()));
        self.rounds(member, Side::Output, &try_it)
    }

    fn members<'de, T: Deserialize<'de>>(mut self, kind: MemberKind) -> Self {
        let Some(variants) = variants(|members| T::deserialize(members).map(drop)) else {
            return self.see(None, What::NotAnEnum(kind));
        };
        let members = self.definition.members();
        let members = members.filter(|member| member.kind() == kind);
        let extra = |variant: &&&str| !members.clone().any(|member| member.name() == **variant);
        let extra = variants.iter().filter(extra);
        // One of them may stand for all others (`#[serde(other)]`).
        let other = extra.clone().count() == 1 && T::deserialize(MemberProbe::unheard()).is_ok();
        for variant in extra.filter(|_| !other) {
            self = self.see(None, What::ExtraMember(kind, variant));
        }
        for member in members {
            let variant = variants.iter().find(|variant| **variant == member.name());
            self = match variant {
                None => self.see(Some(member), What::MissingMember),
                Some(variant) => {
                    let try_it = |run: &Run<'_>| {
                        let probe = Probe::new(run, member.input());
                        T::deserialize(MemberProbe::new(variant, probe)).map(drop)
                    };
                    self.rounds(member, Side::Input, &try_it)
                }
            };
        }
        self
    }

    /// Tries a type with one value after another until it takes them; then once more for each
    /// value of an enumeration in it.
    fn rounds(
        self,
        member: Member<'static>,
        side: Side,
        try_it: &dyn Fn(&Run<'_>) -> Result<(), Refused>,
    ) -> Self {
        let see = |path: Option<&Path<'_>>, what: What| {
            (self.see)(&Difference {
                member: Some(member),
                side,
                path,
                what,
            });
        };
        let quietly = |attempt, value| try_it(&Run::new(attempt, (value, 0, true), &|_, _| {}));
        let mut values = Run::VALUES;
        let taken = values.find(|value| quietly(Attempt::Everything, *value).is_ok());
        let value = taken.unwrap_or_default();
        let others = quietly(Attempt::Others, value).is_ok();
        let first = Run::new(Attempt::Everything, (value, 0, others), &see);
        let _ = try_it(&first);
        for variant in 1..first.variants() {
            let _ = try_it(&Run::new(
                Attempt::Everything,
                (value, variant, others),
                &see,
            ));
        }
        // (What differs may be why it refuses.)
        if first.differs() {
            return self;
        }
        if taken.is_none() {
            see(None, What::Refused);
            return self;
        }
        if let Err(Refused(field)) = quietly(Attempt::Little, value) {
            see(None, What::NeedsAll(field.unwrap_or_default()));
        }
        if matches!(side, Side::Output) && quietly(Attempt::More, value).is_err() {
            see(None, What::DeniesMore);
        }
        self
    }

    fn see(self, member: Option<Member<'static>>, what: What) -> Self {
        (self.see)(&Difference {
            member,
            side: Side::Input,
            path: None,
            what,
        });
        self
    }
}

/// Something in which a type differs from its definition: see [`contract()`].
#[derive(Clone, Copy, Debug)]
pub struct Difference<'p> {
    member: Option<Member<'static>>,
    side: Side,
    path: Option<&'p Path<'p>>,
    what: What,
}

/// Which parameters.
#[derive(Clone, Copy, Debug)]
enum Side {
    Input,
    Output,
}

/// Which part of the parameters: a field, and what it is in.
#[derive(Debug)]
pub(super) struct Path<'p> {
    pub(super) parent: Option<&'p Path<'p>>,
    name: &'static str,
    /// What the field is in.
    of: Option<Type<'static>>,
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // (As deep as a probe goes, and no deeper.)
        if let Some(parent) = self.parent {
            write!(f, "{parent}.")?;
        }
        f.write_str(self.name)
    }
}

/// What a [`Difference`] is.
#[derive(Clone, Copy, Debug)]
pub(super) enum What {
    /// The method of this name is not one of the interface.
    NoMethod(&'static str),
    /// The methods, or the errors, are not an enum.
    NotAnEnum(MemberKind),
    /// A variant that is not a member.
    ExtraMember(MemberKind, &'static str),
    /// A member that is not a variant.
    MissingMember,
    /// A field that the definition does not have.
    ExtraField,
    /// A field that the type does not have.
    MissingField,
    /// A value that the definition does not have.
    ExtraValue(&'static str),
    /// A value that the type does not have.
    MissingValue(&'static str),
    /// A value that has something in it.
    Content(&'static str),
    /// Another type.
    Kind(Type<'static>, &'static str),
    /// The type can't be null.
    NotAnOption(Type<'static>),
    /// The definition can't.
    Option(Type<'static>),
    /// Nothing that was tried is a value of the type.
    Refused,
    /// A nullable field has to be there.
    NeedsAll(&'static str),
    /// Fields that are new in later versions are an error.
    DeniesMore,
}

impl fmt::Display for Difference<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(member) = self.member {
            write!(f, "{} {}", member.kind(), member.name())?;
            match (self.path, self.side) {
                (None, _) => {}
                (Some(path), Side::Input) => write!(f, ", parameter {path}")?,
                (Some(path), Side::Output) => write!(f, ", output {path}")?,
            }
            f.write_str(": ")?;
        }
        match self.what {
            What::NoMethod(name) => write!(f, "method {name}: the definition does not have it"),
            What::NotAnEnum(kind) => write!(f, "the {kind}s are not an enum in Rust"),
            What::ExtraMember(kind, name) => {
                write!(f, "{kind} {name}: the definition does not have it")
            }
            What::MissingMember => f.write_str("the enum does not have it"),
            What::ExtraField => f.write_str("the definition does not have it"),
            What::MissingField => f.write_str("the Rust type does not have it"),
            What::ExtraValue(name) => write!(f, "the definition does not have the value {name}"),
            What::MissingValue(name) => write!(f, "the Rust type does not have the value {name}"),
            What::Content(name) => write!(f, "the value {name} has content in Rust"),
            What::Kind(ty, rust) => write!(f, "is {ty}; in Rust it is {rust}"),
            What::NotAnOption(ty) => {
                write!(f, "is {ty}, which is nullable; in Rust it is not an Option")
            }
            What::Option(ty) => {
                write!(f, "is {ty}, which is not nullable; in Rust it is an Option")
            }
            What::NeedsAll(field) => {
                write!(f, "what is null can be left out; in Rust it can't: {field}")
            }
            What::DeniesMore => f.write_str(
                "a reply can have more fields, which are to be ignored; in Rust they are refused",
            ),
            What::Refused => {
                f.write_str("can't be looked into: the Rust type refuses 0 and 1, \"\" and \"a\"")
            }
        }
    }
}
