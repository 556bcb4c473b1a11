//! Whether the types of a program say the same as a definition: a test of one line.

use std::format;
use std::string::String;
use std::vec::Vec;

use serde::Deserialize;
use serde::de::value::EnumAccessDeserializer;

use super::Differences;
use super::probe::{Attempt, MemberProbe, Probe, Rejection, Run, UNHEARD, VALUES, text};
use crate::idl::{Interface, Member, MemberKind};
use crate::json::Decode;
use crate::method::Method;
use crate::name;

/// What stands between a member and a field of its call, or of an error.
const INPUT: &str = ", parameter ";

/// What stands between a method and a field of its reply.
const OUTPUT: &str = ", output ";

/// Checks that the types of a program say the same as a definition: names of methods, errors and
/// fields, kinds of types, what may be null, values of enumerations; nothing missing, nothing
/// extra. It is one line in a test:
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
/// // #[test] fn the_types_are_as_defined() {
/// contract(&FTL, |types| types.methods::<Methods>().call::<Jump>().errors::<Error>()).unwrap();
///
/// #[derive(Deserialize)]
/// struct Other { left: Option<i64>, right: i64 }
///
/// let broken = contract(&FTL, |types| types.reply::<Other>("Jump")).unwrap_err();
/// assert_eq!(broken.to_string(), "the types are not as org.example.ftl defines them
/// method Jump, output right: the definition does not have it
/// method Jump, output left: is int, which is not nullable; in Rust it is an Option");
/// ```
///
/// It is about the types that are named, and about what they say: a [`Raw`](crate::json::Raw) may be
/// anything, and replies of methods that are not named are not looked at. What is in a list that is
/// generic can be said: `.reply::<ListReply<[Disk; 1]>>("List")`.
///
/// Rust can't look at types, so they are tried: serde tells what a type asks for, and it is given
/// that. A type that refuses everything that is tried (`0` and `1`, `""` and `"a"`) is one of the
/// differences, because its contents were not seen. Names that are aliases look like fields of
/// their own. Types that are only serialized can't be tried;
/// [`Service::CHECKED`](crate::Service::CHECKED) is for that.
///
/// # Errors
///
/// All differences.
pub fn contract(
    definition: &Interface,
    types: impl FnOnce(Contract) -> Contract,
) -> Result<(), Differences> {
    let tried = types(Contract {
        definition: *definition,
        differences: Vec::new(),
    });
    let title = format!("the types are not as {} defines them", definition.name());
    Differences::none(title, tried.differences)
}

/// The types that are tried: see [`contract()`].
#[derive(Clone, Debug)]
pub struct Contract {
    definition: Interface,
    differences: Vec<String>,
}

impl Contract {
    /// Tries the enum of all methods and their parameters: what a service decodes its calls as.
    #[must_use]
    pub fn methods<'de, T: Deserialize<'de>>(self) -> Self {
        self.members::<T>(MemberKind::Method)
    }

    /// Tries the enum of all errors and their parameters.
    #[must_use]
    pub fn errors<'de, T: Deserialize<'de>>(self) -> Self {
        self.members::<T>(MemberKind::Error)
    }

    /// Tries a method that a client calls: that there is one of its name, and its replies.
    #[must_use]
    pub fn call<M: Method>(self) -> Self {
        match name::split(M::NAME) {
            Some((interface, member)) if interface == self.definition.name() => {
                self.reply::<M::Output<'static>>(member)
            }
            _ => self.no_member(MemberKind::Method, M::NAME),
        }
    }

    /// Tries the replies of a method, by its name within the interface.
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
        // One of them may stand for all others (`#[serde(other)]`).
        let other = extra.clone().count() == 1 && T::deserialize(text(UNHEARD)).is_ok();
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

    /// Tries a type with one value after another until it takes them; then once more for each
    /// value of an enumeration in it.
    fn rounds(
        &mut self,
        member: Member<'static>,
        side: &str,
        try_it: &dyn Fn(&Run) -> Result<(), Rejection>,
    ) {
        let attempt = |attempt, value| try_it(&Run::new(attempt, value));
        let mut values = VALUES.into_iter();
        let taken = values.find(|value| attempt(Attempt::Everything, *value).is_ok());
        let value = taken.unwrap_or_default();
        let others = attempt(Attempt::Others, value).is_ok();
        let everything = |variant| {
            let mut run = Run::new(Attempt::Everything, value);
            (run.variant, run.others) = (variant, others);
            let _ = try_it(&run);
            run
        };
        let first = everything(0);
        let mut seen = first.seen.take();
        let differs = !seen.is_empty();
        for variant in 1..first.variants.get() {
            seen.extend(everything(variant).seen.take());
        }
        let mut see = |what: &str| seen.push((String::new(), what.into()));
        // A difference may be why it refuses.
        if !differs && taken.is_none() {
            see("can't be looked into: the Rust type refuses 0 and 1, \"\" and \"a\"");
        } else if !differs {
            if let Err(refused) = attempt(Attempt::Little, value) {
                let field = match refused {
                    Rejection::Missing(field) => field,
                    Rejection::Content | Rejection::Other => "",
                };
                see(&format!(
                    "what is null can be left out; in Rust it can't: {field}"
                ));
            }
            if side == OUTPUT && attempt(Attempt::More, value).is_err() {
                see(
                    "a reply can have more fields, which are to be ignored; in Rust they are refused",
                );
            }
        }
        let (kind, name) = (member.kind(), member.name());
        self.differences
            .extend(seen.into_iter().map(|(path, what)| {
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
