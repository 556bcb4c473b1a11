//! Finds the method of a call, and checks the call and its answers against the definition.

use core::marker::PhantomData;

use super::{Service, builtin};
use crate::error::{Error, Mismatch};
use crate::idl::{
    AllKinds, Fault, FaultField, Interface, Kinds, Member, MemberIndex, MemberKind, requires_flags,
};
use crate::json::Cursor;
use crate::message::{Call, Mode, parameters_cursor, scan_reply};
use crate::name;
use crate::varlink_service::{Parameter, Refusal, SERVICE};

/// The depth of parameters: the object of the message contains them.
const MESSAGE: usize = 1;

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
    pub fn find<S: Service<C>, C: Copy>(method: &[u8]) -> Result<Self, Refusal> {
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
        if declared.is_none() && (checked || !name::member(member)) {
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

/// The method of a call, and whether the parameters match its definition.
pub(crate) struct CallCheck {
    callee: Result<Callee, Refusal>,
    fault: Option<Fault<'static>>,
}

impl CallCheck {
    /// Creates the check of a call that was not received yet.
    pub fn new() -> Self {
        CallCheck {
            callee: Err(Refusal::MethodNotFound),
            fault: None,
        }
    }

    /// Finds the method of a call, and checks the parameters at the cursor. Returns true if the
    /// cursor has moved past them.
    #[inline(never)] // keeps its variables out of the stack frames of callers
    pub fn run<S: Service<C>, C: Copy>(&mut self, method: &[u8], cursor: &mut Cursor<'_>) -> bool {
        self.callee = Callee::find::<S, C>(method);
        let method = self.callee.ok().and_then(|callee| callee.definition());
        let checked = method.map(|method| method.input().check::<UsedKinds<S, C>>(cursor, MESSAGE));
        match checked {
            Some(Ok(())) => true,
            Some(Err(fault)) => {
                self.fault = Some(fault);
                false
            }
            None => false,
        }
    }

    /// Returns the method.
    ///
    /// # Errors
    ///
    /// See [`Callee::find`].
    pub fn callee(&self) -> Result<Callee, Refusal> {
        self.callee
    }

    /// Returns Ok if the mode and the parameters of the call match the definition.
    ///
    /// # Errors
    ///
    /// Returns [`Refusal::ExpectedMore`], [`Refusal::ExpectedUpgrade`], or
    /// [`Refusal::InvalidParameter`] with the name of the field.
    pub fn result<K: Kinds>(&self, call: &mut Call<'_>) -> Result<(), Refusal> {
        let method = self.callee?.definition();
        if requires_flags::<K>()
            && let Some(method) = method
        {
            if method.requires_more() && call.mode() != Mode::More {
                return Err(Refusal::ExpectedMore);
            } else if method.requires_upgrade() && call.mode() != Mode::Upgrade {
                return Err(Refusal::ExpectedUpgrade);
            }
        }
        let Some(fault) = &self.fault else {
            return Ok(());
        };
        Err(Refusal::InvalidParameter(match &fault.field {
            FaultField::Nowhere => Parameter::WHOLE,
            FaultField::Declared(name) => Parameter::named(name),
            // The definition does not have this key, so the refusal refers to it by its offset
            // in the message.
            FaultField::Key(range) => {
                let (text, offset) = call.parameters_mut();
                Parameter::unescape_at(text, range.clone(), offset)
            }
        }))
    }
}

/// The kinds of types in the definitions of a service, so that checks for other kinds are removed.
pub(crate) struct UsedKinds<S, C>(PhantomData<(S, C)>);

impl<S: Service<C>, C: Copy> Kinds for UsedKinds<S, C> {
    const KINDS: u32 = {
        let (mut kinds, mut rest) = (SERVICE.kinds(), S::INTERFACES);
        while let [interface, tail @ ..] = rest {
            kinds |= interface.kinds();
            rest = tail;
        }
        kinds
    };
}

fn check_reply(message: &[u8], method: &Member<'static>) -> Result<(), Fault<'static>> {
    // The scan can fail, because a `Raw` can make the message nested too deeply.
    let Ok((_, members)) = scan_reply(message) else {
        return Err(Fault::NO_MESSAGE);
    };
    let start = members.parameters.start;
    let error = members.plain_string(message);
    let error = error.and_then(|error| str::from_utf8(error).ok());
    let defined = match error.and_then(name::split) {
        None => method.output(),
        // A responder writes errors of the method's interface only.
        Some((_, member)) => match method.definition().find(member) {
            Some(error) if error.kind() == MemberKind::Error => error.output(),
            _ => return Err(Fault::NO_MEMBER),
        },
    };
    let text = message.get(members.parameters).unwrap_or_default();
    let mut cursor = parameters_cursor(text);
    // The range of a key is not moved, because the caller ignores it.
    defined
        .check::<AllKinds>(&mut cursor, MESSAGE)
        .map_err(|fault| Fault {
            offset: fault.offset.wrapping_add(start),
            ..fault
        })
}
