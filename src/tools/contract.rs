//! Checks that the Rust types of a program match a definition, in one line of a test.

use std::format;
use std::string::String;
use std::vec::Vec;

use serde::Deserialize;
use serde::de::value::EnumAccessDeserializer;

use super::Differences;
use super::probe::{Attempt, MemberProbe, Probe, Rejection, Run, UNKNOWN, VALUES, text};
use crate::idl::{Interface, Member, MemberKind};
use crate::json::Decode;
use crate::method::Method;
use crate::name;

/// The text between a member and a field of a call or an error.
const INPUT: &str = ", parameter ";

/// The text between a method and a field of its reply.
const OUTPUT: &str = ", output ";

/// Checks that the Rust types of a program match a definition.
///
/// It compares the names of methods, errors and fields, the kinds of types, nullable types, and the
/// values of enumerations. Nothing may be missing or extra. The check is one line in a test:
///
/// ```
/// use nullink::Method;
/// use nullink::tools::contract;
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
/// // #[test] fn types_match_the_definition() {
/// contract(&FTL, |types| types.methods::<Methods>().call::<Jump>().errors::<Error>()).unwrap();
///
/// #[derive(Deserialize)]
/// struct Other { left: Option<i64>, right: i64 }
///
/// let broken = contract(&FTL, |types| types.reply::<Other>("Jump")).unwrap_err();
/// assert_eq!(broken.to_string(), "the Rust types differ from the definition of org.example.ftl
/// method Jump, output right: the definition does not have it
/// method Jump, output left: is int, which is not nullable; in Rust it is an Option");
/// ```
///
/// Only the given types are checked: the replies of other methods are not, and a
/// [`Raw`](crate::json::Raw) matches any type that is not nullable. To check the elements of a
/// generic list, name a type for it: `.reply::<ListReply<[Disk; 1]>>("List")`.
///
/// The check deserializes each type from sample values: serde tells which kind of value the type
/// requests. A type that refuses all samples, which are `0` and `1`, `""` and `"a"`, is reported as
/// a difference, because its content cannot be examined. An alias of a field looks like another
/// field. Types that are only serialized cannot be checked; use
/// [`Service::CHECKED`](crate::Service::CHECKED) for these.
///
/// # Errors
///
/// Returns all differences, if there are any.
pub fn contract(
    definition: &Interface,
    types: impl FnOnce(Contract) -> Contract,
) -> Result<(), Differences> {
    let checked = types(Contract {
        definition: *definition,
        differences: Vec::new(),
    });
    let name = definition.name();
    let title = format!("the Rust types differ from the definition of {name}");
    Differences::none(title, checked.differences)
}

/// A check of Rust types against a definition: see [`contract()`].
#[derive(Clone, Debug)]
pub struct Contract {
    definition: Interface,
    differences: Vec<String>,
}

impl Contract {
    /// Checks the enum of all methods and their parameters, which a service decodes its calls as.
    #[must_use]
    pub fn methods<'de, T: Deserialize<'de>>(self) -> Self {
        self.members::<T>(MemberKind::Method)
    }

    /// Checks the enum of all errors and their parameters.
    #[must_use]
    pub fn errors<'de, T: Deserialize<'de>>(self) -> Self {
        self.members::<T>(MemberKind::Error)
    }

    /// Checks the name, the required flags and the replies of a method that a client calls.
    #[must_use]
    pub fn call<M: Method>(self) -> Self {
        match name::split(M::NAME) {
            Some((interface, member)) if interface == self.definition.name() => {
                self.flags::<M>(member).reply::<M::Output<'static>>(member)
            }
            _ => self.no_member(MemberKind::Method, M::NAME),
        }
    }

    /// Checks the replies of a method, by its name within the interface.
    #[must_use]
    pub fn reply<'de, T: Decode<'de>>(mut self, method: &str) -> Self {
        let Some(member) = self.definition.method(method) else {
            return self.no_member(MemberKind::Method, method);
        };
        self.rounds(member, OUTPUT, &|run| {
            T::try_with(Probe::new(run, Some(member.output())))
        });
        self
    }

