//! The method that a call names, and what its definition says of the call and of its answers.

use core::ops::Range;

use super::{Service, builtin};
use crate::error::{Error, Mismatch};
use crate::idl::{AllKinds, Fault, FaultField, Interface, Kinds, Member, MemberIndex, MemberKind};
use crate::message::{Call, scan_reply};
use crate::name;
use crate::varlink_service::{Parameter, Refusal};

/// A method of one of the service's interfaces.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Callee {
    pub interface: &'static Interface,
    /// None if the interface does not declare it, which only an unchecked service sees.
    member: Option<MemberIndex>,
    checked: bool,
}

impl Callee {
    /// Finds a method by its full name.
    ///
    /// # Errors
    ///
    /// [`Refusal::InterfaceNotFound`] or [`Refusal::MethodNotFound`].
    //
    // Names are compared before they are validated: a name that equals a declared one is valid.
    pub fn find<S: Service<C>, C: Copy>(method: &str) -> Result<Self, Refusal> {
        let Some((interface, member)) = name::split_at_dot(method) else {
            return Err(Refusal::MethodNotFound);
        };
        let Some(interface) = builtin::find::<S, C>(interface) else {
            return Err(if name::is_full(method) {
                Refusal::InterfaceNotFound
            } else {
                Refusal::MethodNotFound
            });
        };
        let checked = S::CHECKED || builtin::is(interface);
        let declared = interface.method(member).map(|method| method.index());
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

    /// The method's definition, if calls and answers are checked against it.
    fn definition(&self) -> Option<Member<'static>> {
        let member = self.member.filter(|_| self.checked)?;
        Some(self.interface.member_at(member))
    }

    /// Returns the call if its parameters are as the definition says.
    ///
    /// # Errors
    ///
    /// [`Refusal::InvalidParameter`] with the name of the field.
    #[inline(never)] // its stack is free again when the handler begins
    pub fn check_call<'c, K: Kinds>(&self, call: Call<'c>) -> Result<Call<'c>, Refusal> {
        let Some(method) = self.definition() else {
            return Ok(call);
        };
        let checked = method.input().check::<K>(call.parameters_text());
        match checked {
            Ok(()) => Ok(call),
            Err(fault) => Err(Refusal::InvalidParameter(match fault.field {
                FaultField::Nowhere => Parameter::WHOLE,
                FaultField::Declared(name) => Parameter::named(name),
                // The definition does not have the key, so it is named by its place in the message.
                FaultField::Key(range) => {
                    let (text, offset) = call.into_parameters().into_text_mut();
                    Parameter::unescape_at(text, range, offset)
                }
            })),
        }
    }

    /// Returns Ok if a message, without its NUL, is an answer that the definition has.
    ///
    /// # Errors
    ///
    /// [`Error::NotAsDefined`]. Errors of other interfaces are not checked.
    pub fn check_answer(&self, message: &[u8]) -> Result<(), Error> {
        let Some(method) = self.definition() else {
            return Ok(());
        };
        let fault = match check_reply(message, &method) {
            Ok(()) => return Ok(()),
            // More than the checker can keep count of is not wrong.
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
    // It was written here, but a `Raw` in it can be nested too deeply for a message.
    let Ok((_, [error, parameters])) = scan_reply(message) else {
        return Err(Fault::NO_MESSAGE);
    };
    let text = |range: Option<Range<usize>>| message.get(range.unwrap_or(0..0)).unwrap_or_default();
    let error = error.and_then(|error| str::from_utf8(text(Some(error))).ok());
    let defined = match error.and_then(name::split) {
        None => method.output(),
        Some((interface, _)) if interface != method.definition().name() => return Ok(()),
        Some((_, member)) => match method.definition().find(member) {
            Some(error) if error.kind() == MemberKind::Error => error.output(),
            _ => return Err(Fault::NO_MEMBER),
        },
    };
    let start = parameters.clone().map_or(0, |range| range.start);
    defined
        .check::<AllKinds>(text(parameters))
        .map_err(|fault| fault.offset_by(start))
}
