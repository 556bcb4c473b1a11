//! Finds the method of a call, and checks the call and its answers against the definition.

use core::ops::Range;

use super::{Service, builtin};
use crate::error::{Error, Mismatch};
use crate::idl::{
    AllKinds, Fault, FaultField, Interface, Kinds, Member, MemberIndex, MemberKind, requires_flags,
};
use crate::message::{Call, Mode, scan_reply};
use crate::name;
use crate::varlink_service::{Parameter, Refusal};

/// A method of one of the service's interfaces.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Callee {
    pub interface: &'static Interface,
    /// None if the interface does not declare the method: only an unchecked service allows that.
    member: Option<MemberIndex>,
    checked: bool,
}

impl Callee {
    /// Finds a method by its full name.
    ///
    /// # Errors
    ///
    /// Returns [`Refusal::InterfaceNotFound`] or [`Refusal::MethodNotFound`].
    //
    // The name is validated only if it is not found, because a name that equals a declared one is
    // valid.
    pub fn find<S: Service<C>, C: Copy>(method: &str) -> Result<Self, Refusal> {
        let Some((interface, member)) = name::split_at_dot(method) else {
            return Err(Refusal::MethodNotFound);
        };
        let Some(interface) = builtin::find_interface::<S, C>(interface) else {
            return Err(if name::is_full(method) {
                Refusal::InterfaceNotFound
            } else {
                Refusal::MethodNotFound
            });
        };
        let checked = S::CHECKED || builtin::serves(interface);
        let declared = interface.method_index(member);
        if declared.is_none() && (checked || !name::is_member(member)) {
            return Err(Refusal::MethodNotFound);
        }
        Ok(Callee {
            interface,
            member: declared,
            checked,
        })
    }

    /// True if the interface declares the method.
    pub fn is_declared(&self) -> bool {
        self.member.is_some()
    }

    /// Returns the names of the interface and of the method. The second is `?` if the interface
    /// does not declare the method.
    pub fn names(&self) -> (&'static str, &'static str) {
        let member = self.member.map(|member| self.interface.member_at(member));
        let method = member.map_or("?", |member| member.name());
        (self.interface.name(), method)
    }

    /// Returns the method's definition, if calls and answers are checked against it.
    fn definition(&self) -> Option<Member<'static>> {
        let member = self.member.filter(|_| self.checked)?;
        Some(self.interface.member_at(member))
    }

    /// Returns Ok if the mode and the parameters of a call match the definition.
    ///
    /// # Errors
    ///
    /// Returns [`Refusal::ExpectedMore`], [`Refusal::ExpectedUpgrade`], or
    /// [`Refusal::InvalidParameter`] with the name of the field.
    pub fn check_call<K: Kinds>(&self, call: &mut Call<'_>) -> Result<(), Refusal> {
        let Some(method) = self.definition() else {
            return Ok(());
        };
        if requires_flags::<K>() {
            if method.requires_more() && call.mode() != Mode::More {
                return Err(Refusal::ExpectedMore);
            } else if method.requires_upgrade() && call.mode() != Mode::Upgrade {
                return Err(Refusal::ExpectedUpgrade);
            }
        }
        let checked = method.input().check::<K>(call.parameters_text());
        match checked {
            Ok(()) => Ok(()),
            Err(fault) => Err(Refusal::InvalidParameter(match fault.field {
                FaultField::Nowhere => Parameter::WHOLE,
                FaultField::Declared(name) => Parameter::named(name),
                // The definition does not have this key, so the refusal refers to it by its offset
                // in the message.
                FaultField::Key(range) => {
                    let (text, offset) = call.parameters_mut();
                    Parameter::unescape_at(text, range, offset)
                }
            })),
        }
    }

    /// Returns Ok if an answer, a message without its NUL, matches the definition.
    ///
    /// # Errors
    ///
    /// Returns [`Error::NotAsDefined`].
    pub fn check_answer(&self, message: &[u8]) -> Result<(), Error> {
        let Some(method) = self.definition() else {
            return Ok(());
        };
        let fault = match check_reply(message, &method) {
            Ok(()) => return Ok(()),
            // The answer exceeds a limit of the checker, so it may be valid.
            Err(fault) if fault.mismatch == Mismatch::Length => return Ok(()),
            Err(fault) => fault,
        };
        Err(Error::NotAsDefined {
            why: fault.mismatch,
            field: match fault.field {
                FaultField::Declared(name) => Some(name),
                FaultField::Nowhere | FaultField::Key(_) => None,
            },
            offset: fault.offset,
        })
    }
}

fn check_reply(message: &[u8], method: &Member<'static>) -> Result<(), Fault<'static>> {
    // The scan can fail, because a `Raw` can make the message nested too deeply.
    let Ok((_, members)) = scan_reply(message) else {
        return Err(Fault::NO_MESSAGE);
    };
    let text = |range: Range<usize>| message.get(range).unwrap_or_default();
    let start = members.parameters.start;
    let error = members.string();
    let error = error.and_then(|error| str::from_utf8(text(error)).ok());
    let defined = match error.and_then(name::split) {
        None => method.output(),
        // A responder writes errors of the method's interface only.
        Some((_, member)) => match method.definition().find(member) {
            Some(error) if error.kind() == MemberKind::Error => error.output(),
            _ => return Err(Fault::NO_MEMBER),
        },
    };
    defined
        .check::<AllKinds>(text(members.parameters))
        // The range of a key is not moved, because the caller ignores it.
        .map_err(|fault| Fault {
            offset: fault.offset.wrapping_add(start),
            ..fault
        })
}
