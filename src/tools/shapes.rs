//! Decides which Rust types need lifetimes, and type parameters for lists and maps, whose length is
//! unknown.

use std::collections::{BTreeMap, BTreeSet};
use std::format;
use std::iter;
use std::string::{String, ToString};
use std::vec::Vec;

use super::names::{Declaration, declarations, is_empty};
use crate::idl::{Definition, Field, MemberKind, Type, TypeKind};

/// The type of a field in Rust, without the `Option` of a nullable type.
#[derive(Clone, Copy)]
pub(super) enum Shape<'a> {
    /// A Rust type that borrows nothing.
    Plain(&'static str),
    String,
    /// `object` and `any`.
    Raw,
    /// A list or a map, whose length is unknown, or a type that would contain itself.
    Unbounded,
    Enum(Type<'a>),
    Struct(Type<'a>),
}

/// The maximum nesting depth of type arguments in the type of a received value. Deeper structures
/// are read as `Raw`, because the types can grow exponentially.
const MAX_NESTED: usize = 4;

/// The types of a module. The sets have the entries of structures and fields.
pub(super) struct Shapes<'a> {
    pub(super) definition: Definition<'a>,
    /// True if no type has a lifetime or a type parameter.
    pub(super) owned: bool,
    pub(super) declarations: BTreeMap<u16, Declaration<'a>>,
    structs: Vec<Type<'a>>,
    /// Fields whose type would contain itself: nullable ones, and those without a finite value.
    within: BTreeSet<u16>,
    /// Structures with type parameters.
    open: BTreeSet<u16>,
    /// Structures with a lifetime.
    borrowing: BTreeSet<u16>,
    /// Enumerations that only calls have.
    only_sent: BTreeSet<u16>,
}

impl<'a> Shapes<'a> {
    pub(super) fn new(definition: Definition<'a>, owned: bool) -> Self {
        let declarations = declarations(definition, owned);
        let structs = declarations.values().map(|item| item.ty);
        let structs = structs.filter(|ty| matches!(ty.kind(), TypeKind::Struct));
        let mut this = Shapes {
            definition,
            owned,
            structs: structs.collect(),
            declarations,
            within: BTreeSet::new(),
            open: BTreeSet::new(),
            borrowing: BTreeSet::new(),
            only_sent: only_sent(definition),
        };
        // Nullable fields first: others can then contain their structure only without a finite value.
        for is_nullable in [true, false] {
            for outer in this.structs.clone() {
                for field in outer.fields() {
                    if let (nullable, Shape::Struct(inner)) = this.shape(field)
                        && nullable == is_nullable
                        && this.contains(inner, outer)
                    {
                        this.within.insert(field.index);
                    }
                }
            }
        }
        this.grow(|this| &mut this.open, Self::is_open);
        this.grow(
            |this| &mut this.borrowing,
            |this, shape| !this.is_open(shape) && this.borrows(shape),
        );
        this
    }

    /// Adds the structures with a field for which `has` is true to a set. Repeats this until the
    /// set no longer grows, because `has` depends on it.
    fn grow(
        &mut self,
        set: fn(&mut Self) -> &mut BTreeSet<u16>,
        has: fn(&Self, Shape<'a>) -> bool,
    ) {
        let mut more = true;
        while more {
            more = false;
            for list in self.structs.clone().into_iter().rev() {
                if list.fields().any(|field| has(self, self.shape(field).1)) {
                    more |= set(self).insert(list.index);
                }
            }
        }
    }

    /// Returns whether a field is an `Option`, and its shape.
    pub(super) fn shape(&self, field: Field<'a>) -> (bool, Shape<'a>) {
        let (nullable, ty) = match field.ty().kind() {
            TypeKind::Nullable(inner) => (true, inner),
            // A type that contains itself has no value in Rust otherwise.
            _ => (self.owned && self.within.contains(&field.index), field.ty()),
        };
        let shape = match (ty.kind(), ty.resolved().kind()) {
            _ if self.within.contains(&field.index) => Shape::Unbounded,
            (TypeKind::Struct, _) if is_empty(ty) => Shape::Plain("()"),
            (_, TypeKind::Bool) => Shape::Plain("bool"),
            (_, TypeKind::Int) => Shape::Plain("i64"),
            (_, TypeKind::Float) => Shape::Plain("f64"),
            (_, TypeKind::String) => Shape::String,
            (_, TypeKind::Array(_) | TypeKind::Map(_)) => Shape::Unbounded,
            (_, TypeKind::Enum) => Shape::Enum(ty.resolved()),
            (_, TypeKind::Struct) => Shape::Struct(ty.resolved()),
            (_, TypeKind::Object | TypeKind::Any | TypeKind::Nullable(_) | TypeKind::Named(_)) => {
                Shape::Raw
            }
        };
        (nullable, shape)
    }

    /// True if a value of the structure `outer` can contain one of `inner`, other than in lists and
    /// maps.
    fn contains(&self, outer: Type<'a>, inner: Type<'a>) -> bool {
        let mut seen = BTreeSet::new();
        let mut pending = std::vec![outer];
        while let Some(list) = pending.pop() {
            if list.index == inner.index {
                return true;
            }
            for field in list.fields() {
                if let (_, Shape::Struct(list)) = self.shape(field)
                    && seen.insert(list.index)
                {
                    pending.push(list);
                }
            }
        }
        false
    }

    /// True if a field of this shape is a type parameter of its structure.
    pub(super) fn is_open(&self, shape: Shape<'a>) -> bool {
        match shape {
            _ if self.owned => false,
            Shape::Unbounded => true,
            Shape::Struct(list) => self.open.contains(&list.index),
            Shape::Plain(_) | Shape::String | Shape::Raw | Shape::Enum(_) => false,
        }
    }

    /// True if the type of a received value has a lifetime.
    pub(super) fn borrows(&self, shape: Shape<'a>) -> bool {
        match shape {
            _ if self.owned => false,
            Shape::Plain(_) | Shape::Enum(_) => false,
            Shape::String | Shape::Raw | Shape::Unbounded => true,
            Shape::Struct(list) => {
                self.open.contains(&list.index) || self.borrowing.contains(&list.index)
            }
        }
    }

    /// Returns the name of a type of the module, or `()` for a structure without fields that has no
    /// declaration.
    pub(super) fn name(&self, ty: Type<'a>) -> &str {
        let declared = self.declarations.get(&ty.index);
        declared.map_or("()", |item| &item.name)
    }

    /// True if a client can receive values of an enumeration from a newer service, which has more.
    pub(super) fn is_received(&self, list: Type<'a>) -> bool {
        !self.only_sent.contains(&list.index)
    }

    /// Returns the Rust type of a field in the form without lifetimes, without its `Option`.
    pub(super) fn owned(&self, field: Field<'a>) -> String {
        let ty = match field.ty().kind() {
            TypeKind::Nullable(inner) => inner,
            _ => field.ty(),
        };
        if self.within.contains(&field.index) {
            format!("Box<{}>", self.owned_type(ty))
        } else {
            self.owned_type(ty)
        }
    }

    fn owned_type(&self, ty: Type<'a>) -> String {
        match ty.resolved().kind() {
            TypeKind::Bool => "bool".into(),
            TypeKind::Int => "i64".into(),
            TypeKind::Float => "f64".into(),
            TypeKind::String => "String".into(),
            TypeKind::Object | TypeKind::Any => "Json".into(),
            TypeKind::Nullable(inner) => format!("Option<{}>", self.owned_type(inner)),
            TypeKind::Array(inner) => format!("Vec<{}>", self.owned_type(inner)),
            TypeKind::Map(inner) => format!("BTreeMap<String, {}>", self.owned_type(inner)),
            TypeKind::Struct | TypeKind::Enum | TypeKind::Named(_) => {
                self.name(ty.resolved()).into()
            }
        }
    }

    /// Returns the Rust type of a received value, which borrows for a lifetime.
    pub(super) fn received(&self, shape: Shape<'a>, lifetime: &str) -> String {
        self.ty(shape, lifetime, MAX_NESTED)
    }

    fn ty(&self, shape: Shape<'a>, lifetime: &str, nested: usize) -> String {
        match shape {
            Shape::Plain(name) => name.to_string(),
            Shape::String => format!("&{lifetime} str"),
            Shape::Enum(list) => self.name(list).to_string(),
            Shape::Struct(list) if self.borrowing.contains(&list.index) => {
                format!("{}<{lifetime}>", self.name(list))
            }
            Shape::Struct(list) if !self.is_open(shape) => self.name(list).to_string(),
            Shape::Struct(list) if nested > 0 => {
                let nested = nested.saturating_sub(1);
                let open = self.open_shapes(list);
                let arguments = open.map(|shape| self.ty(shape, lifetime, nested));
                format!("{}{}", self.name(list), angles(arguments.collect()))
            }
            Shape::Raw | Shape::Unbounded | Shape::Struct(_) => format!("Raw<{lifetime}>"),
        }
    }

    fn open_shapes(&self, list: Type<'a>) -> impl Iterator<Item = Shape<'a>> {
        let shapes = list.fields().map(|field| self.shape(field).1);
        shapes.filter(|shape| self.is_open(*shape))
    }

    /// Returns names for the type parameters of a struct: letters that are not names of types.
    pub(super) fn parameter_names(&self) -> impl Iterator<Item = String> {
        let suffixes = iter::once(String::new()).chain((1..).map(|round: u32| round.to_string()));
        let names =
            suffixes.flat_map(|suffix| ('A'..='Z').map(move |letter| format!("{letter}{suffix}")));
        names.filter(|name| match self.definition.find(name) {
            Some(member) => member.kind() == MemberKind::Error,
            None => true,
        })
    }

    /// Returns the parameters of a structure in four forms: `<'a, A = Raw<'a>>` to declare it,
    /// `<'a, A>` for an `impl` of it, `<'_, A>` to use it, and `<A: Serialize>` for an `impl` of a
    /// structure to send. A form without parameters is empty.
    pub(super) fn parameters(&self, list: Type<'a>) -> [String; 4] {
        let borrowing = self.borrowing.contains(&list.index);
        let (mut declared, mut named) = (Vec::new(), Vec::new());
        let (mut used, mut bound) = (Vec::new(), Vec::new());
        if borrowing {
            declared.push("'a".to_string());
            named.push("'a".to_string());
            used.push("'_".to_string());
        }
        for (shape, name) in self.open_shapes(list).zip(self.parameter_names()) {
            let default = borrowing.then(|| format!(" = {}", self.received(shape, "'a")));
            declared.push(name.clone() + &default.unwrap_or_default());
            bound.push(format!("{name}: Serialize"));
            named.push(name.clone());
            used.push(name);
        }
        [declared, named, used, bound].map(angles)
    }

    /// Returns a type in the syntax of the definition, with the Rust names of structures and
    /// enumerations.
    pub(super) fn declared(&self, ty: Type<'a>) -> String {
        match ty.kind() {
            TypeKind::Nullable(inner) => format!("?{}", self.declared(inner)),
            TypeKind::Array(inner) => format!("[]{}", self.declared(inner)),
            TypeKind::Map(inner) => format!("[string]{}", self.declared(inner)),
            TypeKind::Named(_) | TypeKind::Struct | TypeKind::Enum => {
                self.name(ty.resolved()).into()
            }
            _ => ty.to_string(),
        }
    }
}

/// Returns the enumerations that calls have, and no reply and no error.
fn only_sent(definition: Definition<'_>) -> BTreeSet<u16> {
    let members = |kind| {
        definition
            .members()
            .filter(move |member| member.kind() == kind)
    };
    let methods = || members(MemberKind::Method);
    let outputs = methods().map(|method| method.output());
    let errors = members(MemberKind::Error).map(|error| error.ty());
    let received = enumerations(outputs.chain(errors).collect());
    let mut sent = enumerations(methods().map(|method| method.input()).collect());
    sent.retain(|list| !received.contains(list));
    sent
}

/// Returns the enumerations in types, and in the types that these name.
fn enumerations(mut pending: Vec<Type<'_>>) -> BTreeSet<u16> {
    let (mut seen, mut found) = (BTreeSet::new(), BTreeSet::new());
    while let Some(ty) = pending.pop() {
        match ty.kind() {
            TypeKind::Enum => _ = found.insert(ty.index),
            TypeKind::Struct => pending.extend(ty.fields().map(|field| field.ty())),
            TypeKind::Nullable(inner) | TypeKind::Array(inner) | TypeKind::Map(inner) => {
                pending.push(inner);
            }
            TypeKind::Named(member) if seen.insert(member.index()) => pending.push(member.ty()),
            _ => {}
        }
    }
    found
}

/// Joins parameters in angle brackets, if there are any.
fn angles(parameters: Vec<String>) -> String {
    if parameters.is_empty() {
        String::new()
    } else {
        format!("<{}>", parameters.join(", "))
    }
}