    fn flags<M: Method>(mut self, method: &str) -> Self {
        let Some(member) = self.definition.method(method) else {
            return self;
        };
        let [more, upgrade] = [member.requires_more(), member.requires_upgrade()];
        for (flag, constant, defined, rust) in [
            ("more", "REQUIRES_MORE", more, M::REQUIRES_MORE),
            ("upgrade", "REQUIRES_UPGRADE", upgrade, M::REQUIRES_UPGRADE),
        ] {
            if defined != rust {
                let requires = if defined {
                    "requires"
                } else {
                    "does not require"
                };
                self.differences.push(format!(
                    "method {method}: {requires} '{flag}'; in Rust {constant} is {rust}"
                ));
            }
        }
        self
    }

    fn members<'de, T: Deserialize<'de>>(mut self, kind: MemberKind) -> Self {
        let asked = Run::new(Attempt::Everything, 0);
        let _ = T::deserialize(Probe::new(&asked, None));
        let Some(variants) = asked.enumeration.get() else {
            let what = format!("the {kind}s are not an enum in Rust");
            self.differences.push(what);
            return self;
        };
        let members = self.definition.members();
        let members: Vec<_> = members.filter(|member| member.kind() == kind).collect();
        let is_member = |name: &str| members.iter().any(|member| member.name() == name);
        let extra = variants.iter().filter(|variant| !is_member(variant));
        // `#[serde(other)]`: one variant may stand for all unknown members.
        let other = extra.clone().count() == 1 && T::deserialize(text(UNKNOWN)).is_ok();
        for variant in extra.filter(|_| !other) {
            self = self.no_member(kind, variant);
        }
        for member in members {
            let name = member.name();
            if !variants.contains(&name) {
                let what = format!("{kind} {name}: the enum does not have it");
                self.differences.push(what);
                continue;
            }
            self.rounds(member, INPUT, &|run| {
                let parameters = Probe::new(run, Some(member.input()));
                let probe = EnumAccessDeserializer::new(MemberProbe { name, parameters });
                T::deserialize(probe).map(drop)
            });
        }
        self
    }

    /// Deserializes a type from each sample value until it accepts one; then once for each variant
    /// of the enumerations in it. Reports the differences.
    fn rounds(
        &mut self,
        member: Member<'static>,
        side: &str,
        deserialize: &dyn Fn(&Run) -> Result<(), Rejection>,
    ) {
        let attempt = |attempt, value| deserialize(&Run::new(attempt, value));
        let mut values = VALUES.into_iter();
        let accepted = values.find(|value| attempt(Attempt::Everything, *value).is_ok());
        let value = accepted.unwrap_or_default();
        let others = attempt(Attempt::Others, value).is_ok();
        let everything = |variant| {
            let mut run = Run::new(Attempt::Everything, value);
            (run.variant, run.others) = (variant, others);
            let _ = deserialize(&run);
            run
        };
        let first = everything(0);
        let mut found = first.found.take();
        let differs = !found.is_empty();
        for variant in 1..first.variants.get() {
            found.extend(everything(variant).found.take());
        }
        let mut report = |what: &str| found.push((String::new(), what.into()));
        // If the type differs, it may refuse the samples because of that.
        if !differs && accepted.is_none() {
            report("can't be examined: the Rust type refuses 0 and 1, \"\" and \"a\"");
        } else if !differs {
            if let Err(refused) = attempt(Attempt::Required, value) {
                let field = match refused {
                    Rejection::Missing(field) => field,
                    Rejection::Content | Rejection::Other => "them",
                };
                report(&format!(
                    "nullable fields may be missing; the Rust type requires {field}"
                ));
            }
            if side == OUTPUT && attempt(Attempt::More, value).is_err() {
                report("replies may have unknown fields; the Rust type refuses them");
            }
        }
        let (kind, name) = (member.kind(), member.name());
        self.differences
            .extend(found.into_iter().map(|(path, what)| {
                let side = if path.is_empty() { "" } else { side };
                format!("{kind} {name}{side}{path}: {what}")
            }));
    }

    fn no_member(mut self, kind: MemberKind, name: &str) -> Self {
        let what = format!("{kind} {name}: the definition does not have it");
        self.differences.push(what);
        self
    }
}
